"""From stored predictions to figures: for the terminal, and as rows of a table in ``results/``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import PredictionsError, SettingError
from aver.evaluation.calibration import expected_calibration_error
from aver.evaluation.intervals import Metric, bootstrap_metric
from aver.evaluation.metrics import accuracy, f1, unweighted_average_recall
from aver.evaluation.predictions import Predictions
from aver.evaluation.results import Result

BOOTSTRAP_DRAWS = 1000
GROUPS = ("subject", "fold", "label")


@dataclass(frozen=True)
class Figure:
    """A metric's value with its interval over subjects (NaN where there is one subject only)."""

    metric: str
    value: float
    low: float = float("nan")
    high: float = float("nan")


def mean_over_folds(labels: Any, predicted: Any, folds: NDArray[Any]) -> float:
    """Mean of the folds' accuracies, each fold alike however many items it has."""
    _, where = np.unique(folds, return_inverse=True)
    return float((np.bincount(where, labels == predicted) / np.bincount(where)).mean())


def figures(
    predictions: Predictions,
    *,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
    only: Collection[str] = (),
) -> list[Figure]:
    """Every metric of *predictions* with a 95 % interval by bootstrap over subjects.

    In this order: accuracy, accuracy_mean_of_folds (with two or more folds),
    unweighted_average_recall, f1_macro, f1_weighted, expected_calibration_error, and
    ``recall_<class>`` for each class that occurs. The calibration error has no interval: people
    drawn twice make its bins rougher, so every draw lies above the figure itself.

    Args:
        predictions: of one system.
        draws: bootstrap samples; 0 leaves the intervals out.
        seed: of the draws.
        only: names of the metrics wanted; all if empty.
    """
    # Class numbers in place of names: comparing strings a thousand times is most of the work.
    labels, predicted = predictions.numbers(), predictions.decided_numbers()
    scores = np.log(np.maximum(predictions.scores, 1e-12))
    both = (labels, predicted)
    metrics: list[tuple[str, Metric, tuple[NDArray[Any], ...]]] = [("accuracy", accuracy, both)]
    if len(predictions.folds) > 1:
        folds = np.unique(predictions.fold, return_inverse=True)[1]
        metrics.append(("accuracy_mean_of_folds", mean_over_folds, (*both, folds)))
    metrics += [
        ("unweighted_average_recall", unweighted_average_recall, both),
        ("f1_macro", f1, both),
        ("f1_weighted", partial(f1, average="weighted"), both),
        ("expected_calibration_error", expected_calibration_error, (scores, labels)),
    ]
    found = [
        _figure(name, metric, arrays, predictions, draws, seed)
        for name, metric, arrays in metrics
        if not only or name in only
    ]
    for name in predictions.classes:
        rows = predictions.label == name
        if rows.any() and (not only or f"recall_{name}" in only):
            part = predictions.select(rows)
            own = (part.numbers(), part.decided_numbers())
            found.append(_figure(f"recall_{name}", accuracy, own, part, draws, seed))
    return found


def _figure(
    name: str, metric: Any, arrays: tuple[Any, ...], of: Predictions, draws: int, seed: int
) -> Figure:
    value = metric(*arrays)
    if not draws or len(np.unique(of.subject)) < 2 or name == "expected_calibration_error":
        return Figure(name, value)
    return Figure(
        name, value, *bootstrap_metric(metric, arrays, of.subject, draws=draws, seed=seed)
    )


def by_group(predictions: Predictions, column: str) -> dict[str, list[Figure]]:
    """Accuracy, unweighted average recall and F1 of each value of *column*, without intervals.

    Raises:
        SettingError: for a column other than subject, fold or label.
    """
    if column not in GROUPS:
        raise SettingError("by", f"is '{column}'", f"Use {', '.join(GROUPS)}")
    values = getattr(predictions, column)
    wanted = ("accuracy", "unweighted_average_recall", "f1_macro")
    return {
        str(value): [*figures(predictions.select(values == value), draws=0, only=wanted)]
        for value in sorted(set(values.tolist()), key=_natural)
    }


def _natural(name: str) -> tuple[bool, int, str]:
    """Numbers in their own order, before words."""
    return not name.isdecimal(), int(name) if name.isdecimal() else 0, name


def summarise(
    predictions: Predictions,
    *,
    experiment: str = "",
    data: str = "",
    protocol: str = "",
    command: str = "",
    seed: int | str = "",
    paper: Mapping[str, float] | None = None,
    aim: Mapping[str, float] | None = None,
    metrics: tuple[str, ...] = ("accuracy", "accuracy_mean_of_folds", "unweighted_average_recall"),
    draws: int = BOOTSTRAP_DRAWS,
) -> list[Result]:
    """Rows for a table in ``results/``, ready for :func:`aver.evaluation.results.record`.

    Args:
        predictions: of one system over all its folds.
        experiment: name of the row; the system's if empty.
        data: what it was measured on.
        protocol: split and selection rule.
        command: the command that made it, beginning with ``aver`` or ``python``.
        seed: of the run.
        paper: published figures by metric.
        aim: aims by metric.
        metrics: those to keep; one that cannot be had (folds of one fold) is left out.
        draws: bootstrap samples.
    """
    known = figures(predictions, draws=draws, only=metrics)
    unknown = set(metrics) - {f.metric for f in known} - {"accuracy_mean_of_folds"}
    if unknown:
        raise PredictionsError(predictions.system, f"have no figure '{sorted(unknown)[0]}'")
    return [
        Result(
            experiment=experiment or predictions.system,
            metric=f.metric,
            value=round(f.value, 4),
            low="" if np.isnan(f.low) else round(f.low, 4),
            high="" if np.isnan(f.high) else round(f.high, 4),
            aim=(aim or {}).get(f.metric, ""),
            paper=(paper or {}).get(f.metric, ""),
            data=data,
            protocol=protocol,
            command=command,
            seed=seed,
            data_sha256=predictions.data_sha256,
        )
        for f in known
    ]
