"""Fixed ways to make a 48 x 48 face harder: what the network is measured under, not trained on.

Each takes and returns (48, 48) uint8 grey and is the same every time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def blur(face: Picture, sigma: float) -> Picture:
    """Gaussian blur; *sigma* in pixels."""
    return np.asarray(cv2.GaussianBlur(face, (0, 0), sigma), dtype=np.uint8)


def low_resolution(face: Picture, side: int) -> Picture:
    """Shrunk to *side* pixels and enlarged again."""
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, face.shape[::-1], interpolation=cv2.INTER_LINEAR))


def compress(face: Picture, quality: int) -> Picture:
    """Through JPEG at *quality* (0 to 100)."""
    _, data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))


def light(face: Picture, gain: float, gamma: float = 1.0) -> Picture:
    """``255 * gain * (face / 255) ** gamma``, clipped and rounded to whole grey values."""
    return np.asarray(np.clip(255 * gain * (face / 255.0) ** gamma, 0, 255).round(), dtype=np.uint8)


def hide(face: Picture, rows: slice, columns: slice) -> Picture:
    """A rectangle in mid grey."""
    hidden = face.copy()
    hidden[rows, columns] = 128
    return hidden


def place(face: Picture, degrees: float = 0.0, side: float = 1.0) -> Picture:
    """Turned by *degrees* (counter-clockwise), and cropped to *side* times the picture's side.

    A loose crop (*side* > 1) repeats the picture's border, as beyond the edge of a frame.
    """
    height, width = face.shape
    middle = ((width - 1) / 2, (height - 1) / 2)
    turn = cv2.getRotationMatrix2D(middle, degrees, 1.0 / side)
    return np.asarray(
        cv2.warpAffine(
            face, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    )


CONDITIONS: Mapping[str, Callable[[Picture], Picture]] = MappingProxyType(
    {
        "blur, sigma 1 px": partial(blur, sigma=1.0),
        "blur, sigma 2 px": partial(blur, sigma=2.0),
        "resolution 24 x 24": partial(low_resolution, side=24),
        "resolution 16 x 16": partial(low_resolution, side=16),
        "JPEG quality 30": partial(compress, quality=30),
        "JPEG quality 10": partial(compress, quality=10),
        "dark (a quarter of the light)": partial(light, gain=0.25),
        "bright (gamma 0.5, clipped)": partial(light, gain=1.15, gamma=0.5),
        "eyes hidden": partial(hide, rows=slice(12, 22), columns=slice(6, 42)),
        "mouth hidden": partial(hide, rows=slice(31, 43), columns=slice(12, 36)),
        "left half hidden": partial(hide, rows=slice(0, 48), columns=slice(0, 24)),
        "turned +15 degrees": partial(place, degrees=15.0),
        "turned -15 degrees": partial(place, degrees=-15.0),
        "tight crop (side 0.8)": partial(place, side=0.8),
        "loose crop (side 1.25)": partial(place, side=1.25),
    }
)
"""Conditions by the names under which they stand in tables."""
