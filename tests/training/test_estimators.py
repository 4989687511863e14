"""Estimators: pooling by hand, probabilities, whole subjects in the calibration's parts."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from aver.errors import SettingError
from aver.training.estimators import (
    estimator_names,
    make_estimator,
    pool_windows,
    subject_parts,
)


def rows(items=60, seed=0):
    """Three classes, six people, each class around its own corner."""
    random = np.random.default_rng(seed)
    labels = np.arange(items) % 3
    subjects = np.array([f"p{n // 3 % 6}" for n in range(items)])
    table = np.eye(3)[labels] * 3 + random.normal(0, 1, (items, 3))
    return table.astype(np.float32), labels.astype(np.intp), subjects


def test_pooling_by_hand():
    values = np.array([[[2.0], [6.0], [0.0]], [[0.0], [0.0], [0.0]]], np.float32)
    present = np.array([[True, True, False], [False, False, False]])
    found = pool_windows(values, present, spread=True)
    # Mean 4 and deviations of 2 each; nothing known of the second clip.
    assert found[0].tolist() == [4.0, 2.0]
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize("name", estimator_names())
def test_every_estimator(name):
    """Probabilities, the same again by seed, missing features, an unseen class."""
    table, labels, subjects = rows()
    table[::7] = np.nan
    again = [
        make_estimator(name, {}).fit(table, labels, subjects, 3).predict(table, 4) for _ in range(2)
    ]
    assert np.array_equal(*again)
    scores = again[0]
    assert scores.shape == (60, 4)
    assert np.allclose(scores.sum(axis=1), 1)
    assert (scores[:, 3] == 0).all()
    if name != "majority":
        there = ~np.isnan(table).any(axis=1)
        right = scores.argmax(axis=1) == labels
        assert right[there].mean() > 0.8


def test_factors_weigh_features_after_they_are_standardised():
    """A feature with a tiny factor is all but out of the game, whatever its own scale is."""
    table, labels, subjects = rows()
    noise = np.random.default_rng(1).normal(0, 1000, (60, 40)).astype(np.float32)
    both = np.concatenate([table, noise], axis=1)
    found = []
    for factor in (1.0, 1e-3):
        model = make_estimator("logistic_regression", {})
        model.factors = np.array([1.0] * 3 + [factor] * 40, np.float32)
        found.append(model.fit(both, labels, subjects, 0).predict(both, 3))
    alone = make_estimator("logistic_regression", {}).fit(table, labels, subjects, 0)
    expected = alone.predict(table, 3)
    assert np.abs(found[1] - expected).max() < 0.01
    assert np.abs(found[0] - expected).max() > 0.1


def test_majority_says_the_shares():
    labels = np.array([0, 0, 0, 1], np.intp)
    nothing = np.zeros((4, 1), np.float32)
    majority = make_estimator("majority", {}).fit(nothing, labels, np.array(list("abcd")), 0)
    assert majority.predict(nothing[:1], 2).tolist() == [[0.75, 0.25]]


def test_parts_hold_whole_subjects():
    _, labels, subjects = rows()
    parts = subject_parts(labels, subjects, 3, 0)
    assert len(parts) == 3
    for train, held_out in parts:
        assert not set(subjects[train]) & set(subjects[held_out])
    held = np.concatenate([held_out for _, held_out in parts])
    assert sorted(held.tolist()) == list(range(60))


def test_parts_that_cannot_be():
    labels = np.array([0, 1, 0, 1], np.intp)
    with pytest.raises(SettingError, match="fewer than two"):
        subject_parts(labels, np.array(["a"] * 4), 3, 0)
    with pytest.raises(SettingError, match="without one of the classes"):
        subject_parts(labels, np.array(["a", "b", "a", "b"]), 2, 0)


def test_unknown_names():
    with pytest.raises(SettingError, match="Did you mean 'svm'"):
        make_estimator("swm", {})
    with pytest.raises(SettingError, match="did you mean 'kernel'"):
        make_estimator("svm", {"kernels": "rbf"})


def test_features_without_any_value_do_not_stop_a_linear_model():
    """A stream that no training clip has (its columns are all missing) counts as a constant."""
    table, labels, subjects = rows()
    table[:, 2] = np.nan
    scores = make_estimator("logistic_regression", {}).fit(table, labels, subjects, 0)
    assert np.isfinite(scores.predict(table, 3)).all()
