"""ResNet-50 (He et al. 2016, table 1), and what deeper ones share with it.

Names and shapes are those of torchvision's weights.

The second convolution of a block takes the stride, as there (elsewhere called ResNet v1.5).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 2048
"""Width of the features."""


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions beside a shortcut; the last widens fourfold."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1):
        super().__init__()
        widened = 4 * channels
        self.conv1 = nn.Conv2d(channels_in, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, widened, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(widened)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != widened:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, widened, 1, stride, bias=False), nn.BatchNorm2d(widened)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels_in, h, w) to (batch, 4 * channels, h / stride, w / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """A residual network of bottlenecks.

    Args:
        depths: blocks of its four stages.
        classes: classes of its last layer (ImageNet's 1,000).
        channels: channels of a picture.
    """

    def __init__(self, depths: tuple[int, int, int, int], classes: int = 1000, channels: int = 3):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _blocks(64, 64, depths[0], 1)
        self.layer2 = _blocks(256, 128, depths[1], 2)
        self.layer3 = _blocks(512, 256, depths[2], 2)
        self.layer4 = _blocks(1024, 512, depths[3], 2)
        self.fc = nn.Linear(WIDTH, classes)

    def features(self, pictures: Tensor) -> Tensor:
        """(batch, channels, height, width) normalised to (batch, 2048), before the last layer."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(pictures))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean(dim=(2, 3))  # type: ignore[no-any-return]

    def forward(self, pictures: Tensor) -> Tensor:
        """(batch, channels, height, width) normalised to (batch, classes) logits."""
        return self.fc(self.features(pictures))  # type: ignore[no-any-return]


class ResNet50(ResNet):
    """The network of 50 layers, on RGB pictures.

    Args:
        classes: classes of its last layer (ImageNet's 1,000).
    """

    def __init__(self, classes: int = 1000):
        super().__init__((3, 4, 6, 3), classes)


def _blocks(channels_in: int, channels: int, count: int, stride: int) -> nn.Sequential:
    first = Bottleneck(channels_in, channels, stride)
    return nn.Sequential(first, *(Bottleneck(4 * channels, channels) for _ in range(count - 1)))
