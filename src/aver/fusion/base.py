"""What all decision fusions share: scores checked, a fit, a prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aver.errors import SettingError

Scores = NDArray[np.float64]
"""(models, items, classes) or (items, classes) probabilities."""

# Keeps logarithms finite; below any probability that a float32 softmax of sane logits gives.
FLOOR = 1e-8


class Fusion(ABC):
    """One way to make one decision out of several models' scores."""

    name: ClassVar[str]
    fitted: ClassVar[bool] = False
    """Whether it learns from scores with labels."""

    def fit(self, scores: ArrayLike, labels: ArrayLike) -> Self:
        """Learn from held-out scores of training subjects; nothing to learn for most.

        Args:
            scores: (models, items, classes) probabilities.
            labels: (items,) true classes as numbers from 0.

        Raises:
            SettingError: for scores that are no probabilities, or labels that do not fit them.
        """
        checked = self._checked(scores)
        numbers = np.asarray(labels)
        if numbers.shape != (checked.shape[1],):
            raise SettingError(
                "labels", f"have the shape {numbers.shape} for {checked.shape[1]} scored items"
            )
        if len(numbers) == 0:
            raise SettingError("scores", "are of no items", "There is nothing to learn from")
        if not np.issubdtype(numbers.dtype, np.integer):
            raise SettingError("labels", "are no class numbers", "Number the classes from 0")
        if numbers.min() < 0 or numbers.max() >= checked.shape[2]:
            raise SettingError("labels", f"are not within 0 and {checked.shape[2] - 1}")
        self._fit(checked, numbers.astype(np.intp))
        return self

    def predict(self, scores: ArrayLike) -> Scores:
        """Fused probabilities, (items, classes), of (models, items, classes) probabilities.

        Raises:
            SettingError: for scores that are no probabilities, or before :meth:`fit` where the
                fusion is a fitted one.
        """
        return self._predict(self._checked(scores))

    def _checked(self, scores: ArrayLike) -> Scores:
        return check_scores(scores)

    def _fit(self, scores: Scores, labels: NDArray[np.intp]) -> None:  # noqa: B027
        """Nothing to learn unless a subclass says so."""

    @abstractmethod
    def _predict(self, scores: Scores) -> Scores: ...


def check_scores(scores: ArrayLike, *, probabilities: bool = True) -> Scores:
    """*scores* as float64 (models, items, classes), each row all NaN or probabilities.

    With ``probabilities=False`` a row may hold any finite numbers.

    Raises:
        SettingError: if not.
    """
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 3 or not array.shape[0] or array.shape[2] < 2:
        raise SettingError(
            "scores", f"have the shape {array.shape}", "Needed is (models, items, classes)"
        )
    missing: NDArray[np.bool_] = np.isnan(array)
    whole = np.all(missing, axis=2)
    rest = array[~whole]
    if (missing.any(axis=2) & ~whole).any():
        raise SettingError("scores", "are NaN for some classes only of an item")
    if not np.isfinite(rest).all():
        raise SettingError("scores", "are not all finite")
    if not probabilities:
        return array
    if (rest < 0).any() or (np.abs(rest.sum(axis=1) - 1) > 1e-4).any():
        raise SettingError("scores", "are no probabilities", "Put logits through a softmax first")
    return array


def mixed(scores: Scores, weights: NDArray[np.float64], nothing: float | None = None) -> Scores:
    """Weighted mean over the models that scored an item; equal for all classes where none did."""
    here: NDArray[np.bool_] = np.isfinite(scores[:, :, 0])  # rows are NaN as a whole
    share = weights[:, None] * here
    total = share.sum(axis=0)
    # All models that are here weigh nothing: then they count alike.
    unweighted = np.flatnonzero((total <= 0) & here.any(axis=0))
    share[:, unweighted] = here[:, unweighted]
    total = share.sum(axis=0)
    summed = np.einsum("mi,mic->ic", share, np.nan_to_num(scores, nan=0.0))
    scored = np.flatnonzero(total > 0)
    result = np.full(summed.shape, 1.0 / scores.shape[2] if nothing is None else nothing)
    result[scored] = summed[scored] / total[scored, None]
    return result


def softmax(logits: Scores) -> Scores:
    """Probabilities over the last axis."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def need_fitted(value: Any, name: str) -> Any:
    """*value*, or an error that the fusion *name* has learnt nothing yet."""
    if value is None:
        raise SettingError("fusion", f"'{name}' has not been fitted", "Call fit first")
    return value
