"""Where the training population lies, and what calibration on strangers' voices is measured by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from aver.errors import CorpusError  # noqa: E402
from aver.training.population import PopulationRecipe, voice_population  # noqa: E402
from aver.training.recipe import load_recipe  # noqa: E402
from aver.training.sequences import Sequences  # noqa: E402
from aver.training.voice_calibration import VoiceCalibrationRecipe, _Right  # noqa: E402

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def voices(values, subjects):
    values = np.array(values, np.float32)
    mask = ~np.isnan(values[..., 0])
    return Sequences(
        np.nan_to_num(values), mask, np.zeros(len(values), np.int64), np.array(subjects)
    )


def test_every_corpus_counts_the_same_and_spread_is_within_people():
    nothing = np.nan
    found = voice_population(
        voices(
            [
                [[0.0], [2.0]],
                [[0.0], [2.0]],
                [[9.0], [11.0]],
                [[4.0], [nothing]],
                [[8.0], [nothing]],
            ],
            ["big/a", "big/a", "big/b", "small/c", "small/d"],
        )
    )
    # big: mean (0+2+0+2+9+11)/6 = 4, each person spreads by 1; small: mean 6, one window each.
    assert found.mean.tolist() == [5.0]
    assert found.spread == pytest.approx([np.sqrt((1 + 0) / 2)])
    assert found.windows == 8


def test_shares_of_right_answers():
    right = _Right(4)
    right.add("none_1", np.array([0, 1]), np.array([True, False]))
    right.add("none_1", np.array([1, 3]), np.array([True, True]))
    np.testing.assert_array_equal(right.share("none_1"), [1.0, 0.5, np.nan, 1.0])


def test_the_recipes_are_read_and_say_what_is_missing(tmp_path):
    recipe, _ = load_recipe(RECIPES / "population.toml")
    assert isinstance(recipe, PopulationRecipe)
    recipe, run = load_recipe(RECIPES / "voice_calibration.toml")
    assert isinstance(recipe, VoiceCalibrationRecipe)
    with pytest.raises(CorpusError, match="ravdess"):
        run(recipe, tmp_path, tmp_path)
