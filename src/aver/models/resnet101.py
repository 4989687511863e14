"""ResNet-101 on stacks of optical flow: twenty channels in place of three colours.

Fea-TF SCMA, section II.B, takes ImageNet's network "by skipping the first convolution layer": the
weights of that layer fit three colours and no fields of flow. Here the layer is there, with one
set of weights for all channels, the mean over the colours (Wang et al. 2016, temporal segment
networks, section 3.2), or with random ones; everything above keeps the published weights.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from aver.errors import SettingError
from aver.models.resnet50 import ResNet

FirstLayer = Literal["averaged", "copied", "random"]

CHANNELS = 20
"""Ten fields, across and down."""

_NAME = "conv1.weight"


class ResNet101Flow(ResNet):
    """The network of 101 layers, on (batch, 20, height, width) stacks.

    Args:
        classes: classes of its last layer (ImageNet's 1,000).
    """

    def __init__(self, classes: int = 1000):
        super().__init__((3, 4, 23, 3), classes, CHANNELS)


def first_layer(colours: Tensor, how: FirstLayer = "averaged", seed: int = 0) -> Tensor:
    """Weights of a first layer for stacks, from those for colours.

    Args:
        colours: (64, 3, 7, 7).
        how: ``averaged``: their mean in every channel, times 3 / 20, so that a stack of 20 equal
            channels gives what a grey picture gave, and the frozen layers above get what they
            know; ``copied``: the mean as it is, as the temporal segment networks begin their
            training with; ``random``: normal, of the variance that keeps the layer's (He et al.
            2015).
        seed: of ``random``.

    Returns:
        (64, 20, 7, 7).

    Raises:
        SettingError: if there is no such way.
    """
    if how not in get_args(FirstLayer):
        raise SettingError("first_layer", f"'{how}' is none of {', '.join(get_args(FirstLayer))}")
    out, taken, height, width = colours.shape
    if how == "random":
        deviation = math.sqrt(2.0 / (CHANNELS * height * width))
        generator = torch.Generator().manual_seed(seed)
        return deviation * torch.randn(out, CHANNELS, height, width, generator=generator)
    mean = colours.float().mean(dim=1, keepdim=True).expand(out, CHANNELS, height, width)
    return (mean * (taken / CHANNELS if how == "averaged" else 1.0)).contiguous()


def for_stacks(weights: dict[str, Tensor], how: FirstLayer = "averaged") -> dict[str, Tensor]:
    """Published *weights* with a first layer for stacks; one that takes 20 channels is kept."""
    found = weights.get(_NAME)
    if found is None or found.ndim != 4 or found.shape[1] == CHANNELS:
        return weights
    return {**weights, _NAME: first_layer(found, how)}
