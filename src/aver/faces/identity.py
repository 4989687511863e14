"""Know a person again who left the picture and came back.

Without any network, a person is described by the face's texture (histograms of gradient
directions and of local binary patterns on the aligned grey crop) and by the colours of hair,
skin and clothes around it. That holds within one recording, where light and clothes stay; it is
no biometric identification, and it is not kept after the analysis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from aver.faces.crop import Placement, cut
from aver.faces.detect import Image

Vector = NDArray[np.float32]
Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Maps (n, 96, 96, 3) RGB crops to (n, d) vectors that are compared by their cosine."""

SAME_PERSON = 0.70
"""Similarity of own descriptors from which a person counts as known."""

_FACE_SHARE = 0.6
_GALLERY = 6


def describe(image: Image, placement: Placement) -> Vector:
    """Own descriptor of the person at *placement*: unit vector of the face, then of the colours.

    The two parts are weighted so that the scalar product of two descriptors is the mean of the
    two parts' cosines, the face with weight 0.6.
    """
    import cv2

    face = cv2.cvtColor(cut(image, placement, 72), cv2.COLOR_RGB2GRAY)
    # Light from one side is taken out by dividing by the neighbourhood.
    plain = face.astype(np.float32)
    mean = cv2.GaussianBlur(plain, (0, 0), 6)
    spread = np.sqrt(cv2.GaussianBlur((plain - mean) ** 2, (0, 0), 6)) + 4.0
    levelled = (plain - mean) / spread
    texture = _unit(np.concatenate([_unit(_gradients(levelled)), _unit(_patterns(levelled))]))
    colours = _unit(_colours(image, placement))
    return np.concatenate(
        [np.sqrt(_FACE_SHARE) * texture, np.sqrt(1 - _FACE_SHARE) * colours]
    ).astype(np.float32)


def similarity(a: Vector, b: Vector) -> float:
    """Scalar product of two descriptors, in [-1, 1]."""
    return float(a @ b)


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    norm = float(np.linalg.norm(vector))
    return vector / norm if norm > 1e-6 else vector


def _pooled(maps: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """Mean of (k, h, w) maps in each cell of a grid: (cells * cells, k); cells divides h and w."""
    kinds, height, width = maps.shape
    blocks = maps.reshape(kinds, cells, height // cells, cells, width // cells)
    return np.asarray(blocks.mean(axis=(2, 4)).reshape(kinds, -1).T, np.float32)


def _gradients(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    dx = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=3)
    dy = cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=3)
    strength, angle = cv2.cartToPolar(dx, dy)
    turn = (angle % np.pi) * (8 / np.pi)
    bins = [strength * np.maximum(0, 1 - np.abs((turn - k + 4) % 8 - 4)) for k in range(8)]
    cells = np.sqrt(_pooled(np.stack(bins), 9))
    # What all faces share (eyes here, mouth there) tells nobody apart: compare directions within
    # each cell.
    cells -= cells.mean(axis=1, keepdims=True)
    return np.asarray(cells.ravel(), np.float32)


def _patterns(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    ring = ((0, 2), (2, 2), (2, 0), (2, -2), (0, -2), (-2, -2), (-2, 0), (-2, 2))
    height, width = grey.shape
    padded = np.pad(grey, 2, mode="edge")
    bits = [
        np.where(padded[2 + y : 2 + y + height, 2 + x : 2 + x + width] > grey, 1.0, -1.0)
        for y, x in ring
    ]
    cells = _pooled(np.stack(bits).astype(np.float32), 9)
    cells -= cells.mean(axis=1, keepdims=True)
    return np.asarray(cells.ravel(), np.float32)


def _colours(image: Image, placement: Placement) -> NDArray[np.float32]:
    """Square roots of colour histograms of hair, skin and clothes."""
    import cv2

    around = cut(image, replace(placement, side=placement.side * 2.2, roll=0.0), 44)
    hsv = cv2.cvtColor(around, cv2.COLOR_RGB2HSV)
    parts = (hsv[6:14, 12:32], hsv[16:30, 15:29], hsv[36:44, 8:36])
    histograms = []
    for part in parts:
        counts = cv2.calcHist([part], [0, 1, 2], None, [8, 3, 4], [0, 180, 0, 256, 0, 256])
        histograms.append(_unit(np.sqrt(cv2.GaussianBlur(counts.reshape(8, 12), (3, 1), 0.7))))
    return np.concatenate([h.ravel() for h in histograms]).astype(np.float32)


@dataclass(eq=False)
class _Person:
    id: int
    views: list[Vector] = field(default_factory=list)


class People:
    """Who has been seen in a recording: a few descriptors of each person, of constant size.

    Args:
        embed: maps (n, 96, 96, 3) crops to vectors; the own descriptor if None.
        same_person: similarity from which a person counts as known.
    """

    def __init__(self, embed: Embed | None = None, same_person: float = SAME_PERSON):
        self._embed = embed
        self._same_person = same_person
        self._people: dict[int, _Person] = {}

    def __len__(self) -> int:
        return len(self._people)

    def describe(self, image: Image, placement: Placement) -> Vector:
        """The unit descriptor of the face at *placement*."""
        if self._embed is None:
            return describe(image, placement)
        crop = cut(image, placement)
        return _unit(np.asarray(self._embed(crop[None]), np.float32)[0])

    def likeness(self, person: int, descriptor: Vector) -> float:
        """Greatest similarity of *descriptor* to the person's views."""
        return max(similarity(view, descriptor) for view in self._people[person].views)

    def recognise(self, descriptor: Vector, absent: Sequence[int]) -> int:
        """The id of the person: one of *absent* where one is alike enough, else a new one."""
        best, best_likeness = 0, self._same_person
        for person in absent:
            alike = self.likeness(person, descriptor)
            if alike >= best_likeness:
                best, best_likeness = person, alike
        if best:
            self.remember(best, descriptor)
            return best
        person = len(self._people) + 1
        self._people[person] = _Person(person, [descriptor])
        return person

    def ids(self) -> list[int]:
        """All ids given so far, in the order of first appearance."""
        return list(self._people)

    def remember(self, person: int, descriptor: Vector) -> None:
        """Keep another view of a person; of too many, the one most like the others goes."""
        views = self._people[person].views
        views.append(descriptor)
        if len(views) > _GALLERY:
            matrix = np.stack(views)
            alike = matrix @ matrix.T
            np.fill_diagonal(alike, -1.0)
            views.pop(int(alike.max(axis=1)[:-1].argmax()))
