"""A compact residual network for facial expression in 48 x 48 grey faces (FER-2013's format).

Its last hidden layer is the 512-d face embedding that MATER averages over a window (Ghaleb et al.
2020, section 2.1.1, where FaceNet's embedding stood). The design is this project's own: residual
blocks (He et al. 2016) with channel attention (squeeze and excitation, Hu et al. 2018), widths
chosen so that one face costs at most 2 ms on one core.

The network standardises each face itself, so a darker or flatter picture of the same face gives
the same answer as far as no grey value was clipped.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from aver.models.settings import ModelSettings

# Keeps a face of one single grey value (a black frame) at zero instead of amplifying its noise.
_LEAST_CONTRAST = 0.02


class FaceExpressionSettings(ModelSettings):
    """Sizes of the face network.

    Attributes:
        classes: number of expressions.
        embedding: width of the last hidden layer.
        detail: channels of the first convolution, at full resolution.
        widths: channels of the stages; the first works at half resolution, each further one halves
            it again.
        blocks: residual blocks of each stage.
        squeeze: the channel attention's hidden layer is this many times narrower; 0 leaves
            channel attention out.
        dropout: dropout on the embedding before the classifier.
    """

    classes: int = Field(default=7, ge=2)
    embedding: int = Field(default=512, ge=1)
    detail: int = Field(default=16, ge=1)
    widths: tuple[int, ...] = (32, 96, 192)
    blocks: tuple[int, ...] = (1, 2, 2)
    squeeze: int = Field(default=8, ge=0)
    dropout: float = Field(default=0.2, ge=0.0, lt=1.0)

    @model_validator(mode="after")
    def _stages_match(self) -> FaceExpressionSettings:
        if len(self.widths) != len(self.blocks) or not self.widths:
            raise ValueError("widths and blocks name the same stages, at least one")
        return self


class FaceOutput(NamedTuple):
    """Embedding (batch, 512), values >= 0, and logits (batch, classes)."""

    embedding: Tensor
    logits: Tensor


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs)
    )


class ChannelAttention(nn.Module):
    """Squeeze and excitation (Hu et al. 2018, section 3): channels weighted by the whole picture.

    Args:
        channels: channels of the input.
        squeeze: the hidden layer is this many times narrower.
    """

    def __init__(self, channels: int, squeeze: int):
        super().__init__()
        hidden = max(8, channels // squeeze)
        self.weigh = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width), the same out."""
        weighted: Tensor = x * self.weigh(x.mean(dim=(2, 3), keepdim=True))
        return weighted


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut (He et al. 2016), channel attention on the branch.

    Args:
        inputs: channels in.
        outputs: channels out.
        halve: halve the resolution; the shortcut then averages 2 x 2 before its 1 x 1 convolution.
        squeeze: see :class:`FaceExpressionSettings`.
    """

    def __init__(self, inputs: int, outputs: int, halve: bool, squeeze: int):
        super().__init__()
        self.branch = nn.Sequential(
            _convolution(inputs, outputs, 3, 2 if halve else 1),
            nn.ReLU(),
            _convolution(outputs, outputs, 3),
        )
        self.attention = ChannelAttention(outputs, squeeze) if squeeze else nn.Identity()
        shortcut: list[nn.Module] = []
        if halve:
            shortcut.append(nn.AvgPool2d(2, ceil_mode=True))
        if inputs != outputs:
            shortcut.append(_convolution(inputs, outputs, 1))
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, height, width) -> (batch, outputs, height or its half, ...)."""
        return torch.relu(self.attention(self.branch(x)) + self.shortcut(x))


class FaceExpressionNet(nn.Module):
    """The face network: grey faces in, embedding and logits out.

    Args:
        settings: sizes.
    """

    def __init__(self, settings: FaceExpressionSettings | None = None):
        super().__init__()
        self.settings = settings = settings or FaceExpressionSettings()
        layers: list[nn.Module] = [
            _convolution(1, settings.detail, 3),
            nn.ReLU(),
            _convolution(settings.detail, settings.widths[0], 3, 2),
            nn.ReLU(),
        ]
        channels = settings.widths[0]
        for stage, (width, blocks) in enumerate(zip(settings.widths, settings.blocks, strict=True)):
            for block in range(blocks):
                halve = stage > 0 and block == 0
                layers.append(ResidualBlock(channels, width, halve, settings.squeeze))
                channels = width
        layers += [_convolution(channels, settings.embedding, 1), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(settings.dropout)
        self.classifier = nn.Linear(settings.embedding, settings.classes)

    def forward(self, faces: Tensor) -> FaceOutput:
        """Embed and classify.

        Args:
            faces: (batch, 1, height, width) grey in [0, 1]; 48 x 48 in use, any size >= 16 works.

        Returns:
            Embedding (batch, 512), not normalised, and logits (batch, classes).
        """
        mean = faces.mean(dim=(2, 3), keepdim=True)
        centred = faces - mean
        spread = (centred * centred).mean(dim=(2, 3), keepdim=True).sqrt()
        embedding = self.body(centred / (spread + _LEAST_CONTRAST)).mean(dim=(2, 3))
        return FaceOutput(embedding, self.classifier(self.dropout(embedding)))
