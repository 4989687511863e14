"""The two forms of a manifest on disk: the table, and the record of where it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

TEXTS: tuple[str, ...] = ("subject", "label", "intensity", "group", "source_label", "recording")
# Written by people and publishers: where they are digits ("07", "1001"), they are names all the
# same.
_NAMES = frozenset(
    {*TEXTS, *"file corpus modality channel statement sex race ethnicity fold category".split()}
)
_KEY = b"aver_manifest"


def write_csv(frame: pd.DataFrame, path: Path, record: dict[str, Any]) -> None:
    """Write *frame* as CSV, *record* as JSON in a first line that starts with ``#``."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.write(f"# {json.dumps(record)}\n")
        frame.to_csv(stream, index=False, lineterminator="\n")


def write_parquet(frame: pd.DataFrame, path: Path, record: dict[str, Any]) -> None:
    """Write *frame* as Parquet, *record* as JSON in the schema's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table.replace_schema_metadata({_KEY: json.dumps(record).encode()}), path)


def read_csv(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table and record of a CSV; the record is empty where there is no first line of one.

    Raises:
        ValueError: it is no such table, or no UTF-8.
        OSError: it cannot be read.
    """
    import pandas as pd

    with path.open(encoding="utf-8-sig", newline="") as stream:
        first = stream.readline()
        has_record = first.startswith("#")
        record = json.loads(first.removeprefix("#")) if has_record else {}
    if not isinstance(record, dict):
        raise ValueError("its first line is no record")
    # All as text first: pandas would take "07" for 7, and "NA" or "None" for nothing.
    frame = pd.read_csv(
        path, dtype=str, keep_default_na=False, skiprows=int(has_record), encoding="utf-8-sig"
    )
    return with_numbers(frame), record


def with_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table; columns of texts that are all numbers as numbers, but for those of names."""
    for column in frame.columns:
        if column not in _NAMES and len(frame):
            frame[column] = _numbers_where_all_are(frame[column])
    return frame


def _numbers_where_all_are(values: pd.Series[Any]) -> pd.Series[Any]:
    """The column as numbers, gaps NaN, if all that stands in it are numbers."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values):
        return values
    there = values[values != ""]
    if pd.to_numeric(there, errors="coerce").isna().any() or there.empty:
        return values
    return pd.to_numeric(values.where(values != "", None))


def read_parquet(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table and record of a Parquet file.

    Raises:
        ValueError: it is no Parquet file.
        OSError: it cannot be read.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    record = json.loads((table.schema.metadata or {}).get(_KEY, b"{}"))
    if not isinstance(record, dict):
        raise ValueError("its record is damaged")
    return table.to_pandas(ignore_metadata=True), record
