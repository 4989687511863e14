"""Branches of pictures: of sound (spectrograms), of faces, of movement."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from aver.models.blocks import MaskedBatchNorm
from aver.models.branches import Branch, BranchSettings, register_branch
from aver.models.lstm import Bidirectional, LstmSettings

MEL_BANDS = 64


def read_picture(
    dimension: int, given: tuple[int, int] | None, default: tuple[int, int] | None = None
) -> tuple[int, int, int]:
    """(channels, height, width) of a window's picture, of which a stream's row is made.

    Args:
        dimension: width of the stream.
        given: (height, width) from the settings.
        default: what the branch takes it to be otherwise; a square if None.

    Raises:
        ValueError: if the row does not fill whole pictures, or nothing says what it is.
    """
    if given is None:
        side = math.isqrt(dimension)
        given = default or ((side, side) if side * side == dimension else None)
        if given is None:
            raise ValueError(f"is {dimension} wide, which is no square; set picture")
    height, width = given
    if height < 1 or width < 1 or dimension % (height * width) or not dimension:
        raise ValueError(
            f"is {dimension} wide, which pictures of {height} x {width} do not fill; set picture"
        )
    return dimension // (height * width), height, width


class PictureLayers(nn.Module):
    """3 x 3 convolutions, each normalised, halved by averaging but for the last.

    Args:
        picture: (channels, height, width) of the input.
        settings: sizes.
        over_time: behind every convolution another one over three windows, so that both make one
            (2+1)-dimensional convolution (Tran et al. 2018, section 3.5).

    Raises:
        ValueError: if ``shrink`` leaves nothing of the picture.
    """

    def __init__(
        self, picture: tuple[int, int, int], settings: BranchSettings, *, over_time: bool = False
    ):
        super().__init__()
        before, height, width = picture
        self.shrink = settings.shrink
        height, width = height // self.shrink[0], width // self.shrink[1]
        if min(*self.shrink) < 1 or not height or not width:
            raise ValueError(
                f"pictures of {picture[1]} x {picture[2]} cannot be shrunk by "
                f"{self.shrink[0]} x {self.shrink[1]}"
            )
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        self.in_time, self.time_norms = nn.ModuleList(), nn.ModuleList()
        self.halves: list[tuple[int, int]] = []
        for number, after in enumerate((*settings.channels, settings.width)):
            if number:
                half = (2 if height > 1 else 1, 2 if width > 1 else 1)
                self.halves.append(half)
                height, width = height // half[0], width // half[1]
            self.convolutions.append(nn.Conv2d(before, after, 3, padding=1))
            self.norms.append(MaskedBatchNorm(after))
            if over_time:
                self.in_time.append(nn.Conv2d(after, after, (3, 1), padding=(1, 0)))
                self.time_norms.append(MaskedBatchNorm(after))
            before = after
        self.shape = (before, height, width)

    def forward(self, pictures: Tensor, present: Tensor) -> Tensor:
        """(batch, time, channels, height, width) to maps, zeros where nothing is present."""
        batch, time = pictures.shape[:2]
        there = present.reshape(-1)
        x = pictures.flatten(0, 1)
        if self.shrink != (1, 1):
            x = functional.avg_pool2d(x, self.shrink)
        for number, convolve in enumerate(self.convolutions):
            if number:
                x = functional.avg_pool2d(x, self.halves[number - 1])
            x = self.norms[number](convolve(x), there).relu()
            if self.in_time:
                _, channels, height, width = x.shape
                rows = x.reshape(batch, time, channels, height * width).transpose(1, 2)
                rows = self.in_time[number](rows).transpose(1, 2)
                x = rows.reshape(batch * time, channels, height, width)
                x = self.time_norms[number](x, there).relu()
        return x.reshape(batch, time, *x.shape[1:])


@register_branch("frame_cnn")
class PictureBranch(Branch):
    """A two-dimensional CNN over the picture of each window."""

    picture: ClassVar[bool] = True
    over_time: ClassVar[bool] = False

    def __init__(self, dimension: int, settings: BranchSettings):
        super().__init__(dimension, settings)
        self.size = read_picture(dimension, settings.picture, self.usual(dimension))
        self.layers = PictureLayers(self.size, settings, over_time=self.over_time)
        self.shape = self.layers.shape

    @staticmethod
    def usual(dimension: int) -> tuple[int, int] | None:
        """(height, width) where the settings do not say; None for a square."""
        del dimension
        return None

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Filter each window's picture."""
        return self.layers(x.reshape(*x.shape[:2], *self.size), present), present


@register_branch("spectrogram")
class SpectrogramBranch(PictureBranch):
    """A CNN over (frames, bins); the row says nothing of its shape, so ``picture`` has to."""


@register_branch("log_mel")
class LogMelBranch(PictureBranch):
    """A CNN over (frames, 64 bands), as the extractor ``log_mel`` gives them."""

    @staticmethod
    def usual(dimension: int) -> tuple[int, int] | None:
        """All frames there are, of 64 bands."""
        return (max(1, dimension // MEL_BANDS), MEL_BANDS)


@register_branch("optical_flow")
class OpticalFlowBranch(PictureBranch):
    """A CNN over a stack of flow fields, across and down in turn, as channels of one picture.

    The second stream of two-stream networks (Simonyan & Zisserman 2014, section 3).
    """


@register_branch("cnn_3d")
class ThreeDimensionalBranch(PictureBranch):
    """A small R(2+1)D: convolutions over the picture and over time in turn (Tran et al. 2018).

    Windows are single pictures, or short means of some.
    """

    over_time: ClassVar[bool] = True


@register_branch("cnn_recurrent")
class RecurrentPictureBranch(PictureBranch):
    """A CNN over each picture, then a bidirectional LSTM over the windows there.

    Maps are (width, 1, 1): half the channels look back, half ahead.
    """

    def __init__(self, dimension: int, settings: BranchSettings):
        super().__init__(dimension, settings)
        if settings.width % 2:
            raise ValueError(f"needs an even width for two directions, not {settings.width}")
        self.recurrent = Bidirectional(settings.width, LstmSettings(hidden=settings.width // 2))
        self.shape = (settings.width, 1, 1)

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Filter each picture, then go along the windows."""
        maps, _ = super().forward(x, present)
        states, _ = self.recurrent(maps.mean(dim=(3, 4)), present)
        # The LSTM leaves the windows there in front; each goes back to its own place.
        time = torch.arange(x.shape[1], device=x.device)
        first = torch.where(present, time, time + x.shape[1]).argsort(dim=1)
        back = first.argsort(dim=1)[:, :, None].expand_as(states)
        states = states.gather(1, back) * present.to(x.dtype)[:, :, None]
        return states[:, :, :, None, None], present
