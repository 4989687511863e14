"""Figures over true and predicted classes.

All functions take (items,) arrays of true and predicted classes, either names or numbers, both of
the same kind. Fractions lie in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aver.errors import SettingError

Classes = NDArray[Any]
"""(items,) class names or class numbers."""


def _checked(labels: Classes, predicted: Classes) -> tuple[Classes, Classes]:
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise SettingError(
            "predicted", f"has the shape {predicted.shape} beside labels of {labels.shape}"
        )
    if not len(labels):
        raise SettingError("labels", "are none", "There is nothing to measure")
    return labels, predicted


def accuracy(labels: Classes, predicted: Classes) -> float:
    """Share of the items whose predicted class is the true one.

    Raises:
        SettingError: if there are no items, or the two arrays differ in length.
    """
    labels, predicted = _checked(labels, predicted)
    return float((labels == predicted).mean())


def confusion_matrix(
    labels: Classes, predicted: Classes, classes: Sequence[Any]
) -> NDArray[np.int64]:
    """Counts of (true, predicted): (classes, classes), rows are the true classes.

    Raises:
        SettingError: if a label or a prediction is none of *classes*.
    """
    labels, predicted = _checked(labels, predicted)
    rows, columns = _numbered(labels, classes), _numbered(predicted, classes)
    count = len(classes)
    return np.bincount(rows * count + columns, minlength=count * count).reshape(count, count)


def recall_per_class(
    labels: Classes, predicted: Classes, classes: Sequence[Any]
) -> NDArray[np.float64]:
    """Share of each class's items that were found, (classes,); NaN where a class has no items."""
    counts = confusion_matrix(labels, predicted, classes)
    total = counts.sum(axis=1)
    right = np.diag(counts).astype(np.float64)
    shares: NDArray[np.float64] = np.full(len(total), np.nan)
    np.divide(right, total, out=shares, where=total > 0)
    return shares


def precision_per_class(
    labels: Classes, predicted: Classes, classes: Sequence[Any]
) -> NDArray[np.float64]:
    """Share of what was called a class that was one, (classes,); NaN where never predicted."""
    return recall_per_class(np.asarray(predicted), np.asarray(labels), classes)


def unweighted_average_recall(labels: Classes, predicted: Classes) -> float:
    """Mean of the recalls of the classes that occur in *labels* (balanced accuracy).

    The usual figure of speech emotion challenges since Schuller et al. 2009, because it does not
    reward guessing the most frequent class.
    """
    labels, predicted = _checked(labels, predicted)
    _, where = np.unique(labels, return_inverse=True)
    return float((np.bincount(where, labels == predicted) / np.bincount(where)).mean())


def f1_per_class(
    labels: Classes, predicted: Classes, classes: Sequence[Any]
) -> NDArray[np.float64]:
    """2 true positives / (items + predictions) of each class; NaN where there are neither."""
    counts = confusion_matrix(labels, predicted, classes)
    both = counts.sum(axis=0) + counts.sum(axis=1)
    right = 2.0 * np.diag(counts)
    each: NDArray[np.float64] = np.full(len(both), np.nan)
    np.divide(right, both, out=each, where=both > 0)
    return each


def f1(
    labels: Classes,
    predicted: Classes,
    classes: Sequence[Any] | None = None,
    *,
    average: Literal["macro", "weighted"] = "macro",
) -> float:
    """F1 over the classes that occur in *labels* or *predicted*.

    Args:
        labels: (items,) true classes.
        predicted: (items,) predicted classes.
        classes: all classes; those that occur if absent. Classes that occur in neither count
            nothing.
        average: ``macro``, each class alike, or ``weighted`` by the true class's items.
    """
    if average not in ("macro", "weighted"):
        raise SettingError("average", f"is '{average}'", "Use macro or weighted")
    labels, predicted = _checked(labels, predicted)
    if classes is None:
        classes = list(np.unique(np.concatenate([labels, predicted])))
    each = f1_per_class(labels, predicted, classes)
    occurs = ~np.isnan(each)
    weights = np.ones(len(each))
    if average == "weighted":
        weights = np.bincount(_numbered(labels, classes), minlength=len(classes)).astype(float)
    return float(np.average(each[occurs], weights=weights[occurs]))


def accuracy_within_one(labels: Classes, predicted: Classes, classes: Sequence[Any]) -> float:
    """Share of the items predicted at most one step away, for *classes* given in their order.

    For rated levels (enjoyment 1 to 5, the seven levels of valence), where a neighbour is nearly
    right.
    """
    labels, predicted = _checked(labels, predicted)
    steps = np.abs(_numbered(labels, classes) - _numbered(predicted, classes))
    return float((steps <= 1).mean())


def _numbered(names: Classes, classes: Sequence[Any]) -> NDArray[np.intp]:
    """Numbers of *names* in *classes*."""
    known = np.asarray(classes)
    order = np.argsort(known, kind="stable")
    place = np.minimum(np.searchsorted(known, names, sorter=order), len(known) - 1)
    numbers: NDArray[np.intp] = order[place]
    wrong = known[numbers] != names
    if wrong.any():
        raise SettingError(
            "classes",
            f"do not hold '{np.asarray(names)[wrong][0]}'",
            f"Known are: {', '.join(map(str, classes))}",
        )
    return numbers
