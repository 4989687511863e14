"""Resampling: the Kaiser-windowed sinc of resampy (``kaiser_best``), and soxr.

Published pipelines on RAVDESS resample with librosa's ``kaiser_best``: the algorithm of J. O.
Smith, *Digital Audio Resampling*, as the package resampy has it. Its filter is built here from
its parameters, so neither resampy nor numba is needed: 50 zero crossings, 2^13 steps between
them, Kaiser beta 12.98, roll-off 0.917 of Nyquist (resampy since 0.3; older ones had 64 zero
crossings).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import soxr
from numpy.typing import NDArray

Resampling = Literal["kaiser_best", "soxr_hq", "soxr_vhq"]

ZEROS = 50
STEPS = 8192
BETA = 12.984585247040012
ROLL_OFF = 0.9173473712608761

_CHUNK = 4096
# Weights of the largest block matrix (float32: 16 MB).
_LARGEST_BLOCK = 4_000_000


@lru_cache(maxsize=1)
def half_window() -> NDArray[np.float64]:
    """Return the right wing (409601,) of the interpolation filter, its centre first."""
    steps = ZEROS * STEPS
    sinc = ROLL_OFF * np.sinc(ROLL_OFF * np.linspace(0, ZEROS, steps + 1))
    return np.asarray(sinc * np.kaiser(2 * steps + 1, BETA)[steps:])


def resample(
    samples: NDArray[np.float32], rate: int, wanted: int, kind: Resampling = "kaiser_best"
) -> NDArray[np.float32]:
    """Bring mono sound to another rate.

    Args:
        samples: (n,) mono sound.
        rate: its samples a second.
        wanted: samples a second to bring it to.
        kind: ``kaiser_best`` as resampy, or soxr in high or very high quality.

    Returns:
        float32 (m,): ``int(n * wanted / rate)`` samples with Kaiser, rounded with soxr.
    """
    if rate == wanted or not len(samples):
        return np.asarray(samples, np.float32)
    if kind == "kaiser_best":
        return _kaiser(samples, rate, wanted)
    quality = kind.removeprefix("soxr_").upper()
    return np.asarray(soxr.resample(samples, rate, wanted, quality=quality), np.float32)


def _kaiser(samples: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    count = int(len(samples) * wanted / rate)
    divisor = math.gcd(rate, wanted)
    up, down = wanted // divisor, rate // divisor
    if up * (down + 1000) > _LARGEST_BLOCK:
        return _one_by_one(samples, rate, wanted, count)
    matrix, before = _block_matrix(up, down)
    blocks = -(-count // up)
    width = len(matrix)
    padded = np.zeros(before + (blocks - 1) * down + width, np.float32)
    used = min(len(samples), len(padded) - before)
    padded[before : before + used] = samples[:used]
    rows = np.lib.stride_tricks.sliding_window_view(padded, width)[::down]
    return np.asarray((rows @ matrix).reshape(-1)[:count])


@lru_cache(maxsize=4)
def _block_matrix(up: int, down: int) -> tuple[NDArray[np.float32], int]:
    """What *up* samples out are made of: (samples in, up) weights, of which some lie before.

    With rates in the ratio up to down the filter's phases come back after *up* samples.
    """
    places, weights = _weights(np.arange(up) * (down / up), min(1.0, up / down))
    before = -int(places.min())
    matrix = np.zeros((int(places.max()) + before + 1, up))
    np.add.at(matrix, (places + before, np.arange(up)[:, None]), weights)
    return matrix.astype(np.float32), before


def _one_by_one(
    samples: NDArray[np.float32], rate: int, wanted: int, count: int
) -> NDArray[np.float32]:
    """The same for rates without a handy common divisor."""
    out = np.empty(count, np.float32)
    for first in range(0, count, _CHUNK):
        times = np.arange(first, min(first + _CHUNK, count)) * (rate / wanted)
        places, weights = _weights(times, min(1.0, wanted / rate))
        inside = (places >= 0) & (places < len(samples))
        picked = samples[np.where(inside, places, 0)] * inside
        out[first : first + len(times)] = np.einsum("ij,ij->i", weights, picked)
    return out


def _weights(
    times: NDArray[np.floating[Any]], scale: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which samples in, with which weights, make the samples out at *times* (in samples in).

    Returns:
        Both (times, taps); a place may lie outside of the sound.
    """
    window = half_window() * scale
    delta = np.diff(window, append=window[-1])
    stride = int(scale * STEPS)
    taps = np.arange(len(window) // stride + 1)
    whole = times.astype(np.int64)
    fraction = scale * (times - whole)
    places, weights = [], []
    for side, start, part in ((-1, whole, fraction), (1, whole + 1, scale - fraction)):
        offset = (part * STEPS).astype(np.int64)
        rest = part * STEPS - offset
        # As resampy: (length - offset) // stride taps, so the very last may be left out.
        used = taps < ((len(window) - offset) // stride)[:, None]
        at = np.minimum(offset[:, None] + taps * stride, len(window) - 1)
        weights.append(np.where(used, window[at] + rest[:, None] * delta[at], 0.0))
        places.append(start[:, None] + side * taps)
    return np.concatenate(places, axis=1), np.concatenate(weights, axis=1)
