"""What the papers share: encodings, attention, masked pooling. Shapes are (batch, time, feature).

Attention is written out with plain matrix products instead of ``torch.nn.MultiheadAttention``, so
that its weights can be looked at and it exports to ONNX as the same few operations on every torch
version.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

# Large enough to vanish in a softmax, small enough that half precision holds it and that a row
# with nothing present stays finite (uniform) instead of becoming NaN.
MASKED = -1.0e4


def sinusoidal_positions(length: int, dimensions: int) -> Tensor:
    """Sinusoidal positional encoding (Vaswani et al. 2017, section 3.5).

    ``PE[pos, 2i] = sin(pos / 10000^(2i/d))`` and ``PE[pos, 2i+1] = cos(pos / 10000^(2i/d))``.

    Args:
        length: number of positions, from 0.
        dimensions: even number of features *d*.

    Returns:
        (length, dimensions), values in [-1, 1].
    """
    if dimensions % 2:
        raise ValueError(f"dimensions must be even, got {dimensions}")
    position = torch.arange(length, dtype=torch.float32)[:, None]
    rate = torch.exp(
        torch.arange(0, dimensions, 2, dtype=torch.float32) * (-math.log(10000.0) / dimensions)
    )
    table = torch.empty(length, dimensions)
    table[:, 0::2] = torch.sin(position * rate)
    table[:, 1::2] = torch.cos(position * rate)
    return table


def masked_mean(x: Tensor, present: Tensor) -> Tensor:
    """Mean over time of what is present; zeros where nothing is.

    Args:
        x: (batch, time, feature).
        present: (batch, time) bool.

    Returns:
        (batch, feature).
    """
    weight = present.to(x.dtype)[:, :, None]
    return (x * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)


class MaskedBatchNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) that counts only what is there.

    In training, mean and variance are those of the rows that are present, so that a window that
    is missing never moves the others; afterwards the running ones are used. What is absent comes
    out as zeros.

    Args:
        channels: channels of the input.
        momentum: share of the newest batch in the running mean and variance.
    """

    def __init__(self, channels: int, momentum: float = 0.1):
        super().__init__()
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.mean: Tensor
        self.variance: Tensor
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Normalise.

        Args:
            x: (rows, channels, ...).
            present: (rows,) bool.
        """
        x = x.float()  # sums of half precision would not hold many rows
        shape = (1, -1, *[1] * (x.ndim - 2))
        there = present.to(x.dtype).reshape(-1, *[1] * (x.ndim - 1))
        mean, variance = self.mean, self.variance
        if self.training:
            others = [0, *range(2, x.ndim)]
            count = there.sum() * (x[0, 0].numel() or 1)
            mean = (x * there).sum(dim=others) / count.clamp(min=1.0)
            spread = (x - mean.reshape(shape)).square() * there
            variance = spread.sum(dim=others) / count.clamp(min=1.0)
            with torch.no_grad():
                share = self.momentum * (count > 0).to(x.dtype)
                self.mean.lerp_(mean, share)
                self.variance.lerp_(variance * count / (count - 1).clamp(min=1.0), share)
        scale = self.weight / (variance + 1e-5).sqrt()
        return (x * scale.reshape(shape) + (self.bias - mean * scale).reshape(shape)) * there


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product self-attention (Vaswani et al. 2017, equation 1).

    Args:
        dimensions: width of input and output, a multiple of *heads*.
        heads: number of heads.
        dropout: probability of dropping an attention weight in training.
    """

    def __init__(self, dimensions: int, heads: int, dropout: float = 0.1):
        super().__init__()
        if dimensions % heads:
            raise ValueError(f"{dimensions} dimensions do not divide into {heads} heads")
        self.heads = heads
        self.query_key_value = nn.Linear(dimensions, 3 * dimensions)
        self.output = nn.Linear(dimensions, dimensions)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Attend over the windows that are present.

        Args:
            x: (batch, time, dimensions).
            present: (batch, time) bool.

        Returns:
            (batch, time, dimensions) and the attention weights (batch, heads, time, time).
        """
        batch, time, width = x.shape
        size = width // self.heads
        packed = self.query_key_value(x).reshape(batch, time, 3, self.heads, size)
        query, key, value = packed.permute(2, 0, 3, 1, 4).unbind(0)
        logits = query @ key.transpose(-1, -2) / math.sqrt(size)
        logits = logits.masked_fill(~present[:, None, None, :], MASKED)
        weights = logits.softmax(dim=-1)
        mixed = (self.dropout(weights) @ value).transpose(1, 2).reshape(batch, time, width)
        return self.output(mixed), weights


class EncoderLayer(nn.Module):
    """One transformer encoder layer; without attention only its feed-forward part is left.

    Args:
        dimensions: width.
        heads: attention heads.
        feed_forward: width of the hidden layer of the feed-forward part.
        dropout: dropout after attention, inside and after the feed-forward part.
        attention: False drops the attention and its norm, and keeps the rest (the baseline of
            MATER, section 3.2).
        norm_first: layer norm before each part instead of after the residual sum.
    """

    def __init__(
        self,
        dimensions: int,
        heads: int,
        feed_forward: int,
        dropout: float = 0.1,
        *,
        attention: bool = True,
        norm_first: bool = False,
    ):
        super().__init__()
        self.norm_first = norm_first
        self.attention = SelfAttention(dimensions, heads, dropout) if attention else None
        self.attention_norm = nn.LayerNorm(dimensions) if attention else None
        self.feed_forward = nn.Sequential(
            nn.Linear(dimensions, feed_forward),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(feed_forward, dimensions),
        )
        self.feed_forward_norm = nn.LayerNorm(dimensions)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return (batch, time, dimensions) and the attention weights, None without attention."""
        weights = None
        if self.attention is not None and self.attention_norm is not None:
            if self.norm_first:
                mixed, weights = self.attention(self.attention_norm(x), present)
                x = x + self.dropout(mixed)
            else:
                mixed, weights = self.attention(x, present)
                x = self.attention_norm(x + self.dropout(mixed))
        if self.norm_first:
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x))), weights
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x))), weights
