"""A small film set for the tests of the task ``films``."""

from __future__ import annotations

from typing import Any

import numpy as np

from aver.training.films_data import Film, FilmSet
from aver.training.films_recipe import FilmsRecipe


def recipe(**changes: Any) -> FilmsRecipe:
    """Two systems on two streams, quick to train."""
    table: dict[str, Any] = {
        "task": "films",
        "name": "small",
        "data": {"corpus": "forrest_gump"},
        "targets": [{"name": "arousal", "options": {"dimension": "arousal"}}],
        "features": {
            "descriptors": {"extractor": "forrest_gump_descriptors"},
            "modulation": {"extractor": "forrest_gump_modulation"},
        },
        "time": 3,
        "train_stride": 2,
        "baseline": "majority",
        "search": {"learning_rates": [0.01], "widths": [4], "penalties": [0.01]},
        "training": {
            "epochs": 3,
            "batch": 256,
            "optimiser": "adam",
            "schedule": "constant",
            "warm_up": 0,
            "logger": "none",
            "patience": 2,
            "threads": 1,
        },
        "systems": [
            {"name": "majority", "model": "majority"},
            {"name": "logistic_regression", "model": "logistic_regression"},
            {
                "name": "asmt",
                "model": "asmt",
                "settings": {
                    "variant": "asmt",
                    "descriptors": "descriptors",
                    "saliency": "modulation",
                    "saliency_width": 3,
                },
                "width_settings": ["width", "feed_forward"],
            },
        ],
    }
    return FilmsRecipe.model_validate(table | changes)


def film(name: str, segments: int, seed: int = 0, width: int = 2) -> Film:
    """A film whose level follows its first feature."""
    random = np.random.default_rng([seed, segments])
    values = random.normal(size=(segments, width)).astype(np.float32)
    labels = np.digitize(values[:, 0], [-0.4, 0.4]).astype(np.int64)
    return Film(
        name,
        {"descriptors": values, "modulation": values[:, :1]},
        {"descriptors": np.ones(segments, bool), "modulation": np.ones(segments, bool)},
        labels,
        values[:, 0].astype(np.float64),
    )


def film_set(*films: Film) -> FilmSet:
    """Films with the labels of the recipe's target."""
    names: dict[str, tuple[str, ...] | None] = {"descriptors": None, "modulation": None}
    identity = dict.fromkeys(names, "made up")
    return FilmSet(recipe().targets[0], films, names, identity, "0" * 64)
