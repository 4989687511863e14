"""Preparing pictures for networks that others trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def resize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize (h, w, 3): by area where it shrinks, bilinearly where it grows."""
    import cv2

    if image.shape[:2] == (height, width):
        return image
    shrinks = height * width < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


def shorter_side_to(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Resize so that the shorter side is *side* pixels, the longer in proportion, cut down."""
    height, width = image.shape[:2]
    if height <= width:
        return resize(image, side, max(side, side * width // height))
    return resize(image, max(side, side * height // width), side)


def middle(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The middle *side* x *side* pixels of an image that is at least that large."""
    top, left = round((image.shape[0] - side) / 2), round((image.shape[1] - side) / 2)
    return image[top : top + side, left : left + side]


def normalise(
    images: NDArray[np.uint8], mean: Sequence[float], deviation: Sequence[float]
) -> Floats:
    """(..., h, w, 3) in 0 to 255 to the same in [0, 1], less *mean*, divided by *deviation*."""
    scaled = images.astype(np.float32) / np.float32(255.0)
    found = (scaled - np.asarray(mean, np.float32)) / np.asarray(deviation, np.float32)
    return np.asarray(found, np.float32)
