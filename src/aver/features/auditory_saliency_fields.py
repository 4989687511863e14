"""Receptive fields, pyramid and centre minus surround of the auditory saliency map.

Kayser, Petkov, Lippert & Logothetis (2005), "Mechanisms for allocating auditory attention: an
auditory saliency map", Current Biology 15(21), with the figures of their program. A spectrogram is
filtered at several scales with three receptive fields: intensity (``eo``, excitatory only),
frequency contrast (``esi``, with inhibitory side-bands) and temporal contrast (``epi``, with
inhibition after the excitation). Each field is the outer product of a profile over frequency and
one over time, so it is applied as two short filters.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pairs = tuple[tuple[int, int], ...]

FIELDS: Final = ("eo", "esi", "epi")
"""Intensity, frequency contrast, temporal contrast."""
BANDS: Final = 257
"""Rows of the map: half of the 513 of a spectrogram of FFT 1024."""
BINS: Final = 513
LEVELS: Final = 4
PAPER_PAIRS: Final[Pairs] = ((0, 1), (0, 2), (1, 2), (1, 3))
"""Centre and surround after Wu, Li & Lee: c = 0 ... K - 3, s = c + 1 and c + 2, with K = 4."""
PROGRAM_PAIRS: Final[Pairs] = (*PAPER_PAIRS, (2, 3))
"""The pairs of the 2005 program: every centre with the next two scales that there are."""

# The cells of a field that lie on the response's own cell: those that agree best with the
# program's maps. Time is counted in milliseconds there, and applied cell by cell to frames.
_TIME_ANCHOR, _FREQUENCY_ANCHOR = 40, 23
REACH: Final = 40
"""Cells of a level, at most, between a response and what it depends on."""


@lru_cache(maxsize=1)
def receptive_fields() -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The fields, each as its profile over frequency (45,) and over time (80,).

    ``field = outer(frequency, time)``; its sum is 1 in absolute value. Time runs from 1 to 80 ms,
    the frequency axis F from 0.3 to 1.7 in steps of 1/32. Excitation is ``cos(2 pi F)`` under a
    Gaussian at F = 1 and 24 ms, 5 ms wide; its bandwidth is 4 x 0.035, or 4 x 0.08, with which the
    cosine's negative lobes become side-bands. Post-inhibition, at half strength, lies at 50 ms,
    6.5 ms wide; without side-bands its bandwidth is that of the excitation (4 x 0.035), so that
    their difference stays one product.
    """
    time = np.arange(1.0, 81.0)
    frequency = np.arange(0.3, 1.7 + 1e-9, 1.0 / 32.0)
    wave = np.cos(2.0 * np.pi * frequency)
    narrow = wave * _gaussian(frequency, 1.0, 4 * 0.035)
    wide = wave * _gaussian(frequency, 1.0, 4 * 0.08)
    excitation = _gaussian(time, 24.0, 5.0)
    post_inhibition = _gaussian(time, 50.0, 6.5)
    fields = {
        "eo": (narrow, excitation),
        "esi": (wide, excitation),
        "epi": (narrow, excitation - 0.5 * post_inhibition),
    }
    return {
        name: (over_frequency / abs(over_frequency.sum()), over_time / abs(over_time.sum()))
        for name, (over_frequency, over_time) in fields.items()
    }


def _gaussian(x: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    return np.asarray(np.exp(-0.5 * ((x - centre) / width) ** 2))


def level_cells(cells: int, level: int) -> NDArray[np.intp]:
    """Which of *cells* a level's cells are: of each 2**level the middle one (nearest neighbour)."""
    step = 1 << level
    return np.minimum(np.arange(-(-cells // step)) * step + step // 2, cells - 1)


def responses(spectrogram: Floats, level: int) -> list[Floats]:
    """Absolute responses of the three fields at one level of the pyramid.

    Args:
        spectrogram: (frames, 513) logarithm of the magnitude; 2 frames at least.
        level: 0 for the spectrogram itself, which is then answered at every other frame and bin
            only, where the map has its cells; each further level has half the frames and bins.

    Returns:
        For each of :data:`FIELDS` (cells, 257): its cells in time, and the map's rows.
    """
    image = spectrogram
    if level:
        frames, bins = level_cells(len(spectrogram), level), level_cells(BINS, level)
        image = spectrogram[np.ix_(frames, bins)]
    narrow = image @ _frequency_matrix("eo", level)  # of epi too
    wide = image @ _frequency_matrix("esi", level)
    found = []
    for name, (_, over_time) in receptive_fields().items():
        filtered = wide if name == "esi" else narrow
        found.append(_filter_time(filtered, over_time, every_other=not level))
    if level > 1:
        rows = np.minimum(np.arange(BANDS) >> (level - 1), found[0].shape[1] - 1)
        found = [response[:, rows] for response in found]
    return found


@lru_cache(maxsize=2 * LEVELS)
def _frequency_matrix(name: str, level: int) -> Floats:
    """(bins, rows): filters a level's bins, mirrored at both ends; level 0 to the map's rows."""
    profile = receptive_fields()[name][0]
    count = len(level_cells(BINS, level))
    answered = np.arange(count) if level else level_cells(BINS, 1)
    matrix = np.zeros((count, len(answered)))
    for cell, weight in enumerate(profile):
        sources = _mirrored(answered + _FREQUENCY_ANCHOR - cell, count)
        np.add.at(matrix, (sources, np.arange(len(answered))), weight)
    return matrix.astype(np.float32)


def _mirrored(cells: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Cells beyond a border, reflected at the border's own cell."""
    period = 2 * (count - 1)
    inside = np.abs(cells) % period
    return np.asarray(np.minimum(inside, period - inside), np.intp)


def _filter_time(image: Floats, profile: NDArray[np.float64], *, every_other: bool) -> Floats:
    kernel = profile[::-1].astype(np.float32)
    anchor = len(profile) - 1 - _TIME_ANCHOR
    response: Any = cv2.sepFilter2D(
        image,
        -1,
        np.ones(1, np.float32),
        kernel,
        anchor=(0, anchor),
        borderType=cv2.BORDER_REFLECT_101,
    )
    if every_other:
        response = response[level_cells(len(image), 1)]
    return np.asarray(np.abs(response, out=response), np.float32)


def stretch(response: Floats, level: int, columns: int) -> Floats:
    """A level's response at the map's *columns*, by its nearest cell in time."""
    if level < 2:
        return response[:columns]
    return np.asarray(response[np.minimum(np.arange(columns) >> (level - 1), len(response) - 1)])


def differences(spectrogram: Floats, pairs: Sequence[tuple[int, int]]) -> list[list[Floats]]:
    """Centre minus surround, half-rectified: before taper and normalisation.

    Args:
        spectrogram: (frames, 513) logarithm of the magnitude; 2 frames at least.
        pairs: levels of centre and surround.

    Returns:
        For each of :data:`FIELDS`, for each pair, (columns, 257), not negative;
        columns = ceil(frames / 2).
    """
    columns = -(-len(spectrogram) // 2)
    by_level = {
        level: responses(spectrogram, level) for level in {n for pair in pairs for n in pair}
    }
    found = []
    for field in range(len(FIELDS)):
        at = {level: stretch(three[field], level, columns) for level, three in by_level.items()}
        found.append([np.maximum(at[centre] - at[other], 0.0) for centre, other in pairs])
    return found
