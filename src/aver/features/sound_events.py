"""Both ends of the sound event detector, without its network: log-mel frames in, events out.

Frame *k* stands for the time ``[k * hop, (k + 1) * hop)``; its analysis window is centred there,
so a window that is longer than the hop looks as far back as ahead. The text of the detector
(Upadhyay et al. 2020, as used by the Fea-TF SCMA paper, section II-B.2) has windows of 400 ms that
overlap by 10 %; what an event's start and end need is finer, so the default is 40 ms every 20 ms.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from aver.errors import ModelError
from aver.features.log_mel import mel_triangles
from aver.features.spectrogram import hann

VERBAL, NON_VERBAL = "verbal", "non_verbal"
"""Names of the two binary detectors; the multi-label one's are its labels."""

_BLOCK_SAMPLES = 1 << 21


class _Fixed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LogMelSettings(_Fixed):
    """The detector's spectrogram.

    Attributes:
        rate: samples a second.
        window: seconds of a frame's analysis window (periodic Hann).
        hop: seconds from one frame to the next, at most ``window``.
        bands: mel bands (HTK scale, triangles).
        lowest: hertz where the first band begins.
        highest: hertz where the last ends, at most half the rate.
        floor: added to a band's power before the logarithm; a full-scale sine has power 1 in
            the bin of its frequency.
        mean: of each band over the training sound; empty for none.
        std: standard deviation of each band over the training sound; empty for none.
    """

    rate: int = Field(16_000, ge=8_000)
    window: float = Field(0.04, gt=0, le=2)
    hop: float = Field(0.02, gt=0, le=2)
    bands: int = Field(64, ge=8, le=256)
    lowest: float = Field(50.0, ge=0)
    highest: float = 8_000.0
    floor: float = Field(1e-9, gt=0, le=1)
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.hop > self.window:
            raise ValueError(f"hop ({self.hop}) must not be longer than window ({self.window})")
        if not self.lowest < self.highest <= self.rate / 2:
            raise ValueError("lowest, highest and half the rate must rise in this order")
        if len(self.mean) != len(self.std) or len(self.mean) not in (0, self.bands):
            raise ValueError("mean and std must have a value for each band, or none")
        return self

    @property
    def window_samples(self) -> int:
        """Samples of a window."""
        return round(self.window * self.rate)

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""
        return round(self.hop * self.rate)

    @property
    def margins(self) -> tuple[int, int]:
        """Samples that a frame's window reaches beyond its own hop, before and after it."""
        beyond = self.window_samples - self.hop_samples
        return beyond // 2, beyond - beyond // 2


class Decoding(_Fixed):
    """How one name's scores become events.

    Attributes:
        threshold: least score inside an event.
        peak: least highest score of an event; 0 asks for no more than ``threshold``. A low
            threshold then finds where an event ends, and a high peak that it is one.
        median: frames of the median filter over the scores, odd; 1 for none.
        minimum: seconds; shorter events are left out.
        gap: seconds; shorter gaps between events of the same name are closed.
    """

    threshold: float = Field(0.5, gt=0, lt=1)
    peak: float = Field(0.0, ge=0, lt=1)
    median: int = Field(1, ge=1)
    minimum: float = Field(0.0, ge=0)
    gap: float = Field(0.0, ge=0)

    @field_validator("median")
    @classmethod
    def _odd(cls, median: int) -> int:
        if not median % 2:
            raise ValueError("median must be odd")
        return median


