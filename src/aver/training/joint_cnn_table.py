"""From the runs of the joint audio-image CNNs to the rows of their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.evaluation.comparison import pair
from aver.evaluation.intervals import bootstrap_metric, paired_bootstrap
from aver.evaluation.metrics import accuracy
from aver.evaluation.predictions import Predictions, concatenate
from aver.evaluation.results import Result
from aver.evaluation.significance import Test, corrected_t_test, mcnemar, wilcoxon
from aver.evaluation.tables import summarise
from aver.models.joint_cnn_settings import NETWORKS
from aver.training.joint_cnn_cost import Cost
from aver.training.joint_cnn_data import JointData
from aver.training.joint_cnn_images import Stills
from aver.training.joint_cnn_recipe import JointCnnRecipe
from aver.training.joint_cnn_run import Report

PACKAGES = ("torch", "lightning", "numpy")
LEVEL = 0.05
NEAR_THE_TOP = 0.95

PAPER: dict[tuple[str, str], tuple[float, float | None, float]] = {
    ("80-10-10", "audio_cnn"): (0.72, 0.72, 0.99),
    ("80-10-10", "image_cnn"): (0.85, 0.84, 0.98),
    ("80-10-10", "concatenation"): (0.90, 0.91, 0.99),
    ("80-10-10", "concatenation_lstm"): (0.89, 0.89, 0.98),
    ("80-10-10", "equalised"): (0.89, 0.90, 0.99),
    ("80-10-10", "probes"): (0.91, 0.91, 0.98),
    ("80-10-10", "joint_loss"): (0.78, 0.79, 0.99),
    ("50-50", "concatenation"): (0.84, None, 0.99),
    ("50-50", "equalised"): (0.85, None, 0.99),
    ("50-50", "probes"): (0.86, None, 0.98),
    ("25-75", "concatenation"): (0.73, None, 0.99),
    ("25-75", "equalised"): (0.78, None, 0.99),
    ("25-75", "probes"): (0.80, None, 0.98),
}
"""Accuracy in test, validation and training of the report (5.1.2, 5.2.2): other data, its split."""

AGAINST: dict[str, tuple[str, ...]] = {
    "concatenation": ("image_cnn", "audio_cnn"),
    "concatenation_lstm": ("image_cnn", "audio_cnn", "concatenation"),
    "equalised": ("image_cnn", "audio_cnn", "concatenation"),
    "probes": ("image_cnn", "audio_cnn", "concatenation", "equalised"),
    "joint_loss": ("image_cnn", "audio_cnn", "concatenation"),
    "distilled_probes": ("image_cnn", "audio_cnn", "probes"),
}
"""What each network is compared with, where that was run too."""

SPLIT_WORDS = {
    "subjects": "nobody heard and no face seen on both sides, paired within each side",
    "random": "recordings drawn at random, no face on both sides, paired within each side",
    "text": "the report's own: recordings copied and paired first, then pairs drawn at random",
}


@dataclass(eq=False)
class Cell:
    """A network on one split and shares, all seeds.

    Attributes:
        network: its name.
        split: of the data.
        shares: of the sides.
        leaks: what stands on both sides.
        seeds: predictions and figures of each seed.
        cost: of the first seed's network.
    """

    network: str
    split: str
    shares: str
    leaks: str
    seeds: Sequence[tuple[Predictions, Report]]
    cost: Cost

    @property
    def predictions(self) -> Predictions:
        """Of all seeds, each a fold."""
        return concatenate([predictions for predictions, _ in self.seeds])

    def mean(self, figures: Sequence[float]) -> float:
        """Mean over the seeds, rounded as the tables have it."""
        return round(float(np.mean(figures)), 4)


def describe_data(data: JointData) -> str:
    """What was trained on, in a few words."""
    recipe, manifest = data.recipe, data.recordings.manifest
    people = manifest["subject"].nunique()
    parts = [f"{recipe.audio.corpus}: {len(manifest)} recordings, {people} subjects"]
    images = recipe.images
    if isinstance(data.source, Stills):
        how = {
            "same_still": "each beside its own mirror image, moved a little",
            "two_stills": "two of a class side by side",
        }[images.pair]
        count = f"up to {images.per_class} faces" if images.per_class else "all faces"
        parts.append(f"{images.corpus}: {count} a class, {images.views} joined images of each")
        parts.append(how)
    else:
        parts.append(f"{images.corpus}: {len(data.source)} joined images of clips")
    parts.append(f"{len(data.classes)} classes, paired by class")
    return "; ".join([*parts, *data.remarks])


def describe_protocol(recipe: JointCnnRecipe, cell: Cell) -> str:
    """Division, leaks, and how it was trained."""
    training = recipe.training
    rows = cell.seeds[0][1].rows
    parts = [
        f"{cell.shares}, {SPLIT_WORDS[cell.split]}",
        f"LEAKS: {cell.leaks}" if cell.leaks else "nothing stands on both sides",
        f"{rows['train']} pairs trained, {rows['test']} tested",
        f"{len(cell.seeds)} seeds, each with its own division",
        f"{training.optimiser} with momentum, {training.epochs} epochs"
        if training.optimiser == "sgd"
        else f"{training.optimiser}, {training.epochs} epochs",
        "last epoch's weights" if recipe.epoch == "last" else "epoch by validation loss",
    ]
    warnings = sorted({w for _, report in cell.seeds for w in report.warnings})
    return "; ".join(parts + warnings)


def cell_rows(data: JointData, cell: Cell, command: str) -> list[Result]:
    """All figures of one network on one split."""
    recipe, title = data.recipe, NETWORKS[cell.network].title
    predictions = replace(cell.predictions, recipe=recipe.name)
    reports = [report for _, report in cell.seeds]
    paper = PAPER.get((cell.shares, cell.network))
    common: dict[str, Any] = {
        "experiment": f"{recipe.name}/{cell.split} {cell.shares}/{cell.network}",
        "data": describe_data(data),
        "protocol": f"{title}; {describe_protocol(recipe, cell)}",
        "command": command,
        "seed": " ".join(str(seed) for seed in recipe.seeds),
    }
    rows = summarise(
        predictions,
        **common,
        paper={"accuracy": paper[0]} if paper else {},
        metrics=("accuracy", "unweighted_average_recall"),
    )
    common["data_sha256"] = data.data_sha256

    def add(metric: str, value: float, paper: float | str = "", note: str = "") -> None:
        about = {**common, "protocol": "; ".join(p for p in (common["protocol"], note) if p)}
        rows.append(Result(metric=metric, value=value, paper=paper, **about))

    tested = [report.accuracy["test"] for report in reports]
    if len(tested) > 1:
        add("spread_over_seeds", round(float(np.std(tested, ddof=1)), 4))
    if "validation" in reports[0].accuracy:
        value = cell.mean([report.accuracy["validation"] for report in reports])
        add("validation_accuracy", value, (paper[1] if paper else None) or "")
    value = cell.mean([report.accuracy["train"] for report in reports])
    add("train_accuracy", value, paper[2] if paper else "")
    heads = NETWORKS[cell.network].heads
    for head in heads:
        value = cell.mean([report.heads[f"test/{head}"] for report in reports])
        add(f"{head}_by_itself_accuracy", value)
    if NETWORKS[cell.network].loss == "joint":
        value = cell.mean([report.heads[f"test/{h}"] for report in reports for h in heads])
        note = "mean of both modalities' accuracies, the report's reading"
        add("mean_of_both_accuracy", value, paper[0] if paper else "", note)
    add("parameters", float(reports[0].parameters))
    seconds, milliseconds = cell.cost.seconds_per_epoch, cell.cost.milliseconds_per_clip
    note = "processor time on one thread"
    add("training_seconds_per_epoch", float(f"{seconds:.3g}"), note=note)
    note += ", one pair, features at hand"
    add("inference_milliseconds_per_clip", float(f"{milliseconds:.3g}"), note=note)
    return rows


def comparison_rows(data: JointData, cells: Sequence[Cell], command: str) -> list[Result]:
    """Networks against each other on the same pairs, and splits against each other."""
    rows: list[Result] = []
    for cell in cells:
        same = {c.network: c for c in cells if (c.split, c.shares) == (cell.split, cell.shares)}
        for name in AGAINST.get(cell.network, ()):
            if name in same:
                rows += _against(data, cell, same[name], command)
        if cell.split == "subjects":
            continue
        for other in cells:
            mine = (cell.network, cell.shares)
            if other.split == "subjects" and (other.network, other.shares) == mine:
                rows.append(_flattered(data, cell, other, command))
    return rows


def _against(data: JointData, cell: Cell, other: Cell, command: str) -> list[Result]:
    first, second = cell.predictions, pair(cell.predictions, other.predictions)
    right = first.decided() == first.label, second.decided() == second.label
    gain = right[0].astype(float) - right[1].astype(float)
    low, high = paired_bootstrap(
        accuracy, first.numbers(), first.decided_numbers(), second.decided_numbers(), first.subject
    )
    tests = [mcnemar(*right), wilcoxon(_means(gain, first.subject))]
    if len(cell.seeds) > 1:
        rows = cell.seeds[0][1].rows
        tests.append(corrected_t_test(_means(gain, first.fold), rows["test"] / rows["train"]))
    common: dict[str, Any] = {
        "experiment": f"{data.recipe.name}/{cell.split} {cell.shares}/"
        f"{cell.network} against {other.network}",
        "data": describe_data(data),
        "command": command,
        "seed": " ".join(str(seed) for seed in data.recipe.seeds),
        "data_sha256": data.data_sha256,
    }
    told = ", ".join(f"{test.name} p = {test.p:.2g}" for test in tests)
    found = [
        Result(
            metric="difference_of_accuracy",
            value=round(float(gain.mean()), 4),
            low=round(low, 4),
            high=round(high, 4),
            protocol=f"{_verdict(low, high, tests)}; {told}",
            **common,
        )
    ]
    return found + [
        Result(
            metric=f"p_{test.name.lower().replace(' ', '_')}",
            value=float(f"{test.p:.3g}"),
            protocol=f"{test.name} over {WHAT[test.name]}: {test.note}; two-sided",
            **common,
        )
        for test in tests
    ]


WHAT = {
    "McNemar": "pairs (copies of a recording count as if they were independent: too sure)",
    "Wilcoxon": "subjects",
    "corrected t": "seeds",
}


def _means(values: NDArray[np.floating], groups: NDArray[Any]) -> NDArray[np.float64]:
    _, where = np.unique(groups, return_inverse=True)
    return np.asarray(np.bincount(where, values) / np.bincount(where), np.float64)


def _verdict(low: float, high: float, tests: Sequence[Test]) -> str:
    """In plain words; McNemar's test does not count, for it takes copies as independent."""
    apart = low > 0 or high < 0
    shown = [test.p < LEVEL for test in tests if test.name != "McNemar"]
    if apart and all(shown):
        return "more than chance: the interval over subjects and the tests agree"
    if not apart and not any(shown):
        return "can well be chance"
    return "the evidence is mixed"


