"""One network (or logistic regression) trained on one fold, and what it says of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor, nn

from aver.errors import ModelError, TrainingError
from aver.evaluation.metrics import unweighted_average_recall
from aver.models.registry import make_model
from aver.models.sequences import SequenceModel
from aver.training.films_recipe import FilmsRecipeBase, FilmSystem
from aver.training.films_sides import SequenceRows
from aver.training.fit import fit
from aver.training.fit_data import TensorBatches

SEGMENTS = "segments"
_AT_ONCE = 512


@dataclass(frozen=True)
class SegmentCrossEntropy:
    """Mean cross entropy over the segments of a batch that have a level.

    Attributes:
        weights: (classes,) of each class, or None.
    """

    weights: Tensor | None = None

    def __call__(self, module: nn.Module, batch: TensorBatches) -> Tensor:
        """The mean loss of *batch*; 0 if none of its segments has a level."""
        logits = module(batch.streams, batch.masks).logits.float()
        labels = batch.extra[SEGMENTS]
        each = functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), self.weights, ignore_index=-1, reduction="none"
        )
        known = (labels.flatten() >= 0).float()
        if self.weights is not None:
            known = known * self.weights.to(logits.device)[labels.flatten().clamp(min=0)]
        return each.sum() / known.sum().clamp(min=1e-9)


@dataclass(eq=False)
class Fitted:
    """What one candidate came to.

    Attributes:
        recall: unweighted average recall of the validation segments.
        loss: their mean cross entropy.
        scores: (test sequences, T, classes) probabilities.
        epoch: whose weights these are; 0 without epochs.
        seconds: of training.
        network: the trained one, or None.
    """

    recall: float
    loss: float
    scores: NDArray[np.float64]
    epoch: int = 0
    seconds: float = 0.0
    network: SequenceModel | None = None


def batches_of(rows: SequenceRows) -> TensorBatches:
    """Rows as the training engine takes them: those with a level, their levels in ``extra``."""
    kept = np.flatnonzero((rows.labels >= 0).any(axis=1))
    labels = torch.from_numpy(rows.labels[kept])
    return TensorBatches(
        {name: torch.from_numpy(values[kept]) for name, values in rows.streams.items()},
        {name: torch.from_numpy(mask[kept]) for name, mask in rows.masks.items()},
        labels.max(dim=1).values,
        {SEGMENTS: labels},
    )


def class_weights(labels: NDArray[np.int64], how: str, classes: int) -> Tensor | None:
    """Weights of the classes: none, or ``balanced`` by the segments' levels; none is infinite."""
    if how == "none":
        return None
    counts = np.bincount(labels[labels >= 0], minlength=classes).astype(np.float64)
    there = counts > 0
    weights = np.where(there, counts.sum() / (there.sum() * np.maximum(counts, 1)), 0.0)
    return torch.tensor(weights, dtype=torch.float32)


def build(
    recipe: FilmsRecipeBase,
    system: FilmSystem,
    dimensions: Mapping[str, int],
    width: int,
    seed: int,
) -> SequenceModel:
    """The system's network with random weights.

    Raises:
        ModelError: if it labels no windows, or its settings do not fit.
    """
    torch.manual_seed(seed)
    names = recipe.streams_of(system)
    network = make_model(
        system.model,
        recipe.model_settings(system, width),
        {name: dimensions[name] for name in names},
        dict.fromkeys(names, recipe.time),
        len(recipe.levels),
    )
    if not isinstance(network, SequenceModel):
        raise ModelError(
            system.model, "labels whole clips, not their windows", "Use asmt or another for films"
        )
    return network


def train(
    recipe: FilmsRecipeBase,
    system: FilmSystem,
    train_rows: SequenceRows,
    validation: SequenceRows,
    test: SequenceRows,
    rate: float,
    width: int,
    seed: int,
) -> Fitted:
    """Train one candidate, and let it label the test segments.

    Raises:
        TrainingError: if no validation segment has a level, or the loss is not finite.
    """
    if not (validation.labels >= 0).any():
        raise TrainingError(
            system.name, "no validation segment has a level", "Set validation_share higher"
        )
    dimensions = {name: values.shape[2] for name, values in train_rows.streams.items()}
    network = build(recipe, system, dimensions, width, seed)
    rows = batches_of(train_rows)
    weights = class_weights(train_rows.labels, recipe.training.class_weights, len(recipe.levels))
    settings = recipe.training.model_copy(update={"learning_rate": rate})
    result = fit(
        network, SegmentCrossEntropy(weights), rows, batches_of(validation), settings, seed
    )
    scores = probabilities(network, validation)
    return Fitted(
        *judged(scores, validation.labels),
        probabilities(network, test),
        result.best_epoch,
        result.seconds,
        network,
    )


def logistic_regression(
    train_rows: SequenceRows,
    validation: SequenceRows,
    test: SequenceRows,
    classes: int,
    penalty: float,
    weights: str,
) -> Fitted:
    """Multinomial logistic regression of single segments, all streams side by side."""
    from sklearn.linear_model import LogisticRegression

    x, labels = _flat(train_rows), train_rows.labels.reshape(-1)
    # Sequences that overlap hold a segment several times; here each counts once.
    _, once = np.unique(train_rows.places.reshape(-1, 2), axis=0, return_index=True)
    once = once[labels[once] >= 0]
    model = LogisticRegression(
        C=penalty, max_iter=500, class_weight="balanced" if weights == "balanced" else None
    ).fit(x[once], labels[once])

    def scores(rows: SequenceRows) -> NDArray[np.float64]:
        found = np.zeros((rows.labels.size, classes))
        found[:, model.classes_] = model.predict_proba(_flat(rows))
        return found.reshape(*rows.labels.shape, classes)

    return Fitted(*judged(scores(validation), validation.labels), scores(test))


def majority(
    train_rows: SequenceRows, validation: SequenceRows, test: SequenceRows, classes: int
) -> Fitted:
    """The shares of the levels among the training segments, for every segment."""
    labels = train_rows.labels.reshape(-1)
    _, once = np.unique(train_rows.places.reshape(-1, 2), axis=0, return_index=True)
    once = once[labels[once] >= 0]
    shares = np.bincount(labels[once], minlength=classes) / len(once)
    scores = [np.broadcast_to(shares, (*r.labels.shape, classes)) for r in (validation, test)]
    return Fitted(*judged(scores[0], validation.labels), np.array(scores[1]))


def _flat(rows: SequenceRows) -> NDArray[np.float32]:
    return np.concatenate(
        [values.reshape(-1, values.shape[2]) for values in rows.streams.values()], axis=1
    )


@torch.no_grad()
def probabilities(network: nn.Module, rows: SequenceRows) -> NDArray[np.float64]:
    """(sequences, T, classes) probabilities."""
    network.eval()
    parts = []
    for at in range(0, len(rows), _AT_ONCE):
        part = slice(at, at + _AT_ONCE)
        output: Any = network(
            {name: torch.from_numpy(values[part]) for name, values in rows.streams.items()},
            {name: torch.from_numpy(mask[part]) for name, mask in rows.masks.items()},
        )
        parts.append(output.logits.double().softmax(dim=2).numpy())
    return np.concatenate(parts)


def judged(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Unweighted average recall and mean cross entropy of the segments that have a level."""
    known = labels >= 0
    given, true = scores[known], labels[known]
    loss = -np.log(np.maximum(given[np.arange(len(true)), true], 1e-12)).mean()
    return unweighted_average_recall(true, given.argmax(axis=1)), float(loss)
