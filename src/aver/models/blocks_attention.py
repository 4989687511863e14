"""Attention over channels, places, time and other streams: what the reviews of the field name.

Feature maps are (batch, time, channels, height, width), with (batch, time) bool saying which
windows are there; a vector a window has height and width 1. Every block gives its weights too, so
that they can be looked at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from aver.models.blocks import MASKED, MaskedBatchNorm, masked_mean

Maps = dict[str, Tensor]


def mean_of_maps(maps: Tensor, present: Tensor) -> Tensor:
    """(batch, channels): mean over the places and the windows there; zeros without a window."""
    return masked_mean(maps.mean(dim=(3, 4)), present)


def highest_of_maps(maps: Tensor, present: Tensor) -> Tensor:
    """(batch, channels): maximum over the places and windows there; zeros without a window."""
    highest = maps.amax(dim=(3, 4)).masked_fill(~present[:, :, None], MASKED).amax(dim=1)
    return torch.where(present.any(dim=1, keepdim=True), highest, 0.0)


def _bottleneck(channels: int, reduction: int) -> nn.Sequential:
    hidden = max(1, channels // reduction)
    return nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))


class SqueezeExcitation(nn.Module):
    """Channel attention (Hu et al. 2018, equations 2 to 4): ``s = sigmoid(W2 relu(W1 z))``.

    *z* is each channel's mean over the clip (squeeze); *s* scales the channels (excitation).

    Args:
        channels: of the maps.
        reduction: the hidden layer has ``channels / reduction`` cells, one at least.
    """

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__()
        self.layers = _bottleneck(channels, reduction)

    def forward(self, maps: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled maps and the gate (batch, channels), between 0 and 1."""
        gate = self.layers(mean_of_maps(maps, present)).sigmoid()
        return maps * gate[:, None, :, None, None], gate


