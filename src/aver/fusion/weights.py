"""Fusions with one weight a model, fitted by maximum likelihood."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aver.errors import AverError, SettingError
from aver.fusion.base import FLOOR, Fusion, Scores, mixed, need_fitted, softmax


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
        rows = _whole(scores)
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
        weights = need_fitted(self.weights, self.name)
        _same_models(scores, weights)
        return mixed(scores, weights)


class LogWeighted(Fusion):
    """Weighted product: ``softmax(sharpness * sum of weight * log probability)``.

    Weights are at least 0 and sum to 1. Weights and sharpness are fitted together by maximum
    likelihood, which has one maximum only: the model is a multinomial logit in their products.
    It is temperature scaling (Guo et al. 2017, section 4.2) of all models at once, so models that
    are too sure of themselves lose weight. Items that a model did not score are left out of the
    fit.

    Attributes:
        weights: (models,), once fitted.
        sharpness: what the weighted mean of the log-probabilities is multiplied by.
    """

    name = "log_weighted"
    fitted = True
    MOST = 100.0  # of weight times sharpness: separable items would drive it to infinity

    def __init__(self, *, floor: float = FLOOR):
        self.floor = floor
        self.weights: NDArray[np.float64] | None = None
        self.sharpness = 1.0

    def _fit(self, scores: Scores, labels: NDArray[np.intp]) -> None:
        try:
            from scipy.optimize import minimize
        except ModuleNotFoundError as error:
            raise AverError(
                "log_weighted needs the package 'scipy'", 'Run: pip install "aver[train]"'
            ) from error
        logs = self._logs(scores[:, _whole(scores)])
        labels = labels[_whole(scores)]
        true = logs[:, np.arange(len(labels)), labels]

        def loss(products: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            summed = np.einsum("m,mik->ik", products, logs)
            highest = summed.max(axis=1, keepdims=True)
            norm = highest[:, 0] + np.log(np.exp(summed - highest).sum(axis=1))
            expected = np.einsum("ik,mik->mi", np.exp(summed - norm[:, None]), logs)
            value = (norm - products @ true).mean()
            return float(value), (expected - true).mean(axis=1)

        start = np.full(len(logs), 1.0 / len(logs))
        bounds = [(0.0, self.MOST)] * len(logs)
        options = {"ftol": 1e-14, "gtol": 1e-9}
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        self.sharpness = float(found.x.sum())
        # Nothing learnt (all products 0): the models count alike and decide nothing.
        self.weights = found.x / self.sharpness if self.sharpness > 0 else start

    def _predict(self, scores: Scores) -> Scores:
        weights = need_fitted(self.weights, self.name)
        _same_models(scores, weights)
        return softmax(self.sharpness * mixed(self._logs(scores), weights, nothing=0.0))

    def _logs(self, scores: Scores) -> Scores:
        logs = np.log(np.maximum(scores, self.floor))
        return np.asarray(logs - logs.mean(axis=2, keepdims=True))


def _whole(scores: Scores) -> NDArray[np.intp]:
    """Numbers of the items that every model scored."""
    rows = np.flatnonzero(~np.isnan(scores).any(axis=(0, 2)))
    if not len(rows):
        raise SettingError(
            "scores", "hold no item that every model scored", "Weights cannot be fitted"
        )
    return rows


def _same_models(scores: Scores, weights: NDArray[np.float64]) -> None:
    if len(weights) != len(scores):
        raise SettingError("scores", f"are of {len(scores)} models, not {len(weights)}")
