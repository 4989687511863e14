"""One attention, applied to all streams of a clip: what ``av_attention`` puts behind its branches.

A stage takes feature maps and masks by stream and gives maps of the same shapes, with its weights
by name. A kind that needs what no stream has (places, other streams) refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from aver.models.blocks import MASKED, EncoderLayer, MaskedBatchNorm
from aver.models.blocks_attention import (
    AttentionAugmentedConvolution,
    ChannelGate,
    CrossAttention,
    SpatialGate,
    SplitAttention,
    SqueezeExcitation,
    mean_of_maps,
)

Maps = dict[str, Tensor]
Shape = tuple[int, int, int]
Attention = Literal["none", "channel", "spatial", "cbam", "temporal", "cross", "augmented", "split"]


@dataclass(frozen=True)
class StageSettings:
    """Sizes of the stages.

    Attributes:
        heads: heads of dot-product attention.
        reduction: of the gates' hidden layers.
        blocks: blocks a stream's channels are cut into by split attention.
        dropout: of attention weights.
    """

    heads: int = 4
    reduction: int = 4
    blocks: int = 4
    dropout: float = 0.2


class Stage(nn.Module):
    """Base of the stages, and the one that does nothing.

    Args:
        shapes: (channels, height, width) of each stream's maps; the same number of channels.
        windows: greatest number of windows of each stream.
        settings: sizes.

    Raises:
        ValueError: if no stream can be attended to in this way.
    """

    def __init__(
        self, shapes: Mapping[str, Shape], windows: Mapping[str, int], settings: StageSettings
    ):
        super().__init__()
        self.shapes, self.windows, self.sizes = dict(shapes), dict(windows), settings
        self.channels = next(iter(shapes.values()))[0]

    def forward(self, maps: Maps, present: Maps) -> tuple[Maps, Maps]:
        """The maps attended to, and weights by name."""
        return maps, {}


class ChannelStage(Stage):
    """Squeeze-and-excitation of every stream; gates (batch, channels)."""

    def __init__(
        self, shapes: Mapping[str, Shape], windows: Mapping[str, int], settings: StageSettings
    ):
        super().__init__(shapes, windows, settings)
        self.gates = nn.ModuleDict(
            {name: SqueezeExcitation(self.channels, settings.reduction) for name in shapes}
        )

    def forward(self, maps: Maps, present: Maps) -> tuple[Maps, Maps]:
        """Scale the channels."""
        found, weights = {}, {}
        for name, x in maps.items():
            found[name], weights[f"{name}_channel_gate"] = self.gates[name](x, present[name])
        return found, weights


class SpatialStage(Stage):
    """CBAM's spatial gate of every stream that has places; gates (batch, time, height, width)."""

    def __init__(
        self, shapes: Mapping[str, Shape], windows: Mapping[str, int], settings: StageSettings
    ):
        super().__init__(shapes, windows, settings)
        placed = [name for name, (_, height, width) in shapes.items() if height * width > 1]
        if not placed:
            raise ValueError(
                "spatial attention and CBAM need places, but every stream is a vector a window; "
                "use a branch with pictures, or the attention 'channel'"
            )
        self.places = nn.ModuleDict({name: SpatialGate() for name in placed})

    def forward(self, maps: Maps, present: Maps) -> tuple[Maps, Maps]:
        """Scale the places."""
        found, weights = dict(maps), {}
        for name, gate in self.places.items():
            found[name], weights[f"{name}_spatial_gate"] = gate(maps[name])
        return found, weights


class CbamStage(SpatialStage):
    """CBAM: the channel gate, then the spatial one where there are places."""

    def __init__(
        self, shapes: Mapping[str, Shape], windows: Mapping[str, int], settings: StageSettings
    ):
        super().__init__(shapes, windows, settings)
        self.gates = nn.ModuleDict(
            {name: ChannelGate(self.channels, settings.reduction) for name in shapes}
        )

    def forward(self, maps: Maps, present: Maps) -> tuple[Maps, Maps]:
        """Scale the channels, then the places."""
        found, weights = {}, {}
        for name, x in maps.items():
            found[name], weights[f"{name}_channel_gate"] = self.gates[name](x, present[name])
        found, places = super().forward(found, present)
        return found, weights | places


class AugmentedStage(Stage):
    """An attention-augmented convolution of every stream, normalised.

    Over the places of each window; over the windows, where a window is a vector. Weights are
    (batch, windows, heads, places, places), one window long in the second case.
    """

    def __init__(
        self, shapes: Mapping[str, Shape], windows: Mapping[str, int], settings: StageSettings
    ):
        super().__init__(shapes, windows, settings)
        half = self.channels // 2
        self.layers, self.norms = nn.ModuleDict(), nn.ModuleDict()
        for name, (channels, height, width) in shapes.items():
            by_time = height * width == 1
            self.layers[name] = AttentionAugmentedConvolution(
                channels,
                channels,
                windows[name] if by_time else height,
                width,
                keys=half,
                values=half,
                heads=settings.heads,
            )
            self.norms[name] = MaskedBatchNorm(channels)

    def forward(self, maps: Maps, present: Maps) -> tuple[Maps, Maps]:
        """Convolve and attend."""
        found, weights = {}, {}
        for name, x in maps.items():
            batch, time, channels, height, width = x.shape
            layer = self.layers[name]
            if height * width == 1:
                rows = x.reshape(batch, time, channels, 1).transpose(1, 2)
                rows, each = layer(rows, present[name])
                rows = rows.transpose(1, 2).reshape(batch * time, channels, 1, 1)
                weights[f"{name}_augmented"] = each[:, None]
            else:
                rows, each = layer(x.flatten(0, 1))
                weights[f"{name}_augmented"] = each.reshape(batch, time, *each.shape[1:])
            rows = self.norms[name](rows, present[name].reshape(-1)).relu()
            found[name] = rows.reshape(x.shape)
        return found, weights


