"""Pictures of what the networks looked at: class activation maps over faces and over the log-mel.

The input is drawn in grey, as the networks have it. Orange spoke for the emotion, blue against it,
stronger where the map is further from nothing; the two are told apart with every common form of
colour blindness.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aver.features.log_mel import (
    BANDS,
    HIGHEST_HZ,
    HOP_SAMPLES,
    LOWEST_HZ,
    SAMPLE_RATE,
    hertz_to_mel,
)
from aver.inference.explain_maps import Map, enlarge
from aver.inference.explain_sound import Sound

Picture = NDArray[np.uint8]
"""(height, width, 3) RGB."""

FOR, AGAINST = (240, 130, 0), (0, 120, 240)
"""Colours of what spoke for the emotion, and against it."""

MOST_OPAQUE = 0.72
FACE_SIDE = 192
FREQUENCIES = (250, 500, 1000, 2000, 4000)
"""Hertz, marked beside the log-mel."""

_LOWEST_LOG_MEL = -4.6  # log(0.01), which silence has
_HIGHEST_LOG_MEL = 3.0
_MOST_WIDTH = 2400


def overlay(grey: NDArray[np.uint8], values: NDArray[np.floating], scale: float) -> Picture:
    """Colour laid over a grey picture.

    Args:
        grey: (height, width).
        values: (height, width), positive for, negative against.
        scale: the value that has the strongest colour, greater than 0.
    """
    strength = np.clip(np.abs(values) / max(scale, 1e-9), 0.0, 1.0)[..., None] * MOST_OPAQUE
    colour = np.where(values[..., None] > 0, np.array(FOR), np.array(AGAINST))
    mixed = grey[..., None] * (1.0 - strength) + colour * strength
    return np.asarray(np.rint(mixed), np.uint8)


def scale_of(maps: Sequence[Map]) -> float:
    """One scale for pictures that stand side by side: the strongest value of all of them."""
    return max((float(np.abs(m.values).max()) for m in maps), default=1.0)


def face_grey(crop: Picture, side: int = FACE_SIDE) -> NDArray[np.uint8]:
    """The face as the network has it (48 x 48, grey), drawn larger."""
    import cv2

    from aver.features.face_embedding import preprocess

    small = np.rint(preprocess(crop[None])[0, 0] * 255).astype(np.uint8)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def face_picture(crop: Picture, found: Map, scale: float, side: int = FACE_SIDE) -> Picture:
    """A face with its map."""
    return overlay(face_grey(crop, side), enlarge(found.values, side, side), scale)


def sound_picture(sound: Sound, *, maps: bool = True, height: int = 4 * BANDS) -> Picture:
    """The log-mel, low frequencies at the foot, four pixels a frame; silence is left dark.

    Args:
        sound: what to draw.
        maps: lay the maps over it.
        height: pixels.
    """
    import cv2

    frame = HOP_SAMPLES / SAMPLE_RATE
    first, last = sound.windows[0].start, sound.windows[-1].end
    frames = max(1, round((last - first) / frame))
    width = min(4 * frames, _MOST_WIDTH)
    log_mel = np.full((BANDS, frames), _LOWEST_LOG_MEL, np.float32)
    values = np.zeros((BANDS, frames), np.float32)
    for window in sound.windows:
        if window.log_mel is None or window.map is None:
            continue
        at = round((window.start - first) / frame)
        room = min(round((window.end - window.start) / frame), frames - at)
        # 48 frames begin in a window; the last two tenths of a frame's length are drawn as it.
        known = np.minimum(np.arange(room), len(window.log_mel) - 1)
        log_mel[:, at : at + room] = window.log_mel[known].T
        values[:, at : at + room] = enlarge(window.map.values, *window.log_mel.shape)[known].T
    span = _HIGHEST_LOG_MEL - _LOWEST_LOG_MEL
    grey = np.clip((log_mel - _LOWEST_LOG_MEL) / span, 0.0, 1.0) * 255.0
    scale = scale_of([w.map for w in sound.windows if w.map is not None])

    def drawn(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        how = cv2.INTER_AREA if width < frames else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(plane[::-1], (width, height), interpolation=how))

    picture = np.rint(drawn(grey)).astype(np.uint8)
    return overlay(picture, drawn(values) if maps else np.zeros_like(picture, float), scale)


def place_of(hertz: float) -> float:
    """Where a frequency stands beside the log-mel: 0 at the foot, 1 at the head."""
    mel = hertz_to_mel(np.array([hertz, LOWEST_HZ, HIGHEST_HZ]))
    # Band k of 64 has its middle at k + 1 of the 65 equal steps between lowest and highest.
    step = 65.0 * (mel[0] - mel[1]) / (mel[2] - mel[1])
    return float((step - 0.5) / BANDS)


def png(picture: Picture) -> bytes:
    """PNG bytes of an RGB picture."""
    import cv2

    _, data = cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    return bytes(data)


def jpeg(picture: Picture, quality: int = 86) -> bytes:
    """JPEG bytes of an RGB picture."""
    import cv2

    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)
