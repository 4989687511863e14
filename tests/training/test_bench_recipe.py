"""Bench recipes: what is refused, and what the message says."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

pytest.importorskip("torch")

from training.bench_project import FACE, MATER, STACKED, VOICE, write_recipe

from aver.errors import RecipeError
from aver.training.recipe import load_recipe

RECIPES = sorted(
    path
    for path in (Path(__file__).resolve().parents[2] / "recipes").glob("*.toml")
    if tomllib.loads(path.read_text(encoding="utf-8"))["task"] == "bench"
)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_projects_own_recipes(path):
    """They can be read, are named as their files are, and hold nobody on both sides."""
    recipe, _ = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.description
    assert not recipe.split.allow_leak
    assert recipe.baseline
    assert recipe.system(recipe.train).kind == "network"


def test_papers_figures_stand_in_the_recipes():
    """Tables 1 and 3 of Ghaleb et al. 2020."""
    by_name = {path.stem: load_recipe(path)[0] for path in RECIPES}
    for name, windows, audio_visual, audio in (
        ("mater_ravdess_paper", (8, 16), (76.3, 70.6, 75.2, 69.4, 74.4, 66.2), (59.2, 60.7)),
        ("mater_crema_d", (6, 12), (67.2, 64.4, 65.0, 61.8, 66.4, 58.3), (57.5, 56.0)),
    ):
        recipe, (few, many) = by_name[name], windows
        neither = "_no_positions_no_attention"
        expected = dict(
            zip(
                (f"mater_{few}", f"mater_{few}_no_attention", f"mater_{few}_no_positions",
                 f"mater_{few}{neither}", f"mater_{many}", f"mater_{many}{neither}"),
                audio_visual,
                strict=True,
            )
        )  # fmt: skip
        expected |= {f"voice_mater_{few}": audio[0], f"voice_mater_{few}{neither}": audio[1]}
        for system, figure in expected.items():
            found = recipe.system(system)
            assert found.paper == figure
            assert found.settings.get("attention", True) == ("no_attention" not in system)
            assert found.settings.get("positional_encoding", True) == ("no_positions" not in system)


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
