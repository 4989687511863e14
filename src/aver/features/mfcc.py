"""Mel frequency cepstral coefficients as librosa has them.

Published pipelines on RAVDESS load a file at 22,050 Hz with ``kaiser_best`` resampling, take the
first 40 coefficients with librosa's defaults and their mean over time. The defaults: frames of
2,048 samples every 512, centred, with zeros around the clip; periodic Hann window; power; 128
mel bands of Slaney's scale up to half the rate, each of unit area; decibels, floored 80 dB below
the clip's loudest; orthonormal cosine transform of the second kind.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aver.features.extractor import Clip, Extractor, Features, register_extractor
from aver.features.resample import Resampling, resample
from aver.features.spectrogram import decibels, spectrum_blocks
from aver.features.windows import Sound, WindowSettings, mean_by_window, read_native

FFT = 2048
HOP = 512
MEL_BANDS = 128

# Slaney's scale: straight up to 1 kHz (15 mel), then 27 steps for each factor of 6.4.
_HERTZ_PER_MEL = 200.0 / 3.0
_BREAK_HERTZ, _BREAK_MEL = 1000.0, 15.0
_LOG_STEP = np.log(6.4) / 27.0


def slaney_to_hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frequencies in hertz of values on Slaney's mel scale (Auditory Toolbox, 1998)."""
    straight = mel * _HERTZ_PER_MEL
    curved = _BREAK_HERTZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, straight, curved)


@lru_cache(maxsize=8)
def slaney_matrix(rate: int) -> NDArray[np.float64]:
    """(1025, 128) weights from powers to mel bands, triangles in hertz of unit area."""
    highest = _BREAK_MEL + np.log(rate / 2 / _BREAK_HERTZ) / _LOG_STEP
    edges = slaney_to_hertz(np.linspace(0.0, highest, MEL_BANDS + 2))
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    bins = np.linspace(0.0, rate / 2, FFT // 2 + 1)[:, None]
    rising = (bins - lower) / (centre - lower)
    falling = (upper - bins) / (upper - centre)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (upper - lower))


@lru_cache(maxsize=8)
def cosine_matrix(bands: int, coefficients: int) -> NDArray[np.float64]:
    """(bands, coefficients): the orthonormal cosine transform of the second kind."""
    angle = np.pi / bands * (np.arange(bands)[:, None] + 0.5) * np.arange(coefficients)
    matrix = np.cos(angle) * np.sqrt(2.0 / bands)
    matrix[:, 0] /= np.sqrt(2.0)
    return np.asarray(matrix)


def mfcc(
    samples: NDArray[np.floating[Any]], rate: int = 22_050, coefficients: int = 40
) -> NDArray[np.float32]:
    """Mel frequency cepstral coefficients of every frame.

    Args:
        samples: (n,) mono sound, a sample at least.
        rate: its samples a second, above 2,000.
        coefficients: how many, at most 128.

    Returns:
        (1 + n // 512, coefficients) float32; frame k is centred on sample ``512 k``.
    """
    matrix = slaney_matrix(rate)
    blocks = spectrum_blocks(samples, FFT, FFT, HOP, centred=True)
    level = decibels(np.concatenate([block**2 @ matrix for block in blocks]))
    return np.asarray(level @ cosine_matrix(MEL_BANDS, coefficients), dtype=np.float32)


class MfccSettings(WindowSettings):
    """Settings of the coefficients.

    Attributes:
        coefficients: how many, from the 0th.
        sample_rate: to which the file's own rate is brought first.
        resampling: ``kaiser_best`` as in older librosa, or ``soxr_hq`` as in newer, ``soxr_vhq``.
        pool: ``mean`` over time, of the clip or of each window; ``none`` keeps the frames (then
            without windows).
    """

    coefficients: int = Field(40, ge=1, le=MEL_BANDS)
    sample_rate: int = Field(22_050, ge=4_000, le=192_000)
    resampling: Resampling = "kaiser_best"
    pool: Literal["mean", "none"] = "mean"

    def model_post_init(self, context: Any, /) -> None:
        """Frames have no windows."""
        if self.pool == "none" and self.window_seconds:
            raise ValueError("window_seconds needs pool = 'mean'")


@register_extractor("mfcc")
class Mfcc(Extractor):
    """Mel frequency cepstral coefficients with librosa's defaults.

    (1, 40) mean over the clip, (windows, 40) means over the frames centred in each window, or
    (frames, 40).
    """

    version = 1
    Settings = MfccSettings
    modality = "sound"

    @property
    def shape(self) -> tuple[int, ...]:
        """``(coefficients,)``."""
        return (self.settings.coefficients,)

    @property
    def names(self) -> tuple[str, ...]:
        """``mfcc_0`` and so on."""
        return tuple(f"mfcc_{number}" for number in range(self.settings.coefficients))

    def extract(self, clip: Clip) -> Features:
        """Measure one clip."""
        s = self.settings
        native = read_native(clip)
        samples = resample(native.samples, native.rate, s.sample_rate, s.resampling)
        sound = Sound(samples, s.sample_rate)
        frames = mfcc(samples, s.sample_rate, s.coefficients)
        centres = np.arange(len(frames)) * HOP / s.sample_rate
        if s.pool == "mean":
            return mean_by_window(frames, centres, sound, s)
        half = FFT / 2 / s.sample_rate
        times = np.stack([centres - half, centres + half], axis=1).clip(0.0, sound.seconds)
        return Features(frames, times.astype(np.float32), np.ones(len(frames), np.bool_))
