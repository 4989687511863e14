"""The voice network: half a second of log-mel spectrogram to a 512-d embedding.

It takes VGGish's place in MATER (section 2.1.2): the same input, 48 frames of 64 bands, the same
width of the embedding, a tenth of the weights. A residual convolutional network: a 5 x 5 stem
and three residual blocks, each halving time and frequency; then mean and maximum over time (so
24 frames, a quarter of a second, work as well), one linear layer, batch norm.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from aver.models.settings import ModelSettings

EMBEDDING_SCALE = 16.0
"""Length that normalised embeddings are brought to before a linear layer reads them."""


class VoiceExpressionSettings(ModelSettings):
    """Settings of the voice network.

    Attributes:
        channels: channels of the stem and of each residual block.
        bands: mel bands of the input.
        dimensions: width of the embedding.
        classes: classes of the window classifier (RAVDESS's 8).
        dropout: before the linear layer.
    """

    channels: tuple[int, ...] = (32, 48, 96, 192)
    bands: int = Field(64, ge=16)
    dimensions: int = Field(512, ge=2)
    classes: int = Field(8, ge=2)
    dropout: float = Field(0.2, ge=0, lt=1)


class VoiceOutput(NamedTuple):
    """``embedding`` (batch, dimensions) of length 1; ``logits`` (batch, classes)."""

    embedding: Tensor
    logits: Tensor


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut; the first halves both axes."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels_out, 3, 2, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels_out)
        self.second = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels_out)
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2),
            nn.Conv2d(channels_in, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels_in, time, bands) to (batch, channels_out, time / 2, bands / 2)."""
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class VoiceExpressionNet(nn.Module):
    """The network; see the module's docstring.

    Args:
        settings: its sizes.
    """

    def __init__(self, settings: VoiceExpressionSettings):
        super().__init__()
        self.settings = settings
        c = settings.channels
        self.stem = nn.Sequential(
            nn.Conv2d(1, c[0], 5, 2, 2, bias=False), nn.BatchNorm2d(c[0]), nn.ReLU()
        )
        self.body = nn.Sequential(*(ResidualBlock(a, b) for a, b in pairwise(c)))
        bands = settings.bands // 2 ** len(c)
        self.dropout = nn.Dropout(settings.dropout)
        self.linear = nn.Linear(2 * c[-1] * bands, settings.dimensions)
        self.norm = nn.BatchNorm1d(settings.dimensions)
        self.classify = nn.Linear(settings.dimensions, settings.classes)

    def features(self, log_mel: Tensor) -> Tensor:
        """(batch, frames, bands) log-mel to (batch, dimensions), not yet of length 1."""
        # Log-mel of level-normalised voices lies between log(0.01) and about 6.
        x = self.body(self.stem((log_mel[:, None] + 1.0) / 2.0)).float()
        pooled = torch.cat([x.mean(dim=2), x.amax(dim=2)], dim=1).flatten(1)
        return self.norm(self.linear(self.dropout(pooled)))  # type: ignore[no-any-return]

    def forward(self, log_mel: Tensor) -> VoiceOutput:
        """Embed and classify windows.

        Args:
            log_mel: (batch, frames, bands), frames 48 or 24; level evened out as
                :mod:`aver.features.voice_level` does.
        """
        embedding = F.normalize(self.features(log_mel), dim=-1)
        return VoiceOutput(embedding, self.classify(embedding * EMBEDDING_SCALE))
