"""Your own recordings: a folder a label, or a CSV that names files and labels.

* ``label/clip.wav``, or ``label/subject/clip.wav`` where it is known who is heard or seen;
* a table ``labels.csv`` in the folder (or the CSV itself in place of the folder) with the columns
  ``file`` and ``label`` and, where known, ``subject``, ``start``, ``end`` (seconds),
  ``intensity``, ``group``, ``recording``. Files are named from the table's own folder.

Splits keep people apart only if ``subject`` says who they are.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BeforeValidator

from aver.corpora.layout import find_files
from aver.corpora.manifest_files import with_numbers
from aver.corpora.registry import CorpusOptions, register_corpus
from aver.corpora.table import COLUMNS, EXTRA_COLUMNS, is_known_column, make_frame, nearest, report
from aver.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

TABLE: Final = "labels.csv"
# fmt: off
SUFFIXES: Final = frozenset(
    ".3gp .aac .aif .aiff .amr .avi .bmp .flac .flv .jpeg .jpg .m4a .m4v .mkv .mov .mp2 .mp3 .mp4 "
    ".mpeg .mpg .mts .oga .ogg .opus .png .tif .tiff .ts .wav .webm .webp .wma .wmv".split()
)
# fmt: on
"""Files taken from folders of labels; a table may name any file."""

_ADVICE = f"Lay it out as label/clip.wav or label/subject/clip.wav, or write {TABLE} beside"


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]


class FolderOptions(CorpusOptions):
    """What to list.

    Args:
        table: name of the CSV in the folder.
        labels: the labels there are; others are refused with the nearest. Empty: any.
        columns: further columns of the CSV to keep.
    """

    table: str = TABLE
    labels: Names = ()
    columns: Names = ()


def _table_of(root: Path, options: FolderOptions) -> Path | None:
    if root.is_file():
        return root
    table = root / options.table
    if table.is_file():
        return table
    if options.table != TABLE:
        raise CorpusError(table, "there is no such file", "Correct the option 'table'")
    return None


def _missing(root: Path, frame: pd.DataFrame) -> list[str]:
    return [file for file in dict.fromkeys(frame["file"]) if not Path(file).is_file()]


@register_corpus(
    "folder",
    title="Your own recordings: label/clip.wav, label/subject/clip.wav, or a CSV",
    options=FolderOptions,
    missing=_missing,
    root_may_be_file=True,
)
def load(root: Path, options: FolderOptions | None = None) -> pd.DataFrame:
    """List the recordings under *root*.

    Returns:
        One row a file, or a row of the CSV, with the columns of every corpus and those of the
        CSV. ``recording`` is the file's path from the root unless the CSV says otherwise, so
        stretches of one file are never parted.

    Raises:
        CorpusError: if neither layout is found, a label is not one of those wanted, or the CSV
            lacks a column, has an unknown one, or names files that are not there.
    """
    options = options or FolderOptions()
    root = Path(root).resolve()
    table = _table_of(root, options)
    extra: tuple[str, ...] = ()
    if table is None:
        rows = list(_rows_of_folders(root))
        advice = _ADVICE
    else:
        rows, extra = _rows_of_table(table, options)
        advice = "Write one row a recording: file,label"
    kept = [row for row in rows if _has_wanted_label(row, options, table or root)]
    if not kept:
        raise CorpusError(table or root, "no labelled recording found", advice)
    return with_numbers(make_frame(kept, extra))


def _has_wanted_label(row: dict[str, object], options: FolderOptions, where: Path) -> bool:
    label = str(row["label"])
    if not options.labels or label in options.labels:
        return True
    problem = f"'{label}' ({Path(str(row['file'])).name}) is not one of the labels"
    report(CorpusError(where, problem, nearest(label, options.labels)))
    return False


def _rows_of_folders(root: Path) -> Iterator[dict[str, object]]:
    depths: dict[int, Path] = {}
    for file in find_files(root, SUFFIXES):
        parts = file.relative_to(root).parts
        if len(parts) not in (2, 3):
            problem = "lies neither in a label's folder nor in a subject's within one"
            report(CorpusError(file, problem, _ADVICE))
            continue
        depths.setdefault(len(parts), file)
        if len(depths) == 2:
            raise CorpusError(
                root,
                f"some recordings lie in a subject's folder ({depths[3].relative_to(root)}) and "
                f"some do not ({depths[2].relative_to(root)})",
                "Name the subject of all of them or of none",
            )
        yield {
            "file": str(file),
            "label": parts[0],
            "source_label": parts[0],
            "subject": parts[1] if len(parts) == 3 else "",
            "recording": "/".join(parts),
        }


def _rows_of_table(
    table: Path, options: FolderOptions
) -> tuple[list[dict[str, object]], tuple[str, ...]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, delimiter="\t" if table.suffix == ".tsv" else ",")
            names = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = names
            lines = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problem = f"cannot be read as a table ({error})"
        raise CorpusError(table, problem, "Save it as CSV in UTF-8") from error
    _check_columns(table, names, options)
    rows: list[dict[str, object]] = []
    absent: list[str] = []
    for number, line in enumerate(lines, start=2):
        row = _row(table, number, line)
        if row is None:
            continue
        if not Path(str(row["file"])).is_file():
            absent.append(f"{line['file']} (line {number})")
        rows.append(row)
    if absent:
        what = "a file that is" if len(absent) == 1 else f"{len(absent)} files that are"
        advice = "Files are named from the table's own folder"
        report(CorpusError(table, f"names {what} not there: {', '.join(absent[:3])}", advice))
    return rows, tuple(name for name in names if name not in COLUMNS)


def _check_columns(table: Path, names: list[str], options: FolderOptions) -> None:
    for wanted in ("file", "label"):
        if wanted not in names:
            advice = nearest(wanted, names, "It has") if names else "It is empty"
            raise CorpusError(table, f"has no column '{wanted}'", advice)
    for name in names:
        if not is_known_column(name) and name not in options.columns:
            advice = nearest(name, (*COLUMNS, *EXTRA_COLUMNS))
            dot = "" if advice.endswith("?") else "."
            keep = f"{advice}{dot} To keep it, give the option columns = '{name}'"
            raise CorpusError(table, f"has a column '{name}' of no known meaning", keep)


def _row(table: Path, number: int, line: dict[str, str]) -> dict[str, object] | None:
    """A line of the table; None, and told, where it cannot be used."""
    row: dict[str, object] = {
        name: (value or "").strip() for name, value in line.items() if isinstance(name, str)
    }
    if None in line or None in line.values():
        report(CorpusError(table, f"line {number} has not as many fields as the first", "Mend it"))
        return None
    for wanted in ("file", "label"):
        if not row[wanted]:
            report(CorpusError(table, f"line {number} has no {wanted}", "Fill it in"))
            return None
    times = [row.get("start") or "nan", row.get("end") or "nan"]
    try:
        start, end = (float(str(time)) for time in times)
    except ValueError as error:
        report(CorpusError(table, f"line {number}: {error}", "start and end are seconds"))
        return None
    if end <= start or start < 0:
        problem = f"line {number} ends before it starts" if start >= 0 else f"line {number}: start"
        report(CorpusError(table, problem, "start and end are seconds from the file's start"))
        return None
    name = str(row["file"])
    row |= {"file": str((table.parent / name).resolve()), "start": start, "end": end}
    row["source_label"] = row.get("source_label") or row["label"]
    row["recording"] = row.get("recording") or name
    return row
