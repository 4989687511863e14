"""`aver events`: files of sound events shown, converted, counted; soundscapes made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aver.cli.bars import progress_bar
from aver.cli.corpus import parse_options, several
from aver.cli.event_inputs import (
    AnyRecording,
    LabelFrom,
    Map,
    Media,
    PaperLabels,
    Recording,
    SameLabel,
    Source,
    Tier,
    Tolerance,
    Unknown,
    event_settings,
    label_map,
    read_all,
    recording_and_seconds,
)
from aver.errors import one_line

if TYPE_CHECKING:
    import pandas as pd

    from aver.corpora.sound_events import EventFile, EventSettings

app = typer.Typer(
    help="Sound events: show, convert and count them; make soundscapes.", no_args_is_help=True
)


@app.command()
def show(
    source: Source,
    tier: Tier = None,
    label_from: LabelFrom = "value",
    same_label: SameLabel = "refuse",
    word: Map = None,
    cognimuse: PaperLabels = False,
    unknown: Unknown = "refuse",
    recording: Recording = "",
    any_recording: AnyRecording = False,
    media: Media = None,
    tolerance: Tolerance = 0.5,
) -> None:
    """Show the events of a file; of a folder, what each file holds.

    Exit code 1 if a file cannot be used; the others are shown all the same.
    """
    from rich.console import Console

    settings = event_settings(tier, label_from, same_label, unknown, tolerance, any_recording)
    name, seconds = recording_and_seconds(recording, media)
    labels = label_map(word, cognimuse)
    files, failed = read_all(source, settings, labels, recording=name, duration=seconds)
    Console().print(_files(files, source.resolve()) if source.is_dir() else _events(files))
    if failed:
        raise typer.Exit(1)


@app.command()
def convert(
    source: Source,
    out: Annotated[
        Path, typer.Argument(help="File to write: .tsv (DCASE), .csv, .txt (Audacity).")
    ],
    tier: Tier = None,
    label_from: LabelFrom = "value",
    same_label: SameLabel = "refuse",
    word: Map = None,
    cognimuse: PaperLabels = False,
    unknown: Unknown = "refuse",
    recording: Recording = "",
    any_recording: AnyRecording = False,
    media: Media = None,
    tolerance: Tolerance = 0.5,
) -> None:
    """Write the events of a file, or of all files of a folder, as another.

    Of a folder, files that cannot be used are named, the others written, and the exit code is 1.
    """
    from dataclasses import replace

    from aver.corpora.sound_events import write_events

    settings = event_settings(tier, label_from, same_label, unknown, tolerance, any_recording)
    name, seconds = recording_and_seconds(recording, media)
    labels = label_map(word, cognimuse)
    files, failed = read_all(source, settings, labels, recording=name, duration=seconds)
    events = []
    recordings: list[str] = []
    for path, found in files.items():
        # What names no recording is told by its file's name, so that they stay apart.
        own = path.stem if source.is_dir() else ""
        events += [replace(e, recording=e.recording or own) for e in found.events]
        recordings += found.recordings or ((own,) if own else ())
    write_events(events, out, list(dict.fromkeys(recordings)))
    typer.echo(f"{several(len(events), 'event')} written: {one_line(out)}")
    if failed:
        raise typer.Exit(1)


@app.command()
def statistics(
    source: Annotated[
        Path, typer.Argument(help="File or folder of events, or the folder of COGNIMUSE.")
    ],
    trace: Annotated[
        Path | None,
        typer.Option("--trace", help="Of one file: its film's trace, 'time valence arousal'."),
    ] = None,
    co_occur: Annotated[
        Literal["of_event", "of_extremes"],
        typer.Option(
            "--co-occur",
            help="Percent of the event's frames that are extreme, or of the extreme frames.",
        ),
    ] = "of_event",
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="KEY=VALUE", help="Option of COGNIMUSE."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the table as CSV as well.")
    ] = None,
    tier: Tier = None,
    label_from: LabelFrom = "value",
    same_label: SameLabel = "refuse",
    word: Map = None,
    cognimuse: PaperLabels = False,
    unknown: Unknown = "refuse",
    recording: Recording = "",
    any_recording: AnyRecording = False,
    tolerance: Tolerance = 60.0,
) -> None:
    """Duration, instances, mean valence and co-occurrence with extreme valence, by label.

    In the folder of COGNIMUSE each film's events stand beside its experienced valence.
    """
    from aver.corpora.sound_event_statistics import (
        event_statistics,
        film_of_trace,
        without_trace,
    )

    settings = event_settings(tier, label_from, same_label, unknown, tolerance, any_recording)
    labels = label_map(word, cognimuse)
    failed = False
    if _is_cognimuse(source):
        films = _cognimuse(source, option, settings, labels)
    elif option:
        raise typer.BadParameter("belongs to the folder of COGNIMUSE", param_hint="--option")
    elif trace is not None:
        if source.is_dir():
            raise typer.BadParameter("is of one file of events", param_hint="--trace")
        films = [film_of_trace(source, trace, labels, settings, recording)]
    else:
        files, failed = read_all(source, settings, labels, recording=recording)
        films = [without_trace(path.stem, found.events) for path, found in files.items()]
    frame = event_statistics(films, co_occur=co_occur)
    _print(frame, co_occur, sum(len(film.levels) for film in films))
    if out is not None:
        from aver.report.files import write_files, writer_of

        write_files([(out, writer_of(frame.to_csv(index=False).encode()))])
        typer.echo(f"written: {one_line(out)}")
    if failed:
        raise typer.Exit(1)


@app.command()
def soundscapes(
    data: Annotated[Path, typer.Argument(help="Folder of ravdess, nemo, emogator and esc10.")],
    out: Annotated[Path, typer.Argument(help="Folder to fill.")],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="KEY=VALUE", help="A setting; repeatable."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Make labelled mixtures of human sounds over surroundings, to train and test detectors.

    After a stop it goes on where it was. Settings are those of SoundscapesSettings, for example
    -s seed=1 -s ratios=[0,10] -s counts={"train":100,"validation":10,"test":10}.
    """
    from rich.console import Console

    from aver.corpora.soundscapes import make_soundscapes, read_record, settings_of

    settings = settings_of(parse_options(setting or ()))
    with progress_bar(Console(stderr=True), counts=True, quiet=quiet) as bar:
        task = bar.add_task("soundscapes", total=None)
        begun = False

        def tell(done: int, every: int) -> None:
            nonlocal begun
            if begun:
                bar.update(task, completed=done)
            else:
                bar.reset(task, total=every, completed=done)
                begun = True

        make_soundscapes(settings, data, out, tell)
    for split, scapes in read_record(out)["scapes"].items():
        events = sum(len(scape["events"]) for scape in scapes)
        typer.echo(f"{split}: {several(len(scapes), 'soundscape')}, {several(events, 'event')}")
    typer.echo(f"written: {one_line(out)}")


