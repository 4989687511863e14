"""Stored predictions with known content, for tests."""

from __future__ import annotations

import numpy as np

from aver.evaluation.predictions import Predictions

CLASSES = ("sad", "angry", "happy")


def make_predictions(*, seed=0, subjects=6, each=12, folds=3, right=0.7, system="model", **changes):
    """Predictions that are right with the probability *right*; labels do not depend on the seed."""
    random = np.random.default_rng(seed)
    items = subjects * each
    numbers = np.arange(items) % len(CLASSES)
    wrong = random.random(items) >= right
    decided = np.where(wrong, (numbers + random.integers(1, 3, items)) % 3, numbers)
    logits = random.normal(0, 0.5, (items, 3))
    logits[np.arange(items), decided] += 3.0
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    person = np.repeat(np.arange(subjects), each)
    columns = {
        "classes": CLASSES,
        "item": [f"clip{n:03d}" for n in range(items)],
        "subject": [f"{p:02d}" for p in person],
        "fold": [str(p % folds) for p in person],
        "label": np.array(CLASSES)[numbers],
        "scores": scores,
        "system": system,
    }
    return Predictions(**{**columns, **changes})
