"""Recordings made by code: known faces drawn at known places over a picture without faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

FRAMES_PER_SECOND = 10


@dataclass(frozen=True)
class Frame:
    """As aver.media.VideoFrame."""

    time: float
    image: np.ndarray
    scale: float = 1.0


@dataclass(frozen=True)
class Portrait:
    """A picture of a person: `box` is the face, hairline to chin; `part` (left, top, right,
    bottom) is drawn."""

    image: np.ndarray
    box: tuple[float, float, float, float]
    part: tuple[int, int, int, int]


@cache
def astronaut() -> Portrait:
    """scikit-image's portrait of Eileen Collins (NASA, public domain)."""
    import skimage.data

    return Portrait(skimage.data.astronaut(), (178, 65, 91, 111), (110, 0, 330, 330))


@cache
def empty(width: int = 640, height: int = 480) -> np.ndarray:
    """A cup of coffee: edges and colours, no face."""
    import skimage.data

    return cv2.resize(skimage.data.coffee(), (width, height))


@cache
def clip(path: Path) -> tuple[np.ndarray, ...]:
    """Every third picture of a clip: ten a second of thirty."""
    import av

    with av.open(str(path)) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    return tuple(frames[::3])


def actor(shared: Path, number: int = 0) -> Portrait:
    """CREMA-D's actor 1001."""
    image = clip(shared / "data/crema_d_sample/1001_DFA_ANG_XX.flv")[number]
    return Portrait(image, (167, 69, 94, 137), (130, 30, 310, 300))


def draw(
    background: np.ndarray, portrait: Portrait, x: float, y: float, height: float
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Draw a portrait so that its face's centre is at (x, y) and its face is *height* high.

    Returns the picture and the face's true box.
    """
    left, top, wide, high = portrait.box
    scale = height / high
    matrix = np.array(
        [
            [scale, 0, x - scale * (left + wide / 2)],
            [0, scale, y - scale * (top + high / 2)],
        ]
    )
    mask = np.zeros(portrait.image.shape[:2], np.uint8)
    mask[portrait.part[1] : portrait.part[3], portrait.part[0] : portrait.part[2]] = 255
    size = (background.shape[1], background.shape[0])
    where = cv2.warpAffine(mask, matrix, size) > 127
    picture = background.copy()
    picture[where] = cv2.warpAffine(portrait.image, matrix, size)[where]
    return picture, (x - scale * wide / 2, y - height / 2, scale * wide, height)


def frames(pictures: Sequence[np.ndarray], start: float = 0.0) -> list[Frame]:
    return [Frame(start + i / FRAMES_PER_SECOND, p) for i, p in enumerate(pictures)]
