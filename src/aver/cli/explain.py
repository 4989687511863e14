"""`aver explain`: what the networks looked at in a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aver.cli.folders import make_writable_folder
from aver.errors import AverError, MediaError, one_line

if TYPE_CHECKING:
    from aver.inference.explain_result import Explanation
    from aver.inference.settings import AnalysisSettings


def explain(
    clip: Annotated[Path, typer.Argument(help="A recording.", metavar="CLIP")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the results.", file_okay=False)
    ] = Path("aver-explained"),
    person: Annotated[
        int | None, typer.Option("--person", help="Draw this person alone: 1, 2, ...")
    ] = None,
    emotion: Annotated[
        str, typer.Option("--emotion", help="Draw this emotion; each person's strongest if none.")
    ] = "",
    at: Annotated[
        float | None,
        typer.Option("--at", help="Draw this moment, in seconds; the most telling if none."),
    ] = None,
    moments: Annotated[int, typer.Option("--moments", help="Moments a person.", min=1)] = 3,
    attention: Annotated[
        str, typer.Option("--attention", help="How attention is summed up: mean or rollout.")
    ] = "mean",
    detector: Annotated[str, typer.Option(help="Face detector: auto, yunet or dlib.")] = "auto",
    frames_per_second: Annotated[
        float, typer.Option(help="Frames looked at in a second of recording.")
    ] = 10.0,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Listen only.")] = False,
    no_sound: Annotated[bool, typer.Option("--no-sound", help="Look only.")] = False,
    threads: Annotated[int, typer.Option(help="Threads of each network.", min=1)] = 1,
    fusion_network: Annotated[str, typer.Option(help="Name or .onnx file.")] = "mater",
    face_network: Annotated[str, typer.Option(help="Name or .onnx file.")] = "face_expression",
    voice_network: Annotated[str, typer.Option(help="Name or .onnx file.")] = "voice_expression",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No words, no progress.")] = False,
) -> None:
    """Draw what the networks looked at: in faces, in the sound, and which half seconds weighed.

    Writes a page to read, pictures, and the numbers as JSON and CSV. Maps and attention show what
    the networks used to score expressed emotion; they do not say what anybody feels.
    """
    from rich.console import Console

    from aver.inference.explain_result import Wanted
    from aver.report.explain import write_explanation
    from aver.report.files import output_stem

    if not str(clip) or clip.is_dir():
        raise MediaError(str(clip) or "''", "is no recording", "Name one file")
    settings = _settings(
        detector=detector,
        frames_per_second=frames_per_second,
        picture=not no_picture,
        sound=not no_sound,
        threads=threads,
        fusion_network=fusion_network,
        face_network=face_network,
        voice_network=voice_network,
        thumbnails=0,
        events=False,
    )
    wanted = Wanted(emotion, person, at, moments, attention)  # type: ignore[arg-type]
    console = Console()
    made = not out.exists()
    make_writable_folder(out)
    try:
        explanation = _explain(settings, clip, wanted, console, quiet)
        written = write_explanation(explanation, out, output_stem(clip, set()))
    except AverError:
        if made:  # nothing came of it, so nothing of it stays
            _remove_empty(out)
        raise
    if not quiet:
        _tell(explanation, written, console)


def _explain(
    settings: AnalysisSettings, clip: Path, wanted: Any, console: Any, quiet: bool
) -> Explanation:
    from aver.cli.bars import progress_bar
    from aver.inference.analyze import Analyzer
    from aver.inference.explain import explain

    with progress_bar(console, quiet=quiet) as progress:
        task = progress.add_task(_plain(one_line(clip.name)), total=None)

        def show(seconds: float, duration: float | None) -> None:
            total = max(duration, seconds) if duration else None
            progress.update(task, completed=seconds, total=total)

        return explain(Analyzer(settings), clip, wanted, progress=show)


def _settings(**chosen: Any) -> AnalysisSettings:
    from aver.cli.analyze import _settings as checked

    return checked(**chosen)


def _tell(explanation: Explanation, written: list[Path], console: Any) -> None:
    from aver.report.explain_words import described, summed_up

    for line, person in zip(summed_up(explanation), explanation.people, strict=True):
        console.print(_plain(line), highlight=False, soft_wrap=True)
        for moment in person.moments[:1]:
            text = _plain(described(moment, explanation.attention))
            console.print(text, highlight=False, soft_wrap=True, style="dim")
    for note in explanation.notes:
        console.print(f"note: {_plain(note)}", highlight=False, soft_wrap=True)
    names = f"{one_line(written[0])} and {len(written) - 1} more files beside it"
    console.print(f"written: {_plain(names)}", highlight=False, soft_wrap=True, style="dim")


def _remove_empty(folder: Path) -> None:
    from contextlib import suppress

    with suppress(OSError):
        folder.rmdir()


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
