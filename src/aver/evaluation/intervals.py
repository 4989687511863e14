"""Confidence intervals that respect that clips of one person are alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def bootstrap_over_subjects(
    values: NDArray[np.floating],
    subjects: NDArray[np.str_],
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
    random = np.random.default_rng(seed)
    chosen = random.integers(0, len(names), (draws, len(names)))
    means = sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
