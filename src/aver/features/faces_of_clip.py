"""The face of a clip: found, followed and cut out, window by window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aver.faces import Detector, DetectorName, FaceTracker, make_detector
from aver.features.clip_windows import Floats, read_clip_pictures
from aver.features.extractor import Clip, ExtractorSettings, Features

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From (n, 96, 96, 3) crops to (n, features)."""


class FaceSettings(ExtractorSettings):
    """Settings that extractors of faces share.

    Attributes:
        window_seconds: length of a window.
        windows: windows kept from the clip's start, at most; 0 for all.
        frames_per_second: pictures looked at in a second, at most.
        max_side: pixels; larger pictures are scaled down first.
        detector: ``auto`` (YuNet where the model cache has it, else dlib), ``yunet`` or ``dlib``.
    """

    window_seconds: float = Field(0.5, gt=0, le=60)
    windows: int = Field(0, ge=0)
    frames_per_second: float = Field(10.0, gt=0, le=120)
    max_side: int = Field(640, ge=64)
    detector: DetectorName = "auto"


@dataclass
class _Person:
    """What was seen of one person: features by window, and for how many pictures."""

    seen: int = 0
    windows: dict[int, Floats] = field(default_factory=dict)


class FaceReader:
    """Finds the main face of clips with one detector, loaded once.

    Args:
        settings: how pictures are read, and who finds the faces.
    """

    def __init__(self, settings: FaceSettings):
        self.settings = settings
        self._detector: Detector | None = None

    @property
    def detector(self) -> Detector:
        """The detector, loaded when first needed."""
        if self._detector is None:
            self._detector = make_detector(self.settings.detector)
        return self._detector

    def features(
        self, clip: Clip, embed: Embed, pool: Callable[[Floats], Floats], width: int
    ) -> Features:
        """Features of the face that is seen longest.

        Args:
            clip: the clip.
            embed: from (n, 96, 96, 3) RGB crops of faces to (n, width).
            pool: from the (n, width) of one window to (width,).
            width: of the features.

        Returns:
            Values (windows, width); a window in which that face is not seen is not present.

        Raises:
            MediaError: if the clip has no picture.
        """
        s = self.settings
        tracker = FaceTracker(self.detector)
        people: dict[int, _Person] = {}
        times: list[tuple[float, float]] = []
        for index, window in enumerate(
            read_clip_pictures(
                clip,
                window_seconds=s.window_seconds,
                frames_per_second=s.frames_per_second,
                max_side=s.max_side,
                windows=s.windows,
            )
        ):
            times.append((window.start, window.end))
            crops: dict[int, list[Any]] = {}
            for frame in window.frames:
                for face in tracker.update(frame):
                    crops.setdefault(face.person, []).append(face.crop)
            for number, seen in crops.items():
                person = people.setdefault(number, _Person())
                person.seen += len(seen)
                person.windows[index] = pool(embed(np.stack(seen)))
        values = np.zeros((len(times), width), np.float32)
        present = np.zeros(len(times), np.bool_)
        if people:
            main = max(people.values(), key=lambda person: person.seen)
            for index, row in main.windows.items():
                values[index], present[index] = row, True
        return Features(values, np.array(times, np.float32), present)
