"""What goes into the tracker and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aver.faces.crop import MARGIN
from aver.faces.detect import Box, Image


class Frame(Protocol):
    """What the tracker needs of a picture (:class:`aver.media.VideoFrame` has it)."""

    @property
    def time(self) -> float:
        """Seconds on the recording's clock."""
        ...

    @property
    def image(self) -> Image:
        """(h, w, 3) RGB uint8."""
        ...

    @property
    def scale(self) -> float:
        """Pixels of the original for each pixel of :attr:`image`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FaceObservation:
    """One face in one picture.

    Attributes:
        person: who it is: 1, 2, ... in the order of first appearance in the recording.
        track: number of the unbroken stretch it belongs to.
        time: seconds on the recording's clock.
        box: (x, y, width, height), hairline to chin, in pixels of the ORIGINAL picture.
        score: the detector's certainty in [0, 1]; it fades while a gap is bridged.
        quality: in [0, 1], from size, sharpness, light, pose and score.
        detected: False while the detector's last look at this face missed it and the gap is
            bridged by following.
        crop: (96, 96, 3) RGB uint8, framed as FER-2013's pictures.
    """

    person: int
    track: int
    time: float
    box: Box
    score: float
    quality: float
    detected: bool
    crop: Image


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """How faces are followed.

    Attributes:
        detections_per_second: how often the detector looks at each face again.
        searches_per_second: how often it looks for new faces in the whole picture.
        bridge_seconds: longest gap that is bridged where the detector misses a face.
        margin: room around the face, see :data:`aver.faces.crop.MARGIN`.
        align_roll: turn crops so that the eyes are level, where there are landmarks.
        smallest: height in pixels of the smallest face that is reported.
        most: largest number of faces in a picture; the largest are kept.
    """

    detections_per_second: float = 3.5
    searches_per_second: float = 1.0
    bridge_seconds: float = 2.0
    margin: float = MARGIN
    align_roll: bool = True
    smallest: float = 16.0
    most: int = 16
