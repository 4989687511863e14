"""`aver saliency`: what stands out of a recording's sound, drawn over its spectrogram."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def saliency(
    file: Annotated[Path, typer.Argument(help="Recording with sound.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Picture to write. [default: NAME.saliency.png]"),
    ] = None,
    start: Annotated[float, typer.Option(min=0, help="Seconds where to begin.")] = 0.0,
    end: Annotated[
        float | None, typer.Option(min=0, help="Seconds where to end. [default: the end]")
    ] = None,
    pairs: Annotated[
        str, typer.Option(help="Scales compared: paper (four pairs), program (five).")
    ] = "paper",
    scale: Annotated[
        str, typer.Option(help="Loud is: the clip's maximum, or that of the stretch around.")
    ] = "clip",
) -> None:
    """Draw the auditory saliency map of a recording over its spectrogram (Kayser et al. 2005).

    Bright is what stands out by loudness, by contrast over frequency, or by change in time.
    """
    from rich.console import Console

    from aver.errors import OutputError, SettingError, one_line
    from aver.features.auditory_saliency_picture import draw, measure_picture
    from aver.features.extractor import Clip, make_extractor

    if end is not None and end <= start:
        raise SettingError("--end", f"{end:g} s is not after the start ({start:g} s)")
    target = out or Path(f"{file.stem}.saliency.png")
    if target.suffix.lower() != ".png":
        raise OutputError(target, "the picture is a PNG", "End its name in .png")
    if not target.parent.is_dir():
        raise OutputError(target, "there is no such folder", "Make it, or choose another")
    settings = make_extractor("auditory_saliency", pairs=pairs, scale=scale).settings
    console = Console(stderr=True)
    with console.status("listening") if console.is_terminal else _Nothing():
        found = measure_picture(Clip(file, start or None, end), settings)
    _write(draw(found, f"{one_line(file.name)}: auditory saliency over the spectrogram"), target)
    seconds, hertz = found.peak
    if found.saliency.any():
        typer.echo(f"most salient: {hertz:,.0f} Hz at {seconds:.2f} s")
    else:
        typer.echo("nothing stands out")
    typer.echo(f"written: {one_line(target)}")


class _Nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def _write(picture: object, path: Path) -> None:
    import cv2

    from aver.errors import OutputError

    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        done, encoded = cv2.imencode(".png", picture)  # type: ignore[call-overload]
        if not done:
            raise OutputError(path, "the picture cannot be encoded", "Draw a shorter stretch")
        beside.write_bytes(encoded.tobytes())
        beside.replace(path)
    except OSError as error:
        raise OutputError(
            path, f"cannot be written ({error.strerror or error})", "Choose another place"
        ) from error
    finally:
        beside.unlink(missing_ok=True)
