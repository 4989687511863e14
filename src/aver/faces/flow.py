"""Follow faces from one picture to the next without a detector: sparse optical flow.

Points on a grid in each face are followed there and back with the pyramidal Lucas-Kanade method;
points that do not come back to where they started are dropped (forward-backward error: Kalal,
Mikolajczyk & Matas 2010, "Forward-Backward Error: Automatic Detection of Tracking Failures"). The
rest give one similarity transform for each face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.faces.crop import Placement
from aver.faces.detect import Image

FLOW_SIDE = 320
"""Longer side in pixels of the grey pictures in which points are followed."""

_GRID = 6
_REACH = 0.72  # part of the crop's side that the grid covers: skin, not background
_FEWEST_POINTS = 9
_GREATEST_SCALING = 1.5
_APPEARANCE = 32


@dataclass(frozen=True, slots=True, eq=False)
class GreyPicture:
    """A small grey copy of a picture.

    Attributes:
        grey: (h, w) uint8, longer side at most :data:`FLOW_SIDE`.
        factor: its pixels per pixel of the original.
        thumbnail: (24, 32) float32, for telling cuts.
    """

    grey: NDArray[np.uint8]
    factor: float
    thumbnail: NDArray[np.float32]


def shrink(image: Image) -> GreyPicture:
    """Make the small grey copy of an (h, w, 3) RGB picture."""
    import cv2

    height, width = image.shape[:2]
    factor = min(1.0, FLOW_SIDE / max(height, width))
    if factor < 1.0:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    thumbnail = cv2.resize(grey, (32, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
    return GreyPicture(grey, factor, thumbnail)


def is_cut(before: GreyPicture, after: GreyPicture) -> bool:
    """Whether the whole picture changed at once: another shape, or thumbnails unlike each other."""
    if before.grey.shape != after.grey.shape:
        return True
    difference = float(np.abs(before.thumbnail - after.thumbnail).mean())
    return difference > 12.0 and correlation(before.thumbnail, after.thumbnail) < 0.6


def correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Zero-mean normalised cross-correlation in [-1, 1]; 0 where one side is flat."""
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 1e-3 * a.size else 0.0


def appearance(crop: Image) -> NDArray[np.float32]:
    """What :func:`correlation` compares of a face crop: (32, 32) float32 grey."""
    import cv2

    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    small: NDArray[np.float32] = cv2.resize(
        grey, (_APPEARANCE, _APPEARANCE), interpolation=cv2.INTER_AREA
    ).astype(np.float32)
    return small


def follow(
    before: GreyPicture, after: GreyPicture, placements: Sequence[Placement]
) -> list[Placement | None]:
    """Where the faces at *placements* in *before* are in *after*.

    Args:
        before: small grey copy of the earlier picture.
        after: of the later one, with the same shape.
        placements: faces, in pixels of the original pictures.

    Returns:
        For each face its new placement, or None where it could not be followed.
    """
    import cv2

    if not placements or min(before.grey.shape) < 8:
        return [None] * len(placements)
    starts = np.concatenate([_grid(p.scaled(before.factor)) for p in placements])
    starts = starts.astype(np.float32).reshape(-1, 1, 2)
    setting: dict[str, Any] = {
        "winSize": (15, 15),
        "maxLevel": 3,
        "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.03),
    }
    lucas_kanade: Any = cv2.calcOpticalFlowPyrLK
    ends, there, _ = lucas_kanade(before.grey, after.grey, starts, None, **setting)
    backs, back, _ = lucas_kanade(after.grey, before.grey, ends, None, **setting)
    error = np.linalg.norm((backs - starts).reshape(-1, 2), axis=1)
    good = (there.ravel() == 1) & (back.ravel() == 1) & np.isfinite(error)
    starts, ends = starts.reshape(-1, 2), ends.reshape(-1, 2)
    result: list[Placement | None] = []
    for k, placement in enumerate(placements):
        mine = slice(k * _GRID * _GRID, (k + 1) * _GRID * _GRID)
        side = placement.side * before.factor
        keep = good[mine] & (error[mine] < max(0.7, 0.03 * side))
        if int(keep.sum()) < _FEWEST_POINTS:
            result.append(None)
            continue
        matrix, inliers = cv2.estimateAffinePartial2D(
            starts[mine][keep],
            ends[mine][keep],
            method=cv2.RANSAC,
            ransacReprojThreshold=max(0.8, 0.04 * side),
        )
        result.append(_accepted(placement, matrix, inliers, before.factor))
    return result


def _accepted(
    placement: Placement,
    matrix: NDArray[np.float64] | None,
    inliers: NDArray[np.uint8] | None,
    factor: float,
) -> Placement | None:
    if matrix is None or inliers is None or int(inliers.sum()) < _FEWEST_POINTS:
        return None
    moved = placement.scaled(factor).moved(matrix).scaled(1 / factor)
    scaling = moved.side / placement.side
    if not 1 / _GREATEST_SCALING < scaling < _GREATEST_SCALING:
        return None
    return moved


def _grid(placement: Placement) -> NDArray[np.float64]:
    """(_GRID * _GRID, 2) points on the face, in the placement's pixels."""
    steps = (np.arange(_GRID) / (_GRID - 1) - 0.5) * _REACH * placement.side
    across, down = np.meshgrid(steps, steps)
    cos, sin = np.cos(placement.roll), np.sin(placement.roll)
    return np.stack(
        [
            placement.x + across.ravel() * cos - down.ravel() * sin,
            placement.y + across.ravel() * sin + down.ravel() * cos,
        ],
        axis=1,
    )
