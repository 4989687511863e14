"""Models that label every window of a sequence, asked for one label of the whole clip.

The logits of a clip are the mean of those of its windows. A stream that has one window for the
whole clip (a voice's functionals) stands beside every window of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as functional
from torch import Tensor

from aver.models.blocks import masked_mean
from aver.models.movie_baselines import ThaoDnn, ThaoLstm
from aver.models.registry import ModelOutput, register_model
from aver.models.scma import Scma
from aver.models.sequences import SequenceModel
from aver.models.settings import ModelSettings
from aver.models.streams import StreamModel


class ClipOfSequence(StreamModel):
    """One label a clip from a model of windows; see the module's docstring.

    Streams may have one window, or as many as the longest (those that have fewer lack their last).

    Args:
        settings: of the model of windows.
        dimensions: width of each stream.
        windows: greatest number of windows of each stream.
        classes: number of classes.
    """

    of: ClassVar[type[SequenceModel]]

    def __init__(
        self,
        settings: ModelSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        self.time = max(windows.values())
        self.model = self.of(settings, dimensions, dict.fromkeys(dimensions, self.time), classes)

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """Classify whole clips; logits (batch, classes)."""
        there = self._there(masks)
        beside_streams, beside_masks = {}, {}
        for name in self.dimensions:
            x, mask = streams[name], masks[name]
            if self.windows[name] == 1:
                x, mask = x.expand(-1, self.time, -1), mask & there
            else:
                short = self.time - x.shape[1]
                x, mask = functional.pad(x, (0, 0, 0, short)), functional.pad(mask, (0, short))
            beside_streams[name], beside_masks[name] = x, mask
        logits = self.model(beside_streams, beside_masks).logits
        return ModelOutput(masked_mean(logits, there), {}, {})

    def _there(self, masks: dict[str, Tensor]) -> Tensor:
        """(batch, time) bool: windows of a clip; the first alone if only single windows are."""
        long = [
            functional.pad(masks[name], (0, self.time - masks[name].shape[1]))
            for name, count in self.windows.items()
            if count > 1
        ]
        first = torch.stack([masks[name].any(dim=1) for name in self.dimensions]).any(dim=0)
        alone = functional.pad(first[:, None], (0, self.time - 1))
        if not long:
            return alone
        there = torch.stack(long).any(dim=0)
        return there | (alone & ~there.any(dim=1, keepdim=True))


@register_model("scma_clip")
class ScmaClip(ClipOfSequence):
    """:class:`~aver.models.scma.Scma`, one label a clip."""

    Settings = Scma.Settings
    of = Scma


@register_model("thao_dnn_clip")
class ThaoDnnClip(ClipOfSequence):
    """:class:`~aver.models.movie_baselines.ThaoDnn`, one label a clip."""

    Settings = ThaoDnn.Settings
    of = ThaoDnn


@register_model("thao_lstm_clip")
class ThaoLstmClip(ClipOfSequence):
    """:class:`~aver.models.movie_baselines.ThaoLstm`, one label a clip."""

    Settings = ThaoLstm.Settings
    of = ThaoLstm
