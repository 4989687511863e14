"""Fusions that learn nothing: mean, mean of logarithms, vote."""

from __future__ import annotations

import numpy as np

from aver.errors import SettingError
from aver.fusion.base import FLOOR, Fusion, Scores, mixed, softmax


class Mean(Fusion):
    """The mean of the models' probabilities (sum rule of Kittler et al. 1998)."""

    name = "mean"

    def _predict(self, scores: Scores) -> Scores:
        return mixed(scores, np.ones(len(scores)))


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
        return softmax(mixed(logarithms, np.ones(len(scores)), nothing=0.0))


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
        return (1 - tie) * mixed(votes, even) + tie * mixed(scores, even)
