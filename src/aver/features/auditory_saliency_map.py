"""The auditory saliency map of a whole spectrogram (Kayser et al. 2005)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aver.features.auditory_saliency_fields import (
    BANDS,
    BINS,
    FIELDS,
    PAPER_PAIRS,
    Floats,
    Pairs,
    differences,
)
from aver.features.auditory_saliency_weights import (
    WINDOW,
    Scale,
    find_peaks,
    level_of,
    taper,
)
from aver.features.spectrogram import hann

FFT = 1024
FLOOR = 1e-7
"""Magnitudes below are taken for this: less than the rounding of 16 bits, so that digital silence
is not the loudest contrast of a film."""
_BLOCK = 256  # frames, which fit a processor's cache


@dataclass(frozen=True, eq=False)
class SaliencyMap:
    """The map and what it is the mean of, each (257, columns), a column for every two frames.

    Attributes:
        eo: intensity.
        esi: frequency contrast.
        epi: temporal contrast.
    """

    eo: Floats
    esi: Floats
    epi: Floats

    @property
    def values(self) -> Floats:
        """Mean of the three."""
        return np.asarray((self.eo + self.esi + self.epi) / 3.0, np.float32)


def log_spectrum_blocks(
    parts: Iterable[NDArray[np.float32]], frame: int, hop: int
) -> Iterator[Floats]:
    """Natural logarithm of the magnitudes of Hann-weighed frames, some hundred at a time.

    Args:
        parts: (n,) mono sound, part by part.
        frame: samples of a frame, at most 1024; only whole frames count.
        hop: samples from one frame to the next.

    Yields:
        (frames, 513).
    """
    window = hann(frame).astype(np.float32)
    waiting = np.zeros(0, np.float32)
    gathered: list[NDArray[np.float32]] = []
    length = 0
    for part in parts:
        gathered.append(part)
        length += len(part)
        if length >= frame + (_BLOCK - 1) * hop:
            waiting = np.concatenate(gathered)
            count = 1 + (len(waiting) - frame) // hop
            yield from _log_spectra(waiting, count, window, hop)
            gathered = [waiting[count * hop :]]
            length = len(gathered[0])
    waiting = np.concatenate(gathered) if gathered else waiting
    yield from _log_spectra(waiting, 1 + (len(waiting) - frame) // hop, window, hop)


def _log_spectra(
    samples: NDArray[np.float32], count: int, window: Floats, hop: int
) -> Iterator[Floats]:
    if count < 1:
        return
    frames = np.lib.stride_tricks.sliding_window_view(samples, len(window))[::hop]
    for first in range(0, count, _BLOCK):
        weighed = np.zeros((min(_BLOCK, count - first), FFT), np.float32)
        np.multiply(frames[first : first + _BLOCK], window, out=weighed[:, : len(window)])
        spectrum = np.fft.rfft(weighed, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        level = np.log(np.maximum(power, FLOOR**2, dtype=np.float32), dtype=np.float32)
        yield np.asarray(np.float32(0.5) * level)


def saliency_map(
    spectrogram: NDArray[np.floating],
    *,
    pairs: Pairs = PAPER_PAIRS,
    scale: Scale = "clip",
) -> SaliencyMap:
    """The map of a spectrogram that is there as a whole.

    Args:
        spectrogram: (513, frames) natural logarithm of the magnitude (FFT 1024), 2 frames at
            least.
        pairs: levels of centre and surround.
        scale: see :meth:`aver.features.auditory_saliency_weights.Level.weight`.

    Returns:
        Maps of (257, columns), not negative; columns = ceil(frames / 2).

    Raises:
        ValueError: if the spectrogram has another shape.
    """
    if spectrogram.ndim != 2 or spectrogram.shape[0] != BINS or spectrogram.shape[1] < 2:
        raise ValueError(f"a spectrogram is (513, 2 frames or more), not {spectrogram.shape}")
    maps = differences(np.ascontiguousarray(spectrogram.T, np.float32), pairs)
    columns = len(maps[0][0])
    over_time, over_bands = taper(columns)[:, None], taper(BANDS)
    found = {}
    for field, several in zip(FIELDS, maps, strict=True):
        mean = np.zeros((columns, BANDS), np.float32)
        for one in several:
            one *= over_time
            one *= over_bands
            peaks = find_peaks(one)
            largest = float(peaks.highest.max())
            for start in range(0, columns, WINDOW):
                window = slice(start, start + WINDOW)
                weight = level_of(peaks, start, start + WINDOW).weight(largest, scale)
                mean[window] += one[window] * np.float32(weight / len(pairs))
        found[field] = np.ascontiguousarray(mean.T)
    return SaliencyMap(**found)
