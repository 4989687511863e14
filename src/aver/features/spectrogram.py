"""The short-time Fourier transform: magnitude, power, or decibels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aver.errors import MediaError
from aver.features.extractor import Clip, Extractor, Features, register_extractor
from aver.features.windows import Sound, WindowSettings, cut, read_sound, window_features
from aver.media import SAMPLE_RATE

_BLOCK = 4096

Scale = Literal["magnitude", "power", "db", "log"]


def hann(length: int) -> NDArray[np.float64]:
    """The periodic Hann window of *length* samples."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length))


def spectrum_blocks(
    samples: NDArray[np.floating[Any]], fft: int, frame: int, hop: int, *, centred: bool
) -> Iterator[NDArray[np.float64]]:
    """Magnitudes of Hann-weighed frames, some thousand frames at a time.

    Args:
        samples: (n,) mono sound.
        fft: samples of the transform.
        frame: samples of a frame, at most *fft*; continued with zeros on both sides to *fft* when
            *centred* (as librosa), after it otherwise.
        hop: samples from one frame to the next.
        centred: whether frame k is centred on sample ``k * hop``, with zeros around the clip;
            otherwise it starts there, and only whole frames count.

    Yields:
        (frames, fft // 2 + 1), non-negative; nothing where the sound is too short.
    """
    window = hann(frame)
    if centred:
        left = (fft - frame) // 2
        window = np.pad(window, (left, fft - frame - left))
        samples = np.pad(samples, fft // 2)
    if len(samples) < len(window):
        return
    frames = np.lib.stride_tricks.sliding_window_view(samples, len(window))[::hop]
    for first in range(0, len(frames), _BLOCK):
        yield np.abs(np.fft.rfft(frames[first : first + _BLOCK] * window, fft, axis=1))


def short_time_spectrum(
    samples: NDArray[np.floating[Any]], fft: int, frame: int, hop: int, *, centred: bool
) -> NDArray[np.float64]:
    """All of :func:`spectrum_blocks`: (frames, fft // 2 + 1)."""
    blocks = spectrum_blocks(samples, fft, frame, hop, centred=centred)
    return np.concatenate([np.zeros((0, fft // 2 + 1)), *blocks])


def decibels(power: NDArray[np.float64], top: float = 80.0) -> NDArray[np.float64]:
    """``10 log10(power)``, not below 1e-10, nor more than *top* (0: no limit) below the loudest."""
    level = 10.0 * np.log10(np.maximum(power, 1e-10))
    return np.asarray(np.maximum(level, level.max() - top) if top and level.size else level)


class SpectrogramSettings(WindowSettings):
    """Settings of the transform, in samples of 16 kHz.

    Attributes:
        fft: samples of the Fourier transform.
        frame: samples of a frame (Hann window).
        hop: samples from one frame to the next.
        centred: whether frame k is centred on sample ``k * hop``; otherwise it starts there.
        scale: ``magnitude``, ``power``, ``db`` (decibels of power), or ``log`` (natural logarithm
            of the magnitude, not below 1e-10).
        top_db: with ``db``, how far below the clip's loudest value to go; 0 for no limit.
    """

    fft: int = Field(512, ge=16, le=1 << 16)
    frame: int = Field(400, ge=2)
    hop: int = Field(160, ge=1)
    centred: bool = True
    scale: Scale = "db"
    top_db: float = Field(80.0, ge=0)

    @model_validator(mode="after")
    def _frame_fits(self) -> SpectrogramSettings:
        if self.frame > self.fft:
            raise ValueError(f"frame ({self.frame}) must not be longer than fft ({self.fft})")
        return self


@register_extractor("spectrogram")
class Spectrogram(Extractor):
    """The spectrogram: (frames, bins) of the whole clip, or (windows, frames, bins)."""

    version = 1
    Settings = SpectrogramSettings
    modality = "sound"

    @property
    def shape(self) -> tuple[int, ...]:
        """``(bins,)`` of a frame, or ``(frames, bins)`` of a window."""
        s = self.settings
        bins = s.fft // 2 + 1
        if not s.window_seconds:
            return (bins,)
        samples = round(s.window_seconds * SAMPLE_RATE) + (2 * (s.fft // 2) if s.centred else 0)
        return (max(0, 1 + (samples - (s.fft if s.centred else s.frame)) // s.hop), bins)

    def extract(self, clip: Clip) -> Features:
        """Transform the sound of one clip."""
        sound = read_sound(clip)
        if self.settings.window_seconds:
            parts = [self._transform(part) for part in cut(sound, self.settings)]
            return window_features(parts, sound, self.settings)
        frames = self._transform(sound.samples)
        if not len(frames):
            raise MediaError(
                clip.file, f"its sound lasts {sound.seconds:.3f} s, less than one frame"
            )
        return Features(frames, self._times(len(frames), sound), np.ones(len(frames), np.bool_))

    def _transform(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        s = self.settings
        magnitude = short_time_spectrum(samples, s.fft, s.frame, s.hop, centred=s.centred)
        if s.scale == "power":
            magnitude = magnitude**2
        elif s.scale == "db":
            magnitude = decibels(magnitude**2, s.top_db)
        elif s.scale == "log":
            magnitude = np.log(np.maximum(magnitude, 1e-10))
        return magnitude.astype(np.float32)

    def _times(self, frames: int, sound: Sound) -> NDArray[np.float32]:
        starts = np.arange(frames) * self.settings.hop
        if self.settings.centred:
            starts = starts - self.settings.frame // 2
        times = np.stack([starts, starts + self.settings.frame], axis=1) / sound.rate
        return times.clip(0.0, sound.seconds).astype(np.float32)
