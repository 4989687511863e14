"""Metrics against hand-worked numbers, scikit-learn and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aver.errors import SettingError
from aver.evaluation import metrics

CLASSES = ("a", "b", "c", "d")
PAIRS = st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1)


def test_hand_worked():
    labels = np.array(["a", "a", "a", "a", "b", "b", "c", "c"])
    guess = np.array(["a", "a", "a", "b", "b", "c", "c", "c"])
    assert metrics.accuracy(labels, guess) == 6 / 8
    counts = metrics.confusion_matrix(labels, guess, ("a", "b", "c"))
    assert counts.tolist() == [[3, 1, 0], [0, 1, 1], [0, 0, 2]]
    assert metrics.recall_per_class(labels, guess, ("a", "b", "c")).tolist() == [0.75, 0.5, 1.0]
    assert metrics.unweighted_average_recall(labels, guess) == 0.75
    # a: 2*3/(4+3), b: 2*1/(2+2), c: 2*2/(2+3)
    assert metrics.f1(labels, guess) == pytest.approx((6 / 7 + 1 / 2 + 4 / 5) / 3)
    weighted = (4 * 6 / 7 + 2 * 1 / 2 + 2 * 4 / 5) / 8
    assert metrics.f1(labels, guess, average="weighted") == pytest.approx(weighted)


@settings(deadline=None, max_examples=30)
@given(PAIRS)
def test_agrees_with_scikit_learn(pairs):
    oracle = pytest.importorskip("sklearn.metrics")
    labels, guess = (np.array(column) for column in zip(*pairs, strict=True))
    assert metrics.accuracy(labels, guess) == pytest.approx(oracle.accuracy_score(labels, guess))
    # scikit-learn's balanced accuracy warns of classes that were predicted but never true.
    present = sorted(set(labels))
    recall = oracle.recall_score(labels, guess, labels=present, average="macro", zero_division=0)
    assert metrics.unweighted_average_recall(labels, guess) == pytest.approx(recall)
    expected = oracle.confusion_matrix(labels, guess, labels=list(CLASSES))
    assert (metrics.confusion_matrix(labels, guess, CLASSES) == expected).all()
    for average in ("macro", "weighted"):
        expected = oracle.f1_score(labels, guess, average=average, zero_division=0)
        assert metrics.f1(labels, guess, CLASSES, average=average) == pytest.approx(expected)
    precision = oracle.precision_score(
        labels, guess, labels=list(CLASSES), average=None, zero_division=np.nan
    )
    found = metrics.precision_per_class(labels, guess, CLASSES)
    np.testing.assert_allclose(found, precision)


def test_agrees_with_torchmetrics():
    torch = pytest.importorskip("torch")
    oracle = pytest.importorskip("torchmetrics.functional.classification")
    random = np.random.default_rng(1)
    labels, guess = random.integers(0, 5, 300), random.integers(0, 5, 300)
    truth, said = torch.from_numpy(labels), torch.from_numpy(guess)
    recall = oracle.multiclass_recall(said, truth, 5, average=None).numpy()
    np.testing.assert_allclose(metrics.recall_per_class(labels, guess, range(5)), recall, 1e-6)
    macro = float(oracle.multiclass_f1_score(said, truth, 5, average="macro"))
    assert metrics.f1(labels, guess) == pytest.approx(macro, abs=1e-6)


def test_a_class_without_items_has_no_recall():
    labels, guess = np.array(["a", "a"]), np.array(["a", "b"])
    recalls = metrics.recall_per_class(labels, guess, ("a", "b"))
    assert recalls[0] == 0.5
    assert np.isnan(recalls[1])
    assert metrics.unweighted_average_recall(labels, guess) == 0.5


def test_within_one_step_follows_the_given_order():
    labels, guess = np.array(["low", "low", "high"]), np.array(["mid", "high", "high"])
    order = ("low", "mid", "high")
    assert metrics.accuracy_within_one(labels, guess, order) == pytest.approx(2 / 3)
    assert metrics.accuracy_within_one(labels, guess, ("mid", "low", "high")) == 1.0
    levels = np.arange(1, 6)
    assert metrics.accuracy_within_one(levels, levels[::-1], range(1, 6)) == pytest.approx(1 / 5)


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(SettingError, match="nothing to measure"):
        metrics.accuracy(np.array([]), np.array([]))
    with pytest.raises(SettingError, match="shape"):
        metrics.accuracy(np.array([1, 2]), np.array([1]))
    with pytest.raises(SettingError, match="do not hold 'z'"):
        metrics.confusion_matrix(np.array(["a"]), np.array(["z"]), ("a", "b"))
    with pytest.raises(SettingError, match="macro or weighted"):
        metrics.f1(np.array([1]), np.array([1]), average="micro")