def _files(files: dict[Path, EventFile], root: Path) -> Any:
    """One row a file."""
    from rich.table import Table

    table = Table("file", box=None, header_style="bold", pad_edge=False)
    for column in ("events", "seconds"):
        table.add_column(column, justify="right")
    table.add_column("labels", overflow="fold")
    for path, found in files.items():
        seconds = sum(event.seconds for event in found.events)
        labels = sorted({event.label for event in found.events})
        told = [str(path.relative_to(root)), f"{len(found.events):,}", f"{seconds:,.1f}"]
        table.add_row(*map(_plain, told), _plain(", ".join(labels)))
    return table


def _events(files: dict[Path, EventFile]) -> Any:
    """One row an event."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("start", "end"):
        table.add_column(column, justify="right")
    table.add_column("label")
    table.add_column("recording", overflow="fold")
    for found in files.values():
        for event in found.events:
            told = [f"{event.start:.3f}", f"{event.end:.3f}", event.label, event.recording]
            table.add_row(*map(_plain, told))
    return table


def _is_cognimuse(source: Path) -> bool:
    return source.is_dir() and any(source.glob("**/Emotion Annotation"))


def _cognimuse(
    source: Path,
    option: list[str] | None,
    settings: EventSettings,
    labels: dict[str, str] | None,
) -> list[Any]:
    from aver.corpora.cognimuse import CognimuseOptions
    from aver.corpora.registry import get_corpus, make_options
    from aver.corpora.sound_event_statistics import cognimuse_films
    from aver.corpora.sound_events import COGNIMUSE_LABELS

    given = {"emotion": "experienced", **parse_options(option or ())}
    options = make_options(get_corpus("cognimuse"), given)
    assert isinstance(options, CognimuseOptions)
    remarks: list[str] = []
    films = cognimuse_films(
        source, options, labels=labels or COGNIMUSE_LABELS, settings=settings, remarks=remarks
    )
    for remark in remarks:
        typer.echo(f"note: {one_line(remark)}", err=True)
    return films


def _print(frame: pd.DataFrame, co_occur: str, frames: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from aver.corpora.sound_event_statistics import COLUMNS

    what = "of its frames" if co_occur == "of_event" else "of extreme frames"
    table = Table("label", box=None, header_style="bold", pad_edge=False)
    for column in ("minutes", "instances", "mean valence", f"with extremes, % {what}"):
        table.add_column(column, justify="right")
    for row in frame[list(COLUMNS)].to_dict("records"):
        told = [f"{row['minutes']:.2f}", f"{row['instances']:,}"]
        told += [_number(row["mean_valence"], "+.2f"), _number(row["co_occurring"], ".2f")]
        table.add_row(_plain(str(row["label"])), *told)
    console = Console()
    console.print(table)
    if not frames:
        console.print("no valence: give a --trace, or the folder of COGNIMUSE", highlight=False)


def _number(value: float, form: str) -> str:
    return "-" if value != value else format(value, form)


def _plain(text: str) -> Any:
    from rich.text import Text

    # As Text: a label may be called [red].
    return Text(one_line(text))
