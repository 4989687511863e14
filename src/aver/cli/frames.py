"""`aver frames`: measure films 25 times a second, once, into a store that is memory-mapped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aver.cli.bars import progress_bar

if TYPE_CHECKING:
    from rich.console import Console

    from aver.features.extractor import Extractor
    from aver.features.frame_extract import Progress


def frames(
    films: Annotated[list[str], typer.Argument(help="Films: files, folders or patterns.")],
    streams: Annotated[
        list[str],
        typer.Option(
            "--stream",
            "-s",
            metavar="NAME[=EXTRACTOR]",
            help="What to measure: resnet50, flow_resnet101, emobase2010_frames, or any other "
            "extractor (aver extract --list).",
        ),
    ],
    store: Annotated[
        Path, typer.Option("--store", help="Folder of the frame store.", file_okay=False)
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="STREAM.KEY=VALUE", help="A setting of a stream's extractor."
        ),
    ] = None,
    half: Annotated[
        bool, typer.Option("--float16", help="Half the size, three digits; the range is 65,504.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Measure anew what is there with other settings.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Measure films 25 times a second, on the recording's own clock, each stream once.

    Finished minutes stay: after a stop it goes on where it was. A bad film never stops the others.
    Exit code: 0 all done, 1 some streams failed, 2 wrong usage.
    """
    from rich.console import Console

    from aver.cli.extract import say
    from aver.cli.inputs import expand
    from aver.features.frame_extract import extract_frames, film_names
    from aver.features.frame_store import FrameStore

    errors = Console(stderr=True)
    extractors = _extractors(streams, settings or [])
    files, problems = expand(films)
    for problem in problems:
        say(errors, str(problem))
    kept = FrameStore(store, precision="float16" if half else "float32")
    named = film_names(files)
    try:
        with _progress(errors, quiet) as progress:
            done = extract_frames(
                kept,
                named,
                extractors,
                warn=lambda line: say(errors, line),
                progress=progress,
                again=again,
                jobs=jobs,
            )
    except KeyboardInterrupt:
        say(errors, "stopped; finished minutes are kept. Run it again, and it goes on from there.")
        raise typer.Exit(130) from None
    typer.echo(
        f"{len(named)} films, {len(extractors)} streams: {done.extracted} measured, "
        f"{done.present} already there, {done.failed} failed; in {store}"
    )
    if done.failed or problems:
        raise typer.Exit(1)


def _extractors(streams: list[str], settings: list[str]) -> dict[str, Extractor]:
    from aver.cli.extract import pairs_of
    from aver.features.extractor import make_extractor

    kinds: dict[str, str] = {}
    for entry in streams:
        name, _, kind = entry.partition("=")
        if not name:
            raise typer.BadParameter(f"'{entry}' is not NAME=EXTRACTOR", param_hint="--stream")
        kinds[name] = kind or name
    chosen: dict[str, dict[str, Any]] = {name: {} for name in kinds}
    for key, value in pairs_of(settings, "--set").items():
        name, dot, setting = key.partition(".")
        if not dot or name not in chosen:
            raise typer.BadParameter(
                f"'{key}' does not begin with one of the streams and a full stop: "
                f"{', '.join(kinds)}",
                param_hint="--set",
            )
        chosen[name][setting] = value
    return {name: make_extractor(kind, **chosen[name]) for name, kind in kinds.items()}


@contextmanager
def _progress(console: Console, quiet: bool) -> Iterator[Progress]:
    bar = progress_bar(console, quiet=quiet)
    with bar:
        task = bar.add_task("frames", total=None)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield tell