class ChannelGate(nn.Module):
    """CBAM's channel attention (Woo et al. 2018, equation 2).

    ``sigmoid(MLP(mean) + MLP(maximum))``, one network for both.

    Args:
        channels: of the maps.
        reduction: as of :class:`SqueezeExcitation`.
    """

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__()
        self.layers = _bottleneck(channels, reduction)

    def forward(self, maps: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled maps and the gate (batch, channels)."""
        both = self.layers(mean_of_maps(maps, present)) + self.layers(
            highest_of_maps(maps, present)
        )
        gate = both.sigmoid()
        return maps * gate[:, None, :, None, None], gate


class SpatialGate(nn.Module):
    """CBAM's spatial attention (Woo et al. 2018, equation 3), of every window on its own.

    ``sigmoid(conv([mean over channels; maximum over channels]))``.

    Args:
        size: side of the convolution, odd (7).
    """

    def __init__(self, size: int = 7):
        super().__init__()
        self.convolution = nn.Conv2d(2, 1, size, padding=size // 2)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """The scaled maps and the gate (batch, time, height, width)."""
        batch, time, _, height, width = maps.shape
        both = torch.stack([maps.mean(dim=2), maps.amax(dim=2)], dim=2)
        gate = self.convolution(both.reshape(batch * time, 2, height, width)).sigmoid()
        gate = gate.reshape(batch, time, height, width)
        return maps * gate[:, :, None], gate


class TemporalAttention(nn.Module):
    """Weights of a clip's windows (Bahdanau et al. 2015): softmax of ``v tanh(W h + b)``.

    Args:
        channels: of the windows' vectors.
        hidden: cells of the hidden layer.
    """

    def __init__(self, channels: int, hidden: int = 32):
        super().__init__()
        self.hidden = nn.Linear(channels, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, vectors: Tensor, present: Tensor) -> Tensor:
        """(batch, time, channels) to weights (batch, time): sum 1 over what is there, else 0."""
        score = self.score(self.hidden(vectors).tanh())[:, :, 0]
        weights: Tensor = score.masked_fill(~present, MASKED).softmax(dim=1)
        return weights * present.to(vectors.dtype)


class CrossAttention(nn.Module):
    """Multi-head attention of one stream's windows to the windows of others.

    Args:
        width: width of all inputs, a multiple of *heads*.
        heads: number of heads.
        dropout: probability of dropping an attention weight in training.
    """

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, others: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Attend to the others' windows that are present.

        Args:
            x: (batch, time, width).
            others: (batch, windows, width).
            present: (batch, windows) bool; a clip with none gets zeros.

        Returns:
            (batch, time, width) and the weights (batch, heads, time, windows).
        """
        batch, time, width = x.shape
        size = width // self.heads
        query = self.query(x).reshape(batch, time, self.heads, size).transpose(1, 2)
        packed = self.key_value(others).reshape(batch, others.shape[1], 2, self.heads, size)
        key, value = packed.permute(2, 0, 3, 1, 4).unbind(0)
        logits = query @ key.transpose(-1, -2) / math.sqrt(size)
        weights = logits.masked_fill(~present[:, None, None, :], MASKED).softmax(dim=-1)
        mixed = (self.dropout(weights) @ value).transpose(1, 2).reshape(batch, time, width)
        has = present.any(dim=1)[:, None, None].to(x.dtype)
        return self.output(mixed) * has, weights


class AttentionAugmentedConvolution(nn.Module):
    """A convolution whose maps are joined by maps of self-attention over places.

    Bello et al. 2019, section 3: ``[conv(x); MHA(x)]``, with logits
    ``q_i (k_j + r_width[x_j - x_i] + r_height[y_j - y_i]) / sqrt(d)`` (equations 3 to 5).

    Args:
        channels: of the input.
        out: channels of the output, of which *values* come from attention.
        height: greatest height of the maps.
        width: width of the maps.
        keys: channels of queries and keys, a multiple of *heads*.
        values: channels of values, a multiple of *heads*, below *out*.
        heads: number of heads.
        kernel: side of the convolution, odd.

    Raises:
        ValueError: if the numbers do not divide.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        height: int,
        width: int,
        *,
        keys: int,
        values: int,
        heads: int,
        kernel: int = 3,
    ):
        super().__init__()
        if keys % heads or values % heads or not 0 < values < out:
            raise ValueError(
                f"{keys} channels of keys and {values} of {out} channels of values do not divide "
                f"into {heads} heads"
            )
        self.heads, self.keys, self.values = heads, keys, values
        self.convolution = nn.Conv2d(channels, out - values, kernel, padding=kernel // 2)
        self.query_key_value = nn.Conv2d(channels, 2 * keys + values, 1)
        self.output = nn.Conv2d(values, values, 1)
        size = keys // heads
        self.by_height = nn.Parameter(torch.randn(2 * height - 1, size) / math.sqrt(size))
        self.by_width = nn.Parameter(torch.randn(2 * width - 1, size) / math.sqrt(size))
        y, x = torch.arange(height).repeat_interleave(width), torch.arange(width).repeat(height)
        self.down: Tensor
        self.across: Tensor
        self.register_buffer("down", y[None] - y[:, None] + height - 1, persistent=False)
        self.register_buffer("across", x[None] - x[:, None] + width - 1, persistent=False)

    def forward(self, x: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Convolve and attend.

        Args:
            x: (rows, channels, height, width).
            present: (rows, height * width) bool, which places may be attended to; None for all.

        Returns:
            (rows, out, height, width) and the weights (rows, heads, places, places).
        """
        rows, _, height, width = x.shape
        places = height * width
        packed = self.query_key_value(x).reshape(rows, -1, places)
        query, key, value = packed.split([self.keys, self.keys, self.values], dim=1)
        size = self.keys // self.heads
        query = query.reshape(rows, self.heads, size, places).transpose(2, 3) / math.sqrt(size)
        logits = query @ key.reshape(rows, self.heads, size, places)
        down, across = self.down[:places, :places], self.across[:places, :places]
        relative = self.by_height[down] + self.by_width[across]  # (places, places, size)
        logits = logits + torch.einsum("rhqd,qkd->rhqk", query, relative)
        if present is not None:
            logits = logits.masked_fill(~present[:, None, None, :], MASKED)
        weights = logits.softmax(dim=-1)
        value = value.reshape(rows, self.heads, -1, places)
        mixed = (weights @ value.transpose(2, 3)).transpose(2, 3)
        mixed = self.output(mixed.reshape(rows, self.values, height, width))
        return torch.cat([self.convolution(x), mixed], dim=1), weights


class SplitAttention(nn.Module):
    """Multimodal split attention (MSAF; Su et al. 2020, section 3): streams weigh one another.

    Each stream's channels are cut into blocks (the last filled up with zeros). The blocks of a
    stream are added and averaged over places and time, the streams added: what they hold
    together. A hidden layer of that gives every block of every stream its logits; the softmax is
    over all blocks of all streams there, channel by channel, and scales the blocks.

    Args:
        channels: channels of each stream.
        block: channels of a block.
        reduction: the hidden layer has ``block / reduction`` cells, one at least.
        lowest: lambda; a block is scaled by ``lowest + (1 - lowest) * attention``.
    """

    def __init__(
        self, channels: Mapping[str, int], block: int, reduction: int = 4, lowest: float = 0.0
    ):
        super().__init__()
        self.block, self.lowest = block, lowest
        self.blocks = {name: -(-width // block) for name, width in channels.items()}
        hidden = max(1, block // reduction)
        self.joint = nn.Linear(block, hidden)
        self.norm = MaskedBatchNorm(hidden)
        self.logits = nn.ModuleDict(
            {name: nn.Linear(hidden, count * block) for name, count in self.blocks.items()}
        )

    def forward(self, maps: Maps, present: Maps) -> tuple[Maps, Maps]:
        """The scaled maps, and (batch, blocks, block) weights by stream."""
        has = {name: present[name].any(dim=1) for name in self.blocks}
        together = torch.stack(
            [
                self._in_blocks(mean_of_maps(maps[name], present[name]), count).sum(dim=1)
                for name, count in self.blocks.items()
            ]
        ).sum(dim=0)
        hidden = self.joint(together)
        hidden = self.norm(hidden, torch.ones_like(hidden[:, 0], dtype=torch.bool)).relu()
        parts = []
        for name, count in self.blocks.items():
            logits = self.logits[name](hidden).reshape(-1, count, self.block)
            parts.append(logits.masked_fill(~has[name][:, None, None], MASKED))
        softmax = torch.cat(parts, dim=1).softmax(dim=1)
        weights = torch.split(softmax, list(self.blocks.values()), dim=1)
        scaled = {}
        for name, weight in zip(self.blocks, weights, strict=True):
            gate = (self.lowest + (1 - self.lowest) * weight).flatten(1)
            scaled[name] = maps[name] * gate[:, None, : maps[name].shape[2], None, None]
        return scaled, dict(zip(self.blocks, weights, strict=True))

    def _in_blocks(self, vectors: Tensor, count: int) -> Tensor:
        short = count * self.block - vectors.shape[1]
        return functional.pad(vectors, (0, short)).reshape(-1, count, self.block)
