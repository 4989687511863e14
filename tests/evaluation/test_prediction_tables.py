"""Figures and table rows from stored predictions."""

from __future__ import annotations

import numpy as np
import pytest
from predictions_made import CLASSES, make_predictions

from aver.errors import PredictionsError, SettingError
from aver.evaluation.metrics import accuracy, f1, recall_per_class
from aver.evaluation.results import record
from aver.evaluation.tables import by_group, figures, mean_over_folds, summarise


def test_every_figure_is_that_of_its_metric():
    made = make_predictions()
    found = {f.metric: f for f in figures(made, draws=200)}
    labels, decided = made.label, made.decided()
    assert found["accuracy"].value == accuracy(labels, decided)
    assert found["f1_macro"].value == pytest.approx(f1(labels, decided))
    recalls = recall_per_class(labels, decided, CLASSES)
    assert [found[f"recall_{c}"].value for c in CLASSES] == pytest.approx(recalls.tolist())
    assert found["unweighted_average_recall"].value == pytest.approx(recalls.mean())
    error = found.pop("expected_calibration_error")
    assert np.isnan(error.low)
    assert np.isnan(error.high)
    for figure in found.values():
        assert figure.low <= figure.high
    assert found["accuracy"].low < found["accuracy"].value < found["accuracy"].high


def test_folds_count_alike():
    folds = np.array(["a", "a", "a", "b"])
    right = np.array([1, 1, 1, 0])
    assert mean_over_folds(np.ones(4, int), right, folds) == 0.5


def test_calibration_error_is_of_the_scores():
    # 0.9 sure and always right: off by 0.1.
    scores = np.full((72, 3), 0.05)
    scores[np.arange(72), np.arange(72) % 3] = 0.9
    found = {f.metric: f.value for f in figures(make_predictions(scores=scores), draws=0)}
    assert found["expected_calibration_error"] == pytest.approx(0.1)


def test_one_subject_has_no_interval_and_one_fold_no_mean():
    found = figures(make_predictions(subject=["01"] * 72, fold=["0"] * 72))
    assert np.isnan(found[0].low)
    assert "accuracy_mean_of_folds" not in {f.metric for f in found}


def test_a_class_without_items_has_no_row():
    made = make_predictions()
    part = made.select(made.label != "angry")
    assert "recall_angry" not in {f.metric for f in figures(part, draws=0)}


def test_groups_come_in_their_own_order():
    made = make_predictions(subjects=12, subject=[str(n % 12 + 1) for n in range(144)])
    groups = by_group(made, "subject")
    assert list(groups) == [str(n) for n in range(1, 13)]
    own = made.select(made.subject == "10")
    assert groups["10"][0].value == accuracy(own.label, own.decided())
    with pytest.raises(SettingError, match="subject, fold, label"):
        by_group(made, "sex")


def test_rows_go_into_a_table(tmp_path):
    made = make_predictions(system="tiny", data_sha256="ab")
    rows = summarise(
        made,
        command="aver reproduce x",
        paper={"accuracy_mean_of_folds": 0.5},
        aim={"accuracy": 0.6},
        draws=100,
    )
    assert [r.metric for r in rows] == [
        "accuracy",
        "accuracy_mean_of_folds",
        "unweighted_average_recall",
    ]
    assert (rows[1].paper, rows[0].paper, rows[0].aim) == (0.5, "", 0.6)
    assert {r.experiment for r in rows} == {"tiny"}
    assert {r.data_sha256 for r in rows} == {"ab"}
    record(tmp_path / "t.csv", rows)
    assert (tmp_path / "t.csv").read_text("utf-8").count("\n") == 4
    with pytest.raises(PredictionsError, match="no figure 'kappa'"):
        summarise(made, metrics=("kappa",))
