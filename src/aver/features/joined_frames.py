"""Two frames of a face half a second apart, joined side by side, as an extractor.

Goswami, Aggarwal and Yalamanchi, "Emotion Detection using Audio and Video Detection", section
4.1 and figure 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aver.faces import Detector, DetectorName, FaceTracker, make_detector
from aver.features.clip_windows import read_clip_pictures
from aver.features.extractor import Clip, Extractor, ExtractorSettings, Features, register_extractor


class JoinedFramesSettings(ExtractorSettings):
    """Settings of the joined frames.

    Attributes:
        side: pixels of each frame's side.
        step_seconds: from the first frame of one joined image to that of the next.
        gap_seconds: from the first to the second frame of a joined image.
        frames_per_second: pictures looked at in a second, at most.
        max_side: pixels; larger pictures are scaled down first.
        detector: ``auto`` (YuNet where the model cache has it, else dlib), ``yunet`` or ``dlib``.
    """

    side: int = Field(48, ge=8, le=256)
    step_seconds: float = Field(0.5, gt=0)
    gap_seconds: float = Field(0.5, gt=0)
    frames_per_second: float = Field(10.0, gt=0, le=120)
    max_side: int = Field(640, ge=64)
    detector: DetectorName = "auto"


@register_extractor("joined_frames")
class JoinedFrames(Extractor):
    """(images, side, 2 * side) grey values in [0, 1] of the face that is seen longest.

    A joined image is present where that face is seen at both of its times, to a tenth of a second
    (or one picture, where they come more slowly). A clip shorter than the gap has one joined
    image, which is not present.
    """

    version = 1
    Settings = JoinedFramesSettings
    modality = "picture"

    def __init__(self, settings: JoinedFramesSettings | None = None):
        super().__init__(settings)
        self._detector: Detector | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """``(side, 2 * side)``."""
        return (self.settings.side, 2 * self.settings.side)

    @property
    def detector(self) -> Detector:
        """The detector, loaded when first needed."""
        if self._detector is None:
            self._detector = make_detector(self.settings.detector)
        return self._detector

    @property
    def depends_on(self) -> Mapping[str, str]:
        """Which detector finds the faces."""
        return {"detector": self.detector.name}

    def extract(self, clip: Clip) -> Features:
        """Follow the faces through the clip and join what is seen of the main one.

        Raises:
            MediaError: if the clip cannot be read or has no picture.
        """
        s = self.settings
        people: dict[int, dict[float, NDArray[np.uint8]]] = {}
        tracker, end = FaceTracker(self.detector), 0.0
        for window in read_clip_pictures(
            clip,
            window_seconds=s.step_seconds,
            frames_per_second=s.frames_per_second,
            max_side=s.max_side,
        ):
            end = max(end, window.end)
            for time, frame in zip(window.times, window.frames, strict=True):
                for face in tracker.update(frame):
                    people.setdefault(face.person, {})[time] = face.crop
        seen = max(people.values(), key=len, default={})
        # Written so that a clip of exactly n steps does not gain or lose one by rounding.
        count = max(1, int((end - s.gap_seconds) / s.step_seconds + 1e-6) + 1)
        starts = np.arange(count) * s.step_seconds
        times = np.stack([starts, starts + s.gap_seconds], axis=1).astype(np.float32)
        values = np.zeros((count, *self.shape), np.float32)
        present = np.zeros(count, np.bool_)
        for row, start in enumerate(starts):
            halves = [self._near(seen, time) for time in (start, start + s.gap_seconds)]
            if halves[0] is not None and halves[1] is not None:
                values[row] = np.concatenate([grey(half, s.side) for half in halves], axis=1)
                present[row] = True
        return Features(values, times.clip(0.0, end), present)

    def _near(self, seen: dict[float, NDArray[np.uint8]], time: float) -> NDArray[np.uint8] | None:
        """The crop nearest to *time*, None where the face is not seen around then."""
        nearest = min(seen, key=lambda at: abs(at - time), default=None)
        reach = max(0.1, 1.0 / self.settings.frames_per_second) + 1e-6
        return None if nearest is None or abs(nearest - time) > reach else seen[nearest]


def grey(crop: NDArray[np.uint8] | None, side: int) -> NDArray[np.float32]:
    """A colour crop (n, n, 3) as (side, side) grey values in [0, 1]."""
    import cv2

    assert crop is not None
    flat = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(flat, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255.0)
