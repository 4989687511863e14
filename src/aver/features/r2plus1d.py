"""R(2+1)D-18 as an extractor: what moves in each window (a 3D CNN; Tran et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aver.features.clip_windows import read_clip_pictures
from aver.features.extractor import Clip, Extractor, ExtractorSettings, Features, register_extractor
from aver.features.onnx_network import OnnxNetwork
from aver.features.pictures import middle, normalise, resize

Floats = NDArray[np.float32]

WIDTH = 512
MEAN, DEVIATION = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
HEIGHT, BREADTH, SIDE = 128, 171, 112

FRAMES = 16
"""Pictures that the network takes at once."""


class R2Plus1DSettings(ExtractorSettings):
    """Settings of the extractor ``r2plus1d_18``.

    Attributes:
        window_seconds: length of a window; its pictures are spread over the network's sixteen,
            the nearest one standing where there are fewer. At 15 pictures a second, as the
            network was trained, sixteen last 1.07 s.
        windows: windows kept from the clip's start, at most; 0 for all.
        frames_per_second: pictures taken a second, at most.
        network: name or path of the network.
    """

    window_seconds: float = Field(16 / 15, gt=0, le=60)
    windows: int = Field(0, ge=0)
    frames_per_second: float = Field(15.0, gt=0, le=120)
    network: str = "r2plus1d_18"


@register_extractor("r2plus1d_18")
class R2Plus1DExtractor(Extractor):
    """512 features before the last layer of a network of Kinetics-400's actions.

    The weights are not shipped: ``aver models convert r2plus1d_18``. Pictures are brought to
    128 x 171 and the middle 112 x 112 taken, as torchvision does.
    """

    version = 1
    Settings = R2Plus1DSettings
    modality = "picture"
    ignored_settings = frozenset({"network"})

    def __init__(self, settings: R2Plus1DSettings | None = None):
        super().__init__(settings)
        self._network = OnnxNetwork(
            self.settings.network, "r2plus1d_18", "frames", "features", batch=1
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """(512,)."""
        return (WIDTH,)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """Hash of the network."""
        return {"network": self._network.hash()}

    def extract(self, clip: Clip) -> Features:
        """Values (windows, 512); a window without a picture is not present.

        Raises:
            MediaError: if the clip has no picture.
            ModelError: if the network is missing, or another one.
        """
        s = self.settings
        rows, times, present = [], [], []
        for window in read_clip_pictures(
            clip,
            window_seconds=s.window_seconds,
            frames_per_second=s.frames_per_second,
            max_side=2 * BREADTH,
            windows=s.windows,
        ):
            times.append((window.start, window.end))
            present.append(bool(window.frames))
            images = [middle(resize(image, HEIGHT, BREADTH), SIDE) for image in window.images]
            if images:
                chosen = np.stack([images[at] for at in spread(len(images), FRAMES)])
                planes = normalise(chosen, MEAN, DEVIATION).transpose(3, 0, 1, 2)
                rows.append(self._network(np.ascontiguousarray(planes)[None])[0])
            else:
                rows.append(np.zeros(WIDTH, np.float32))
        return Features(np.stack(rows), np.array(times, np.float32), np.array(present, np.bool_))


def spread(count: int, wanted: int) -> NDArray[np.intp]:
    """Which of *count* pictures stand at *wanted* evenly spaced places; (wanted,) rising."""
    return np.asarray((np.arange(wanted) + 0.5) * count / wanted, np.intp)
