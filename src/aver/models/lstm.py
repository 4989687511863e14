"""Bidirectional LSTM a stream, mean over the windows, streams side by side.

The recurrent baseline the field compares attention with (Ghaleb et al. 2020, section 1 and Table
2; Graves & Schmidhuber 2005 for the two directions). Windows that are missing are taken out of
the sequence before the LSTM, so it steps from one window that is there to the next.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from aver.models.registry import ModelOutput, register_model
from aver.models.settings import ModelSettings
from aver.models.streams import PooledStreams, StreamModel


class LstmSettings(ModelSettings):
    """Settings of ``lstm``.

    Attributes:
        hidden: cells of each direction.
        layers: stacked bidirectional layers.
        prediction_hidden: hidden width of the two layers that predict; 0 is one linear layer.
        dropout: between layers and before the prediction.
        input_dropout: dropout on the features before the LSTM.
    """

    hidden: int = Field(64, ge=1)
    layers: int = Field(1, ge=1)
    prediction_hidden: int = Field(0, ge=0)
    dropout: float = Field(0.3, ge=0.0, lt=1.0)
    input_dropout: float = Field(0.0, ge=0.0, lt=1.0)


def _reorder(x: Tensor, order: Tensor) -> Tensor:
    return x.gather(1, order[:, :, None].expand(-1, -1, x.shape[2]))


class Bidirectional(nn.Module):
    """Stacked bidirectional LSTM over the windows that are there.

    Written as two LSTMs over gathered windows, because packed sequences do not export.

    Args:
        dimensions: width of the input.
        settings: sizes.
    """

    def __init__(self, dimensions: int, settings: LstmSettings):
        super().__init__()
        widths = [dimensions, *[2 * settings.hidden] * (settings.layers - 1)]
        self.onwards, self.backwards = (
            nn.ModuleList(nn.LSTM(width, settings.hidden, batch_first=True) for width in widths)
            for _ in range(2)
        )
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Return the states and their mask, both with the windows present first.

        Args:
            x: (batch, time, dimensions).
            present: (batch, time) bool.

        Returns:
            (batch, time, 2 * hidden) and (batch, time) bool.
        """
        time = torch.arange(x.shape[1], device=x.device)
        first = torch.where(present, time, time + x.shape[1]).argsort(dim=1)
        x = _reorder(x, first)
        length = present.sum(dim=1, keepdim=True)
        there = time < length
        # Turns the first `length` windows round and leaves the rest: its own inverse.
        turned = torch.where(there, length - 1 - time, time)
        for number, (onwards, backwards) in enumerate(
            zip(self.onwards, self.backwards, strict=True)
        ):
            if number:
                x = self.dropout(x)
            back = _reorder(backwards(_reorder(x, turned))[0], turned)
            x = torch.cat([onwards(x)[0], back], dim=2)
        return x, there


@register_model("lstm")
class Lstm(StreamModel):
    """A bidirectional LSTM a stream; see the module's docstring."""

    Settings = LstmSettings

    def __init__(
        self,
        settings: LstmSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        self.input_dropout = nn.Dropout(settings.input_dropout)
        self.encoders = nn.ModuleDict(
            {name: Bidirectional(width, settings) for name, width in dimensions.items()}
        )
        self.pool = PooledStreams(dict.fromkeys(dimensions, 2 * settings.hidden))
        layers: list[nn.Module] = [nn.Dropout(settings.dropout)]
        width = self.pool.width
        if settings.prediction_hidden:
            layers += [nn.Linear(width, settings.prediction_hidden), nn.ReLU()]
            layers += [nn.Dropout(settings.dropout)]
            width = settings.prediction_hidden
        self.predict = nn.Sequential(*layers, nn.Linear(width, classes))

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """Classify the mean states of all streams."""
        states, there = {}, {}
        for name, x in self.clean(streams, masks).items():
            states[name], there[name] = self.encoders[name](self.input_dropout(x), masks[name])
        return ModelOutput(self.predict(self.pool(states, there)), {}, {})
