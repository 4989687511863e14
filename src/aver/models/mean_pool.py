"""The plainest networks: mean (and spread) of the windows, then a small network or one layer.

``mean_pool`` averages each stream over the windows that are there, adds the standard deviation if
asked, sets the streams side by side (early fusion) and classifies with a multilayer perceptron.
``linear_probe`` classifies the means with one linear layer: what a frozen encoder's embeddings
hold by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from aver.models.blocks import masked_mean
from aver.models.registry import ModelOutput, register_model
from aver.models.settings import ModelSettings
from aver.models.streams import PooledStreams, StreamModel


def mean_and_spread(x: Tensor, present: Tensor) -> Tensor:
    """Mean and standard deviation over the windows present, side by side.

    Args:
        x: (batch, time, feature), zeros where nothing is present.
        present: (batch, time) bool.

    Returns:
        (batch, 2 * feature); the spread of a single window is about zero.
    """
    mean = masked_mean(x, present)
    variance = masked_mean((x - mean[:, None, :]) ** 2, present)
    return torch.cat([mean, (variance + 1e-8).sqrt()], dim=1)


class MeanPoolSettings(ModelSettings):
    """Settings of ``mean_pool``.

    Attributes:
        hidden: widths of the hidden layers.
        spread: the standard deviation over the windows beside the mean.
        dropout: before each layer.
        input_dropout: dropout on the pooled features.
    """

    hidden: tuple[int, ...] = (256,)
    spread: bool = False
    dropout: float = Field(0.3, ge=0.0, lt=1.0)
    input_dropout: float = Field(0.0, ge=0.0, lt=1.0)


class LinearProbeSettings(ModelSettings):
    """Settings of ``linear_probe``.

    Attributes:
        spread: the standard deviation over the windows beside the mean.
    """

    spread: bool = False


@register_model("mean_pool")
class MeanPool(StreamModel):
    """Pooled streams side by side, then a perceptron; see the module's docstring."""

    Settings = MeanPoolSettings

    def __init__(
        self,
        settings: MeanPoolSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        self.spread = settings.spread
        self.pool = PooledStreams({k: d * (1 + settings.spread) for k, d in dimensions.items()})
        layers: list[nn.Module] = [nn.Dropout(settings.input_dropout)]
        width = self.pool.width
        for hidden in settings.hidden:
            layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(settings.dropout)]
            width = hidden
        self.predict = nn.Sequential(*layers, nn.Linear(width, classes))

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """Classify the pooled streams."""
        pooling = mean_and_spread if self.spread else masked_mean
        clean = self.clean(streams, masks)
        pooled = {name: pooling(x, masks[name]) for name, x in clean.items()}
        return ModelOutput(self.predict(self.pool.join(pooled, masks)), {}, {})


@register_model("linear_probe")
class LinearProbe(MeanPool):
    """One linear layer over the pooled streams."""

    Settings = LinearProbeSettings  # type: ignore[assignment]

    def __init__(
        self,
        settings: LinearProbeSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        plain = MeanPoolSettings(hidden=(), spread=settings.spread)
        super().__init__(plain, dimensions, windows, classes)
        self.settings = settings
