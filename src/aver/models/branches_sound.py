"""Branches of sound that is no picture, and of vectors: samples, cepstra, functionals."""

from __future__ import annotations

from torch import Tensor, nn

from aver.models.blocks import MaskedBatchNorm
from aver.models.branches import Branch, BranchSettings, register_branch

_KERNEL, _STRIDE = 64, 32
"""Samples of the first filters of a waveform, and from one to the next: 4 ms and 2 ms at 16 kHz."""


@register_branch("waveform")
class WaveformBranch(Branch):
    """A one-dimensional CNN over the samples of each window.

    The raw sound (the review's first representation): the first layer has to learn what a
    spectrogram would have brought. Maps are (width, 1, steps).
    """

    def __init__(self, dimension: int, settings: BranchSettings):
        super().__init__(dimension, settings)
        channels = (*settings.channels, settings.width)
        steps = (dimension - _KERNEL) // _STRIDE + 1 if dimension >= _KERNEL else 0
        layers: list[nn.Module] = []
        widths = (1, *channels)
        for number, (before, after) in enumerate(zip(widths, channels, strict=False)):
            if number:
                steps //= 4
                layers.append(nn.Conv1d(before, after, 5, padding=2))
            else:
                layers.append(nn.Conv1d(before, after, _KERNEL, _STRIDE))
        if steps < 1:
            least = _KERNEL + _STRIDE * (4 ** (len(channels) - 1) - 1)
            raise ValueError(
                f"a window of {dimension} samples is too short for {len(channels)} convolutions; "
                f"{least} is the least"
            )
        self.convolutions = nn.ModuleList(layers)
        self.norms = nn.ModuleList(MaskedBatchNorm(width) for width in channels)
        self.pool = nn.MaxPool1d(4)
        self.shape = (settings.width, 1, steps)

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Filter each window's samples."""
        batch, time, samples = x.shape
        there = present.reshape(-1)
        maps = x.reshape(batch * time, 1, samples)
        for number, (convolve, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            if number:
                maps = self.pool(maps)
            maps = norm(convolve(maps), there).relu()
        return maps.reshape(batch, time, *self.shape), present


@register_branch("mfcc")
class CepstralBranch(Branch):
    """A CNN over time and coefficients together; the windows are frames of cepstra.

    Convolutions reach over neighbouring windows, so windows should be short (0.1 s). Coefficients
    are halved by each layer but the last, windows stay: maps are (width, 1, coefficients / 4).
    """

    def __init__(self, dimension: int, settings: BranchSettings):
        super().__init__(dimension, settings)
        channels = (*settings.channels, settings.width)
        if dimension < 2 ** (len(channels) - 1):
            raise ValueError(
                f"{dimension} coefficients are too few for {len(channels)} convolutions"
            )
        widths = (1, *channels)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1)
            for before, after in zip(widths, channels, strict=False)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(width) for width in channels)
        self.pool = nn.AvgPool2d((1, 2))
        self.shape = (settings.width, 1, dimension // 2 ** len(settings.channels))

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Filter the clip's windows together."""
        batch, time, _ = x.shape
        there = present.reshape(-1)
        maps = x[:, None]  # (batch, channels, time, coefficients)
        for number, (convolve, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            if number:
                maps = self.pool(maps)
            rows = convolve(maps).transpose(1, 2)  # (batch, time, channels, coefficients)
            normal = norm(rows.flatten(0, 1), there).relu()
            # Absent windows are zeros again, as the clip's surroundings are.
            maps = normal.reshape(batch, time, *normal.shape[1:]).transpose(1, 2)
        return maps.transpose(1, 2)[:, :, :, None], present


class _Dense(Branch):
    """Dense layers over each window; maps are (width, 1, 1)."""

    def __init__(self, dimension: int, settings: BranchSettings, hidden: tuple[int, ...]):
        super().__init__(dimension, settings)
        layers: list[nn.Module] = [nn.Dropout(settings.dropout)]
        for width in hidden:
            layers += [nn.Linear(dimension, width), nn.ReLU(), nn.Dropout(settings.dropout)]
            dimension = width
        self.layers = nn.Sequential(*layers, nn.Linear(dimension, settings.width), nn.ReLU())
        self.shape = (settings.width, 1, 1)

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Project each window."""
        maps = self.layers(x) * present.to(x.dtype)[:, :, None]
        return maps[:, :, :, None, None], present


@register_branch("acoustic_features")
class AcousticBranch(_Dense):
    """Functionals (eGeMAPS, emobase2010): a perceptron with one hidden layer."""

    def __init__(self, dimension: int, settings: BranchSettings):
        super().__init__(dimension, settings, (settings.hidden,))


@register_branch("speech_embedding", "action_units", "projection")
class ProjectionBranch(_Dense):
    """One layer: for what others learned already (self-supervised speech) or measured (faces)."""

    def __init__(self, dimension: int, settings: BranchSettings):
        super().__init__(dimension, settings, ())
