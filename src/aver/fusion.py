"""Fusion of several models' scores (decision fusion) and of their features (early fusion).

Scores are probabilities, (models, items, classes). A model that could not score an item (no face
was found, the file has no sound) has NaN in that whole row: ``mean``, ``log_mean``, ``vote`` and
``weighted`` leave it out and share its weight among the others; ``stacking`` puts that model's
mean over the training items in its place. An item that no model scored gets equal probabilities.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aver.errors import AverError, SettingError

Scores = NDArray[np.float64]
"""(models, items, classes) or (items, classes) probabilities."""

FLOOR = (
    1e-8  # below any probability a float32 softmax of sane logits gives; keeps logarithms finite
)


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
        checked = check_scores(scores)
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
        return self._predict(check_scores(scores))

    def _fit(self, scores: Scores, labels: NDArray[np.intp]) -> None:  # noqa: B027
        """Nothing to learn unless a subclass says so."""

    @abstractmethod
    def _predict(self, scores: Scores) -> Scores: ...


class Mean(Fusion):
    """The mean of the models' probabilities (sum rule of Kittler et al. 1998)."""

    name = "mean"

    def _predict(self, scores: Scores) -> Scores:
        return _mixed(scores, np.ones(len(scores)))


class LogMean(Fusion):
    """The mean of the models' log-probabilities, made to sum to 1 again (product rule).

    One sure model can overrule the others. Probabilities are kept at *floor* or above, so none
    can forbid a class altogether.
    """

    name = "log_mean"

    def __init__(self, *, floor: float = FLOOR):
        if not 0 < floor < 0.1:
            raise SettingError("floor", f"is {floor}", "Use a small number above 0")
        self.floor = floor

    def _predict(self, scores: Scores) -> Scores:
        logarithms = np.log(np.maximum(scores, self.floor))  # NaN stays NaN
        return _softmax(_mixed(logarithms, np.ones(len(scores)), nothing=0.0))


class Vote(Fusion):
    """Share of the models whose highest score it is; ties go to the higher mean probability.

    A model with several equal highest scores shares its vote among them.
    """

    name = "vote"

    def _predict(self, scores: Scores) -> Scores:
        highest = scores == scores.max(axis=2, keepdims=True)  # all False where NaN
        votes = highest / np.maximum(highest.sum(axis=2, keepdims=True), 1)
        votes[np.isnan(scores)] = np.nan
        # Shares of votes of whole models differ by 1 / models or more: the mean decides ties only.
        tie = 0.1 / len(scores)
        even = np.ones(len(scores))
        return (1 - tie) * _mixed(votes, even) + tie * _mixed(scores, even)


class Weighted(Fusion):
    """Weighted sum of the probabilities; weights are at least 0 and sum to 1.

    Fitted by maximum likelihood of the labels under the mixture, by expectation maximisation: the
    likelihood has one maximum only, and every step climbs. Items that a model did not score
    are left out of the fit.

    Attributes:
        weights: (models,), once fitted or as given.
    """

    name = "weighted"
    fitted = True

    def __init__(self, *, weights: tuple[float, ...] = (), steps: int = 2000):
        self.weights: NDArray[np.float64] | None = None
        if len(weights):
            given = np.asarray(weights, dtype=np.float64)
            if not np.isfinite(given).all() or (given < 0).any() or given.sum() <= 0:
                raise SettingError("weights", f"are {weights}", "None below 0, not all 0")
            self.weights = given / given.sum()
        self._given = self.weights is not None
        self.steps = steps

    def _fit(self, scores: Scores, labels: NDArray[np.intp]) -> None:
        if self._given:
            return
        whole = ~np.isnan(scores).any(axis=(0, 2))
        if not whole.any():
            raise SettingError(
                "scores", "hold no item that every model scored", "Weights cannot be fitted"
            )
        rows = np.flatnonzero(whole)
        likelihood = np.maximum(scores[:, rows, labels[rows]], FLOOR)  # (models, items)
        weights = np.full(len(scores), 1.0 / len(scores))
        for _ in range(self.steps):
            joint = weights[:, None] * likelihood
            new = (joint / joint.sum(axis=0)).mean(axis=1)
            moved = float(np.abs(new - weights).max())
            weights = new
            if moved < 1e-9:
                break
        self.weights = weights / weights.sum()

    def _predict(self, scores: Scores) -> Scores:
        weights = _fitted(self.weights, self.name)
        if len(weights) != len(scores):
            raise SettingError("scores", f"are of {len(scores)} models, not {len(weights)}")
        return _mixed(scores, weights)


