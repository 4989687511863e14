"""Per-person calibration: what a person's own unlabelled recordings say about their features.

One man sounds sad and one woman looks pleased, whatever they express: the mean of a person's
features is mostly the person, and so is, in part, how far they spread. Both are estimated from the
person's own recordings, of which no label is used, and the features are mapped onto the mean (and
spread) of the training population::

    calibrated = (x - person_mean) * population_spread / person_spread + population_mean

("mean" leaves the spread alone.) With few windows a person's own statistics are mostly chance, and
mostly what they happened to express. They are therefore shrunk towards the population's, which
counts as much as ``prior_windows`` windows of the person::

    mean = (n * own_mean + prior * population_mean) / (n + prior)

and likewise the variance: the posterior mean of a normal distribution's mean under a conjugate
prior (Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.3), an empirical Bayes estimate as
the prior comes from the population.

The price: a person whose recordings are all angry is mapped so that anger becomes their middle.
Calibration wants recordings in which the person expresses several things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from aver.errors import AverError, SettingError

Mode = Literal["none", "mean", "mean_and_spread"]
MODES: tuple[str, ...] = get_args(Mode)

PRIOR_WINDOWS = 5.0
"""Windows that the population's statistics count for."""

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
# A dimension whose spread is below this part of the population's does not vary; it is not blown up.
_LEAST_RATIO = 1e-3


