"""Paired tests: hand-worked, and against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aver.errors import SettingError
from aver.evaluation.significance import corrected_t_test, mcnemar, wilcoxon

stats = pytest.importorskip("scipy.stats")


def answers(both, only_first, only_second, neither):
    first = [1] * (both + only_first) + [0] * (only_second + neither)
    second = [1] * both + [0] * only_first + [1] * only_second + [0] * neither
    return np.array(first, bool), np.array(second, bool)


def test_mcnemar_by_hand():
    # Ten against two: 2 * (C(12, 0) + C(12, 1) + C(12, 2)) / 2**12
    found = mcnemar(*answers(50, 10, 2, 30))
    assert found.p == pytest.approx(2 * (1 + 12 + 66) / 4096)
    assert found.statistic == 2
    assert found.count == 92
    assert "only first right 10, only second right 2" in found.note


def test_mcnemar_with_chi_square_by_hand():
    # Agresti, Categorical Data Analysis, table 10.1: 794, 150, 86, 570; (|150 - 86| - 1)**2 / 236
    found = mcnemar(*answers(794, 150, 86, 570), exact=False)
    assert found.statistic == pytest.approx(63**2 / 236)
    assert found.p == pytest.approx(stats.chi2.sf(63**2 / 236, 1), rel=1e-9)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 80), st.integers(0, 80))
def test_exact_mcnemar_is_the_binomial_test(only_first, only_second):
    first, second = answers(5, only_first, only_second, 5)
    found = mcnemar(first, second)
    differing = only_first + only_second
    expected = stats.binomtest(only_first, differing).pvalue if differing else 1.0
    assert found.p == pytest.approx(expected)
    assert mcnemar(second, first).p == found.p


def test_mcnemar_many_items_goes_over_to_chi_square():
    few, many = mcnemar(*answers(0, 520, 480, 0)), mcnemar(*answers(0, 521, 480, 0))
    assert "exact" in few.note
    assert "chi square" in many.note
    assert many.p == pytest.approx(few.p, rel=0.1)


def test_corrected_t_by_hand():
    # mean 0.03, variance 0.00025; (1/5 + 1/4) * 0.00025 = 0.0001125; t = sqrt(8)
    found = corrected_t_test([0.02, 0.04, 0.03, 0.05, 0.01], 1 / 4)
    assert found.statistic == pytest.approx(math.sqrt(8))
    assert found.p == pytest.approx(2 * stats.t.sf(math.sqrt(8), 4))
    assert found.count == 5


def test_the_correction_makes_it_more_careful():
    differences = [0.02, 0.04, 0.03, 0.05, 0.01]
    plain = stats.ttest_1samp(differences, 0).pvalue
    assert corrected_t_test(differences, 1e-12).p == pytest.approx(plain)
    assert corrected_t_test(differences, 1 / 4).p > plain


def test_folds_without_any_spread():
    assert corrected_t_test([0.0, 0.0], 1.0).p == 1.0
    assert corrected_t_test([0.5, 0.5], 1.0).p == 0.0


def test_one_fold_is_refused():
    with pytest.raises(SettingError, match="needs two or more"):
        corrected_t_test([0.1], 0.5)
    with pytest.raises(SettingError, match="above 0"):
        corrected_t_test([0.1, 0.2], 0.0)


def test_wilcoxon_by_hand():
    # Five subjects, all better: two of the 32 assignments of signs are as extreme.
    found = wilcoxon([0.1, 0.2, 0.3, 0.4, 0.5])
    assert found.p == pytest.approx(2 / 32)
    assert wilcoxon([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]).p == pytest.approx(2 / 32)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(-20, 20), min_size=1, max_size=30))
def test_wilcoxon_is_scipys(values):
    found = wilcoxon(np.array(values) / 7)
    unequal = [v for v in values if v]
    expected = stats.wilcoxon(unequal).pvalue if unequal else 1.0
    assert found.p == pytest.approx(expected, abs=1e-9)
    assert f"{len(unequal)} of {len(values)}" in found.note


def test_rounding_makes_no_ranks():
    # 0.1 + 0.2 - 0.3 is 5.6e-17, not 0
    assert wilcoxon([0.1 + 0.2 - 0.3, 0.0]).p == 1.0


def test_unlike_lengths_are_refused():
    with pytest.raises(SettingError, match="shape"):
        mcnemar([True], [True, False])
    with pytest.raises(SettingError, match="none"):
        wilcoxon([])
