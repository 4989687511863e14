"""Ten fields of optical flow through a ResNet-101: how things move (Fea-TF SCMA, section II.B).

Fields between eleven pictures in a row, across and down, each brought to integers from 0 to 255,
are the 20 channels that the network's first layer takes instead of three colours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aver.errors import MediaError
from aver.features.extractor import Clip, Extractor, ExtractorSettings, Features, register_extractor
from aver.features.frame_pictures import Shown, repeated, shown_pictures
from aver.features.frame_rows import Warn
from aver.features.onnx_network import OnnxNetwork
from aver.features.optical_flow import (
    OpticalFlow,
    OpticalFlowSettings,
    grey_square,
    make_flow,
    one_flow_thread,
    to_integers,
)

Floats = NDArray[np.float32]

WIDTH = 2048
STACK = 10
"""Fields in a stack: 0.4 s at 25 pictures a second."""
CHANNELS = 2 * STACK

# What no movement becomes, and the mean spread of ImageNet's three colours.
_STILL, _DEVIATION = 128, 0.226
_SIDE = 224
_BATCH = 16


class FlowResNet101Settings(ExtractorSettings):
    """Settings of the extractor ``flow_resnet101``; see also ``optical_flow``.

    Attributes:
        algorithm: ``farneback`` (Farneback 2003) or ``dis`` (Kroeger et al. 2016).
        fit: ``crop`` takes the middle of the picture, ``stretch`` all of it.
        bound: pixels of the 224 x 224 picture that become 0 (to the left, up) and 255.
        hop: pictures from one stack to the next where a clip is measured; frames of a film have
            one each.
        network: name or path of the network.
    """

    algorithm: Literal["farneback", "dis"] = "farneback"
    fit: Literal["crop", "stretch"] = "crop"
    bound: float = Field(20.0, gt=0)
    hop: int = Field(10, ge=1)
    network: str = "resnet101_flow"


@register_extractor("flow_resnet101")
class FlowResNet101(Extractor):
    """2,048 features before the last layer of a ResNet-101 on stacks of optical flow.

    The weights are not shipped: ``aver models convert resnet101_flow``.
    """

    version = 1
    Settings = FlowResNet101Settings
    modality = "picture"
    ignored_settings = frozenset({"network"})

    def __init__(self, settings: FlowResNet101Settings | None = None):
        super().__init__(settings)
        self._network = OnnxNetwork(
            self.settings.network, "resnet101_flow", "stacks", "features", _BATCH
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """(2048,)."""
        return (WIDTH,)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """Hash of the network."""
        return {"network": self._network.hash()}

    def extract(self, clip: Clip) -> Features:
        """Values (stacks, 2048) of one clip; not present where it is shorter than a stack.

        Raises:
            MediaError: if the clip has no picture, or only one.
            ModelError: if the network is not here; the line tells how to get it.
        """
        self._network.load()
        s = self.settings
        flow = OpticalFlowSettings(
            algorithm=s.algorithm,
            output="stack",
            size=_SIDE,
            fit=s.fit,
            stack=STACK,
            hop=s.hop,
            bound=s.bound,
        )
        stacks = OpticalFlow(flow).extract(clip)
        if not stacks.present.any():
            return Features(
                np.zeros((len(stacks), WIDTH), np.float32), stacks.times, stacks.present
            )
        return Features(self._through(stacks.values), stacks.times, stacks.present)

    def frame_rows(self, file: Path, first: int, warn: Warn) -> Iterator[Floats]:
        """Rows (n, 2048) of the frames of *file* from *first* on.

        A frame's stack begins at the picture that it shows; after the last picture nothing moves.

        Raises:
            MediaError: if there is no picture, or a single one.
            ModelError: if the network is not here.
        """
        self._network.load()
        waiting: list[tuple[Shown, NDArray[np.uint8]]] = []
        for shown, stack in self._stacks(file, first, warn):
            waiting.append((shown, stack))
            if len(waiting) == _BATCH:
                yield self._rows(waiting)
                waiting = []
        if waiting:
            yield self._rows(waiting)

    def _stacks(
        self, file: Path, first: int, warn: Warn
    ) -> Iterator[tuple[Shown, NDArray[np.uint8]]]:
        """Each picture shown at a frame, with the (20, 224, 224) stack that begins at it."""
        recent: deque[Shown] = deque()
        fields: deque[NDArray[np.uint8]] = deque()
        before: NDArray[np.uint8] | None = None
        flow = make_flow(self.settings.algorithm)
        count = 0
        for shown in shown_pictures(file, 2 * _SIDE + 192, warn, first):
            grey = grey_square(shown.image, _SIDE, self.settings.fit)
            count += 1
            recent.append(Shown(shown.image[:0], shown.first, shown.frames))
            if before is not None:
                with one_flow_thread():
                    field = to_integers(flow(before, grey), self.settings.bound)
                fields.append(field.transpose(2, 0, 1))
            before = grey
            if len(fields) == STACK:
                yield recent.popleft(), np.concatenate(fields)
                fields.popleft()
        if count == 1 and first == 0:
            raise MediaError(
                file, "holds a single picture, and flow is between two", "Name a video"
            )
        still = np.full((2, _SIDE, _SIDE), _STILL, np.uint8)
        while recent:
            padded = [*fields, *[still] * (STACK - len(fields))]
            yield recent.popleft(), np.concatenate(padded)
            if fields:
                fields.popleft()

    def _rows(self, waiting: list[tuple[Shown, NDArray[np.uint8]]]) -> Floats:
        features = self._through(np.stack([stack for _, stack in waiting]))
        return repeated(features, [shown for shown, _ in waiting])

    def _through(self, stacks: NDArray[np.uint8] | Floats) -> Floats:
        """(n, 20, 224, 224) in 0 to 255 to (n, 2048)."""
        parts = (stacks[n : n + _BATCH] for n in range(0, len(stacks), _BATCH))
        return np.concatenate([self._network(prepare(part)) for part in parts])


def prepare(stacks: NDArray[np.uint8] | Floats) -> Floats:
    """Integers from 0 to 255 as the network takes them: no movement becomes zero."""
    return (stacks.astype(np.float32) - np.float32(_STILL)) * np.float32(1 / (255 * _DEVIATION))
