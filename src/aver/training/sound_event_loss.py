"""Loss of the sound event detector, and the disturbances of its frames in training.

Disturbances work on log-mel frames alone, which is cheap: two soundscapes are added to one
(powers add, and what is heard is what is heard in either), the whole is shifted in time, made
louder or softer, coloured by a smooth curve over the bands, and some bands are masked (SpecAugment,
Park et al. 2019; not time, as an event that cannot be heard would still be asked for). Sounds are
made faster or slower, and the bands are stretched as if by a shorter or longer throat (vocal tract
length perturbation, Jaitly & Hinton 2013): few babies cry in the corpora, and few people sneeze.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from pydantic import Field
from torch import Tensor, nn

from aver.models.sed_crnn import SedOutput
from aver.training.fit_data import TensorBatches
from aver.training.recipe import Settings
from aver.training.sound_event_data import STREAM, TARGETS

_NEPERS = 0.2302585  # natural logarithm of power, for one decibel
_CURVE_POINTS = 5


class DisturbSettings(Settings):
    """How soundscapes are disturbed in training.

    Attributes:
        mix: share of rows to which another row is added.
        mix_decibels: the added row is softer by up to so much.
        gain_decibels: louder or softer by up to so much.
        colour_decibels: greatest height of the curve over the bands.
        mask: share of rows with masked bands.
        mask_bands: most bands masked in one piece; two pieces at most.
        shift: whether rows are turned round in time, by any number of steps.
        stretch: faster or slower by up to this share; needs ``shift``.
        warp: bands stretched or squeezed by up to this share.
    """

    mix: float = Field(0.3, ge=0, le=1)
    mix_decibels: float = Field(10.0, ge=0)
    gain_decibels: float = Field(10.0, ge=0)
    colour_decibels: float = Field(6.0, ge=0)
    mask: float = Field(0.5, ge=0, le=1)
    mask_bands: int = Field(10, ge=1)
    shift: bool = True
    stretch: float = Field(0.0, ge=0, lt=1)
    warp: float = Field(0.0, ge=0, lt=1)


@dataclass(frozen=True)
class SoundEventLoss:
    """Mean binary cross entropy of frames and clips over both binary detectors and the labels.

    Attributes:
        mean: (bands,) of the training frames.
        std: (bands,) of them.
        floor: log of the power that the spectrogram adds before the logarithm.
        time_step: frames of a step of the network.
        clip_weight: of the clips' cross entropy.
        label_weight: of the multi-label detector's, beside the binary ones'.
        disturb: None for no disturbances.
    """

    mean: Tensor
    std: Tensor
    floor: float
    time_step: int = 2
    clip_weight: float = 0.2
    label_weight: float = 1.0
    disturb: DisturbSettings | None = None

    def __call__(self, module: nn.Module, batch: TensorBatches) -> Tensor:
        """The loss of *batch*; rows are disturbed while the network is in training."""
        frames, targets = batch.streams[STREAM].float(), batch.extra[TARGETS].float()
        if module.training and self.disturb is not None:
            frames, targets = disturbed(frames, targets, self.disturb, self.floor, self.time_step)
        x = (frames - self.mean.to(frames.device)) / self.std.to(frames.device)
        if module.training and self.disturb is not None:
            x = masked_bands(x, self.disturb)
        output: SedOutput = module(x)
        loss = frames.new_zeros(())
        parts = (
            (output.verbal, targets[:, :, 0:1], 1.0),
            (output.non_verbal, targets[:, :, 1:2], 1.0),
            (output.labels, targets[:, :, 2:], self.label_weight),
        )
        for detection, wanted, weight in parts:
            each = functional.binary_cross_entropy_with_logits(detection.frames.float(), wanted)
            heard = (wanted.amax(dim=1) > 0).float()
            clip = functional.binary_cross_entropy_with_logits(detection.clip.float(), heard)
            loss = loss + weight * (each + self.clip_weight * clip)
        return loss


def disturbed(
    frames: Tensor, targets: Tensor, settings: DisturbSettings, floor: float, time_step: int
) -> tuple[Tensor, Tensor]:
    """Frames (rows, frames, bands) and targets (rows, steps, names), disturbed together."""
    rows, _, bands = frames.shape
    if settings.shift:
        frames, targets = _turned(frames, targets, time_step, settings.stretch)
    if settings.warp:
        frames = _warped(frames, settings.warp)
    if settings.mix:
        other = torch.randperm(rows)
        chosen = torch.rand(rows) < settings.mix
        softer = -torch.rand(rows, 1, 1) * settings.mix_decibels * _NEPERS
        mixed = torch.logaddexp(frames, frames[other] + softer)
        frames = torch.where(chosen[:, None, None], mixed, frames)
        both = torch.maximum(targets, targets[other])
        targets = torch.where(chosen[:, None, None], both, targets)
    gain = (2 * torch.rand(rows, 1) - 1) * settings.gain_decibels
    points = (2 * torch.rand(rows, 1, _CURVE_POINTS) - 1) * settings.colour_decibels
    curve = functional.interpolate(points, bands, mode="linear", align_corners=True)[:, 0]
    moved = frames + ((gain + curve) * _NEPERS)[:, None]
    # What was added before the logarithm was not moved: it is there again.
    return torch.logaddexp(moved, torch.full((), floor)), targets


def _turned(
    frames: Tensor, targets: Tensor, time_step: int, stretch: float
) -> tuple[Tensor, Tensor]:
    """Every row turned round in time by its own number of steps, at its own speed."""
    rows, length, _ = frames.shape
    steps = targets.shape[1]
    if length != steps * time_step:
        return frames, targets
    by = torch.randint(0, steps, (rows, 1))
    if not stretch:
        at = (torch.arange(steps)[None] + by) % steps
        fine = (torch.arange(length)[None] + by * time_step) % length
        return _rows(frames, fine), _rows(targets, at)
    speed = 1.0 + (2 * torch.rand(rows, 1) - 1) * stretch
    at = torch.arange(steps)[None] * speed + by
    fine = torch.arange(length)[None] * speed + by * time_step
    return _between(frames, fine, length), _between(targets, at, steps)


def _rows(x: Tensor, at: Tensor) -> Tensor:
    return x.gather(1, at[:, :, None].expand(-1, -1, x.shape[2]))


def _between(x: Tensor, at: Tensor, length: int) -> Tensor:
    """(rows, length, n) at places in time that lie between frames; after the end, its start."""
    before = at.floor().long()
    share = (at - before)[:, :, None]
    first, second = _rows(x, before % length), _rows(x, (before + 1) % length)
    return first + share * (second - first)


def _warped(frames: Tensor, warp: float) -> Tensor:
    """Every row's bands read at places stretched or squeezed by its own share."""
    rows, _, bands = frames.shape
    share = 1.0 + (2 * torch.rand(rows, 1) - 1) * warp
    at = (torch.arange(bands)[None] * share).clamp(max=bands - 1)
    return _between(frames.transpose(1, 2), at, bands).transpose(1, 2)


def masked_bands(x: Tensor, settings: DisturbSettings) -> Tensor:
    """Normalised (rows, frames, bands) with up to two pieces of bands at their mean."""
    rows, _, bands = x.shape
    there = torch.ones(rows, bands, dtype=torch.bool)
    place = torch.arange(bands)[None]
    for _ in range(2):
        width = torch.randint(1, min(settings.mask_bands, bands) + 1, (rows, 1))
        start = (torch.rand(rows, 1) * (bands - width + 1)).long()
        hit = (torch.rand(rows, 1) < settings.mask) & (place >= start) & (place < start + width)
        there &= ~hit
    return x * there[:, None]
