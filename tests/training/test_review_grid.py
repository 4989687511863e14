"""The review's parts in a bench recipe: the grid's own recipe, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

pytest.importorskip("torch")

from training.bench_project import make_project, write_recipe

from aver.errors import AverError, RecipeError
from aver.models.attention_stages import Attention
from aver.models.av_attention import Fusion, Head
from aver.models.branches import branch_names
from aver.training.bench_run import reproduce
from aver.training.recipe import load_recipe

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "review_grid.toml"
PICTURES = {"frame_cnn", "cnn_recurrent", "cnn_3d", "optical_flow"}

SYSTEM = """[[systems]]
name = "both"
model = "av_attention"
branch = { voice = "mfcc", face = "action_units" }
width = 8
channels = []
heads = 2
prediction_hidden = 8
training = { epochs = 25 }
"""


def test_the_grid_has_a_row_for_every_part_that_is_named():
    recipe, _ = load_recipe(RECIPE)
    settings = [system.settings for system in recipe.systems]

    def used(key, default):
        return {one.get(key, default) for one in settings}

    assert used("fused_by", "early") == set(get_args(Fusion))
    assert used("attention", "none") == set(get_args(Attention))
    assert used("head", "flatten") == set(get_args(Head))
    branches = {name for one in settings for name in one["branch"].values()}
    # No video of RAVDESS is here: the recipe says so where a reader of it will look.
    assert branches == set(branch_names()) - PICTURES - {"projection"}
    assert "have no row" in RECIPE.read_text("utf-8")


def test_each_row_changes_one_thing():
    """But for the pairs, which are called so."""
    recipe, _ = load_recipe(RECIPE)
    base = recipe.system("base")
    for system in recipe.systems:
        differs = {
            key
            for key in {*base.settings, *system.settings}
            if base.settings.get(key) != system.settings.get(key)
        }
        if system.name.startswith(("fusion.", "attention.", "head.")):
            assert system.streams == base.streams
            assert differs == {system.name.split(".")[0].replace("fusion", "fused_by")}
        elif system.name.startswith(("sound.", "picture.")):
            assert len(system.streams) == 1
            assert not differs & {"fused_by", "attention", "head"}


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "data")


def test_it_learns_in_the_bench(project):
    recipe, _ = load_recipe(write_recipe(project, SYSTEM + 'fused_by = "attention"\n'))
    found = reproduce(recipe, project, project / "out", tell=lambda _: None)
    right = (found["both"].decided() == found["both"].label).mean()
    assert right > 0.6


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('attention = "temporel"', "did you mean 'temporal'"),
        ('head = "flaten"', "did you mean 'flatten'"),
        ('fused_by = "decision_means"', "did you mean 'decision_mean'"),
        ('fusion = "early"', "how one model fuses its streams is 'fused_by'"),
        ("reductions = 2", "unknown setting 'reductions' (did you mean 'reduction'"),
    ],
)
def test_a_wrong_name_in_a_recipe(tmp_path, line, expected):
    with pytest.raises(RecipeError) as found:
        load_recipe(write_recipe(tmp_path, SYSTEM + line + "\n"))
    assert expected in str(found.value)
    assert "\n" not in str(found.value)


def test_a_wrong_branch_in_a_recipe(tmp_path):
    with pytest.raises(RecipeError) as found:
        load_recipe(write_recipe(tmp_path, SYSTEM.replace('"mfcc"', '"mfccs"')))
    assert "stream 'voice': there is no branch 'mfccs'; did you mean 'mfcc'?" in str(found.value)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('voice = "mfcc"', 'voice = "frame_cnn"', "stream 'voice', branch 'frame_cnn': is 2 wide"),
        ('"mfcc"', '"log_mel"', "is 2 wide, which pictures of 1 x 64 do not fill"),
        ("heads = 2", 'heads = 3\nattention = "cross"', "does not divide into 3 heads"),
        ('face = "action', 'faces = "action', "stream 'faces', which is not read; did you mean"),
    ],
)
def test_what_does_not_fit_costs_that_system_alone(project, old, new, expected):
    recipe, _ = load_recipe(write_recipe(project, SYSTEM.replace(old, new)))
    lines = []
    with pytest.raises(AverError, match="1 of 2 systems failed \\(both\\)"):
        reproduce(recipe, project, project / "out", tell=lines.append)
    told = next(line for line in lines if line.startswith("both: "))
    assert expected in told
    assert "\n" not in told
    assert (project / "out" / "tiny" / "guess" / "predictions.parquet").exists()
