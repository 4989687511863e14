"""A split as a table, to look at or to keep beside a figure."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aver.corpora.splits import Split
from aver.corpora.takes import subjects_of
from aver.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd

SIDES = ("train", "validation", "test")


def split_frame(manifest: pd.DataFrame, split: Split) -> pd.DataFrame:
    """One row for each fold, side and row of the manifest.

    Returns:
        ``fold``, ``side`` (train, validation, test), ``row`` (number in the manifest) and the
        manifest's ``subject``, ``label``, ``recording``, ``file``, ``start``, ``end``; the name
        of the split, its leaks and their reason in ``attrs``.
    """
    import pandas as pd

    parts = []
    for fold in split.folds:
        for side in SIDES:
            rows = getattr(fold, side)
            part = manifest.iloc[rows][["subject", "label", "recording", "file", "start", "end"]]
            part = part.reset_index(drop=True)
            part.insert(0, "row", rows)
            part.insert(0, "side", side)
            part.insert(0, "fold", fold.name)
            parts.append(part)
    table: pd.DataFrame = pd.concat(parts, ignore_index=True)
    table.attrs = {"split": split.name, "leaks": split.leaks, "reason": split.reason}
    return table


def summary(manifest: pd.DataFrame, split: Split) -> pd.DataFrame:
    """One row a fold: numbers of rows on each side, and who is tested."""
    import pandas as pd

    subjects = np.array(subjects_of(manifest), dtype=object)
    return pd.DataFrame(
        [
            {
                "fold": fold.name,
                **{side: len(getattr(fold, side)) for side in SIDES},
                "validated on": _names(subjects[fold.validation]),
                "tested on": _names(subjects[fold.test]),
            }
            for fold in split.folds
        ]
    )


def _names(subjects: np.ndarray) -> str:
    named = sorted({str(s) for s in subjects if s})
    return " ".join(named) if len(named) <= 12 else f"{len(named)} subjects"


def write_split(table: pd.DataFrame, path: Path) -> None:
    """Write :func:`split_frame`'s table, Parquet or CSV by the suffix; beside, then renamed.

    Raises:
        OutputError: if the suffix is neither, or it cannot be written.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise OutputError(path, "a split is Parquet or CSV", "End its name in .parquet or .csv")
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.suffix == ".csv":
            table.to_csv(beside, index=False)
        else:
            table.to_parquet(beside, index=False)
        beside.replace(path)
    except OSError as error:
        raise OutputError(
            path, f"cannot be written ({error.strerror or error})", "Choose another place"
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()