def _flattered(data: JointData, cell: Cell, clean: Cell, command: str) -> Result:
    """How much higher a leaking split's accuracy is than that by subjects.

    Subjects are drawn once for both splits, for the same people are tested in both.
    """
    parts = [cell.predictions, clean.predictions]
    labels, decided = (
        np.concatenate([getattr(p, name)() for p in parts])
        for name in ("numbers", "decided_numbers")
    )
    leaking = np.concatenate([np.full(len(p), p is parts[0]) for p in parts])
    subjects = np.concatenate([p.subject for p in parts])

    def gap(labels: Any, decided: Any, leaking: Any) -> float:
        if leaking.all() or not leaking.any():
            return float("nan")
        right = labels == decided
        return float(right[leaking].mean() - right[~leaking].mean())

    arrays = (labels, decided, leaking)
    low, high = bootstrap_metric(gap, arrays, subjects)
    return Result(
        experiment=f"{data.recipe.name}/{cell.split} against subjects {cell.shares}/{cell.network}",
        metric="flattered_by",
        value=round(gap(*arrays), 4),
        low=round(low, 4),
        high=round(high, 4),
        data=describe_data(data),
        protocol=f"accuracy of the split '{cell.split}' less that by subjects; {cell.leaks}",
        command=command,
        seed=" ".join(str(seed) for seed in data.recipe.seeds),
        data_sha256=data.data_sha256,
    )


