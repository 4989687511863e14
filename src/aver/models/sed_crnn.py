"""The attentive convolutional bidirectional recurrent detector of human sounds.

Upadhyay, Su & Lee 2020 (reference 18 of the Fea-TF SCMA paper, whose section II-B.2 trains it on
verbal and on non-verbal human sound): log-mel frames, convolution blocks, a bidirectional
recurrent layer, attention pooling; beside the clip's, a score for every frame. The last hidden
layer is the sound-semantic feature.

One pass of the convolutions serves both binary detectors and the multi-label one, where the text
trains a network each: most of the work is theirs, and what they hear is the same. Each binary
detector has its own recurrent layer; the multi-label one reads both.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from aver.models.blocks_attention import TemporalAttention
from aver.models.settings import ModelSettings


class SedCrnnSettings(ModelSettings):
    """Settings of the detector.

    Attributes:
        bands: mel bands of the input.
        classes: labels of the multi-label detector.
        channels: of the stem and of each convolution block after it; each halves the bands.
        time_step: frames that the stem puts into one; what follows has so many times fewer.
        joint: width of the linear layer between convolutions and recurrent layers.
        recurrent: cells of each direction of a recurrent layer (GRU).
        hidden: width of the last hidden layer, the sound-semantic feature.
        dropout: before and after the recurrent layers.
    """

    bands: int = Field(64, ge=16)
    classes: int = Field(2, ge=1)
    channels: tuple[int, ...] = Field((24, 48, 64, 96), min_length=1)
    time_step: int = Field(2, ge=1, le=4)
    joint: int = Field(128, ge=1)
    recurrent: int = Field(64, ge=1)
    hidden: int = Field(64, ge=1)
    dropout: float = Field(0.2, ge=0, lt=1)


class Detection(NamedTuple):
    """Logits of one detector, and its last hidden layer.

    Attributes:
        frames: (batch, steps, names) logit of each name in each step.
        clip: (batch, names) logit of each name in the whole clip.
        semantics: (batch, steps, hidden), not negative.
        attention: (batch, steps) weight of each step in the clip's logits, sum 1.
    """

    frames: Tensor
    clip: Tensor
    semantics: Tensor
    attention: Tensor


class SedOutput(NamedTuple):
    """What the two binary detectors (one name each) and the multi-label one say."""

    verbal: Detection
    non_verbal: Detection
    labels: Detection


class Head(nn.Module):
    """Last hidden layer, frame-wise logits, and the clip's by attention over time.

    Args:
        width: of the recurrent states.
        names: number of logits.
        settings: sizes.
    """

    def __init__(self, width: int, names: int, settings: SedCrnnSettings):
        super().__init__()
        self.dropout = nn.Dropout(settings.dropout)
        self.hidden = nn.Linear(width, settings.hidden)
        self.frames = nn.Linear(settings.hidden, names)
        self.attend = TemporalAttention(settings.hidden)
        self.clip = nn.Linear(settings.hidden, names)

    def forward(self, states: Tensor) -> Detection:
        """Detect from (batch, steps, width) states."""
        semantics = self.hidden(self.dropout(states)).relu()
        there = torch.ones_like(semantics[:, :, 0], dtype=torch.bool)
        weights = self.attend(semantics, there)
        pooled = (semantics * weights[:, :, None]).sum(dim=1)
        return Detection(self.frames(semantics), self.clip(pooled), semantics, weights)


class SedCrnn(nn.Module):
    """The detector; see the module's docstring.

    Args:
        settings: its sizes.
    """

    def __init__(self, settings: SedCrnnSettings):
        super().__init__()
        self.settings = settings
        first, *_ = channels = settings.channels
        layers: list[nn.Module] = [
            nn.Conv2d(1, first, 5, (settings.time_step, 2), 2, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
        ]
        for before, after in pairwise(channels):
            layers += [
                nn.Conv2d(before, after, 3, (1, 2), 1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.convolutions = nn.Sequential(*layers)
        bands = settings.bands
        for _ in channels:
            bands = -(-bands // 2)
        self.joint = nn.Sequential(
            nn.Linear(channels[-1] * bands, settings.joint),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
        )
        self.verbal_states, self.non_verbal_states = (
            nn.GRU(settings.joint, settings.recurrent, batch_first=True, bidirectional=True)
            for _ in range(2)
        )
        width = 2 * settings.recurrent
        self.verbal = Head(width, 1, settings)
        self.non_verbal = Head(width, 1, settings)
        self.labels = Head(2 * width, settings.classes, settings)

    def forward(self, log_mel: Tensor) -> SedOutput:
        """Detect in clips.

        Args:
            log_mel: (batch, frames, bands), normalised as
                :func:`aver.features.sound_events.log_mel` does.

        Returns:
            Detections with ``ceil(frames / time_step)`` steps.
        """
        x = self.convolutions(log_mel[:, None])
        x = self.joint(x.permute(0, 2, 1, 3).flatten(2))
        verbal, _ = self.verbal_states(x)
        non_verbal, _ = self.non_verbal_states(x)
        both = torch.cat([verbal, non_verbal], dim=2)
        return SedOutput(self.verbal(verbal), self.non_verbal(non_verbal), self.labels(both))


class FrameScores(nn.Module):
    """The detector as it ships: scores in [0, 1] and semantics, one for every frame it was given.

    Args:
        network: the trained detector.
    """

    def __init__(self, network: SedCrnn):
        super().__init__()
        self.network = network

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Score every frame.

        Args:
            log_mel: (batch, frames, bands).

        Returns:
            ``scores`` (batch, frames, classes), ``verbal`` and ``non_verbal`` (batch, frames),
            ``semantics_verbal`` and ``semantics_non_verbal`` (batch, frames, hidden). Frames that
            the stem puts into one step have the same values.
        """
        verbal, non_verbal, labels = self.network(log_mel)
        frames = log_mel.shape[1]
        found = (
            labels.frames.sigmoid(),
            verbal.frames[:, :, 0].sigmoid(),
            non_verbal.frames[:, :, 0].sigmoid(),
            verbal.semantics,
            non_verbal.semantics,
        )
        step = self.network.settings.time_step
        one, two, three, four, five = (
            x.repeat_interleave(step, dim=1)[:, :frames] if step > 1 else x for x in found
        )
        return one, two, three, four, five
