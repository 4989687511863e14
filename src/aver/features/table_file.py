"""Reading the tables of features that a corpus or a user brings."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from aver.errors import SettingError

if TYPE_CHECKING:
    import pandas as pd

KeyForm = Literal["as_is", "ravdess"]

_RAVDESS = re.compile(r"\d\d-(\d\d(?:-\d\d){5})")


def normalise_key(key: str, form: KeyForm) -> str:
    """The form in which keys of the table and of clips are compared.

    ``ravdess`` drops the modality, the first of the seven fields: ``01-01-x`` is the picture of
    ``03-01-x``. Keys of another shape stay as they are.
    """
    match = _RAVDESS.fullmatch(key) if form == "ravdess" else None
    return match.group(1) if match else key


@dataclass(frozen=True)
class Table:
    """Numbers by key.

    Attributes:
        path: the file.
        columns: names of the numbers.
        values: (rows, columns) float32; NaN where the table holds nothing.
        extra: further columns that were asked for, (rows,) float64 each.
        rows: rows of each key, in the order of the file.
    """

    path: Path
    columns: tuple[str, ...]
    values: NDArray[np.float32]
    extra: dict[str, NDArray[np.float64]]
    rows: dict[str, NDArray[np.intp]]


def file_hash(table: str) -> str:
    """SHA-256 of the table's bytes.

    Raises:
        SettingError: if it cannot be read.
    """
    with _path(table).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_table(
    table: str,
    key: str,
    columns: tuple[str, ...],
    form: KeyForm,
    extra: tuple[str, ...] = (),
) -> Table:
    """Read a CSV or Parquet file.

    Args:
        table: path of the file.
        key: column that names the recording; empty for the first column.
        columns: names or patterns (``AU*``) of the columns to take; none takes all that are
            numbers, but *key* and *extra*.
        form: in which keys are compared.
        extra: further columns of numbers to read (time, score).

    Raises:
        SettingError: if the file or a column is missing, or a column holds no numbers.
    """
    path = _path(table)
    frame = _read(path, key)
    key = key or str(frame.columns[0])
    for setting, name in (("key", key), *(("column", name) for name in extra)):
        if name not in frame.columns:
            raise SettingError(setting, f"'{name}' is no column of {path}", _near(name, frame))
    chosen = _choose(path, frame, columns, {key, *extra})
    values = np.stack([_numbers(path, frame, name) for name in chosen], axis=1)
    keys = [normalise_key(str(entry), form) for entry in frame[key]]
    order = np.argsort(np.array(keys, dtype=object), kind="stable")
    names, starts = np.unique(np.array(keys, dtype=str)[order], return_index=True)
    return Table(
        path,
        chosen,
        values.astype(np.float32),
        {name: _numbers(path, frame, name) for name in extra},
        dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True)),
    )


def _path(table: str) -> Path:
    if not table:
        raise SettingError("table", "no file is named", "Name a CSV or Parquet file")
    path = Path(table).expanduser()
    if not path.is_file():
        raise SettingError("table", f"there is no file {path}", "Name a CSV or Parquet file")
    return path


def _read(path: Path, key: str) -> pd.DataFrame:
    import pandas as pd

    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            frame = pd.read_parquet(path)
        else:
            first = pd.read_csv(path, nrows=0, skipinitialspace=True).columns[0]
            # OpenFace writes a blank after every comma.
            frame = pd.read_csv(path, skipinitialspace=True, dtype={key or first: str})
    except (OSError, ValueError, IndexError) as error:
        problem = f"{path} cannot be read as a table ({error})"
        raise SettingError("table", problem, "Name a CSV or Parquet file") from None
    if not len(frame):
        raise SettingError("table", f"{path} holds no row")
    return frame


def _choose(
    path: Path, frame: pd.DataFrame, columns: tuple[str, ...], others: set[str]
) -> tuple[str, ...]:
    from pandas.api.types import is_numeric_dtype

    if not columns:
        taken = [c for c in frame.columns if c not in others and is_numeric_dtype(frame[c])]
    else:
        taken = []
        for wanted in columns:
            found = [c for c in frame.columns if fnmatch.fnmatchcase(c, wanted)]
            if not found:
                problem = f"'{wanted}' is no column of {path}"
                raise SettingError("columns", problem, _near(wanted, frame))
            taken += found
    if not taken:
        raise SettingError("columns", f"{path} holds no column of numbers besides its key")
    return tuple(dict.fromkeys(taken))


def _numbers(path: Path, frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    try:
        numbers: Any = frame[name].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        problem = f"the column '{name}' of {path} holds something that is no number"
        raise SettingError("columns", problem, "Choose others, or correct the table") from None
    return np.asarray(numbers)


def _near(name: str, frame: pd.DataFrame) -> str:
    known = [str(column) for column in frame.columns]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"The nearest is '{close[0]}'"
    shown = ", ".join(known[:8])
    return f"It has: {shown}" + (" and others" if len(known) > 8 else "")