class CrossStage(Stage):
    """Every stream's windows attend to the windows of all others (Krishna & Patil 2020).

    What a window finds is added to all its places. Weights are
    (batch, 1, heads, windows, windows of the others in the model's order).
    """

    def __init__(
        self, shapes: Mapping[str, Shape], windows: Mapping[str, int], settings: StageSettings
    ):
        super().__init__(shapes, windows, settings)
        _need_streams("cross", shapes)
        self.norms = nn.ModuleDict({name: nn.LayerNorm(self.channels) for name in shapes})
        self.cross = nn.ModuleDict(
            {
                name: CrossAttention(self.channels, settings.heads, settings.dropout)
                for name in shapes
            }
        )

    def forward(self, maps: Maps, present: Maps) -> tuple[Maps, Maps]:
        """Attend to the others."""
        vectors = {name: self.norms[name](x.mean(dim=(3, 4))) for name, x in maps.items()}
        found, weights = {}, {}
        for name, x in maps.items():
            rest = [other for other in maps if other != name]
            others = torch.cat([vectors[other] for other in rest], dim=1)
            mask = torch.cat([present[other] for other in rest], dim=1)
            seen, each = self.cross[name](vectors[name], others, mask)
            found[name] = _add(x, seen, present[name])
            weights[f"{name}_to_others"] = each[:, None]
        return found, weights


class SplitStage(Stage):
    """Multimodal split attention over all streams; weights (batch, blocks, channels of a block)."""

    def __init__(
        self, shapes: Mapping[str, Shape], windows: Mapping[str, int], settings: StageSettings
    ):
        super().__init__(shapes, windows, settings)
        _need_streams("split", shapes)
        if settings.blocks > self.channels:
            raise ValueError(
                f"{self.channels} channels cannot be split into {settings.blocks} blocks"
            )
        block = -(-self.channels // settings.blocks)
        self.split = SplitAttention(dict.fromkeys(shapes, self.channels), block, settings.reduction)

    def forward(self, maps: Maps, present: Maps) -> tuple[Maps, Maps]:
        """Weigh the blocks of all streams against each other."""
        found, weights = self.split(maps, present)
        return found, {f"{name}_split": weight for name, weight in weights.items()}


class JointStage(Stage):
    """Fusion by attention: windows of all streams attend to each other, streams are weighed.

    One transformer layer over the windows of all streams in a row, each told its stream by a
    learned vector; what it finds is added to all places of the window. Then a softmax over the
    streams that a clip has scales each stream. Weights: ``joint`` (batch, 1, heads, windows,
    windows) and ``streams`` (batch, 1, 1, 1, streams).
    """

    def __init__(
        self, shapes: Mapping[str, Shape], windows: Mapping[str, int], settings: StageSettings
    ):
        super().__init__(shapes, windows, settings)
        self.kind = nn.ParameterDict(
            {name: nn.Parameter(0.02 * torch.randn(self.channels)) for name in shapes}
        )
        self.layer = EncoderLayer(
            self.channels, settings.heads, 2 * self.channels, settings.dropout, norm_first=True
        )
        self.score = nn.ModuleDict({name: nn.Linear(self.channels, 1) for name in shapes})

    def forward(self, maps: Maps, present: Maps) -> tuple[Maps, Maps]:
        """Join, then weigh."""
        rows = [x.mean(dim=(3, 4)) + self.kind[name] for name, x in maps.items()]
        before = torch.cat(rows, dim=1)
        joined, each = self.layer(before, torch.cat(list(present.values()), dim=1))
        parts = (joined - before).split([row.shape[1] for row in rows], dim=1)
        found = {
            name: _add(x, part, present[name])
            for (name, x), part in zip(maps.items(), parts, strict=True)
        }
        score = torch.cat(
            [self.score[name](mean_of_maps(x, present[name])) for name, x in found.items()], dim=1
        )
        has = torch.stack([mask.any(dim=1) for mask in present.values()], dim=1)
        share = score.masked_fill(~has, MASKED).softmax(dim=1)
        scaled = {
            name: x * share[:, number, None, None, None, None]
            for number, (name, x) in enumerate(found.items())
        }
        attention = {"joint": cast(Tensor, each)[:, None], "streams": share[:, None, None, None]}
        return scaled, attention


def _add(maps: Tensor, vectors: Tensor, present: Tensor) -> Tensor:
    there = present.to(maps.dtype)[:, :, None]
    return maps + (vectors * there)[:, :, :, None, None]


def _need_streams(kind: str, shapes: Mapping[str, Shape]) -> None:
    if len(shapes) < 2:
        only = next(iter(shapes))
        raise ValueError(
            f"the attention '{kind}' is between streams, but '{only}' is the only one; add a "
            "stream, or take an attention within one (channel, spatial, cbam, temporal, augmented)"
        )


STAGES: dict[str, type[Stage]] = {
    "none": Stage,
    "channel": ChannelStage,
    "spatial": SpatialStage,
    "cbam": CbamStage,
    # Time is attended to where windows are pooled, behind all stages.
    "temporal": Stage,
    "cross": CrossStage,
    "augmented": AugmentedStage,
    "split": SplitStage,
}
