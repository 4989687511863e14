"""Two systems on the same items: the difference, its interval, three paired tests, a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aver.errors import PredictionsError
from aver.evaluation.intervals import Metric, paired_bootstrap
from aver.evaluation.metrics import accuracy, unweighted_average_recall
from aver.evaluation.predictions import Predictions
from aver.evaluation.significance import Test, corrected_t_test, mcnemar, wilcoxon

METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "unweighted_average_recall": unweighted_average_recall,
}
LEVEL = 0.05  # probability below which a difference counts as shown
FEWEST_SUBJECTS = 6  # with five that all agree, Wilcoxon's p is 2 / 2**5, above LEVEL
NAMED = 3  # missing items that a message names


@dataclass(frozen=True)
class Difference:
    """A metric of both systems, and first less second with its 95 % interval over subjects."""

    metric: str
    first: float
    second: float
    low: float
    high: float

    @property
    def value(self) -> float:
        """First less second."""
        return self.first - self.second


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found.

    Attributes:
        first: name of one system.
        second: name of the other.
        items: items compared.
        subjects: people they are of.
        differences: of accuracy and of unweighted average recall.
        tests: McNemar, Wilcoxon over subjects (six or more) and corrected t over folds (two or
            more).
        notes: what could not be done, and why.
        verdict: one or two sentences in plain words.
    """

    first: str
    second: str
    items: int
    subjects: int
    differences: tuple[Difference, ...]
    tests: tuple[Test, ...]
    notes: tuple[str, ...]
    verdict: str


def pair(first: Predictions, second: Predictions) -> Predictions:
    """The rows of *second* in the order of *first*: the same item in the same fold.

    Raises:
        PredictionsError: if an item is missing on either side (some are named), or the classes,
            true labels or subjects differ. The order of the classes may differ.
    """
    if set(first.classes) != set(second.classes):
        extra = sorted(set(first.classes) ^ set(second.classes))
        raise PredictionsError(
            second.system,
            f"has other classes than {first.system} (only on one side: {', '.join(extra)})",
            "Compare systems that decide between the same classes",
        )
    keys = [pd.MultiIndex.from_arrays([p.fold, p.item]) for p in (first, second)]
    where = keys[1].get_indexer(keys[0])
    lost = first.item[where < 0]
    added = second.item[keys[0].get_indexer(keys[1]) < 0]
    if len(lost) or len(added):
        _refuse_items(first, second, lost, added)
    second = second.select(where)
    for column in ("label", "subject"):
        mine, other = getattr(first, column), getattr(second, column)
        if (mine != other).any():
            row = int(np.flatnonzero(mine != other)[0])
            raise PredictionsError(
                second.system,
                f"the {column} of {first.item[row]} is '{other[row]}', and '{mine[row]}' in "
                f"{first.system}",
                "The two were not measured on the same data",
            )
    return second


def _refuse_items(
    first: Predictions, second: Predictions, lost: NDArray[Any], added: NDArray[Any]
) -> None:
    parts = []
    for names, side in ((lost, second), (added, first)):
        if len(names):
            some = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
            parts.append(f"{len(names)} are missing in {side.system} ({some})")
    advice = "Predict the same items with both"
    if set(first.item.tolist()) == set(second.item.tolist()):
        parts.append("the items are the same, the folds they were tested in are not")
        advice = "Use the same split for both"
    raise PredictionsError(f"{first.system} and {second.system}", "; ".join(parts), advice)


def compare(
    first: Predictions, second: Predictions, *, draws: int = 1000, seed: int = 0
) -> Comparison:
    """Compare two systems that were tested on the same items.

    Args:
        first: predictions of one system.
        second: of the other.
        draws: bootstrap samples of the intervals.
        seed: of the draws.

    Raises:
        PredictionsError: if the items, labels, subjects or classes are not the same.
    """
    second = pair(first, second)
    labels, subjects = first.label, first.subject
    differences = tuple(
        _difference(name, metric, first, second, draws, seed) for name, metric in METRICS.items()
    )
    right = first.decided() == labels, second.decided() == labels
    gain = right[0].astype(float) - right[1].astype(float)
    tests, notes = [mcnemar(*right)], []
    names, where = np.unique(subjects, return_inverse=True)
    if 1 < len(names) < FEWEST_SUBJECTS:
        notes.append(
            f"{len(names)} subjects are too few for a test over subjects: even if all agreed, "
            "that could be chance."
        )
    elif len(names) > 1:
        tests.append(wilcoxon(np.bincount(where, gain) / np.bincount(where)))
    else:
        notes.append("All items are of one subject: no test over subjects, no interval.")
    folds, where = np.unique(first.fold, return_inverse=True)
    tested = np.bincount(where)
    trained = len(set(first.item.tolist())) - tested  # what a fold does not test, it may learn from
    if len(folds) < 2:
        notes.append("There is one fold only: no t-test over folds.")
    elif (trained < 1).any():
        notes.append("A fold tests every item, so it has learnt from none: no t-test over folds.")
    else:
        share = float((tested / trained).mean())
        tests.append(corrected_t_test(np.bincount(where, gain) / tested, share))
    if len(set(first.item.tolist())) < len(first):
        notes.append("Items were tested in several folds: McNemar's test counts them each time.")
    return Comparison(
        first=first.system,
        second=second.system,
        items=len(first),
        subjects=len(names),
        differences=differences,
        tests=tuple(tests),
        notes=tuple(notes),
        verdict=_verdict(first.system, second.system, differences[0], tests),
    )


def _difference(
    name: str, metric: Metric, first: Predictions, second: Predictions, draws: int, seed: int
) -> Difference:
    labels = first.numbers()
    # Both coded by the first's order of classes.
    place = {c: n for n, c in enumerate(first.classes)}
    a, b = (np.array([place[c] for c in p.decided()]) for p in (first, second))
    low = high = float("nan")
    if len(np.unique(first.subject)) > 1:
        low, high = paired_bootstrap(metric, labels, a, b, first.subject, draws=draws, seed=seed)
    return Difference(name, metric(labels, a), metric(labels, b), low, high)


def _verdict(first: str, second: str, difference: Difference, tests: list[Test]) -> str:
    """Plain words: who was right more often, and whether that is more than chance."""
    if difference.value == 0:
        return f"{first} and {second} are right equally often."
    ahead, behind = (first, second) if difference.value > 0 else (second, first)
    ends = sorted((abs(difference.low), abs(difference.high)))
    size = f"{ahead} is right on {abs(difference.value):.1%} more of the items than {behind}"
    crosses = np.isnan(difference.low) or difference.low <= 0 <= difference.high
    shown = [t for t in tests if t.p < LEVEL]
    if not crosses:
        size += f" (95 % interval over subjects {ends[0]:.1%} to {ends[1]:.1%})"
    if not crosses and len(shown) == len(tests):
        return f"{size}. The interval and all tests agree: that is more than chance."
    if crosses and not shown:
        return f"{size}. That can well be chance: no test shows a difference."
    agree = ", ".join(t.name for t in shown) or "none"
    interval = "reaches 0" if crosses else "does not reach 0"
    return (
        f"{size}. The evidence is mixed: the interval over subjects {interval}, tests that show "
        f"a difference: {agree}. Do not rely on it."
    )
