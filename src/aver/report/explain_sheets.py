"""Pictures that stand alone as PNG files: with words, axes and a scale of their own."""

from __future__ import annotations

import numpy as np

from aver.inference.explain_moments import Moment
from aver.inference.explain_sound import Sound
from aver.report.explain_pictures import (
    AGAINST,
    FOR,
    FREQUENCIES,
    Picture,
    face_grey,
    face_picture,
    place_of,
    scale_of,
    sound_picture,
)
from aver.report.runs import clock
from aver.report.svg import ticks

_INK, _SOFT, _RULE = (29, 33, 38), (92, 99, 109), (226, 223, 215)
_BAR = (36, 80, 122)
_SIDE = 144
_LEFT = 150


def moment_sheet(moment: Moment) -> Picture:
    """The context of a moment: faces, their maps, and how much each window weighed."""
    columns = max(1, len(moment.windows["face"]))
    width = _LEFT + columns * (_SIDE + 8) + 12
    faces = [f for f in moment.faces if f is not None]
    scale = scale_of([f.map for f in faces])
    tall = 2 * (_SIDE + 8) if faces else 0
    sheet = _paper(64 + tall + 4 * 46 + 58, width)
    title = f"{moment.emotion} at {clock(moment.start, 1)} to {clock(moment.end, 1)}"
    scores = ", ".join(f"{name} {score:.2f}" for name, score in moment.scores.items())
    _words(sheet, f"{title}: {scores}", 12, 28, size=0.6)
    _words(sheet, "Scores of expressed emotion, from 0 to 1", 12, 50, colour=_SOFT)
    top = 64
    if faces:
        _words(sheet, "what it sees", 12, top + _SIDE // 2)
        _words(sheet, "what spoke for it", 12, top + _SIDE + 8 + _SIDE // 2)
    for n, face in enumerate(moment.faces):
        if face is None:
            continue
        left = _LEFT + n * (_SIDE + 8)
        seen = np.repeat(face_grey(face.crop, _SIDE)[..., None], 3, axis=2)
        sheet[top : top + _SIDE, left : left + _SIDE] = seen
        under = top + _SIDE + 8
        drawn = face_picture(face.crop, face.map, scale, _SIDE)
        sheet[under : under + _SIDE, left : left + _SIDE] = drawn
    top += tall
    highest = max((w.mean for part in moment.windows.values() for w in part), default=1.0)
    for row, (branch, name) in enumerate((b, n) for b in ("face", "voice") for n in ("", "left")):
        y = top + row * 46
        _words(sheet, f"{branch} attention" if not name else f"without that {branch}", 12, y + 28)
        for n, window in enumerate(moment.windows[branch]):
            left = _LEFT + n * (_SIDE + 8)
            if not window.present:
                _words(sheet, "none", left, y + 28, colour=_SOFT)
            elif name:
                change = "-" if window.change is None else f"{window.change:+.2f}"
                _words(sheet, change, left, y + 28)
            else:
                sheet[y + 32 : y + 40, left : left + _SIDE] = _RULE
                filled = round(_SIDE * window.mean / max(highest, 1e-9))
                sheet[y + 32 : y + 40, left : left + filled] = _BAR
                _words(sheet, f"{window.mean:.2f}", left, y + 26)
    foot = top + 4 * 46
    for n, window in enumerate(moment.windows["face"]):
        _words(sheet, clock(window.start, 1), _LEFT + n * (_SIDE + 8), foot + 18)
    _legend(sheet, 12, foot + 44)
    return sheet


def sound_sheet(sound: Sound) -> Picture:
    """The log-mel with its maps over it, seconds below and hertz beside it."""
    plain, drawn = sound_picture(sound, maps=False), sound_picture(sound)
    height, width = drawn.shape[:2]
    left, top, gap = 74, 40, 14
    sheet = _paper(top + 2 * height + gap + 84, max(left + width + 24, 560))
    _words(sheet, f"What spoke for {sound.emotion} in the sound", 12, 26, size=0.6)
    for n, picture in enumerate((plain, drawn)):
        y = top + n * (height + gap)
        sheet[y : y + height, left : left + width] = picture
        for hertz in FREQUENCIES:
            at = y + round(height * (1.0 - place_of(hertz)))
            sheet[at, left - 6 : left] = _SOFT
            _words(sheet, f"{hertz} Hz", 6, at + 4, size=0.4)
    first, last = sound.windows[0].start, sound.windows[-1].end
    foot = top + 2 * height + gap
    for time in ticks(last - first, most=max(2, width // 80)):
        x = left + min(width - 1, round(width * time / (last - first)))
        sheet[foot : foot + 6, x] = _SOFT
        _words(sheet, clock(first + time, 1), x - 14, foot + 22, size=0.4)
    _words(sheet, "min:s", left + width // 2 - 24, foot + 42, size=0.4, colour=_SOFT)
    _legend(sheet, left, foot + 68)
    return sheet


def _paper(height: int, width: int) -> Picture:
    return np.full((height, width, 3), 255, np.uint8)


def _legend(sheet: Picture, x: int, y: int) -> None:
    for colour, words in ((FOR, "spoke for it"), (AGAINST, "spoke against it")):
        sheet[y - 11 : y + 2, x : x + 22] = colour
        _words(sheet, words, x + 30, y)
        x += 170


def _words(
    sheet: Picture,
    text: str,
    x: int,
    y: int,
    *,
    size: float = 0.45,
    colour: tuple[int, int, int] = _INK,
) -> None:
    import cv2

    # The letters that come with OpenCV are those of ASCII.
    plain = text.encode("ascii", "replace").decode()
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(sheet, plain, (x, y), font, size, colour, 1, cv2.LINE_AA)
