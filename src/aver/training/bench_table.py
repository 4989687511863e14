"""From the predictions of a bench recipe to the rows of its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from aver.errors import AverError
from aver.evaluation.comparison import compare
from aver.evaluation.confusion import draw_confusion
from aver.evaluation.intervals import bootstrap_metric
from aver.evaluation.metrics import accuracy_within_one, confusion_matrix, unweighted_average_recall
from aver.evaluation.predictions import Predictions
from aver.evaluation.results import Result
from aver.evaluation.tables import Figure, figures
from aver.training.bench_data import BenchRows
from aver.training.bench_recipe import BenchRecipe
from aver.training.bench_system import System

DRAWS = 1000
"""Bootstrap samples of every interval."""
PACKAGES = ("torch", "lightning", "scikit-learn", "numpy")


def system_rows(
    recipe: BenchRecipe, data: BenchRows, system: System, seeds: Sequence[Predictions], command: str
) -> list[Result]:
    """Rows of one system: the mean over seeds of every figure, and of its interval's ends.

    Args:
        recipe: the recipe.
        data: its rows.
        system: which one.
        seeds: its predictions over all folds, one for each seed of the recipe.
        command: what makes this table.
    """
    each = [_figures(recipe, predictions) for predictions in seeds]
    main = "accuracy_mean_of_folds" if len(data.split.folds) > 1 else "accuracy"
    common: dict[str, Any] = {
        "experiment": f"{recipe.name}/{system.name}",
        "data": describe_data(recipe, data),
        "protocol": describe_protocol(recipe, data, system),
        "command": command,
        "seed": " ".join(str(seed) for seed in recipe.seeds),
        "data_sha256": data.data_sha256,
    }
    rows = []
    for same in zip(*each, strict=True):
        values = np.array([(f.value, f.low, f.high) for f in same]).mean(axis=0)
        value, low, high = ("" if np.isnan(v) else round(float(v), 4) for v in values)
        row = Result(metric=same[0].metric, value=value, low=low, high=high, **common)
        if row.metric == main:
            row = replace(row, paper=_share(system.paper), aim=_share(system.aim))
        rows.append(row)
    if len(seeds) > 1:
        spread = float(np.std([dict(_named(f))[main] for f in each], ddof=1))
        rows.append(Result(metric=f"{main}_spread_over_seeds", value=round(spread, 4), **common))
    return rows


def _named(found: Sequence[Figure]) -> list[tuple[str, float]]:
    return [(figure.metric, figure.value) for figure in found]


def _share(percent: float | None) -> float | str:
    return "" if percent is None else round(percent / 100, 6)


def _figures(recipe: BenchRecipe, predictions: Predictions) -> list[Figure]:
    found = figures(predictions, draws=DRAWS)
    if not recipe.data.ordered:
        return found
    labels, predicted = predictions.numbers(), predictions.decided_numbers()
    steps = range(len(predictions.classes))

    def near(labels: Any, predicted: Any) -> float:
        return accuracy_within_one(labels, predicted, steps)

    for name, metric in (
        ("balanced_accuracy", unweighted_average_recall),
        ("accuracy_within_one", near),
    ):
        ends = (float("nan"), float("nan"))
        if len(np.unique(predictions.subject)) > 1:
            arrays = (labels, predicted)
            ends = bootstrap_metric(metric, arrays, predictions.subject, draws=DRAWS)
        found.append(Figure(name, metric(labels, predicted), *ends))
    return found


def describe_data(recipe: BenchRecipe, data: BenchRows) -> str:
    """What the figures were measured on, in a few words."""
    if recipe.data.describe:
        return recipe.data.describe
    name = recipe.data.corpus or Path(recipe.data.manifest).stem
    people = len(set(data.subjects.tolist()) - {""})
    return f"{name}: {len(data.items)} clips, {people} subjects, {len(data.classes)} classes"


def describe_protocol(recipe: BenchRecipe, data: BenchRows, system: System) -> str:
    """Split, calibration, what leaks, and what is particular about the system."""
    split = data.split
    count = len(split.folds)
    folds = "1 fold" if count == 1 else f"{count} folds"
    parts = [recipe.protocol or f"{folds} (scheme {split.name}, seed {recipe.split.seed})"]
    if split.leaks:
        parts.append(f"LEAKS: {split.leaks} (allowed: {split.reason or recipe.split.allow_leak})")
    elif all(data.subjects.tolist()):
        parts.append("nobody on both sides")
    streams = recipe.streams_of(system)
    modes = {recipe.person_of(name) for name in streams} - {"none"}
    if modes:
        parts.append(f"per-person calibration ({', '.join(sorted(modes))}) on unlabelled clips")
    else:
        parts.append("no per-person calibration")
    if system.fusion:
        parts.append(f"{system.fusion} of {', '.join(system.of)}")
    else:
        parts.append(f"{system.model} on {', '.join(streams)}")
    if system.kind == "network":
        validated = any(len(fold.validation) for fold in split.folds)
        parts.append("epoch chosen on validation subjects" if validated else "last epoch")
        if system.members > 1:
            parts.append(f"{system.members} networks averaged")
    if len(recipe.seeds) > 1:
        parts.append(f"mean of {len(recipe.seeds)} seeds")
    lost = int((~data.there(streams)).sum())
    if lost:
        parts.append(f"{lost} clips without a value scored by the classes' shares")
    parts += [remark.rstrip(".") for remark in data.remarks]
    if system.note:
        parts.append(system.note)
    return "; ".join(parts)


def comparison_rows(
    recipe: BenchRecipe,
    data: BenchRows,
    predictions: dict[str, Predictions],
    command: str,
) -> list[Result]:
    """Paired tests of every system against the recipe's baseline, on the first seed.

    Each row's value is the p of a test (McNemar over clips, Wilcoxon over subjects, corrected t
    over folds); ``difference_of_accuracy`` is the system's accuracy less the baseline's.
    """
    base = predictions.get(recipe.baseline)
    if base is None:
        return []
    rows = []
    for name, other in predictions.items():
        if name == recipe.baseline:
            continue
        found = compare(other, base, draws=DRAWS)
        common: dict[str, Any] = {
            "experiment": f"{recipe.name}/{name} against {recipe.baseline}",
            "data": describe_data(recipe, data),
            "command": command,
            "seed": recipe.seeds[0],
            "data_sha256": data.data_sha256,
        }
        main = found.differences[0]
        rows.append(
            Result(
                metric="difference_of_accuracy",
                value=round(main.value, 4),
                low="" if np.isnan(main.low) else round(main.low, 4),
                high="" if np.isnan(main.high) else round(main.high, 4),
                protocol=found.verdict,
                **common,
            )
        )
        rows += [
            Result(
                metric=f"p_{test.name.lower().replace(' ', '_')}",
                value=float(f"{test.p:.3g}"),
                protocol=f"{test.name}: {test.note}; two-sided",
                **common,
            )
            for test in found.tests
        ]
    return rows


def draw(predictions: Predictions, path: Path, title: str) -> str:
    """Draw the confusion matrix; returns a line for the user if that is not possible, else ''."""
    classes = predictions.classes
    counts = confusion_matrix(
        predictions.numbers(), predictions.decided_numbers(), range(len(classes))
    )
    try:
        draw_confusion(counts, classes, path, title=title)
    except AverError as error:
        return f"no picture of the confusions: {error}"
    return ""
