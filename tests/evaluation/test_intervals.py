"""Bootstrap over subjects."""

from __future__ import annotations

import numpy as np
import pytest

from aver.errors import SettingError
from aver.evaluation.intervals import (
    bootstrap_metric,
    bootstrap_over_subjects,
    paired_bootstrap,
)
from aver.evaluation.metrics import accuracy


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


def test_any_metric_has_the_draws_of_the_mean():
    random = np.random.default_rng(3)
    labels, guess = random.integers(0, 4, 200), random.integers(0, 4, 200)
    subjects = random.integers(0, 9, 200).astype(str)
    right = (labels == guess).astype(float)
    found = bootstrap_metric(accuracy, (labels, guess), subjects, draws=300, seed=5)
    assert found == pytest.approx(bootstrap_over_subjects(right, subjects, draws=300, seed=5))


def test_people_stay_whole():
    # Within each person all is right or all is wrong, so few values are possible.
    labels, guess = np.zeros(40, int), np.repeat([0, 1, 0, 0], 10)
    seen = set()

    def metric(labels, guess):
        assert len(labels) == 40
        seen.add(accuracy(labels, guess))
        return 0.0

    bootstrap_metric(metric, (labels, guess), np.repeat(list("abcd"), 10), draws=200)
    assert seen <= {0.0, 0.25, 0.5, 0.75, 1.0}


def test_a_pair_that_answers_alike_has_no_difference():
    random = np.random.default_rng(0)
    labels, guess = random.integers(0, 3, 90), random.integers(0, 3, 90)
    subjects = np.repeat(np.arange(9), 10)
    assert paired_bootstrap(accuracy, labels, guess, guess, subjects) == (0.0, 0.0)


def test_pairing_takes_out_what_is_hard_for_both():
    random = np.random.default_rng(0)
    subjects = np.repeat(np.arange(20), 50)
    labels = np.zeros(1000, int)
    hard = np.repeat(random.uniform(0.1, 0.9, 20), 50)  # one figure a person
    first = (random.random(1000) < hard).astype(int)
    second = np.where(random.random(1000) < 0.05, 1 - first, first)
    low, high = paired_bootstrap(accuracy, labels, first, second, subjects)
    alone = bootstrap_metric(accuracy, (labels, first), subjects)
    assert high - low < (alone[1] - alone[0]) / 3
    gain = accuracy(labels, first) - accuracy(labels, second)
    assert low <= gain <= high


def test_a_figure_that_is_never_there_has_no_interval():
    subjects = np.array(["a", "b"])
    ends = bootstrap_metric(lambda x: float("nan"), (np.zeros(2),), subjects)
    assert np.isnan(ends).all()


def test_unlike_lengths_are_refused():
    with pytest.raises(SettingError, match="items"):
        bootstrap_metric(accuracy, (np.zeros(3), np.zeros(2)), np.zeros(3))
