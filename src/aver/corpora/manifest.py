"""Manifests: the table of a corpus in a file, Parquet or CSV.

Files are named from the corpus's root, which is recorded beside (from the manifest's own folder,
and absolutely), so corpus and manifest can move together, and be read elsewhere with ``root=``.
A CSV carries the record in its first line, ``# {"aver_manifest": 1, ...}``; a CSV written by hand
needs none, its files are named from its own folder.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aver.corpora.manifest_files import TEXTS, read_csv, read_parquet, write_csv, write_parquet
from aver.corpora.table import COLUMNS, EXTRA_COLUMNS, is_known_column, nearest
from aver.errors import CorpusError, OutputError

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1


def write_manifest(
    frame: pd.DataFrame, path: str | Path, *, root: str | Path | None = None
) -> Path:
    """Write the table of a corpus, Parquet or CSV by the suffix; beside first, then renamed.

    Args:
        frame: with :data:`aver.corpora.COLUMNS` and any further columns.
        path: ``.parquet`` or ``.csv``.
        root: folder that files are named from; ``frame.attrs["root"]`` if None, else the folder
            that holds all of them.

    Returns:
        The path.

    Raises:
        CorpusError: if a column is missing.
        OutputError: if the suffix is neither, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in (".parquet", ".csv"):
        raise OutputError(path, "a manifest is Parquet or CSV", "End its name in .parquet or .csv")
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise CorpusError(path, f"the table has no column {', '.join(missing)}")
    base = _root_of(frame, root)
    stored = frame.copy()
    stored["file"] = [_from_root(str(file), base) for file in frame["file"]]
    stored.attrs = {}
    record = {
        "aver_manifest": VERSION,
        "corpus": frame.attrs.get("corpus", ""),
        "options": frame.attrs.get("options", {}),
        "root": str(base),
        "root_from_here": _relative(base, path.resolve().parent),
        "columns": [str(column) for column in frame.columns],
    }
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.suffix == ".csv":
            write_csv(stored, beside, record)
        else:
            write_parquet(stored, beside, record)
        beside.replace(path)
    except OSError as error:
        raise OutputError(
            path, f"cannot be written ({error.strerror or error})", "Choose another place"
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()
    return path


def read_manifest(
    path: str | Path,
    *,
    root: str | Path | None = None,
    missing: Literal["refuse", "keep"] = "refuse",
) -> pd.DataFrame:
    """Read a manifest.

    Args:
        path: ``.parquet`` or ``.csv``.
        root: folder that its files are named from; what the manifest records if None.
        missing: what to do with files that are not there: ``refuse`` the manifest, or ``keep``
            their rows.

    Returns:
        The table, files absolute, ``attrs`` with ``corpus``, ``root`` and ``options``.

    Raises:
        CorpusError: if it is no manifest, was written by a newer version, has an unknown column
            (with the nearest known name) or lacks one, ends a row before its start, or names
            files that are not there.
    """
    path = Path(path)
    if not path.is_file():
        problem = "is a folder, not a manifest" if path.is_dir() else "there is no such file"
        raise CorpusError(path, problem, "Write one with 'aver corpus build NAME ROOT'")
    frame, record = _read(path)
    _check_version(path, record)
    _check_columns(path, frame, record)
    base = _find_root(path, record, root)
    frame["file"] = [str(_absolute(base, str(file))) for file in frame["file"]]
    frame = _with_all_columns(path, frame)
    if missing == "refuse":
        _refuse_missing(path, frame, base)
    frame.attrs = {
        "corpus": record.get("corpus", ""),
        "root": str(base),
        "options": record.get("options", {}),
    }
    return frame


def _root_of(frame: pd.DataFrame, root: str | Path | None) -> Path:
    if root is None and (known := frame.attrs.get("root")):
        root = known if Path(known).is_dir() else Path(known).parent
    if root is not None:
        return Path(root).resolve()
    folders = [str(Path(file).parent) for file in frame["file"]]
    try:
        return Path(os.path.commonpath(folders)) if folders else Path.cwd()
    except ValueError:
        return Path.cwd()


def _from_root(file: str, root: Path) -> str:
    """The path from the root, with '/'; as it is where it lies elsewhere."""
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file


def _relative(target: Path, start: Path) -> str:
    try:
        return Path(os.path.relpath(target, start)).as_posix()
    except ValueError:  # another drive
        return ""


def _absolute(root: Path, file: str) -> Path:
    return Path(os.path.abspath(root / file))  # noqa: PTH100 (links stay links)


def _read(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    advice = "Write one with 'aver corpus build NAME ROOT'"
    try:
        if path.suffix == ".csv":
            return read_csv(path)
        if path.suffix == ".parquet":
            return read_parquet(path)
    except (ValueError, OSError) as error:
        # pandas' and pyarrow's errors of format are ValueErrors, JSON's and Unicode's too.
        raise CorpusError(path, f"is not a manifest ({error})", advice) from error
    raise CorpusError(path, "a manifest is Parquet or CSV", advice)


def _check_version(path: Path, record: dict[str, Any]) -> None:
    version = record.get("aver_manifest", VERSION)
    if not isinstance(version, int) or version > VERSION:
        raise CorpusError(
            path,
            f"was written by a newer version (manifest {version}, this reads up to {VERSION})",
            "Update aver, or build it again with this version",
        )


def _check_columns(path: Path, frame: pd.DataFrame, record: dict[str, Any]) -> None:
    declared = set(record.get("columns", ()))
    for column in map(str, frame.columns):
        if not is_known_column(column) and column not in declared:
            raise CorpusError(
                path,
                f"has an unknown column '{column}'",
                nearest(column, (*COLUMNS, *EXTRA_COLUMNS)),
            )
    for wanted in ("file", "label"):
        if wanted not in frame.columns:
            raise CorpusError(path, f"has no column '{wanted}'", "A manifest names file and label")
    empty = [
        n
        for n, (f, v) in enumerate(zip(frame["file"], frame["label"], strict=True))
        if not (isinstance(f, str) and f and isinstance(v, str) and v)
    ]
    if empty:
        raise CorpusError(path, f"row {empty[0] + 1} has no file or no label", "Fill it in")


def _find_root(path: Path, record: dict[str, Any], root: str | Path | None) -> Path:
    if root is not None:
        return Path(root).resolve()
    here = path.resolve().parent
    near = record.get("root_from_here") or ""
    places = [here / near] if near else []
    if record.get("root"):
        places.append(Path(record["root"]))
    found = next((place for place in places if place.is_dir()), None)
    if found is None and places:
        raise CorpusError(
            path,
            f"names files from {places[-1]}, which is not there",
            "Give the corpus's folder (--root, or root= in read_manifest)",
        )
    return Path(os.path.abspath(found)) if found else here  # noqa: PTH100


def _with_all_columns(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    for column in ("start", "end"):
        if column not in frame.columns:
            frame[column] = np.nan
        try:
            frame[column] = pd.to_numeric(frame[column]).astype(np.float64)
        except (ValueError, TypeError) as error:
            problem = f"column '{column}': {error}"
            raise CorpusError(path, problem, "It holds seconds, or nothing") from error
    backwards = np.flatnonzero((frame["end"] <= frame["start"]).to_numpy())
    if len(backwards):
        raise CorpusError(path, f"row {backwards[0] + 1} ends before it starts", "Correct it")
    for column in TEXTS:
        values = frame[column] if column in frame.columns else ""
        frame[column] = pd.Series(values, index=frame.index, dtype=object).fillna("").astype(str)
    return frame[[*COLUMNS, *(c for c in frame.columns if c not in COLUMNS)]]


def _refuse_missing(path: Path, frame: pd.DataFrame, root: Path) -> None:
    files = list(dict.fromkeys(frame["file"]))
    gone = [file for file in files if not Path(file).is_file()]
    if gone:
        names = ", ".join(_from_root(file, root) for file in gone[:3])
        more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
        raise CorpusError(
            path,
            f"{len(gone)} of its {len(files)} files are not under {root}: {names}{more}",
            "Unpack the corpus there, or give its folder (--root, or root= in read_manifest)",
        )
