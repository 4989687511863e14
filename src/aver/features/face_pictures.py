"""The pictures of a face themselves, for networks that begin with pixels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aver.features.extractor import Clip, Extractor, Features, register_extractor
from aver.features.faces_of_clip import FaceReader, FaceSettings

Floats = NDArray[np.float32]


class FacePicturesSettings(FaceSettings):
    """Settings of the extractor ``face_pictures``; see also :class:`FaceSettings`.

    Attributes:
        side: pixels of a picture's side.
        window_seconds: length of a window. A window's pictures are averaged, which blurs what
            moves; with ``1 / frames_per_second`` each window is one picture.
    """

    side: int = Field(48, ge=8, le=96)
    window_seconds: float = Field(0.1, gt=0, le=60)


@register_extractor("face_pictures")
class FacePictures(Extractor):
    """Grey pictures of the main face in [0, 1]: (windows, side, side).

    Where several people are seen, the one seen longest counts; a window without that face is not
    present.
    """

    version = 1
    Settings = FacePicturesSettings
    modality = "picture"
    ignored_settings = frozenset({"detector"})

    def __init__(self, settings: FacePicturesSettings | None = None):
        super().__init__(settings)
        self._faces = FaceReader(self.settings)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(side, side)``."""
        return (self.settings.side, self.settings.side)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """Which detector finds the faces."""
        return {"detector": self._faces.detector.name}

    def extract(self, clip: Clip) -> Features:
        """Cut the face out of one clip's pictures.

        Raises:
            MediaError: if the clip has no picture.
            ModelError: if the detector is missing.
        """
        side = self.settings.side
        found = self._faces.features(clip, self._grey, _mean, side * side)
        return Features(found.values.reshape(-1, side, side), found.times, found.present)

    def _grey(self, crops: NDArray[np.uint8]) -> Floats:
        """(n, 96, 96, 3) RGB to (n, side * side)."""
        import cv2

        side = self.settings.side
        rows = [
            cv2.resize(
                cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA
            )
            for crop in crops
        ]
        return np.stack(rows).reshape(len(crops), -1).astype(np.float32) / np.float32(255.0)


def _mean(rows: Floats) -> Floats:
    return np.asarray(rows.mean(axis=0), np.float32)