class DetectorSettings(_Fixed):
    """What a detector's file says of itself.

    Attributes:
        labels: of the multi-label detector, in the order of its scores.
        verbal: those of them that the verbal detector hears as one.
        non_verbal: those that the non-verbal detector hears as one.
        log_mel: the spectrogram it takes.
        decoding: by name: ``verbal``, ``non_verbal`` and each label.
        seen_subjects: who was heard in training (``corpus/subject``).
        description: in words.
    """

    labels: tuple[str, ...] = Field(min_length=1)
    verbal: tuple[str, ...] = ()
    non_verbal: tuple[str, ...] = ()
    log_mel: LogMelSettings = LogMelSettings()
    decoding: dict[str, Decoding] = {}
    seen_subjects: tuple[str, ...] = ()
    description: str = ""

    def to_metadata(self) -> dict[str, str]:
        """Text entries of an ONNX file, JSON each."""
        values = self.model_dump(mode="json")
        return {key: json.dumps(value) for key, value in values.items()}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: str = "detector") -> Self:
        """The reverse of :meth:`to_metadata`; further entries are passed over.

        Raises:
            ModelError: naming *source*, if an entry is missing or no such setting.
        """
        try:
            return cls.model_validate(
                {k: json.loads(metadata[k]) for k in cls.model_fields if k in metadata}
            )
        except (ValueError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(
                source,
                f"does not say how its sound event detector is used ({reason})",
                "Export it with the recipe of sound events",
            ) from error

    def decoding_of(self, name: str) -> Decoding:
        """How the scores of *name* are decoded; plain where the file says nothing."""
        return self.decoding.get(name, Decoding())


class DetectedEvent(NamedTuple):
    """``start`` and ``end`` in seconds, ``label``, ``score``: mean over its frames, in [0, 1]."""

    start: float
    end: float
    label: str
    score: float


def frame_count(samples: int, settings: LogMelSettings) -> int:
    """Frames of a sound of so many samples; the last one may be only begun."""
    return -(-samples // settings.hop_samples)


def log_mel(samples: NDArray[np.floating[Any]], settings: LogMelSettings) -> NDArray[np.float32]:
    """The normalised log-mel frames of a whole sound, silence assumed around it.

    Args:
        samples: (n,) mono sound at ``settings.rate``, full scale at 1.
        settings: of the spectrogram.

    Returns:
        (``frame_count(n)``, bands) float32.
    """
    before, after = settings.margins
    rest = frame_count(len(samples), settings) * settings.hop_samples - len(samples)
    return log_mel_within(np.pad(samples, (before, rest + after)), settings)


def log_mel_within(
    samples: NDArray[np.floating[Any]], settings: LogMelSettings
) -> NDArray[np.float32]:
    """The frames whose windows lie wholly within *samples*: for sound that comes in pieces.

    Args:
        samples: (n,) mono sound that begins ``settings.margins[0]`` samples before the first
            frame and ends as much as ``settings.margins[1]`` after the last.
        settings: of the spectrogram.

    Returns:
        (frames, bands) float32, frames ``1 + (n - window) // hop``, 0 if n is below the window.
    """
    if samples.ndim != 1:
        raise ValueError(f"samples must have shape (n,), not {samples.shape}")
    length, hop = settings.window_samples, settings.hop_samples
    if len(samples) < length:
        return np.zeros((0, settings.bands), np.float32)
    fft, window, triangles = _front(settings)
    frames = np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]
    found = np.empty((len(frames), settings.bands), np.float32)
    block = max(1, _BLOCK_SAMPLES // fft)
    for at in range(0, len(frames), block):
        spectrum = np.fft.rfft(frames[at : at + block] * window, fft, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        found[at : at + block] = np.log(power @ triangles + np.float32(settings.floor))
    if settings.mean:
        found -= np.asarray(settings.mean, np.float32)
        found /= np.asarray(settings.std, np.float32)
    return found


@lru_cache(maxsize=8)
def _front(
    settings: LogMelSettings,
) -> tuple[int, NDArray[np.float32], NDArray[np.float32]]:
    """Samples of the transform, the window, and the triangles of the bands."""
    fft = 1 << (settings.window_samples - 1).bit_length()
    window = hann(settings.window_samples)
    window *= 2.0 / window.sum()  # so that a full-scale sine has power 1
    triangles = mel_triangles(fft, settings.bands, settings.lowest, settings.highest, settings.rate)
    return fft, window.astype(np.float32), triangles.astype(np.float32)


def median_filtered(scores: NDArray[np.floating[Any]], length: int) -> NDArray[np.float32]:
    """Running median of (frames,) scores over *length* frames (odd); ends are repeated outwards."""
    scores = np.asarray(scores, np.float32)
    if length == 1 or not len(scores):
        return scores
    padded = np.pad(scores, length // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)
    return np.asarray(np.median(windows, axis=1), np.float32)


def find_events(
    scores: NDArray[np.floating[Any]], label: str, decoding: Decoding, hop: float
) -> list[DetectedEvent]:
    """The events of one name.

    Median filter, threshold, gaps closed, then short and low ones left out. Starts and ends are
    the borders of frames.

    Args:
        scores: (frames,) in [0, 1].
        label: the events' name.
        decoding: how.
        hop: seconds of a frame.
    """
    scores = np.asarray(scores, np.float32)
    if scores.ndim != 1:
        raise ValueError(f"scores must have shape (frames,), not {scores.shape}")
    smooth = median_filtered(scores, decoding.median)
    inside = smooth >= decoding.threshold
    steps = np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8))
    spans: list[list[int]] = []
    for start, end in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True):
        # A hair less, so that a gap of just as many frames stays one.
        if spans and (start - spans[-1][1]) * hop < decoding.gap - 1e-9:
            spans[-1][1] = int(end)
        else:
            spans.append([int(start), int(end)])
    return [
        DetectedEvent(start * hop, end * hop, label, float(scores[start:end].mean()))
        for start, end in spans
        if (end - start) * hop >= decoding.minimum - 1e-9
        and smooth[start:end].max() >= decoding.peak
    ]


def decode(
    scores: Mapping[str, NDArray[np.floating[Any]]], settings: DetectorSettings
) -> list[DetectedEvent]:
    """The events of all names, by start, end and name.

    Args:
        scores: name -> (frames,) in [0, 1].
        settings: the detector's.
    """
    return sorted(
        event
        for name, values in scores.items()
        for event in find_events(values, name, settings.decoding_of(name), settings.log_mel.hop)
    )


def joined(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The union of time spans: those that overlap or touch become one; by start."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found