class Stacking(Fusion):
    """Multinomial logistic regression on all the models' scores (Wolpert 1992; scikit-learn).

    Args:
        inputs: ``log``, log-probabilities less their mean over the classes (logits but for a
            constant), or ``probability``.
        regularisation: scikit-learn's C, the inverse strength of the squared penalty.
        standardise: bring every input to mean 0 and spread 1 of the training items first.
        floor: lowest probability before the logarithm.
    """

    name = "stacking"
    fitted = True

    def __init__(
        self,
        *,
        inputs: Literal["log", "probability"] = "log",
        regularisation: float = 1.0,
        standardise: bool = True,
        floor: float = FLOOR,
    ):
        if inputs not in ("log", "probability"):
            raise SettingError("inputs", f"is '{inputs}'", "Use log or probability")
        if not regularisation > 0:
            raise SettingError("regularisation", f"is {regularisation}", "Use a number above 0")
        self.inputs = inputs
        self.regularisation = regularisation
        self.standardise = standardise
        self.floor = floor
        self._model: Any = None

    def _fit(self, scores: Scores, labels: NDArray[np.intp]) -> None:
        try:
            from sklearn.linear_model import LogisticRegression
        except ModuleNotFoundError as error:
            raise AverError(
                "stacking needs the package 'scikit-learn'", 'Run: pip install "aver[train]"'
            ) from error
        if len(np.unique(labels)) < 2:
            raise SettingError("labels", "are all of one class", "Stacking needs two or more")
        table = self._table(scores)
        known = ~np.isnan(table).all(axis=0)
        self._middle = np.zeros(table.shape[1])
        self._middle[known] = np.nanmean(table[:, known], axis=0)
        self._spread = np.ones(table.shape[1])
        if self.standardise:
            spread = np.nanstd(table[:, known], axis=0)
            self._spread[known] = np.where(spread > 1e-12, spread, 1.0)
        self._model = LogisticRegression(C=self.regularisation, max_iter=5000)
        self._model.fit(self._normalised(table), labels)
        self._shape = scores.shape[0], scores.shape[2]

    def _predict(self, scores: Scores) -> Scores:
        model = _fitted(self._model, self.name)
        if (scores.shape[0], scores.shape[2]) != self._shape:
            raise SettingError(
                "scores",
                f"are (models, classes) {scores.shape[0], scores.shape[2]}, "
                f"fitted on {self._shape}",
            )
        fused = np.zeros(scores.shape[1:])  # classes that were never trained on keep 0
        fused[:, model.classes_] = model.predict_proba(self._normalised(self._table(scores)))
        return fused

    def _table(self, scores: Scores) -> Scores:
        if self.inputs == "log":
            scores = np.log(np.maximum(scores, self.floor))
            scores = scores - scores.mean(axis=2, keepdims=True)
        return np.concatenate(list(scores), axis=1)

    def _normalised(self, table: Scores) -> Scores:
        return np.nan_to_num((table - self._middle) / self._spread, nan=0.0)


FUSIONS: dict[str, type[Fusion]] = {
    kind.name: kind for kind in (Mean, LogMean, Vote, Weighted, Stacking)
}


def fusion_names() -> list[str]:
    """Names that :func:`make_fusion` knows."""
    return sorted(FUSIONS)


def make_fusion(name: str, **settings: Any) -> Fusion:
    """The fusion called *name* with its settings.

    Raises:
        SettingError: if there is none of that name (the nearest is named) or it has no such
            setting.
    """
    if name not in FUSIONS:
        close = difflib.get_close_matches(name, FUSIONS, n=1, cutoff=0.5)
        advice = f"Did you mean '{close[0]}'" if close else f"Known: {', '.join(fusion_names())}"
        raise SettingError("fusion", f"there is no '{name}'", advice)
    try:
        return FUSIONS[name](**settings)
    except TypeError as error:
        raise SettingError("fusion", f"'{name}': {str(error).split('() ')[-1]}") from error


def early(*features: ArrayLike) -> NDArray[np.float64]:
    """Early fusion: features of several streams side by side, ``(..., all dims)``.

    Args:
        features: one array a stream, (items, dims) or (items, time, dims), of the same leading
            shape; streams of different rates are to be brought to one before.

    Raises:
        SettingError: if there are none, or their leading shapes differ.
    """
    arrays = [np.asarray(f, dtype=np.float64) for f in features]
    if not arrays:
        raise SettingError("features", "are none", "Give at least one stream")
    leading = {a.shape[:-1] for a in arrays}
    if len(leading) > 1 or any(a.ndim < 2 for a in arrays):
        shapes = ", ".join(str(a.shape) for a in arrays)
        raise SettingError(
            "features", f"have the shapes {shapes}", "All but the last dimension must agree"
        )
    return np.concatenate(arrays, axis=-1)


def check_scores(scores: ArrayLike) -> Scores:
    """*scores* as float64 (models, items, classes), each row all NaN or probabilities.

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
    if (rest < 0).any() or (np.abs(rest.sum(axis=1) - 1) > 1e-4).any():
        raise SettingError("scores", "are no probabilities", "Put logits through a softmax first")
    return array


def _mixed(scores: Scores, weights: NDArray[np.float64], nothing: float | None = None) -> Scores:
    """Weighted mean over the models that scored an item; equal for all classes where none did."""
    here = ~np.isnan(scores).any(axis=2)
    share = weights[:, None] * here
    total = share.sum(axis=0)
    # All models that are here weigh nothing: then they count alike.
    unweighted: NDArray[np.bool_] = np.less_equal(total, 0) & here.any(axis=0)
    share[:, unweighted] = here[:, unweighted]
    total = share.sum(axis=0)
    mixed = np.einsum("mi,mic->ic", share, np.nan_to_num(scores, nan=0.0))
    empty = total <= 0
    mixed[~empty] /= total[~empty, None]
    mixed[empty] = 1.0 / scores.shape[2] if nothing is None else nothing
    return np.asarray(mixed)


def _softmax(logits: Scores) -> Scores:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def _fitted(value: Any, name: str) -> Any:
    if value is None:
        raise SettingError("fusion", f"'{name}' has not been fitted", "Call fit first")
    return value
