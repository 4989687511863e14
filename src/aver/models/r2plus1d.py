"""R(2+1)D-18 (Tran et al. 2018, section 3.5), with the names and shapes of torchvision's weights.

Every three-dimensional convolution is split into one over the picture and one over time.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 512
"""Width of the features."""


class Conv2Plus1D(nn.Sequential):
    """A convolution over the picture (1 x 3 x 3), then one over time (3 x 1 x 1)."""

    def __init__(self, channels_in: int, channels_out: int, middle: int, stride: int = 1):
        super().__init__(
            nn.Conv3d(channels_in, middle, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
            nn.BatchNorm3d(middle),
            nn.ReLU(),
            nn.Conv3d(middle, channels_out, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False),
        )


class Block(nn.Module):
    """Two split convolutions beside a shortcut.

    Both have as many channels in the middle as give them the weights of the whole convolution
    that the first one replaces (Tran et al. 2018, section 3.5).
    """

    def __init__(self, channels_in: int, channels: int, stride: int = 1):
        super().__init__()
        middle = (channels_in * channels * 27) // (channels_in * 9 + 3 * channels)
        self.conv1 = nn.Sequential(
            Conv2Plus1D(channels_in, channels, middle, stride), nn.BatchNorm3d(channels), nn.ReLU()
        )
        self.conv2 = nn.Sequential(
            Conv2Plus1D(channels, channels, middle), nn.BatchNorm3d(channels)
        )
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels:
            self.downsample = nn.Sequential(
                nn.Conv3d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm3d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels_in, t, h, w) to (batch, channels, each axis / stride)."""
        y = self.conv2(self.conv1(x))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class R2Plus1D18(nn.Module):
    """The network.

    Args:
        classes: classes of its last layer (Kinetics-400's 400).
    """

    def __init__(self, classes: int = 400):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv3d(3, 45, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
            nn.BatchNorm3d(45),
            nn.ReLU(),
            nn.Conv3d(45, 64, (3, 1, 1), 1, (1, 0, 0), bias=False),
            nn.BatchNorm3d(64),
            nn.ReLU(),
        )
        self.layer1 = nn.Sequential(Block(64, 64), Block(64, 64))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128))
        self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256))
        self.layer4 = nn.Sequential(Block(256, 512, 2), Block(512, 512))
        self.fc = nn.Linear(WIDTH, classes)

    def features(self, frames: Tensor) -> Tensor:
        """(batch, 3, time, height, width) normalised RGB to (batch, 512)."""
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(frames)))))
        return x.mean(dim=(2, 3, 4))  # type: ignore[no-any-return]

    def forward(self, frames: Tensor) -> Tensor:
        """(batch, 3, time, height, width) normalised RGB to (batch, classes) logits."""
        return self.fc(self.features(frames))  # type: ignore[no-any-return]
