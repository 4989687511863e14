"""`aver live`: a camera, or a file played in real time, scored while it happens."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aver.errors import SettingError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from aver.inference.live_pace import Moment, Sources


def live(
    source: Annotated[
        str, typer.Argument(help="Number of a camera, or a recording to be played in real time.")
    ] = "0",
    microphone: Annotated[
        bool, typer.Option("--microphone", help="Listen too (with a camera; the extra 'live').")
    ] = False,
    device: Annotated[
        str | None, typer.Option(help="Name of the microphone; the system's default if not given.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Stop after so many seconds; else Ctrl-C.", min=0.1)
    ] = None,
    frames_per_second: Annotated[
        float, typer.Option(help="Pictures looked at in a second, at most.", min=0.5, max=60.0)
    ] = 10.0,
    detector: Annotated[str, typer.Option(help="Face detector: auto, yunet or dlib.")] = "auto",
    lines: Annotated[
        bool, typer.Option("--json", help="Print one JSON line a moment, for other programs.")
    ] = False,
) -> None:
    """Score expressed emotion while it happens, and say how late the scores are.

    Pictures that come while one is looked at are dropped and counted, never queued. Nothing is
    kept: when the command ends, what was seen and heard is gone.
    """
    from rich.console import Console
    from rich.live import Live

    from aver.inference.live import LiveAnalyzer
    from aver.inference.live_pace import follow, run_source
    from aver.inference.settings import AnalysisSettings

    console, errors = Console(), Console(stderr=True)
    feed = _feed(source, microphone, device, frames_per_second)
    settings = AnalysisSettings(
        detector=detector,  # type: ignore[arg-type]
        frames_per_second=frames_per_second,
    )
    analyzer = LiveAnalyzer(settings)
    delays: list[float] = []
    sources, stop = run_source(feed)
    timer = threading.Timer(seconds, stop.set) if seconds is not None else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    drawn = not lines and console.is_terminal
    try:
        with Live(console=console, transient=True, refresh_per_second=12) as screen:
            for moment in follow(analyzer.start(), sources):
                if moment.delay:
                    delays.append(moment.delay)
                if lines:
                    print(json.dumps(_line(moment, sources, analyzer.labels)), flush=True)
                elif drawn:
                    screen.update(_table(moment, analyzer.labels))
    except KeyboardInterrupt:
        pass
    finally:
        stop.set()
        if timer is not None:
            timer.cancel()
    _sum_up(errors if lines else console, delays, sources)


def _feed(source: str, microphone: bool, device: str | None, rate: float) -> Any:
    from aver.inference.live_sources import film, listen, play

    if not source.isdecimal():
        if microphone:
            raise SettingError(
                "--microphone", "goes with a camera, not with a file", "Leave it out"
            )
        path = Path(source)
        return lambda sources, stop: play(path, sources, stop, frames_per_second=rate)

    def camera(sources: Sources, stop: threading.Event) -> None:
        if microphone:
            problems: list[BaseException] = []

            def ears() -> None:
                try:
                    listen(sources, stop, device)
                except BaseException as error:  # told by the thread that watches
                    problems.append(error)
                    stop.set()

            threading.Thread(target=ears, name="aver-microphone", daemon=True).start()
            film(int(source), sources, stop, frames_per_second=rate)
            if problems:
                raise problems[0]
        else:
            film(int(source), sources, stop, frames_per_second=rate)

    return camera


def _line(moment: Moment, sources: Sources, labels: tuple[str, ...]) -> dict[str, Any]:
    def named(scores: tuple[float, ...] | None) -> dict[str, float] | None:
        return (
            None
            if scores is None
            else {n: round(v, 4) for n, v in zip(labels, scores, strict=True)}
        )

    return {
        "time": round(moment.time, 3),
        "delay": round(moment.delay, 4),
        "dropped_pictures": sources.dropped_pictures,
        "people": [
            {
                "person": s.person,
                "box": None if s.box is None else [round(v, 1) for v in s.box],
                "face": named(s.face),
                "voice": named(s.voice),
                "fused": named(s.fused),
                "weak": s.weak,
            }
            for s in moment.scores
        ],
    }


def _table(moment: Moment, labels: tuple[str, ...]) -> Table:
    from rich.table import Table

    table = Table(title=f"expressed emotion, {moment.delay * 1000:.0f} ms late")
    table.add_column("who")
    for name in labels:
        table.add_column(name, justify="right")
    for score in moment.scores:
        who = "a voice" if score.person is None else f"person {score.person}"
        best = max(score.fused)
        cells = [
            f"[bold]{value:.0%}[/]" if value == best and not score.weak else f"{value:.0%}"
            for value in score.fused
        ]
        table.add_row(f"{who} (weak)" if score.weak else who, *cells)
    if not moment.scores:
        table.add_row("nobody", *[""] * len(labels))
    return table


def _sum_up(console: Console, delays: list[float], sources: Sources) -> None:
    import statistics

    told = f"{len(delays)} picture(s) scored, {sources.dropped_pictures} dropped"
    if sources.dropped_sound_seconds:
        told += f", {sources.dropped_sound_seconds:.1f} s of sound left out"
    if delays:
        last = sorted(delays)[int(0.95 * (len(delays) - 1))]
        told += (
            f"; late by {1000 * statistics.median(delays):.0f} ms (median), "
            f"{1000 * last:.0f} ms (95 of 100)"
        )
    console.print(told, highlight=False, soft_wrap=True)
