"""VGG-M for faces as an extractor: MATER's own face embedding (section 2.1.1).

Faces are cut out at 96 x 96 pixels, and the last convolution, 512 channels, is averaged over its
positions and over the pictures of a window.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aver.features.extractor import Clip, Extractor, Features, register_extractor
from aver.features.faces_of_clip import FaceReader, FaceSettings
from aver.features.onnx_network import OnnxNetwork

Floats = NDArray[np.float32]

CHANNELS = 512

MEAN = np.array([131.45376586914062, 103.98748016357422, 91.46234893798828], np.float32)
"""Mean RGB of the faces the network was trained on, which is taken away from its input."""


class VggMFaceSettings(FaceSettings):
    """Settings of the extractor ``vgg_m_face``; see also :class:`FaceSettings`.

    Attributes:
        side: pixels that faces are brought to: 224, what the network was trained on.
        pooling: ``mean`` or ``max`` over the positions of the last convolution.
        network: name or path of the network.
    """

    side: int = Field(224, ge=64, le=512)
    pooling: Literal["mean", "max"] = "mean"
    network: str = "vgg_m_face"


@register_extractor("vgg_m_face")
class VggMFaceExtractor(Extractor):
    """The main face of a clip through a network of face recognition.

    It was trained by its makers to tell 2,622 celebrities, on no label of an expression. The
    weights are not shipped: ``aver models convert vgg_m_face``; mind their makers' terms.
    """

    version = 1
    Settings = VggMFaceSettings
    modality = "picture"
    ignored_settings = frozenset({"network", "detector"})

    def __init__(self, settings: VggMFaceSettings | None = None):
        super().__init__(settings)
        self._faces = FaceReader(self.settings)
        self._network = OnnxNetwork(self.settings.network, "vgg_m_face", "faces", "features")

    @property
    def shape(self) -> tuple[int, ...]:
        """(512,)."""
        return (CHANNELS,)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """Hash of the network, and which detector finds the faces."""
        return {"network": self._network.hash(), "detector": self._faces.detector.name}

    def extract(self, clip: Clip) -> Features:
        """Values (windows, 512); a window without the main face is not present.

        Raises:
            MediaError: if the clip has no picture.
            ModelError: if the network or the detector is missing, or another one.
        """
        self._network.load()
        return self._faces.features(clip, self._embed, _mean, CHANNELS)

    def _embed(self, crops: NDArray[np.uint8]) -> Floats:
        s = self.settings
        positions = self._network(vgg_m_input(crops, s.side))
        found = positions.mean((2, 3)) if s.pooling == "mean" else positions.max((2, 3))
        return np.asarray(found, np.float32)


def vgg_m_input(crops: NDArray[np.uint8], side: int) -> Floats:
    """(n, side', side', 3) RGB to (n, 3, side, side) in [0, 255] less :data:`MEAN`."""
    import cv2

    faces = np.empty((len(crops), side, side, 3), np.float32)
    for crop, face in zip(crops, faces, strict=True):
        larger = side > crop.shape[0]
        how = cv2.INTER_LINEAR if larger else cv2.INTER_AREA
        face[:] = cv2.resize(crop, (side, side), interpolation=how)
    return np.ascontiguousarray((faces - MEAN).transpose(0, 3, 1, 2))


def _mean(rows: Floats) -> Floats:
    return np.asarray(rows.mean(axis=0), np.float32)
