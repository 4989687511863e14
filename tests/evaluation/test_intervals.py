"""Bootstrap over subjects."""

from __future__ import annotations

import numpy as np
import pytest

from aver.evaluation.intervals import bootstrap_over_subjects


def test_one_subject_has_no_spread():
    assert bootstrap_over_subjects(np.array([1.0, 0.0]), np.array(["a", "a"])) == (0.5, 0.5)


def test_two_unlike_subjects_span_everything():
    values = np.repeat([0.0, 1.0], 50)
    subjects = np.repeat(["a", "b"], 50)
    assert bootstrap_over_subjects(values, subjects) == (0.0, 1.0)


def test_many_subjects_agree_with_the_normal_interval():
    random = np.random.default_rng(0)
    means = random.normal(0.7, 0.1, 200)
    values, subjects = np.repeat(means, 10), np.repeat([f"s{i}" for i in range(200)], 10)
    low, high = bootstrap_over_subjects(values, subjects)
    half = 1.96 * means.std() / np.sqrt(200)
    assert low == pytest.approx(means.mean() - half, abs=0.003)
    assert high == pytest.approx(means.mean() + half, abs=0.003)
