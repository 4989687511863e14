"""The log-mel spectrogram of VGGish, in NumPy (MATER, section 2.1.2).

16 kHz sound is cut into frames of 25 ms every 10 ms, weighed with a periodic Hann window,
transformed (FFT of 512), its magnitudes summed into 64 triangular bands on the HTK mel scale from
125 to 7500 Hz, and ``log(x + 0.01)`` taken. Half a second becomes 48 x 64, a quarter 24 x 64.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
FRAME_SAMPLES = 400
HOP_SAMPLES = 160
FFT_SAMPLES = 512
BANDS = 64
LOWEST_HZ = 125.0
HIGHEST_HZ = 7500.0
LOG_OFFSET = 0.01


def hertz_to_mel(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return HTK mel values of frequencies in hertz: ``1127 ln(1 + f / 700)``."""
    return np.asarray(1127.0 * np.log1p(frequency / 700.0))


@lru_cache(maxsize=8)
def mel_triangles(
    fft: int, bands: int, lowest: float, highest: float, rate: int = SAMPLE_RATE
) -> NDArray[np.float64]:
    """Return the (fft // 2 + 1, bands) weights from the bins of an FFT to mel bands.

    The triangles are straight on the HTK mel scale (not in hertz) with unit height, and the
    constant bin carries no weight, as in VGGish's own front end.

    Args:
        fft: samples of the transform.
        bands: number of bands.
        lowest: hertz where the first begins.
        highest: hertz where the last ends.
        rate: samples a second.
    """
    bins = hertz_to_mel(np.linspace(0.0, rate / 2, fft // 2 + 1))
    ends = hertz_to_mel(np.array([lowest, highest]))
    edges = np.linspace(ends[0], ends[1], bands + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - lower) / (centre - lower)
    falling = (upper - bins[:, None]) / (upper - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return np.asarray(weights)


def mel_matrix() -> NDArray[np.float64]:
    """Return VGGish's (257, 64) weights from FFT magnitudes to mel bands."""
    return mel_triangles(FFT_SAMPLES, BANDS, LOWEST_HZ, HIGHEST_HZ)


@lru_cache(maxsize=1)
def _hann() -> NDArray[np.float64]:
    phase = 2.0 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES
    return np.asarray(0.5 - 0.5 * np.cos(phase))


def mel_magnitudes(samples: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return mel band magnitudes before the logarithm.

    Args:
        samples: (n,) mono sound at 16 kHz, full scale at 1.

    Returns:
        (frames, 64) non-negative float32, with ``frames = 1 + (n - 400) // 160``, 0 if n < 400.
    """
    if samples.ndim != 1:
        raise ValueError(f"samples must have shape (n,), not {samples.shape}")
    if len(samples) < FRAME_SAMPLES:
        return np.zeros((0, BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME_SAMPLES)[::HOP_SAMPLES]
    # In float64: a pure tone's far bands are rounding noise in float32, and the logarithm shows it.
    spectrum = np.abs(np.fft.rfft(frames * _hann(), FFT_SAMPLES, axis=1))
    return np.asarray(spectrum @ mel_matrix(), dtype=np.float32)


def log_mel(samples: NDArray[np.floating[Any]], *, gain: float = 1.0) -> NDArray[np.float32]:
    """Return the log-mel spectrogram ``log(gain * magnitude + 0.01)``.

    Args:
        samples: (n,) mono sound at 16 kHz, full scale at 1.
        gain: the sound is read as if multiplied by this factor (level normalisation).

    Returns:
        (frames, 64) float32; 48 frames for half a second (8,000 samples).
    """
    return np.asarray(np.log(mel_magnitudes(samples) * np.float32(gain) + np.float32(LOG_OFFSET)))


def window_log_mel(samples: NDArray[np.floating[Any]], *, gain: float = 1.0) -> NDArray[np.float32]:
    """Return the log-mel spectrogram of one MATER window: (48, 64) for 0.5 s, (24, 64) for 0.25 s.

    A quarter of a second holds 23 whole frames and half of the 24th; as the paper counts 24, the
    sound is continued with zeros up to the end of that frame.
    """
    frames = 24 * round(len(samples) / 4_000)
    if len(samples) == 0 or len(samples) % 4_000:
        raise ValueError(
            f"a window must hold a whole number of quarter seconds, not {len(samples)} samples"
        )
    needed = FRAME_SAMPLES + (frames - 1) * HOP_SAMPLES
    padded = np.pad(samples, (0, max(0, needed - len(samples))))
    return log_mel(padded[:needed], gain=gain)
