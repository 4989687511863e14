"""Writing what the networks looked at: a page, pictures, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

from aver.inference.explain_result import Explanation
from aver.report.explain_data import write_csv, write_json
from aver.report.explain_page import write_page
from aver.report.explain_pictures import Picture, png
from aver.report.explain_sheets import moment_sheet, sound_sheet
from aver.report.files import write_files


def write_explanation(explanation: Explanation, folder: str | Path, stem: str) -> list[Path]:
    """Write the page, the JSON, the CSV and the PNGs into *folder*: all of them or none.

    Files are ``stem.explain.html``, ``.json`` and ``.csv``, a ``stem.person-1.1.png`` for each
    moment of each person (``stem.voice.1.png`` for a voice of nobody in view), and
    ``stem.sound.png`` (``stem.sound-2.png`` for further stretches).

    Returns:
        The files; the page first.

    Raises:
        OutputError: if a file cannot be written; nothing is left behind then.
    """
    folder = Path(folder)
    files: list[tuple[Path, Callable[[BinaryIO], None]]] = [
        (folder / f"{stem}.explain.html", partial(write_page, explanation)),
        (folder / f"{stem}.explain.json", partial(write_json, explanation)),
        (folder / f"{stem}.explain.csv", partial(write_csv, explanation)),
    ]
    for person in explanation.people:
        who = "voice" if person.person is None else f"person-{person.person}"
        for number, moment in enumerate(person.moments, start=1):
            picture = partial(moment_sheet, moment)
            files.append((folder / f"{stem}.{who}.{number}.png", partial(_write_png, picture)))
    for number, sound in enumerate(explanation.sounds, start=1):
        name = "sound" if number == 1 else f"sound-{number}"
        picture = partial(sound_sheet, sound)
        files.append((folder / f"{stem}.{name}.png", partial(_write_png, picture)))
    return write_files(files)


def _write_png(draw: Callable[[], Picture], out: BinaryIO) -> None:
    out.write(png(draw()))
