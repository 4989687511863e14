"""Paired tests: is one system better than another on the same items?

Each test sees the same items of both systems in another way. McNemar counts items and takes them
as independent, though items of one person are alike, so it finds differences too easily; the
corrected t-test looks at folds, the Wilcoxon test at people. Needs scipy (extra ``train``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aver.errors import AverError, SettingError

EXACT_BELOW = 1000  # differing items up to which the binomial is summed rather than approximated


@dataclass(frozen=True)
class Test:
    """The outcome of a paired test.

    Attributes:
        name: of the test.
        statistic: its statistic; NaN where it has none.
        p: two-sided probability of a difference this large or larger if there were none.
        count: items, folds or subjects it rests on.
        note: how it was done, in a few words.
    """

    __test__ = False  # no test case of pytest, whatever its name

    name: str
    statistic: float
    p: float
    count: int
    note: str = ""


def mcnemar(first: ArrayLike, second: ArrayLike, *, exact: bool | None = None) -> Test:
    """McNemar's test of two systems on the same items (McNemar 1947).

    Only items on which exactly one system is right tell anything. If the systems were alike,
    either would be the right one half of the time: a binomial for few items, else chi square with
    Edwards' continuity correction.

    Args:
        first: (items,) whether one system is right.
        second: (items,) whether the other is.
        exact: the binomial or chi square; the binomial up to 1,000 differing items if absent.

    Returns:
        The statistic is the smaller count (exact) or chi square.
    """
    a, b = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise SettingError("second", f"has the shape {b.shape} beside {a.shape}")
    only_first, only_second = int((a & ~b).sum()), int((~a & b).sum())
    differing = only_first + only_second
    note = f"only first right {only_first}, only second right {only_second}"
    smaller = min(only_first, only_second)
    if exact is None:
        exact = differing <= EXACT_BELOW
    if differing == 0:
        return Test("McNemar", 0.0, 1.0, len(a), note)
    if exact:
        tail = sum(math.comb(differing, k) for k in range(smaller + 1))
        p = min(1.0, 2 * tail / 2**differing)
        return Test("McNemar", float(smaller), p, len(a), f"{note}; exact")
    square = max(abs(only_first - only_second) - 1, 0) ** 2 / differing
    # Upper tail of chi square with one degree of freedom.
    p = math.erfc(math.sqrt(square / 2))
    return Test("McNemar", square, p, len(a), f"{note}; chi square, corrected")


def corrected_t_test(differences: ArrayLike, test_to_train: float) -> Test:
    """Corrected resampled t-test over folds (Nadeau & Bengio 2003, section 4.1).

    Training sets of folds overlap, so the folds' differences are not independent and the plain
    t-test is far too sure. The variance of the mean is taken as
    ``(1 / folds + test_to_train) * variance`` in place of ``variance / folds``.

    Args:
        differences: (folds,) figure of one system less that of the other, per fold.
        test_to_train: items tested over items trained on in a fold; 1 / (k - 1) for k folds.

    Raises:
        SettingError: for one fold only.
    """
    values = _several(differences)
    if not test_to_train > 0 or not np.isfinite(test_to_train):
        raise SettingError("test_to_train", f"is {test_to_train}", "Use a number above 0")
    mean, variance = float(values.mean()), float(values.var(ddof=1))
    note = f"test to train {test_to_train:.3g}"
    spread = (1 / len(values) + test_to_train) * variance
    return _t_test("corrected t", mean, spread, len(values), note)


def paired_t_test(differences: ArrayLike) -> Test:
    """The paired t-test (Student 1908), as tables that compare two models film by film have it.

    It takes the differences as independent. Those of folds are not, for they share training films,
    so it is surer than it should be; :func:`corrected_t_test` mends that.

    Args:
        differences: (films,) figure of one system less that of the other, per film or person.

    Raises:
        SettingError: for one film only.
    """
    values = _several(differences)
    mean, variance = float(values.mean()), float(values.var(ddof=1))
    return _t_test("paired t", mean, variance / len(values), len(values), "")


def wilcoxon(differences: ArrayLike) -> Test:
    """Wilcoxon's signed-rank test over subjects (Wilcoxon 1945; scipy).

    Subjects without a difference are left out; exact where scipy can (few subjects, no ties).

    Args:
        differences: (subjects,) figure of one system less that of the other, per subject.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not len(values):
        raise SettingError("differences", "are none", "There are no subjects to compare")
    # Figures that are equal on paper may differ by rounding; ranks must not see that.
    values = np.round(values, 12)
    unequal = values[values != 0]
    note = f"{len(unequal)} of {len(values)} subjects differ"
    if not len(unequal):
        return Test("Wilcoxon", 0.0, 1.0, len(values), note)
    found = _stats().wilcoxon(unequal)
    return Test("Wilcoxon", float(found.statistic), float(found.pvalue), len(values), note)


def _several(differences: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise SettingError(
            "folds",
            f"are {values.size}, and a t-test needs two or more",
            "Predict all folds, or use the tests over items and subjects",
        )
    return values


def _t_test(name: str, mean: float, variance: float, count: int, note: str) -> Test:
    """The test of a *mean* whose own variance is *variance*, over *count* differences."""
    if variance == 0:
        t, p = (0.0, 1.0) if mean == 0 else (math.copysign(math.inf, mean), 0.0)
        return Test(name, t, p, count, note)
    t = mean / math.sqrt(variance)
    return Test(name, t, float(2 * _stats().t.sf(abs(t), count - 1)), count, note)


def _stats() -> Any:
    try:
        from scipy import stats
    except ModuleNotFoundError as error:
        raise AverError(
            "this test needs the package 'scipy'", 'Run: pip install "aver[train]"'
        ) from error
    return stats
