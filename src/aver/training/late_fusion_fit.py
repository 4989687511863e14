"""Fitting a fusion without ever looking at the fold it is tested on.

Two kinds of scores can teach a fusion:

* ``train``: the fold's own training part. The models were trained on these clips, so the scores
  are much surer than on new people, the voice model's (99 % right) most of all.
* ``held_out``: the test parts of the other folds: scores of people whom the model that gave
  them had not met (stacked generalisation, Wolpert 1992). No clip or label of the tested fold is
  used by the fusion; but those other folds' models had been trained on the people of the
  tested one, as in any cross-validated stacking.

What is left to choose is chosen on the same clips: the strength of a penalty by cross-validation
over people with the one-standard-error rule (Hastie, Tibshirani & Friedman 2009, section 7.10),
and between candidates by their likelihood on the other folds' test parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aver.fusion import Fusion, make_fusion
from aver.training.late_fusion_data import (
    Person,
    Scored,
    ScoredFold,
    join,
    normalise_by_person,
)

Source = Literal["train", "held_out"]
INNER_FOLDS = 5


@dataclass(frozen=True)
class Plan:
    """How one system is fitted.

    Attributes:
        fusion: registered name.
        settings: of the fusion.
        fitted_on: what teaches it.
        penalties: values of ``regularisation`` to choose from; none to take the setting.
        person: normalisation of the scores by the person's own clips.
        models: numbers of the models that are fused.
    """

    fusion: str
    settings: Mapping[str, Any]
    fitted_on: Source
    penalties: tuple[float, ...]
    person: Person
    models: tuple[int, ...]


def fit_on(plan: Plan, scored: Scored) -> Fusion:
    """The fusion of *plan*, fitted on *scored*, its penalty chosen there too."""
    settings = dict(plan.settings)
    if plan.penalties:
        settings["regularisation"] = one_standard_error(plan, scored)
    return make_fusion(plan.fusion, **settings).fit(inputs(plan, scored), scored.labels)


def inputs(plan: Plan, scored: Scored) -> NDArray[np.float64]:
    """What the fusion of *plan* takes: probabilities, or scores as they were published."""
    if plan.settings.get("inputs") == "as_given":
        return scored.given
    return scored.probabilities


def one_standard_error(plan: Plan, scored: Scored) -> float:
    """The strongest penalty whose accuracy is within one standard error of the best.

    Accuracy is measured by cross-validation over the people in *scored*. The best value itself
    would be wrong for scores of clips that the models were trained on: there everything is right
    and the weakest penalty looks best.
    """
    parts = split_people(scored.subjects, INNER_FOLDS)
    everything = np.arange(len(scored.labels))
    found = []
    for penalty in plan.penalties:
        right = []
        for part in parts:
            train = scored.select(np.setdiff1d(everything, part))
            test = scored.select(part)
            made = make_fusion(plan.fusion, **{**plan.settings, "regularisation": penalty})
            fused = made.fit(inputs(plan, train), train.labels).predict(inputs(plan, test))
            right.append(float((fused.argmax(axis=1) == test.labels).mean()))
        found.append(right)
    figures = np.array(found)
    means = figures.mean(axis=1)
    best = int(means.argmax())
    error = figures[best].std(ddof=1) / np.sqrt(len(parts))
    good = means >= means[best] - error - 1e-12
    return min(p for p, keep in zip(plan.penalties, good, strict=True) if keep)


def split_people(subjects: NDArray[Any], count: int) -> list[NDArray[np.intp]]:
    """Row numbers in at most *count* parts, no person in two, in the order of their names."""
    names = np.array(sorted(set(subjects.tolist())), dtype=object)
    groups = [names[number::count] for number in range(min(count, len(names)))]
    return [np.flatnonzero(np.isin(subjects.astype(str), g.astype(str))) for g in groups]


def training_part(
    plan: Plan, folds: Sequence[ScoredFold], tested: int, left_out: int | None = None
) -> Scored:
    """What teaches the fusion that is tested on the fold *tested*.

    With *left_out*, what teaches it when it is tried on that other fold's test part, without any
    clip of people of *tested*: for choosing between candidates.
    """
    hidden = {tested} if left_out is None else {tested, left_out}
    if plan.fitted_on == "held_out":
        return join([fold.test for n, fold in enumerate(folds) if n not in hidden])
    scored = folds[tested if left_out is None else left_out].train
    if left_out is None:
        return scored
    known = set(folds[tested].test.subjects)
    return scored.select(np.array([s not in known for s in scored.subjects]))


def prepared(plan: Plan, folds: Sequence[ScoredFold]) -> list[ScoredFold]:
    """The folds as *plan* sees them: its models, its normalisation by person."""
    return [
        ScoredFold(
            fold.name,
            normalise_by_person(fold.train.of_models(plan.models), plan.person),
            normalise_by_person(fold.test.of_models(plan.models), plan.person),
        )
        for fold in folds
    ]


def likelihood_elsewhere(plan: Plan, folds: Sequence[ScoredFold], tested: int) -> float:
    """Mean log-likelihood of *plan* on the test parts of the folds other than *tested*.

    For each of them it is fitted without that fold's people and without those of *tested*.
    """
    found = []
    for number, fold in enumerate(folds):
        if number == tested:
            continue
        made = fit_on(plan, training_part(plan, folds, tested, number))
        fused = made.predict(inputs(plan, fold.test))
        rows = np.arange(len(fold.test.labels))
        found.append(np.log(np.maximum(fused[rows, fold.test.labels], 1e-12)).mean())
    return float(np.mean(found))
