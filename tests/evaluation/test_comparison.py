"""Comparing two systems: same items required, tests that fit, a verdict in plain words."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from predictions_made import make_predictions

from aver.errors import PredictionsError
from aver.evaluation import comparison
from aver.evaluation.comparison import pair

pytest.importorskip("scipy")
compare = partial(comparison.compare, draws=60)


def test_items_are_brought_to_one_order():
    first, second = make_predictions(), make_predictions(seed=1)
    shuffled = second.select(np.random.default_rng(0).permutation(len(second)))
    paired = pair(first, shuffled)
    assert paired.item.tolist() == first.item.tolist()
    assert (paired.decided() == second.decided()).all()
    assert compare(first, shuffled) == compare(first, second)


def test_another_order_of_classes_changes_nothing():
    first, second = make_predictions(), make_predictions(seed=1)
    other = make_predictions(
        classes=second.classes[::-1], scores=second.scores[:, ::-1], predicted=second.decided()
    )
    found, expected = compare(first, other), compare(first, second)
    assert found.differences == expected.differences
    assert found.tests == expected.tests


def test_a_system_and_itself():
    found = compare(make_predictions(), make_predictions(system="twin"))
    assert [t.p for t in found.tests] == [1.0, 1.0, 1.0]
    assert [t.name for t in found.tests] == ["McNemar", "Wilcoxon", "corrected t"]
    assert found.differences[0].value == 0
    assert (found.differences[0].low, found.differences[0].high) == (0.0, 0.0)
    assert found.verdict == "model and twin are right equally often."


def test_a_clear_difference_is_said_whichever_comes_first():
    good = make_predictions(subjects=12, each=30, right=0.95, system="good")
    bad = make_predictions(seed=1, subjects=12, each=30, right=0.4, system="bad")
    for found in (compare(good, bad), compare(bad, good)):
        assert found.verdict.startswith("good is right on ")
        assert "than bad" in found.verdict
        assert "more than chance" in found.verdict
    difference = compare(bad, good).differences[0]
    assert difference.high < 0
    assert difference.value == pytest.approx(difference.first - difference.second)
    assert difference.low <= difference.value <= difference.high


def test_a_difference_by_chance_is_called_that():
    found = compare(make_predictions(), make_predictions(seed=4, system="other"))
    assert "can well be chance" in found.verdict


def test_evidence_that_does_not_agree_is_mixed():
    # One person alone makes the difference: many items, one subject of twelve, one fold of three.
    labels = make_predictions(subjects=12, each=30).label
    first = make_predictions(subjects=12, each=30, predicted=labels, system="a")
    wrong = labels.copy()
    wrong[:30] = np.roll(labels[:30], 1)
    second = make_predictions(subjects=12, each=30, predicted=wrong, system="b")
    found = compare(first, second)
    assert found.tests[0].p < 1e-6
    assert found.tests[1].p == 1.0
    assert "mixed" in found.verdict
    assert "show a difference: McNemar." in found.verdict


def test_the_share_of_the_corrected_t_is_that_of_the_folds():
    found = compare(make_predictions(), make_predictions(seed=1))
    assert found.tests[2].note == "test to train 0.5"  # three folds: one tested, two trained on


def test_one_fold_and_one_subject_are_said():
    one = {"fold": ["0"] * 72, "subject": ["01"] * 72}
    found = compare(make_predictions(**one), make_predictions(seed=1, **one))
    assert [t.name for t in found.tests] == ["McNemar"]
    assert any("one subject" in note for note in found.notes)
    assert any("one fold only" in note for note in found.notes)
    assert np.isnan(found.differences[0].low)


def test_too_few_subjects_for_a_test_are_said():
    few = {"subjects": 5, "each": 30}
    found = compare(make_predictions(**few, right=0.9), make_predictions(**few, seed=1, right=0.2))
    assert [t.name for t in found.tests] == ["McNemar", "corrected t"]
    assert any("5 subjects are too few" in note for note in found.notes)
    assert not np.isnan(found.differences[0].low)


def test_repeated_splits_are_said():
    # Two folds of 36 items each, of 48 in all: 36 tested, 12 left to learn from.
    items = [f"c{n}" for n in range(36)] + [f"c{n}" for n in range(12, 48)]
    twice = {"item": items, "fold": ["0"] * 36 + ["1"] * 36}
    found = compare(make_predictions(**twice), make_predictions(seed=1, **twice))
    assert any("several folds" in note for note in found.notes)
    assert found.tests[2].note == "test to train 3"
    all_twice = {**twice, "item": [f"c{n % 36}" for n in range(72)]}
    found = compare(make_predictions(**all_twice), make_predictions(seed=1, **all_twice))
    assert any("learnt from none" in note for note in found.notes)


def changed(column, **new):
    values = getattr(make_predictions(), column).copy()
    values[0] = new["to"]
    return {column: values}


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (make_predictions(system="b").select(np.arange(70)), r"2 are missing in b \(clip070, clip"),
        (
            make_predictions(system="b").select(np.arange(9)),
            r"63 are missing in b .*clip011, \.\.\.",
        ),
        (make_predictions(system="b", subjects=7), r"12 are missing in model \(clip072"),
        (make_predictions(system="b", folds=2), "the folds they were tested in are not"),
        (
            make_predictions(system="b", **changed("label", to="happy")),
            "label of clip000 is 'happy'",
        ),
        (make_predictions(system="b", **changed("subject", to="99")), "subject of clip000 is '99'"),
        (
            make_predictions(
                system="b",
                classes=("sad", "angry", "glad"),
                label=["sad"] * 72,
            ),
            "other classes than model .only on one side: glad, happy",
        ),
    ],
)
def test_other_items_are_refused(second, words):
    with pytest.raises(PredictionsError, match=words) as error:
        compare(make_predictions(), second)
    assert "\n" not in str(error.value)
