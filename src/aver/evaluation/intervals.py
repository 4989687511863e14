"""Confidence intervals that respect that clips of one person are alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import SettingError

Metric = Callable[..., float]
"""A figure of arrays with one row an item: ``metric(labels, predicted)``."""


def bootstrap_over_subjects(
    values: NDArray[np.floating],
    subjects: NDArray[Any],
    *,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the mean of *values*, whole subjects drawn with replacement.

    Args:
        values: (items,) what is averaged, for example 1 for right and 0 for wrong.
        subjects: (items,) whose item it is.
        level: of confidence.
        draws: bootstrap samples.
        seed: of the draws.

    Returns:
        Lower and upper end.
    """
    names, where = np.unique(subjects, return_inverse=True)
    sums = np.bincount(where, weights=values, minlength=len(names))
    counts = np.bincount(where, minlength=len(names))
    chosen = _chosen(len(names), draws, seed)
    return _ends(sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1), level)


def bootstrap_metric(
    metric: Metric,
    arrays: Sequence[NDArray[Any]],
    subjects: NDArray[Any],
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of any *metric*, whole subjects drawn with replacement.

    The draws are those of :func:`bootstrap_over_subjects` with the same seed.

    Args:
        metric: figure of *arrays*, each cut to the drawn items; NaN counts as no figure.
        arrays: (items, ...) what the metric takes, for example labels and predictions.
        subjects: (items,) whose item it is.
        level: of confidence.
        draws: bootstrap samples.
        seed: of the draws.

    Returns:
        Lower and upper end; NaN where no draw gave a figure.

    Raises:
        SettingError: if the arrays differ in length.
    """
    figures = np.array(
        [metric(*(a[rows] for a in arrays)) for rows in _drawn(arrays, subjects, draws, seed)]
    )
    figures = figures[~np.isnan(figures)]
    return _ends(figures, level) if len(figures) else (float("nan"), float("nan"))


def paired_bootstrap(
    metric: Metric,
    labels: NDArray[Any],
    first: NDArray[Any],
    second: NDArray[Any],
    subjects: NDArray[Any],
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Interval of ``metric(labels, first) - metric(labels, second)`` on the same items.

    Both systems are measured on the same drawn subjects, so what makes a subject hard for both
    does not widen the interval.

    Args:
        metric: figure of labels and predictions (or scores).
        labels: (items,) true classes.
        first: (items, ...) of one system.
        second: (items, ...) of the other.
        subjects: (items,) whose item it is.
        level: of confidence.
        draws: bootstrap samples.
        seed: of the draws.
    """

    def difference(labels: Any, first: Any, second: Any) -> float:
        return metric(labels, first) - metric(labels, second)

    arrays = (labels, first, second)
    return bootstrap_metric(difference, arrays, subjects, level=level, draws=draws, seed=seed)


def _chosen(subjects: int, draws: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, subjects, (draws, subjects))


def _drawn(
    arrays: Sequence[NDArray[Any]], subjects: NDArray[Any], draws: int, seed: int
) -> Iterator[NDArray[np.intp]]:
    """Row numbers of each bootstrap sample."""
    lengths = {len(a) for a in arrays} | {len(subjects)}
    if len(lengths) > 1 or not len(subjects):
        raise SettingError("arrays", f"have {sorted(lengths)} items", "All need the same, not 0")
    names, where = np.unique(subjects, return_inverse=True)
    rows = np.split(np.argsort(where, kind="stable"), np.cumsum(np.bincount(where))[:-1])
    for chosen in _chosen(len(names), draws, seed):
        yield np.concatenate([rows[number] for number in chosen])


def _ends(figures: NDArray[np.floating], level: float) -> tuple[float, float]:
    low, high = np.quantile(figures, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
