"""Writing a timeline for people and for other programs, and reading it back.

from aver.report import FORMATS, write, write_all
write(timeline, "interview.html", "html")
write_all(timeline, "results", "interview", ["json", "csv", "eaf"])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from aver.errors import SettingError, TimelineError
from aver.report.files import output_stem, write_files
from aver.report.words import describe
from aver.timeline import Timeline

__all__ = [
    "FORMATS",
    "Format",
    "describe",
    "json_schema",
    "output_stem",
    "read_timeline",
    "write",
    "write_all",
]


@dataclass(frozen=True, slots=True)
class Format:
    """A file format that a timeline can be written in.

    Attributes:
        name: as written after ``--format``.
        extension: with its dot; also the file's last name.
        description: a few words for help texts.
        home: ``module:function`` that writes it, loaded on first use.
    """

    name: str
    extension: str
    description: str
    home: str

    def write(self, timeline: Timeline, out: BinaryIO) -> None:
        """Write *timeline*'s bytes to the open file *out*."""
        module, function = self.home.split(":")
        writer: Callable[[Timeline, BinaryIO], None] = getattr(import_module(module), function)
        writer(timeline, out)


def _write_json(timeline: Timeline, out: BinaryIO) -> None:
    for piece in timeline.iter_json():
        # A file name's stray byte becomes \udcXX, which JSON reads back as the same stray byte.
        out.write(piece.encode("utf-8", "backslashreplace"))


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        f.name: f
        for f in (
            Format("html", ".html", "report to read in a browser", "aver.report.html:write_html"),
            Format("json", ".json", "everything (aver.timeline/1)", "aver.report:_write_json"),
            Format("csv", ".csv", "table, one row a window", "aver.report.tables:write_csv"),
            Format(
                "parquet",
                ".parquet",
                "table with types, for pandas and R",
                "aver.report.tables:write_parquet",
            ),
            Format("vtt", ".vtt", "WebVTT subtitles", "aver.report.webvtt:write_webvtt"),
            Format("eaf", ".eaf", "ELAN annotation file", "aver.report.elan:write_eaf"),
            Format("textgrid", ".TextGrid", "Praat TextGrid", "aver.report.praat:write_textgrid"),
        )
    }
)
"""All formats by name."""


def _format(name: str) -> Format:
    known = FORMATS.get(name.strip().lower().lstrip("."))
    if known is None:
        raise SettingError("format", f"{name!r} is not known", f"Known are {', '.join(FORMATS)}")
    return known


def write(timeline: Timeline, path: str | Path, format: str | None = None) -> Path:
    """Write one file; it appears complete or not at all.

    Args:
        timeline: what to write.
        path: the file; an existing one is replaced. Missing folders are created.
        format: a key of :data:`FORMATS`; by default the one of the file's extension.

    Raises:
        OutputError: if the file cannot be written.
        SettingError: if there is no such format.
    """
    path = Path(path)
    chosen = _format(format if format is not None else path.suffix)
    return write_files([(path, partial(chosen.write, timeline))])[0]


def write_all(
    timeline: Timeline, folder: str | Path, stem: str, formats: Iterable[str]
) -> list[Path]:
    """Write ``folder/stem.<extension>`` in each of *formats*: all of them or none.

    Args:
        timeline: what to write.
        folder: created where it is missing.
        stem: name without an extension; :func:`output_stem` makes one from an input's name.
        formats: keys of :data:`FORMATS`, each written once.

    Returns:
        The files, in the order of *formats*.

    Raises:
        OutputError: if a file cannot be written; nothing is left behind then.
        SettingError: if there is no such format.
    """
    chosen = {f.name: f for f in map(_format, formats)}
    return write_files(
        [
            (Path(folder) / f"{stem}{f.extension}", partial(f.write, timeline))
            for f in chosen.values()
        ]
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of ``aver.timeline/1``."""
    import json
    from importlib.resources import files

    text = files("aver.report") / "schema" / "aver.timeline-1.schema.json"
    schema: dict[str, Any] = json.loads(text.read_text(encoding="utf-8"))
    return schema


def read_timeline(path: str | Path) -> Timeline:
    """Read a timeline from JSON, or from Parquet or CSV as far as these carry it.

    JSON carries everything. Parquet leaves out the thumbnails. CSV holds the file's name, the
    labels, the segments, the events and the levels only.

    Raises:
        TimelineError: if the file cannot be read or is no timeline.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".parquet":
            from aver.report.tables import read_parquet

            return read_parquet(path)
        if path.suffix.lower() == ".csv":
            from aver.report.tables import read_csv

            return read_csv(path)
        return Timeline.from_json(path.read_text(encoding="utf-8"), path)
    except UnicodeDecodeError as error:
        raise TimelineError(path, "is not a timeline (not text)") from error
    except OSError as error:
        raise TimelineError(path, f"cannot be read ({error.strerror or error})") from error
