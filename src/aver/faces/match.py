"""Which box belongs to which: overlap and greedy assignment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aver.faces.detect import Box, Detection


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def distance(a: Box, b: Box) -> float:
    """Distance of the centres in parts of the smaller height."""
    dx = a[0] + a[2] / 2 - b[0] - b[2] / 2
    dy = a[1] + a[3] / 2 - b[1] - b[3] / 2
    return float(np.hypot(dx, dy)) / max(min(a[3], b[3]), 1.0)


def holds_centre(a: Box, b: Box) -> bool:
    """Whether the centre of one of the boxes lies in the other."""

    def inside(outer: Box, inner: Box) -> bool:
        x, y = inner[0] + inner[2] / 2, inner[1] + inner[3] / 2
        return outer[0] < x < outer[0] + outer[2] and outer[1] < y < outer[1] + outer[3]

    return inside(a, b) or inside(b, a)


def grown(box: Box, factor: float) -> Box:
    """The box *factor* times as large about its centre."""
    x, y, width, height = box
    return (
        x - (factor - 1) / 2 * width,
        y - (factor - 1) / 2 * height,
        factor * width,
        factor * height,
    )


def assign(scores: NDArray[np.float64], least: float) -> list[tuple[int, int]]:
    """Pair rows with columns, the highest score first, each at most once.

    Args:
        scores: (rows, columns).
        least: pairs with a lower score are never made.
    """
    pairs = []
    left = scores.copy()
    while left.size:
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        if left[row, column] < least:
            break
        pairs.append((int(row), int(column)))
        left[row, :] = -np.inf
        left[:, column] = -np.inf
    return pairs


def distinct(detections: list[Detection], greatest: float = 0.4) -> list[Detection]:
    """The detections without those that overlap a better one by more than *greatest*."""
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda d: -d.score):
        if all(overlap(detection.box, other.box) <= greatest for other in kept):
            kept.append(detection)
    return kept
