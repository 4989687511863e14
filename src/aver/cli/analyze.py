"""`aver analyze`: recordings in, timelines out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aver.cli.bars import progress_bar
from aver.cli.folders import make_writable_folder
from aver.errors import AverError, ModelError, SettingError, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from aver.inference.analyze import Analyzer
    from aver.inference.calibrate import Calibration
    from aver.inference.settings import AnalysisSettings


def analyze(
    inputs: Annotated[
        list[str], typer.Argument(help="Recordings, folders or patterns.", metavar="INPUT...")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the results.", file_okay=False)
    ] = Path("aver-results"),
    formats: Annotated[
        str,
        typer.Option(
            "--format", "-f", help="Comma-separated: html, json, csv, parquet, vtt, eaf, textgrid."
        ),
    ] = "html,json",
    detector: Annotated[str, typer.Option(help="Face detector: auto, yunet or dlib.")] = "auto",
    frames_per_second: Annotated[
        float, typer.Option(help="Frames looked at in a second of recording.")
    ] = 10.0,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Listen only.")] = False,
    no_sound: Annotated[bool, typer.Option("--no-sound", help="Look only.")] = False,
    no_events: Annotated[
        bool, typer.Option("--no-events", help="Do not listen for human sounds beside the people.")
    ] = False,
    skip_done: Annotated[
        bool, typer.Option("--skip-done", help="Skip inputs whose result files are there already.")
    ] = False,
    threads: Annotated[int, typer.Option(help="Threads of each network.", min=1)] = 1,
    fusion_network: Annotated[str, typer.Option(help="Name or .onnx file.")] = "mater",
    face_network: Annotated[str, typer.Option(help="Name or .onnx file.")] = "face_expression",
    voice_network: Annotated[str, typer.Option(help="Name or .onnx file.")] = "voice_expression",
    event_network: Annotated[str, typer.Option(help="Name or .onnx file.")] = "sound_events",
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(
            "--calibrate",
            metavar="CLIP",
            help="Another recording of the person to be analysed, to learn what they are like "
            "whatever they express; may be given several times. Off by default.",
            dir_okay=False,
        ),
    ] = None,
    calibration: Annotated[
        str, typer.Option(help="What is taken out: mean, or mean_and_spread.")
    ] = "mean",
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Keep what the networks looked at, for the report and JSON."
        ),
    ] = False,
    affect: Annotated[
        Path | None,
        typer.Option(
            "--affect",
            metavar="MODEL",
            help="An .onnx file of your own, trained by a recipe of films: adds levels of arousal "
            "and valence of the sound, every five seconds.",
            dir_okay=False,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No tables, no progress.")] = False,
) -> None:
    """Score the emotion that faces and voices express, window by window.

    Writes one file a format and input, named after the input, and shows a table. One bad input
    never stops the others. Exit code: 0 all done, 1 some inputs failed, 2 wrong usage.
    """
    from rich.console import Console

    from aver.cli.inputs import expand

    wanted = _formats(formats)
    console, errors = Console(), Console(stderr=True)
    paths, problems = expand(inputs)
    failures = [str(p) for p in problems]
    done, skipped, stopped = 0, 0, False
    if paths:
        settings = _settings(
            detector=detector,
            frames_per_second=frames_per_second,
            picture=not no_picture,
            sound=not no_sound,
            events=not no_events,
            threads=threads,
            fusion_network=fusion_network,
            face_network=face_network,
            voice_network=voice_network,
            event_network=event_network,
            calibrate=tuple(calibrate or ()),
            calibration=calibration,
            affect=affect or "",
        )
        make_writable_folder(out)
        done, skipped, stopped = _analyze_all(
            paths, settings, out, wanted, skip_done, quiet, console, failures, explain
        )
    for failure in failures:
        errors.print(f"[red]failed[/] {_plain(failure)}", soft_wrap=True, highlight=False)
    if skipped and not quiet:
        there = f"{skipped} recording(s) skipped, their results are there already"
        console.print(there, highlight=False, soft_wrap=True)
    if done and not quiet:
        console.print(f"Results of {done} recording(s) are in {_plain(str(out))}", highlight=False)
    if stopped:
        again = "run it again with --skip-done to go on"
        errors.print(f"stopped after {done} of {len(paths)} recording(s); {again}")
        raise typer.Exit(130)
    if failures:
        raise typer.Exit(1)


def _analyze_all(
    paths: list[Path],
    settings: AnalysisSettings,
    out: Path,
    wanted: list[str],
    skip_done: bool,
    quiet: bool,
    console: Console,
    failures: list[str],
    explain: bool = False,
) -> tuple[int, int, bool]:
    """Analyse one after the other: how many are done, are skipped, and whether the user stopped."""
    from aver.report import output_stem

    analyzer: Analyzer | None = None
    taken: set[str] = set()
    done, skipped = 0, 0
    with progress_bar(console, quiet=quiet) as progress:
        overall = progress.add_task("recordings", total=len(paths), visible=len(paths) > 1)
        for path in paths:
            stem = output_stem(path, taken)
            if skip_done and all((out / f"{stem}{_suffix(f)}").exists() for f in wanted):
                skipped += 1
                progress.advance(overall)
                continue
            try:
                analyzer = analyzer or _analyzer(settings, progress, console, quiet)
                _analyze_one(analyzer, path, out, stem, wanted, progress, console, quiet, explain)
                done += 1
            except KeyboardInterrupt:
                return done, skipped, True
            except (ModelError, SettingError):  # the same for every input
                raise
            except AverError as error:
                failures.append(str(error))
            except MemoryError:
                failures.append(f"{one_line(path)}: needs more memory than there is. Cut it.")
            except Exception as error:
                # A bug, or a library's: one input's trouble must not end a batch of thousands.
                failures.append(
                    f"{one_line(path)}: unexpected {type(error).__name__} "
                    f"({one_line(error)}). Please report it with this line."
                )
            progress.advance(overall)
    return done, skipped, False


def _analyzer(
    settings: AnalysisSettings, progress: Progress, console: Console, quiet: bool
) -> Analyzer:
    """Load the networks, and read the calibration clips if there are any."""
    from aver.inference.analyze import Analyzer

    task = progress.add_task("calibration clips", visible=bool(settings.calibrate))
    try:
        analyzer = Analyzer(
            settings,
            calibrating=lambda done, every: progress.update(task, completed=done, total=every),
        )
    finally:
        progress.remove_task(task)
    if analyzer.calibration is not None and not quiet:
        told = _calibrated(analyzer.calibration)
        console.print(told, highlight=False, soft_wrap=True)
    return analyzer


def _calibrated(calibration: Calibration) -> str:
    face = calibration.face.person.windows if calibration.face else 0
    voice = calibration.voice.person.windows if calibration.voice else 0
    return (
        f"Calibrated on {len(calibration.clips)} clip(s): {face} window(s) of the face, "
        f"{voice} of the voice"
    )


def _analyze_one(
    analyzer: Analyzer,
    path: Path,
    out: Path,
    stem: str,
    wanted: list[str],
    progress: Progress,
    console: Console,
    quiet: bool,
    explain: bool,
) -> None:
    from aver.cli.table import render
    from aver.report import write_all

    task = progress.add_task(_plain(one_line(path.name)), total=None)

    def show(seconds: float, duration: float | None) -> None:
        progress.update(task, completed=seconds, total=max(duration, seconds) if duration else None)

    try:
        if explain:
            from aver.report.explain_data import explained_timeline

            timeline = explained_timeline(analyzer, path, progress=show)
        else:
            timeline = analyzer.analyze(path, progress=show)
        written = write_all(timeline, out, stem, wanted)
    finally:
        progress.remove_task(task)
    if not quiet:
        console.rule(_plain(one_line(path.name)), align="left", style="dim")
        console.print(render(timeline))
        names = ", ".join(one_line(p) for p in written)
        console.print(f"written: {_plain(names)}", highlight=False, soft_wrap=True, style="dim")


def _formats(text: str) -> list[str]:
    from aver.report import FORMATS

    wanted = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown or not wanted:
        raise typer.BadParameter(
            f"{', '.join(unknown) or 'empty'}; known: {', '.join(FORMATS)}", param_hint="--format"
        )
    return list(dict.fromkeys(wanted))


def _suffix(name: str) -> str:
    from aver.report import FORMATS

    return FORMATS[name].extension


def _settings(**chosen: Any) -> AnalysisSettings:
    from aver.inference.settings import AnalysisSettings

    if chosen["detector"] not in ("auto", "yunet", "dlib"):
        raise typer.BadParameter("known: auto, yunet, dlib", param_hint="--detector")
    try:
        return AnalysisSettings(**chosen)
    except AverError as error:
        raise typer.BadParameter(str(error)) from error


def _plain(text: str) -> str:
    """Text that rich shows as it is, square brackets included."""
    from rich.markup import escape

    return escape(text)
