"""The bench on real features of real people."""

from __future__ import annotations

import pandas as pd
import pytest

pytest.importorskip("torch")

from aver.corpora.ravdess import parse_name, recording_of
from aver.evaluation.metrics import accuracy
from aver.training.bench_run import reproduce
from aver.training.recipe import load_recipe

pytestmark = pytest.mark.usefixtures("few_draws")

ACTION_UNITS = """
task = "bench"
name = "action_units"
[data]
manifest = "clips.csv"
[split]
scheme = "ravdess_12_pairs"
[features.action_units]
extractor = "clip_table"
table = "ravdess_av/action_units_mean.csv"
[[systems]]
name = "logistic"
model = "logistic_regression"
"""

ENJOYMENT = """
task = "bench"
name = "enjoyment_small"
[data]
corpus = "enjoyment"
ordered = true
[split]
scheme = "subjects"
folds = 5
[features.prosody]
extractor = "clip_table"
table = "enjoyment/prosody.csv"
match = "recording"
[[systems]]
name = "majority"
model = "majority"
"""


def run(text, folder, data, **options):
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    recipe, _ = load_recipe(path)
    return reproduce(recipe, data, folder / "out", tell=lambda _: None, **options)


def test_action_units_of_ravdess_in_twelve_folds(shared, tmp_path):
    """Published models of these clips' action units reach 60 to 62 % in five folds."""
    (tmp_path / "ravdess_av").symlink_to(shared / "data" / "ravdess_av")
    names = pd.read_csv(shared / "data" / "ravdess_av" / "action_units_mean.csv")["clip"]
    takes = [parse_name(name) for name in names]
    frame = pd.DataFrame(
        {
            "file": names + ".mp4",
            "subject": [f"{take.actor:02d}" for take in takes],
            "label": [take.emotion for take in takes],
            "recording": [recording_of(name) for name in names],
        }
    )
    frame[["start", "end", "intensity", "group", "source_label"]] = ""
    frame.to_csv(tmp_path / "clips.csv", index=False)
    found = run(ACTION_UNITS, tmp_path, tmp_path)["logistic"]
    assert len(found) == 1437
    assert len(found.folds) == 12
    for fold in found.folds:
        tested = {int(who.rpartition("/")[2]) for who in found.subject[found.fold == fold]}
        assert len(tested) == 2
        assert sum(actor % 2 for actor in tested) == 1  # a man and a woman
    assert 0.56 < accuracy(found.label, found.decided()) < 0.63


def test_majority_of_the_enjoyment_ratings(shared, tmp_path):
    """296 of the 590 turns are rated 3, and it is the most frequent rating of every fold."""
    (tmp_path / "enjoyment").symlink_to(shared / "data" / "enjoyment")
    found = run(ENJOYMENT, tmp_path, tmp_path)["majority"]
    assert found.classes == ("1", "2", "3", "4", "5")
    assert accuracy(found.label, found.decided()) == 296 / 590
    assert len(set(found.subject)) == 25
    table = pd.read_csv(tmp_path / "out" / "enjoyment_small" / "enjoyment_small.csv")
    figures = table.set_index("metric")["value"]
    # 87 + 296 + 184 turns are rated 2, 3 or 4.
    assert figures["accuracy_within_one"] == pytest.approx(567 / 590, abs=5e-5)
    assert figures["balanced_accuracy"] == pytest.approx(0.2)
