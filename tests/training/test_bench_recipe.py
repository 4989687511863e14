"""Bench recipes: what is refused, and what the message says."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from training.bench_project import FACE, MATER, STACKED, VOICE, write_recipe

from aver.errors import RecipeError
from aver.training.recipe import load_recipe


def refused(folder, *systems, **changes):
    with pytest.raises(RecipeError) as found:
        load_recipe(write_recipe(folder, *systems, changes=changes.get("changes", {})))
    text = str(found.value)
    assert "\n" not in text
    return text


def test_a_whole_recipe_is_read(tmp_path):
    recipe, _ = load_recipe(write_recipe(tmp_path, FACE, VOICE, MATER, STACKED))
    mater = recipe.system("mater")
    assert mater.settings["layers"] == 1
    assert recipe.streams_of(mater) == ("face", "voice")
    assert recipe.streams_of(recipe.system("stacked")) == ("face", "voice")
    assert recipe.fit_settings(mater).epochs == 3
    assert [s.kind for s in recipe.systems] == [
        "estimator", "estimator", "estimator", "network", "fusion",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('model = "majority"', 'model = "majorety"', "did you mean 'majority'"),
        ("folds = 3", "fold = 3", "unknown key 'split.fold' (did you mean 'folds'"),
        ('scheme = "subjects"', 'scheme = "subject"', "Did you mean 'subjects'"),
        ('extractor = "clip_table"', 'extractor = "clip_tables"', "did you mean 'clip_table'"),
        ('table = "face.csv"', 'tabel = "face.csv"', "did you mean 'table'"),
        ("epochs = 3", "epoch = 3", "did you mean 'epochs'"),
        ("epochs = 3", "epochs = 0", "greater than or equal to 1"),
        ('baseline = "guess"', 'baseline = "gues"', "did you mean 'guess'"),
        ("seeds = [0]", "seeds = [1, 1]", "names one twice"),
        ("[features.face]", "[features.a-b]", "cannot name a stream"),
        ('manifest = "clips.csv"', 'manifest = "c.csv"\ncorpus = "ravdess"', "either a corpus"),
    ],
)
def test_a_wrong_name_or_value(tmp_path, old, new, expected):
    assert expected in refused(tmp_path, changes={old: new})


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        (FACE.replace('"face"]', '"fase"]'), "did you mean 'face'"),
        (MATER + "layer = 2\n", "unknown setting 'layer' (did you mean 'layers'"),
        (MATER + "dropout = 1.5\n", "'dropout'"),
        (MATER + "stream = ['face']\n", "did you mean 'streams'"),
        (MATER + "training = { epoch = 2 }\n", "did you mean 'epochs'"),
        (MATER + "training = { epochs = 0 }\n", "greater than or equal to 1"),
        (MATER + "augment = { noises = 2 }\n", "did you mean 'noise'"),
        (FACE + "regularization = 1.0\n", "did you mean 'regularisation'"),
        (FACE + "training = { epochs = 2 }\n", "takes no training"),
        (FACE + "stream_weights = { voice = 0.3 }\n", "weighs the stream 'voice'"),
        (FACE + FACE, "two systems are called 'face'"),
        (FACE.replace('model = "logistic_regression"\n', ""), "either a model or a fusion"),
        (STACKED, "did you mean"),
        (FACE + STACKED.replace('"voice"', '"stacked"'), "fitted on scores"),
        (FACE + STACKED.replace(', "voice"', ""), "two systems or more"),
        (FACE + STACKED.replace('"stacking"', '"stacing"'), "did you mean 'stacking'"),
        (MATER.replace("76.3", "0.763"), "greater than or equal to 1"),
    ],
)
def test_a_wrong_system(tmp_path, system, expected):
    assert expected in refused(tmp_path, system)


def test_a_stream_with_a_name_that_torch_uses(tmp_path):
    changes = {"[features.voice]": "[features.half]"}
    assert "cannot be called 'half'" in refused(tmp_path, MATER, changes=changes)


def test_a_fusion_of_itself(tmp_path):
    one = '[[systems]]\nname = "one"\nfusion = "mean"\nof = ["two", "face"]\n'
    two = '[[systems]]\nname = "two"\nfusion = "mean"\nof = ["one", "face"]\n'
    assert "fused of itself" in refused(tmp_path, FACE, one, two)
