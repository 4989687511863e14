"""Run a detector on a picture, or on a part of it, at the size that suits the detector."""

from __future__ import annotations

import numpy as np

from aver.faces.crop import Placement
from aver.faces.detect import Box, Detection, Detector, Image

_REACH = 1.15  # half the side of a cut-out, in sides of the face's crop
_GREATEST_ENLARGEMENT = 2.5


def search(
    detector: Detector,
    image: Image,
    longest: int,
    *,
    threshold: float | None = None,
    enlarge: bool = False,
) -> list[Detection]:
    """Look for faces in the whole picture.

    Args:
        detector: the detector.
        image: (h, w, 3) RGB.
        longest: the picture's longer side is reduced to this many pixels before.
        threshold: least score; the detector's own if None.
        enlarge: a smaller picture is enlarged towards *longest*, at most twofold, for small faces.

    Returns:
        Detections in pixels of *image*.
    """
    factor = min(longest / max(image.shape[:2]), 2.0 if enlarge else 1.0)
    return _detect(detector, image, factor, (0, 0), threshold)


def look_again(detector: Detector, image: Image, placement: Placement) -> list[Detection]:
    """Look for a face near where it is thought to be, cheaply and with a lower threshold.

    Args:
        detector: the detector.
        image: (h, w, 3) RGB.
        placement: where the face should be.

    Returns:
        Detections in pixels of *image*.
    """
    height, width = image.shape[:2]
    half = _REACH * placement.side
    left = min(max(int(placement.x - half), 0), width - 1)
    top = min(max(int(placement.y - half), 0), height - 1)
    right = min(max(int(placement.x + half) + 1, left + 1), width)
    bottom = min(max(int(placement.y + half) + 1, top + 1), height)
    factor = min(detector.face_side / max(placement.side, 1.0), _GREATEST_ENLARGEMENT)
    part = image[top:bottom, left:right]
    found = _detect(detector, part, factor, (left, top), detector.keep_threshold)
    # A face that the cut-out's own edge goes through is somebody else's, and only half there.
    edges = (left > 0, top > 0, right < width, bottom < height)
    return [d for d in found if not _crosses(d.box, (left, top, right, bottom), edges)]


def _detect(
    detector: Detector,
    image: Image,
    factor: float,
    corner: tuple[int, int],
    threshold: float | None,
) -> list[Detection]:
    import cv2

    height, width = image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    if size != (width, height):
        kind = cv2.INTER_AREA if factor < 0.6 else cv2.INTER_LINEAR
        image = cv2.resize(image, size, interpolation=kind)
    fx, fy = size[0] / width, size[1] / height
    left, top = corner
    found = []
    for d in detector.detect(image, threshold=threshold):
        x, y, w, h = d.box
        points = d.landmarks
        if points is not None:
            points = (points / (fx, fy) + (left, top)).astype(np.float32)
        found.append(Detection((x / fx + left, y / fy + top, w / fx, h / fy), d.score, points))
    return found


def _crosses(
    box: Box, region: tuple[int, int, int, int], edges: tuple[bool, bool, bool, bool]
) -> bool:
    """Whether *box* reaches an edge of *region* (left, top, right, bottom) that counts."""
    room = 0.03 * box[3]
    reached = (
        box[0] < region[0] + room,
        box[1] < region[1] + room,
        box[0] + box[2] > region[2] - room,
        box[1] + box[3] > region[3] - room,
    )
    return any(near and counts for near, counts in zip(reached, edges, strict=True))