@dataclass(frozen=True)
class Statistics:
    """Mean and spread of features.

    Attributes:
        mean: (dimensions,) float64.
        spread: (dimensions,) standard deviation, 0 and up.
        windows: how many windows they come from; 0 for none.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    windows: int


class RunningStatistics:
    """Sums over windows, one after another, in constant memory (Welford 1962)."""

    def __init__(self, dimensions: int):
        self.windows = 0
        self._mean = np.zeros(dimensions)
        self._squares = np.zeros(dimensions)

    def add(self, window: Floats) -> None:
        """Take one more window, (dimensions,)."""
        self.windows += 1
        off = np.asarray(window, np.float64) - self._mean
        self._mean = self._mean + off / self.windows
        self._squares = self._squares + off * (window - self._mean)

    def join(self, other: RunningStatistics) -> None:
        """Take all windows of *other* as well (Chan et al. 1979)."""
        total = self.windows + other.windows
        if not other.windows:
            return
        off = other._mean - self._mean
        self._squares = (
            self._squares + other._squares + off**2 * (self.windows * other.windows / total)
        )
        self._mean = self._mean + off * (other.windows / total)
        self.windows = total

    def statistics(self) -> Statistics:
        """Mean and spread of what was taken."""
        spread = np.sqrt(self._squares / max(self.windows, 1))
        return Statistics(self._mean.copy(), spread, self.windows)


def statistics_of(values: Floats, mask: Mask | None = None) -> Statistics:
    """Mean and spread of one person's windows.

    Args:
        values: (..., dimensions) any number of windows.
        mask: (...) True where there is a window; all if None.

    Raises:
        AverError: if a window that counts holds a number that is not finite.
    """
    windows = values[np.ones(values.shape[:-1], bool) if mask is None else mask]
    windows = windows.reshape(-1, values.shape[-1]).astype(np.float64)
    if not np.isfinite(windows).all():
        raise AverError(
            "features hold numbers that are not finite",
            "Extract them again, or mask those windows",
            subject="person calibration",
        )
    if not len(windows):
        nothing = np.zeros(values.shape[-1])
        return Statistics(nothing, nothing.copy(), 0)
    return Statistics(windows.mean(axis=0), windows.std(axis=0), len(windows))


def population_of(values: Floats, mask: Mask | None, subjects: Sequence[str]) -> Statistics:
    """Statistics of the people a model is trained on: give training rows only.

    The mean is that of all windows. The spread is that within persons (square root of the mean
    over windows of the squared distance to the window's person's mean): it is what a calibrated
    person's spread becomes, and what stands between persons is just what calibration removes.

    Args:
        values: (clips, windows, dimensions) or (clips, dimensions).
        mask: (clips, windows) or (clips,), True where there is a window; all if None.
        subjects: (clips,) who it is; where nobody is named all count as one person, so that the
            spread is that of everybody.
    """
    names = np.asarray(subjects, dtype=np.str_)
    whole = statistics_of(values, mask)
    squares = np.zeros(values.shape[-1])
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        own = statistics_of(values[rows], None if mask is None else mask[rows])
        squares += own.spread**2 * own.windows
    return Statistics(whole.mean, np.sqrt(squares / max(whole.windows, 1)), whole.windows)


def shrink(
    own: Statistics, population: Statistics, prior_windows: float = PRIOR_WINDOWS
) -> Statistics:
    """A person's statistics, drawn towards the population's the fewer windows there are.

    Raises:
        SettingError: if *prior_windows* is negative.
    """
    if not prior_windows >= 0:
        raise SettingError("prior_windows", f"is {prior_windows}", "Use 0 or more")
    if own.windows == 0:
        return Statistics(population.mean, population.spread, 0)
    weight = own.windows / (own.windows + prior_windows)
    mean = weight * own.mean + (1 - weight) * population.mean
    variance = weight * own.spread**2 + (1 - weight) * population.spread**2
    return Statistics(mean, np.sqrt(variance), own.windows)


def apply(
    values: Floats,
    person: Statistics,
    population: Statistics,
    mode: Mode = "mean_and_spread",
    *,
    unit: bool = False,
) -> NDArray[np.float32]:
    """Map windows of a person onto the population.

    Args:
        values: (..., dimensions) windows that are there.
        person: the person's statistics, shrunk.
        population: the training population's.
        mode: what is mapped.
        unit: bring every window to length 1 again, as embeddings have it.

    Raises:
        SettingError: if there is no such mode.
    """
    check_mode(mode)
    if mode == "none":
        return np.asarray(values, np.float32)
    moved = np.asarray(values, np.float64) - person.mean
    if mode == "mean_and_spread":
        varies = person.spread > _LEAST_RATIO * population.spread
        ratio = np.ones_like(person.spread)
        np.divide(population.spread, person.spread, out=ratio, where=varies)
        moved = moved * ratio
    moved = moved + population.mean
    if unit:
        moved = moved / np.maximum(np.linalg.norm(moved, axis=-1, keepdims=True), 1e-12)
    return np.asarray(moved, np.float32)


def calibrate(
    values: Floats,
    mask: Mask | None,
    subjects: Sequence[str],
    train: NDArray[np.intp],
    mode: Mode,
    *,
    prior_windows: float = PRIOR_WINDOWS,
    unit: bool = False,
) -> NDArray[np.float32]:
    """Calibrate everybody in an array of features, people to be tested included.

    Each person's statistics come from all of their own rows, of which no label is used; the
    population's from the training rows alone.

    Args:
        values: (clips, windows, dimensions) or (clips, dimensions).
        mask: (clips, windows) or (clips,), True where there is a window; all if None. Masked
            windows count for nothing and are returned as they came.
        subjects: (clips,) who it is.
        train: rows of the training clips.
        mode: ``none``, ``mean`` or ``mean_and_spread``.
        prior_windows: windows that the population counts for, see :func:`shrink`.
        unit: bring every window to length 1 again.

    Returns:
        float32, of the shape of *values*.

    Raises:
        SettingError: if a row names nobody, the mode is unknown, or *prior_windows* is negative.
        AverError: if a window that counts holds a number that is not finite, or no training row
            has a window.
    """
    check_mode(mode)
    if mode == "none":
        return np.asarray(values, np.float32)
    names = np.asarray(subjects, dtype=np.str_)
    if (names == "").any():
        raise SettingError(
            "person",
            f"'{mode}' needs to know whose each recording is; row "
            f"{int(np.flatnonzero(names == '')[0])} names nobody",
            'Use "none", or a corpus that names its people',
        )
    there = np.ones(values.shape[:-1], bool) if mask is None else mask
    population = population_of(values[train], there[train], names[train].tolist())
    if not population.windows:
        raise AverError("no training row has a window", subject="person calibration")
    calibrated = np.array(values, np.float32)
    for name in np.unique(names):
        rows = np.flatnonzero(names == name)
        own = shrink(statistics_of(values[rows], there[rows]), population, prior_windows)
        part = calibrated[rows]
        part[there[rows]] = apply(values[rows][there[rows]], own, population, mode, unit=unit)
        calibrated[rows] = part
    return calibrated


def check_mode(mode: str) -> None:
    """Refuse a mode that there is not.

    Raises:
        SettingError: naming the nearest known one.
    """
    if mode in MODES:
        return
    import difflib

    close = difflib.get_close_matches(mode, MODES, n=1)
    hint = f"Did you mean '{close[0]}'" if close else f"Known: {', '.join(MODES)}"
    raise SettingError("person", f"'{mode}' is not a known calibration", hint)