def curve_rows(
    data: JointData, cell: Cell, curves: Mapping[str, Sequence[Sequence[float]]], command: str
) -> list[Result]:
    """What section 6 says of the curves, in figures: who is above, and when each is near its top.

    Args:
        data: for the description.
        cell: whose curves they are.
        curves: by head, (seeds, epochs).
        command: what makes this table.
    """
    means = {head: np.mean(values, axis=0) for head, values in curves.items()}
    common: dict[str, Any] = {
        "experiment": f"{data.recipe.name}/{cell.split} {cell.shares}/{cell.network} by epoch",
        "data": describe_data(data),
        "protocol": f"validation accuracy, mean over seeds; {describe_protocol(data.recipe, cell)}",
        "command": command,
        "seed": " ".join(str(seed) for seed in data.recipe.seeds),
        "data_sha256": data.data_sha256,
    }
    heads = [values for head, values in means.items() if head != "pair"]
    above = np.all([means["pair"] > values for values in heads], axis=0)
    found: dict[str, float] = {"epochs_pair_above_both": int(above.sum())}
    for head, values in means.items():
        found[f"{head}_last"] = round(float(values[-1]), 4)
        near = int(np.argmax(values >= NEAR_THE_TOP * values.max())) + 1
        found[f"{head}_epoch_within_5_percent_of_its_top"] = near
    return [Result(metric=metric, value=value, **common) for metric, value in found.items()]
