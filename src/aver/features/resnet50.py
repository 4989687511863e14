"""ResNet-50 as an extractor: what is to be seen in pictures (the still features of Fea-TF SCMA)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aver.errors import SettingError
from aver.features.clip_windows import Pictures, read_clip_pictures
from aver.features.extractor import Clip, Extractor, Features, register_extractor
from aver.features.faces_of_clip import FaceReader, FaceSettings
from aver.features.frame_pictures import Shown, repeated, shown_pictures
from aver.features.frame_rows import Warn
from aver.features.onnx_network import OnnxNetwork
from aver.features.pictures import middle, normalise, resize, shorter_side_to

Floats = NDArray[np.float32]

WIDTH = 2048
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE, SHORTER_SIDE = 224, 256


class ResNet50Settings(FaceSettings):
    """Settings of the extractor ``resnet50``; see also :class:`FaceSettings`.

    Attributes:
        region: the ``picture`` (its shorter side brought to 256 pixels, the middle 224 x 224
            taken), or the main ``face``.
        per: one row a ``window``, the mean over its pictures, or one a ``picture``.
        frames_per_second: pictures taken a second, at most.
        network: name or path of the network.
    """

    region: Literal["picture", "face"] = "picture"
    per: Literal["window", "picture"] = "window"
    frames_per_second: float = Field(4.0, gt=0, le=120)
    network: str = "resnet50"

    @model_validator(mode="after")
    def _faces_come_by_window(self) -> ResNet50Settings:
        if self.region == "face" and self.per == "picture":
            raise ValueError("faces come by window: set per to window, or region to picture")
        return self


@register_extractor("resnet50")
class ResNet50Extractor(Extractor):
    """2,048 features before the last layer of a network of ImageNet's 1,000 classes.

    The weights are not shipped: ``aver models convert resnet50``. Pictures are shrunk by area,
    where torchvision's own preparation does so by antialiased bilinear weights.
    """

    version = 1
    Settings = ResNet50Settings
    modality = "picture"
    ignored_settings = frozenset({"network", "detector"})

    def __init__(self, settings: ResNet50Settings | None = None):
        super().__init__(settings)
        self._faces = FaceReader(self.settings)
        self._network = OnnxNetwork(self.settings.network, "resnet50", "pictures", "features")

    @property
    def shape(self) -> tuple[int, ...]:
        """(2048,)."""
        return (WIDTH,)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """Hash of the network, and which detector finds faces."""
        found = {"network": self._network.hash()}
        if self.settings.region == "face":
            found["detector"] = self._faces.detector.name
        return found

    def extract(self, clip: Clip) -> Features:
        """Values (windows, 2048) or (pictures, 2048); a window without a picture is not present.

        Raises:
            MediaError: if the clip has no picture.
            ModelError: if the network (or the detector) is missing, or another one.
        """
        self._network.load()
        s = self.settings
        if s.region == "face":
            return self._faces.features(clip, self._of_faces, _mean, WIDTH)
        reading = read_clip_pictures(
            clip,
            window_seconds=s.window_seconds,
            frames_per_second=s.frames_per_second,
            max_side=s.max_side,
            windows=s.windows,
        )
        rows = [row for window in reading for row in self._of_window(window)]
        values = np.stack([value for value, _, _ in rows])
        times = np.array([span for _, span, _ in rows], np.float32)
        if s.per == "picture":
            # A picture is on show until the next.
            times[:-1, 1] = times[1:, 0]
        return Features(values, times, np.array([there for _, _, there in rows], np.bool_))

    def _of_window(self, window: Pictures) -> list[tuple[Floats, tuple[float, float], bool]]:
        span = (window.start, window.end)
        if not window.frames:
            return [(np.zeros(WIDTH, np.float32), span, False)]
        features = self._of_pictures(window.images)
        if self.settings.per == "window":
            return [(_mean(features), span, True)]
        return [
            (row, (time, window.end), True)
            for row, time in zip(features, window.times, strict=True)
        ]

    def frame_rows(self, file: Path, first: int, warn: Warn) -> Iterator[Floats]:
        """Rows (n, 2048) of the frames of *file* from *first* on; of the picture, each by itself.

        Raises:
            SettingError: if the settings ask for faces, which come by window.
            MediaError: if there is no picture.
            ModelError: if the network is not here.
        """
        if self.settings.region == "face":
            raise SettingError("region", "faces come by window, not by frame", "Take 'picture'")
        self._network.load()
        waiting: list[Shown] = []
        for shown in shown_pictures(file, self.settings.max_side, warn, first):
            waiting.append(shown)
            if len(waiting) == self._network.batch:
                yield repeated(self._of_pictures([s.image for s in waiting]), waiting)
                waiting = []
        if waiting:
            yield repeated(self._of_pictures([s.image for s in waiting]), waiting)

    def _of_pictures(self, images: Sequence[NDArray[np.uint8]]) -> Floats:
        squares = [middle(shorter_side_to(i, SHORTER_SIDE), SIDE) for i in images]
        return self._network(_planes(np.stack(squares)))

    def _of_faces(self, crops: NDArray[np.uint8]) -> Floats:
        return self._network(_planes(np.stack([resize(crop, SIDE, SIDE) for crop in crops])))


def _planes(images: NDArray[np.uint8]) -> Floats:
    return np.ascontiguousarray(normalise(images, MEAN, DEVIATION).transpose(0, 3, 1, 2))


def _mean(rows: Floats) -> Floats:
    return np.asarray(rows.mean(axis=0), np.float32)
