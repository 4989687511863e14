"""The table of a bench recipe."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

from training.bench_project import FACE, VOICE, make_project, write_recipe

from aver.evaluation.metrics import accuracy
from aver.evaluation.predictions import read_predictions
from aver.training import bench_table
from aver.training.bench_run import reproduce
from aver.training.recipe import load_recipe

COMMAND = "aver reproduce recipes/tiny.toml --data DATA --out OUT"

pytestmark = pytest.mark.usefixtures("few_draws")


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "data")


def table_of(project, *systems, **changes):
    recipe, _ = load_recipe(write_recipe(project, *systems, **changes))
    reproduce(
        recipe, project, project / "out", results=project / "results", command=COMMAND,
        tell=lambda _: None,
    )  # fmt: skip
    table = pd.read_csv(project / "results" / "tiny.csv").set_index(["experiment", "metric"])
    return table.sort_index()


def test_every_figure_of_the_issue(project):
    table = table_of(project, FACE + "paper = 76.3\naim = 84\n", VOICE)
    row = table.loc[("tiny/face", "accuracy_mean_of_folds")]
    predictions = read_predictions(project / "out" / "tiny" / "face" / "predictions.parquet")
    folds = [
        accuracy(
            predictions.label[predictions.fold == f], predictions.decided()[predictions.fold == f]
        )
        for f in predictions.folds
    ]
    assert row["value"] == pytest.approx(np.mean(folds), abs=5e-5)
    assert (row["paper"], row["aim"]) == (0.763, 0.84)
    assert row["low"] < row["value"] < row["high"]
    assert row["command"] == COMMAND
    assert len(row["data_sha256"]) == 64
    assert "aver" in row["versions"]
    assert row["date"]
    assert "no per-person calibration" in row["protocol"]
    assert "nobody on both sides" in row["protocol"]
    metrics = set(table.loc["tiny/face"].index)
    assert {
        "accuracy", "unweighted_average_recall", "expected_calibration_error", "recall_calm",
        "recall_happy", "recall_sad",
    } <= metrics  # fmt: skip
    assert "accuracy_within_one" not in metrics


def test_paired_tests_against_the_baseline(project):
    table = table_of(project, FACE)
    tests = table.loc["tiny/face against guess"]
    accuracies = [table.loc[(f"tiny/{n}", "accuracy"), "value"] for n in ("face", "guess")]
    found = tests.loc["difference_of_accuracy", "value"]
    assert found == pytest.approx(accuracies[0] - accuracies[1], abs=2e-4)
    assert {"p_mcnemar", "p_wilcoxon", "p_corrected_t"} <= set(tests.index)
    assert tests.loc["p_mcnemar", "value"] < 0.01


def test_several_seeds_have_their_mean(project):
    boosted = '[[systems]]\nname = "boosted"\nmodel = "gradient_boosting"\nfeatures_share = 0.3\n'
    table = table_of(project, boosted, seeds="0, 1")
    home = project / "out" / "tiny" / "boosted"
    each = [
        read_predictions(home / name)
        for name in ("predictions.parquet", "predictions_seed_1.parquet")
    ]
    right = [(p.decided() == p.label).mean() for p in each]
    row = table.loc[("tiny/boosted", "accuracy")]
    assert row["value"] == pytest.approx(np.mean(right), abs=5e-5)
    assert row["seed"] == "0 1"
    assert "mean of 2 seeds" in row["protocol"]
    assert ("tiny/boosted", "accuracy_mean_of_folds_spread_over_seeds") in table.index


def test_ordered_classes_may_be_one_off(project):
    order = 'manifest = "clips.csv"\nordered = true\nclasses = ["calm", "happy", "sad"]'
    table = table_of(project, FACE, changes={'manifest = "clips.csv"': order})
    figures = table.loc["tiny/face"]["value"]
    assert figures["accuracy_within_one"] > figures["accuracy"]
    assert figures["balanced_accuracy"] == figures["unweighted_average_recall"]


def test_a_leak_is_told_with_its_reason(project):
    changes = {
        'scheme = "subjects"\nfolds = 3':
        'scheme = "random_50_50"\nallow_leak = "the way of an older paper"'
    }  # fmt: skip
    table = table_of(project, FACE, changes=changes)
    protocol = table.loc[("tiny/face", "accuracy"), "protocol"]
    assert "LEAKS: " in protocol
    assert "the way of an older paper" in protocol
    # One fold: there is no mean of folds.
    assert ("tiny/face", "accuracy_mean_of_folds") not in table.index


def test_the_confusions_are_drawn(project, monkeypatch):
    monkeypatch.setattr("aver.training.bench_run.draw", bench_table.draw)
    table_of(project, FACE)
    picture = project / "out" / "tiny" / "face" / "confusion.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
