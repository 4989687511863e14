"""Normalisation of the saliency maps by their local maxima, as the 2005 program has it.

A map is tapered at its edges and scaled to [0, 1]. Then, window by window of 150 columns, it is
divided by the maximum found from 150 columns before the window to 50 after it, and multiplied with
``(1 - m) ** 2``, m being the mean of the other local maxima of that stretch: a map with one peak
keeps it, a map with many alike loses them all. A local maximum falls in both directions, along time
and along frequency; its value is divided by the stretch's maximum twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Scale = Literal["clip", "stretch"]

WINDOW: Final = 150
"""Columns that are normalised alike."""
BEFORE: Final = 150
AFTER: Final = 50
FLANK: Final = 11
"""Cells that the taper takes at each edge."""
SILENT: Final = 1e-3
"""Maps whose maximum is below are rounding, not sound (in nepers of the spectrogram)."""


def flank(cells: NDArray[np.intp] | int) -> NDArray[np.float64]:
    """The taper at so many *cells* from an edge: a Hann flank over 11 cells, then 1."""
    inside = np.minimum(np.asarray(cells, np.float64), FLANK)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * inside / FLANK))


def taper(cells: int) -> Floats:
    """(cells,) the taper of a whole axis."""
    at = np.arange(cells)
    return flank(np.minimum(at, cells - 1 - at)).astype(np.float32)


@dataclass(frozen=True)
class Peaks:
    """What the normalisation needs of a map's columns.

    Attributes:
        highest: (columns,) largest value.
        total: (columns,) sum of the values at local maxima.
        count: (columns,) number of local maxima.
        top: (columns,) largest value at a local maximum; 0 without one.
    """

    highest: Floats
    total: NDArray[np.float64]
    count: NDArray[np.intp]
    top: Floats


def find_peaks(one: Floats) -> Peaks:
    """Local maxima of a tapered map (columns, 257): larger than all four neighbours."""
    values = np.zeros_like(one)
    if len(one) > 2:
        inner = one[1:-1, 1:-1]
        is_peak = inner > one[:-2, 1:-1]
        is_peak &= inner > one[2:, 1:-1]
        is_peak &= inner > one[1:-1, :-2]
        is_peak &= inner > one[1:-1, 2:]
        np.multiply(inner, is_peak, out=values[1:-1, 1:-1])
    return Peaks(
        one.max(axis=1),
        values.sum(axis=1, dtype=np.float64),
        np.count_nonzero(values, axis=1),
        values.max(axis=1),
    )


@dataclass(frozen=True)
class Level:
    """A window's part in the normalisation.

    Attributes:
        maximum: of the stretch around the window.
        others: mean of the other local maxima, in units of that maximum.
    """

    maximum: float
    others: float

    def weight(self, largest: float, scale: Scale) -> float:
        """What the window's columns are multiplied with.

        Args:
            largest: maximum of the whole map, which the program scales to 1.
            scale: ``clip`` as the program; ``stretch`` takes the stretch's own maximum for it, so
                that quiet stretches of a long recording are not blown up.
        """
        if self.maximum < SILENT:
            return 0.0
        ratio = largest / self.maximum if scale == "clip" else 1.0
        return (1.0 - self.others * ratio) ** 2 / self.maximum


def level_of(peaks: Peaks, start: int, end: int) -> Level:
    """Maximum and other local maxima of the stretch around the window [*start*, *end*)."""
    around = slice(max(0, start - BEFORE), end + AFTER)
    maximum = float(peaks.highest[around].max())
    count = int(peaks.count[around].sum()) - 1
    if count < 1 or maximum <= 0.0:
        return Level(maximum, 0.0)
    others = (float(peaks.total[around].sum()) - float(peaks.top[around].max())) / count
    return Level(maximum, others / maximum)
