"""Cut a face out of a picture, framed as the expression network's training pictures are.

FER-2013's 48 x 48 pictures hold the face from the forehead to the chin. YuNet on 677 of its
training pictures (enlarged) gives, as medians in parts of the side: eyes at (0.325, 0.390) and
(0.673, 0.388), mouth corners at (0.357, 0.740) and (0.650, 0.734), box height 0.984 with its
centre 0.515 down. The constants below are these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aver.faces.detect import Box, Detection, Image

CROP_SIZE = 96
"""Pixels of a crop's side."""

MARGIN = 0.02
"""Room around the face, in parts of its height, at which crops look like FER-2013's."""

_BOX_CENTRE = 0.515
_EYES_Y, _MOUTH_Y, _EYE_DISTANCE = 0.389, 0.737, 0.345
_GREATEST_ROLL = math.radians(50)


@dataclass(frozen=True, slots=True)
class Placement:
    """A square in a picture, possibly turned: where a crop is taken.

    Attributes:
        x: centre, pixels.
        y: centre, pixels.
        side: length of a side, pixels.
        roll: angle of the crop's horizontal against the picture's, radians, clockwise.
    """

    x: float
    y: float
    side: float
    roll: float = 0.0

    def matrix(self, size: int) -> NDArray[np.float64]:
        """The (2, 3) map from the picture's pixels to a crop of *size* pixels."""
        scale = size / self.side
        cos, sin = scale * math.cos(self.roll), scale * math.sin(self.roll)
        return np.array(
            [
                [cos, sin, size / 2 - cos * self.x - sin * self.y],
                [-sin, cos, size / 2 + sin * self.x - cos * self.y],
            ]
        )

    def moved(self, similarity: NDArray[np.float64]) -> Placement:
        """The placement after the picture moved by a (2, 3) similarity transform."""
        a, b = float(similarity[0, 0]), float(similarity[1, 0])
        x, y = similarity @ (self.x, self.y, 1.0)
        return Placement(
            float(x), float(y), self.side * math.hypot(a, b), self.roll + math.atan2(b, a)
        )

    def scaled(self, factor: float) -> Placement:
        """The same place in a picture *factor* times as large."""
        return replace(self, x=self.x * factor, y=self.y * factor, side=self.side * factor)


def place(detection: Detection, *, margin: float = MARGIN, align_roll: bool = True) -> Placement:
    """Where to crop a detected face.

    Args:
        detection: box, and landmarks where the detector gives them.
        margin: room around the face in parts of its height; larger shows more surroundings.
        align_roll: turn the crop so that the eyes are level, where there are landmarks.
    """
    x, y, width, height = detection.box
    side = max(height, 1.0) * (1.0 + margin)
    centre_x, centre_y = x + width / 2, y + height / 2 - (_BOX_CENTRE - 0.5) * side
    if detection.landmarks is None:
        return Placement(centre_x, centre_y, side)
    points = detection.landmarks.astype(float)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    eye_line = points[1] - points[0]
    # Turning the head shortens the line between the eyes, nodding the one down to the mouth:
    # the longer of the two tells the size.
    eye_distance, drop = float(np.hypot(*eye_line)), float(np.hypot(*(mouth - eyes)))
    by_points = max(eye_distance / _EYE_DISTANCE, drop / (_MOUTH_Y - _EYES_Y)) * (1.0 + margin)
    by_points *= 1.0 / (1.0 + MARGIN)
    if not 0.5 * side < by_points < 2.0 * side:
        return Placement(centre_x, centre_y, side)
    side = (side + by_points) / 2
    roll = _roll(points) if align_roll else 0.0
    down = np.array([-math.sin(roll), math.cos(roll)])
    middle = (eyes + mouth) / 2 + ((0.5 - (_EYES_Y + _MOUTH_Y) / 2) * side) * down
    # The points are off the middle of a turned head, the box is not: take both.
    return Placement(
        (float(middle[0]) + centre_x) / 2, (float(middle[1]) + centre_y) / 2, side, roll
    )


def _roll(points: NDArray[np.float64]) -> float:
    """In-plane turn of the head, radians, from the eyes and from the line eyes to mouth."""
    eye_line = points[1] - points[0]
    drop = points[3:].mean(axis=0) - points[:2].mean(axis=0)
    # Summed as vectors, so that a foreshortened line counts less.
    along = eye_line + np.array([drop[1], -drop[0]])
    roll = math.atan2(along[1], along[0])
    return roll if abs(roll) < _GREATEST_ROLL else 0.0


def yaw_sign(points: NDArray[np.floating]) -> float:
    """How far the nose is off the middle of the eyes, in eye distances; 0 looks ahead."""
    eye_line = points[1] - points[0]
    length = float(eye_line @ eye_line)
    if length <= 1e-6:
        return 1.0
    return float((points[2] - (points[0] + points[1]) / 2) @ eye_line) / length


def between(a: Placement, b: Placement, weight: float) -> Placement:
    """The placement *weight* of the way from *a* to *b*."""
    turn = math.remainder(b.roll - a.roll, 2 * math.pi)
    return Placement(
        a.x + weight * (b.x - a.x),
        a.y + weight * (b.y - a.y),
        a.side + weight * (b.side - a.side),
        a.roll + weight * turn,
    )


def cut(image: Image, placement: Placement, size: int = CROP_SIZE) -> Image:
    """Cut a (size, size, 3) crop; beyond the picture's edge its border is repeated."""
    import cv2

    shrink = placement.side / size
    if shrink > 2.0:
        # Warping takes four neighbours only; large faces are first averaged down, roughly.
        half = placement.side * 0.75 + 2
        height, width = image.shape[:2]
        left, right = _span(placement.x, half, width)
        top, bottom = _span(placement.y, half, height)
        part = image[top:bottom, left:right]
        factor = 1.0 / math.floor(shrink)
        small_width = max(1, round(part.shape[1] * factor))
        small_height = max(1, round(part.shape[0] * factor))
        small = cv2.resize(part, (small_width, small_height), interpolation=cv2.INTER_AREA)
        placement = replace(placement, x=placement.x - left, y=placement.y - top).scaled(factor)
        image = small
    warped: Image = cv2.warpAffine(
        image,
        placement.matrix(size),
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return warped


def _span(centre: float, half: float, length: int) -> tuple[int, int]:
    """First and last pixel of a stretch, at least one pixel of it inside [0, length)."""
    first = min(max(math.floor(centre - half), 0), length - 1)
    return first, max(min(math.ceil(centre + half), length), first + 1)


def box_of(placement: Placement, relative: Box) -> Box:
    """The upright box of a face that was at *relative* within its crop (parts of the side)."""
    dx, dy, width, height = relative
    cos, sin = math.cos(placement.roll), math.sin(placement.roll)
    x = placement.x + placement.side * (dx * cos - dy * sin)
    y = placement.y + placement.side * (dx * sin + dy * cos)
    width, height = width * placement.side, height * placement.side
    return (x - width / 2, y - height / 2, width, height)


def relative_box(placement: Placement, box: Box) -> Box:
    """The inverse of :func:`box_of`: centre's offset and size in parts of the side."""
    x, y, width, height = box
    dx, dy = x + width / 2 - placement.x, y + height / 2 - placement.y
    cos, sin = math.cos(placement.roll), math.sin(placement.roll)
    side = placement.side
    return (
        (dx * cos + dy * sin) / side,
        (-dx * sin + dy * cos) / side,
        width / side,
        height / side,
    )
