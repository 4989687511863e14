"""What is remembered of each person while a recording is read: bounded, however long it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aver.faces import FaceObservation
from aver.timeline import Person, Thumbnail

# Two thumbnails of a person lie at least this far apart, or they would show one moment twice.
_THUMBNAIL_SPACING_SECONDS = 2.0


@dataclass
class FaceWindow:
    """One person's face in one window.

    Attributes:
        embedding: (dimensions,) l2-normalised mean over the window's frames.
        quality: mean quality in [0, 1].
        detected: share of the frames in which the detector itself saw the face.
        mouth_motion: motion of the mouth region relative to the upper face, 0 and up.
        best_crop: (96, 96, 3) uint8 RGB, the clearest of the window.
        best_time: seconds, when it was seen.
        box: mean box (x, y, width, height) in pixels of the picture as it is shown.
    """

    embedding: NDArray[np.float32]
    quality: float
    detected: float
    mouth_motion: float
    best_crop: NDArray[np.uint8]
    best_time: float
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)

    @classmethod
    def of(
        cls, observations: Sequence[FaceObservation], embedding: NDArray[np.float32]
    ) -> FaceWindow:
        """Sum up a window's observations of one person (at least one)."""
        best = max(observations, key=lambda o: o.quality)
        return cls(
            embedding=embedding,
            quality=float(np.mean([o.quality for o in observations])),
            detected=float(np.mean([o.detected for o in observations])),
            mouth_motion=mouth_motion([o.crop for o in observations]),
            best_crop=best.crop,
            best_time=best.time,
            box=tuple(np.mean([o.box for o in observations], axis=0).tolist()),
        )


def mouth_motion(crops: Sequence[NDArray[np.uint8]]) -> float:
    """Mean change of the mouth region between frames, over that of the upper face.

    Movement of the whole head changes both alike and cancels; speech moves the mouth alone.

    Args:
        crops: (96, 96, 3) uint8 faces of one person in time order.

    Returns:
        0 for fewer than two crops; about 1 for a face that moves as a whole; more for a mouth
        that moves by itself.
    """
    if len(crops) < 2:
        return 0.0
    grey = np.stack([c[..., 1] for c in crops]).astype(np.float32)
    change = np.abs(np.diff(grey, axis=0)).mean(axis=0)
    mouth = float(change[60:90, 28:68].mean())
    upper = float(change[12:48, 20:76].mean())
    return mouth / (upper + 1.0)


@dataclass
class PersonMemory:
    """Running facts of one person, and the windows that are still needed for context."""

    first_seen: float
    last_seen: float
    seconds_seen: float = 0.0
    quality_sum: float = 0.0
    windows_seen: int = 0
    windows: dict[int, FaceWindow] = field(default_factory=dict)
    thumbnails: list[Thumbnail] = field(default_factory=list)

    def add(self, index: int, start: float, end: float, window: FaceWindow) -> None:
        """Remember one more window."""
        self.windows[index] = window
        self.last_seen = end
        self.seconds_seen += end - start
        self.quality_sum += window.quality
        self.windows_seen += 1

    def forget_before(self, index: int) -> None:
        """Drop windows that no context reaches any more."""
        for old in [i for i in self.windows if i < index]:
            del self.windows[old]

    def offer_thumbnail(self, window: FaceWindow, label: str, score: float, keep: int) -> None:
        """Keep the face if this is among the person's *keep* strongest, well apart, moments."""
        if keep == 0:
            return
        near = [
            t
            for t in self.thumbnails
            if abs(t.time - window.best_time) < _THUMBNAIL_SPACING_SECONDS
        ]
        if any(t.score >= score for t in near):
            return
        others = [t for t in self.thumbnails if t not in near]
        if len(others) >= keep and others[-1].score >= score:
            return
        new = Thumbnail(window.best_time, label, score, to_jpeg(window.best_crop))
        self.thumbnails = sorted([*others, new], key=lambda t: -t.score)[:keep]

    def as_person(self, number: int) -> Person:
        """The finished person."""
        return Person(
            id=number,
            first_seen=self.first_seen,
            last_seen=self.last_seen,
            seconds_seen=self.seconds_seen,
            quality=self.quality_sum / max(self.windows_seen, 1),
            thumbnails=tuple(self.thumbnails),
        )


def to_jpeg(crop: NDArray[np.uint8], quality: int = 88) -> bytes:
    """JPEG bytes of an RGB crop."""
    import cv2

    _, data = cv2.imencode(".jpg", crop[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(data)
