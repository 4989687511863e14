"""What the commands on sound events have in common: their options, and reading files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aver.errors import AverError, CorpusError

if TYPE_CHECKING:
    from aver.corpora.sound_events import EventFile, EventSettings

Source = Annotated[Path, typer.Argument(help="File of events (.eaf, .tsv, .csv, .txt), or folder.")]
Tier = Annotated[
    list[str] | None,
    typer.Option("--tier", help="Tier of an ELAN file; repeatable. [default: all with times]"),
]
LabelFrom = Annotated[
    Literal["value", "tier"],
    typer.Option("--label-from", help="ELAN: the annotation's text, or its tier's name."),
]
SameLabel = Annotated[
    Literal["refuse", "merge", "keep"],
    typer.Option("--same-label", help="Events of one label that overlap."),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        "-m",
        metavar="WORD=NAME",
        help="A label of the file and its name; empty leaves it out; repeatable.",
    ),
]
PaperLabels = Annotated[
    bool, typer.Option("--cognimuse", help="Map the human sounds as COGNIMUSE's paper names them.")
]
Unknown = Annotated[
    Literal["refuse", "leave_out", "keep"],
    typer.Option("--unknown", help="Labels that no --map names."),
]
Recording = Annotated[
    str, typer.Option("--recording", help="Only events of the recording of this name.")
]
AnyRecording = Annotated[
    bool, typer.Option("--any-recording", help="Also where the file names another recording.")
]
Tolerance = Annotated[
    float, typer.Option("--tolerance", min=0, help="Seconds that events may reach beyond its end.")
]
Media = Annotated[
    Path | None,
    typer.Option("--media", help="The recording itself: only its events, none beyond its end."),
]


def event_settings(
    tiers: list[str] | None,
    label_from: Any,
    same_label: Any,
    unknown: Any,
    tolerance: float,
    any_recording: bool,
) -> EventSettings:
    """The settings that options of the command line say."""
    from aver.corpora.sound_events import EventSettings

    return EventSettings(
        tiers=tuple(tiers or ()),
        label_from=label_from,
        same_label=same_label,
        unknown=unknown,
        tolerance_seconds=tolerance,
        any_recording=any_recording,
    )


def label_map(words: Iterable[str] | None, cognimuse: bool) -> dict[str, str] | None:
    """The map of labels that options of the command line say; None without any."""
    from aver.corpora.sound_events import COGNIMUSE_LABELS

    found = dict(COGNIMUSE_LABELS) if cognimuse else {}
    for text in words or ():
        word, equals, name = text.rpartition("=")
        if not equals or not word.strip():
            raise typer.BadParameter(f"{text!r} is not WORD=NAME", param_hint="--map")
        found[word.strip()] = name.strip()
    return found or None


def read_all(
    source: Path,
    settings: EventSettings,
    labels: dict[str, str] | None,
    *,
    recording: str = "",
    duration: float | None = None,
) -> tuple[dict[Path, EventFile], bool]:
    """Events of a file, or of every file of a folder, and whether some could not be used.

    Raises:
        AverError: if the one file cannot be used. Of a folder's files that is told, not raised.
        CorpusError: if a folder holds none.
    """
    from aver.corpora.layout import find_files
    from aver.corpora.sound_events import SUFFIXES, read_event_file

    def read(path: Path) -> EventFile:
        return read_event_file(
            path, labels=labels, duration=duration, recording=recording, settings=settings
        )

    if not source.is_dir():
        return {source: read(source)}, False
    found: dict[Path, EventFile] = {}
    failed = False
    for path in find_files(source, set(SUFFIXES)):
        try:
            found[path] = read(path)
        except AverError as error:
            failed = True
            typer.echo(f"aver: {error}", err=True)
    if not found and not failed:
        known = ", ".join(SUFFIXES)
        raise CorpusError(source, "holds no files of events", f"They end in {known}")
    return found, failed


def recording_and_seconds(recording: str, media: Path | None) -> tuple[str, float | None]:
    """Name and length of the recording whose events are wanted, as far as they are told."""
    if media is None:
        return recording, None
    from aver.media import probe

    return recording or media.name, probe(media).duration
