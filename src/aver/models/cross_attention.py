"""Streams that attend to each other (after Tsai et al. 2019, "Multimodal Transformer").

Each stream is brought to a common width and given positions. In every layer a stream's windows
first attend to each other, then to the windows of all other streams (queries of the one, keys and
values of the others), then pass a feed-forward part. The means over the windows stand side by
side before two layers predict. A clip without any other stream is left to its own attention;
with a single stream the model is a plain transformer encoder.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from aver.models.blocks import EncoderLayer, sinusoidal_positions
from aver.models.blocks_attention import CrossAttention
from aver.models.registry import ModelOutput, register_model
from aver.models.settings import ModelSettings
from aver.models.streams import PooledStreams, StreamModel


class CrossAttentionSettings(ModelSettings):
    """Settings of ``cross_attention``.

    Attributes:
        width: common width of the streams, even, a multiple of *heads*.
        layers: layers of self-attention, cross-attention and feed-forward.
        heads: attention heads.
        feed_forward: hidden width of the feed-forward parts.
        prediction_hidden: hidden width of the two layers that predict.
        dropout: dropout inside the layers and before the prediction.
        input_dropout: dropout on the features before the projection.
        positional_encoding: add sinusoidal positions.
    """

    width: int = Field(128, ge=2)
    layers: int = Field(2, ge=1)
    heads: int = Field(4, ge=1)
    feed_forward: int = Field(256, ge=1)
    prediction_hidden: int = Field(128, ge=1)
    dropout: float = Field(0.2, ge=0.0, lt=1.0)
    input_dropout: float = Field(0.0, ge=0.0, lt=1.0)
    positional_encoding: bool = True


class CrossLayer(nn.Module):
    """One stream's layer: attention to the others, then a self-attending encoder layer."""

    def __init__(self, settings: CrossAttentionSettings):
        super().__init__()
        s = settings
        self.norm = nn.LayerNorm(s.width)
        self.others_norm = nn.LayerNorm(s.width)
        self.cross = CrossAttention(s.width, s.heads, s.dropout)
        self.dropout = nn.Dropout(s.dropout)
        self.encoder = EncoderLayer(s.width, s.heads, s.feed_forward, s.dropout, norm_first=True)

    def forward(
        self, x: Tensor, mask: Tensor, others: Tensor | None, others_mask: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return (batch, time, width), the cross weights if any, and the self weights."""
        weights = None
        if others is not None and others_mask is not None:
            found, weights = self.cross(self.norm(x), self.others_norm(others), others_mask)
            x = x + self.dropout(found)
        x, own = self.encoder(x, mask)
        return x, weights, own


@register_model("cross_attention")
class CrossAttentionModel(StreamModel):
    """Streams attend to each other; see the module's docstring.

    ``attention`` of the output holds ``<stream>`` (to itself) and ``<stream>_to_others``, whose
    keys are the windows of the other streams, one stream after another in the model's order.
    """

    Settings = CrossAttentionSettings

    def __init__(
        self,
        settings: CrossAttentionSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        s = settings
        if s.width % 2 or s.width % s.heads:
            raise ValueError(f"width {s.width} is odd or does not divide into {s.heads} heads")
        self.inputs = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Dropout(s.input_dropout), nn.Linear(d, s.width))
                for name, d in dimensions.items()
            }
        )
        for name, count in self.windows.items():
            table = sinusoidal_positions(count, s.width)
            if not s.positional_encoding:
                table = torch.zeros_like(table)
            self.register_buffer(f"positions_{name}", table, persistent=False)
        self.layers = nn.ModuleDict(
            {f"{name}_{number}": CrossLayer(s) for name in dimensions for number in range(s.layers)}
        )
        self.depth = s.layers
        self.norms = nn.ModuleDict({name: nn.LayerNorm(s.width) for name in dimensions})
        self.pool = PooledStreams(dict.fromkeys(dimensions, s.width))
        self.predict = nn.Sequential(
            nn.Dropout(s.dropout),
            nn.Linear(self.pool.width, s.prediction_hidden),
            nn.ReLU(),
            nn.Dropout(s.dropout),
            nn.Linear(s.prediction_hidden, classes),
        )

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """Classify the streams after they have attended to each other."""
        x = {}
        for name, values in self.clean(streams, masks).items():
            positions = getattr(self, f"positions_{name}")
            x[name] = self.inputs[name](values) + positions[: values.shape[1]]
        cross: dict[str, list[Tensor]] = {name: [] for name in x}
        own: dict[str, list[Tensor]] = {name: [] for name in x}
        for number in range(self.depth):
            before = dict(x)
            for name in before:
                rest = [other for other in before if other != name]
                others = torch.cat([before[other] for other in rest], dim=1) if rest else None
                mask = torch.cat([masks[other] for other in rest], dim=1) if rest else None
                x[name], to_others, to_itself = self.layers[f"{name}_{number}"](
                    before[name], masks[name], others, mask
                )
                if to_others is not None:
                    cross[name].append(to_others)
                if to_itself is not None:
                    own[name].append(to_itself)
        pooled = self.pool({name: self.norms[name](values) for name, values in x.items()}, masks)
        attention = {name: torch.stack(weights, dim=1) for name, weights in own.items()}
        for name, weights in cross.items():
            if weights:
                attention[f"{name}_to_others"] = torch.stack(weights, dim=1)
        return ModelOutput(self.predict(pooled), {}, attention)
