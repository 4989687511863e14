"""Stacking: a classifier on all the models' scores."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aver.errors import AverError, SettingError
from aver.fusion.base import FLOOR, Fusion, Scores, check_scores, need_fitted

Inputs = Literal["log", "probability", "as_given"]
Scaling = Literal["none", "standard", "range"]


class Stacking(Fusion):
    """Multinomial logistic regression on all the models' scores (Wolpert 1992; scikit-learn).

    Scores of data the models were trained on are surer than scores of new data ever are, and a
    weakly regularised regression learns to trust that; the default is therefore a strong one.

    Args:
        inputs: ``log``, log-probabilities less their mean over the classes (logits but for a
            constant); ``probability``; or ``as_given``, any finite scores as they are (logits of
            one model beside posteriors of another), which alone are not checked to be
            probabilities.
        scaling: of each input by the training items: ``none``, ``standard`` (mean 0, spread 1) or
            ``range`` (0 to 1).
        regularisation: scikit-learn's C, the inverse strength of the squared penalty.
        floor: lowest probability before the logarithm.
    """

    name = "stacking"
    fitted = True

    def __init__(
        self,
        *,
        inputs: Inputs = "log",
        scaling: Scaling = "none",
        regularisation: float = 0.01,
        floor: float = FLOOR,
    ):
        for setting, value, known in (
            ("inputs", inputs, get_args(Inputs)),
            ("scaling", scaling, get_args(Scaling)),
        ):
            if value not in known:
                raise SettingError(setting, f"is '{value}'", f"Use {', '.join(known)}")
        if not regularisation > 0:
            raise SettingError("regularisation", f"is {regularisation}", "Use a number above 0")
        self.inputs = inputs
        self.scaling = scaling
        self.regularisation = regularisation
        self.floor = floor
        self._model: Any = None

    def _checked(self, scores: ArrayLike) -> Scores:
        return check_scores(scores, probabilities=self.inputs != "as_given")

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
        self._learn_scaling(table)
        self._model = LogisticRegression(C=self.regularisation, max_iter=5000)
        self._model.fit(self._scaled(table), labels)
        self._shape = scores.shape[0], scores.shape[2]

    def _learn_scaling(self, table: Scores) -> None:
        known = ~np.isnan(table).all(axis=0)
        self._mean, self._shift = np.zeros(table.shape[1]), np.zeros(table.shape[1])
        self._spread = np.ones(table.shape[1])
        seen = table[:, known]
        self._mean[known] = np.nanmean(seen, axis=0)
        if self.scaling == "standard":
            self._shift[known] = self._mean[known]
            self._spread[known] = np.nanstd(seen, axis=0)
        elif self.scaling == "range":
            self._shift[known] = np.nanmin(seen, axis=0)
            self._spread[known] = np.nanmax(seen, axis=0) - self._shift[known]
        self._spread[self._spread <= 1e-12] = 1.0  # an input that never changes

    def _predict(self, scores: Scores) -> Scores:
        model = need_fitted(self._model, self.name)
        if (scores.shape[0], scores.shape[2]) != self._shape:
            raise SettingError(
                "scores",
                f"are (models, classes) {scores.shape[0], scores.shape[2]}, "
                f"fitted on {self._shape}",
            )
        fused = np.zeros(scores.shape[1:])  # classes that were never trained on keep 0
        fused[:, model.classes_] = model.predict_proba(self._scaled(self._table(scores)))
        return fused

    def _table(self, scores: Scores) -> Scores:
        if self.inputs == "log":
            scores = np.log(np.maximum(scores, self.floor))
            scores = scores - scores.mean(axis=2, keepdims=True)
        return np.concatenate(list(scores), axis=1)

    def _scaled(self, table: Scores) -> Scores:
        filled = np.where(np.isnan(table), self._mean, table)
        return np.asarray((filled - self._shift) / self._spread)
