"""Late fusion of published per-clip scores over actor-disjoint folds (task ``late_fusion``).

Each system is fitted and tested fold by fold; its predictions are kept as
``OUT/<system>.parquet`` for ``aver evaluate`` and ``aver compare``, its figures in
``OUT/<recipe's name>.csv``. Nothing in it looks at the labels of the fold under test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aver.errors import RecipeError
from aver.evaluation.comparison import compare
from aver.evaluation.predictions import Predictions, concatenate, write_predictions
from aver.evaluation.results import Result, hash_files, record
from aver.evaluation.tables import summarise
from aver.fusion import make_fusion
from aver.labels import RAVDESS
from aver.training.late_fusion_data import ScoredFold, read_fold_scores
from aver.training.late_fusion_fit import (
    Plan,
    fit_on,
    inputs,
    likelihood_elsewhere,
    prepared,
    training_part,
)
from aver.training.late_fusion_recipe import LateFusionRecipe, SystemSettings
from aver.training.recipe import register_task

DATA = (
    "RAVDESS speech, 1,440 audio-video clips: published scores of three models (the voice model's "
    "checkpoint was chosen by its makers on the test fold)"
)
COMMAND = "aver reproduce recipes/{name}.toml --data DATA --out OUT"


@dataclass(frozen=True)
class Run:
    """A system that was tested: its predictions, how they came about, what was published."""

    predictions: Predictions
    protocol: str
    paper: float | None
    aim: float | None


@register_task("late_fusion", LateFusionRecipe)
def run_late_fusion(recipe: LateFusionRecipe, data_root: Path, out: Path) -> None:
    """Fit and test every system, keep predictions and the table.

    Raises:
        CorpusError: if the scores cannot be used.
        RecipeError: if a candidate of candidates is named.
    """
    path = data_root / recipe.data.file
    folds = read_fold_scores(path, [(m.name, m.kind) for m in recipe.models])
    about = {"recipe": recipe.name, "data_sha256": hash_files([path], path.parent)}
    runs: dict[str, Run] = {}
    plans: dict[str, Plan] = {}
    scheme = f"{len(folds)} actor-disjoint folds; "

    def keep(name: str, run: Run) -> None:
        runs[name] = run
        write_predictions(run.predictions, out / f"{name}.parquet")

    with _progress(len(recipe.models) + len(recipe.systems)) as step:
        for number, model in enumerate(recipe.models):
            plan = Plan("mean", {}, "train", (), "none", (number,))
            tested, _ = _test(model.name, plan, folds, about)
            protocol = scheme + "its own scores alone, as published"
            keep(model.name, Run(tested, protocol, model.paper, None))
            step(model.name)
        for system in recipe.systems:
            if system.candidates:
                offered = {n: plans[n] for n in system.candidates if n in plans}
                if len(offered) < len(system.candidates):
                    raise RecipeError(system.name, "has a candidate that itself chooses")
                tested, chosen = _choose(system.name, offered, folds, about)
            else:
                plans[system.name] = _plan(system, len(recipe.models))
                tested, chosen = _test(system.name, plans[system.name], folds, about)
            protocol = scheme + _protocol(system, chosen)
            keep(system.name, Run(tested, protocol, system.paper, system.aim))
            step(system.name)
    table = _table(recipe, runs)
    record(out / f"{recipe.name}.csv", table, packages=("numpy", "scipy", "scikit-learn"))


def _plan(system: SystemSettings, models: int) -> Plan:
    return Plan(
        fusion=system.fusion,
        settings=system.settings,
        fitted_on=system.fitted_on,
        penalties=system.penalties,
        person=system.person,
        models=tuple(range(models)),
    )


def _test(
    name: str, plan: Plan, folds: Sequence[ScoredFold], about: dict[str, str]
) -> tuple[Predictions, list[str]]:
    """Predictions over all folds, and what was fitted or chosen in each, in words."""
    seen = prepared(plan, folds)
    parts, words = [], []
    for number, fold in enumerate(seen):
        made = fit_on(plan, training_part(plan, seen, number))
        fused = made.predict(inputs(plan, fold.test))
        parts.append(_predictions(name, fold, fused, about))
        if plan.penalties:
            words.append(f"{getattr(made, 'regularisation', float('nan')):g}")
        elif getattr(made, "weights", None) is not None:
            words.append("/".join(f"{w:.2f}" for w in getattr(made, "weights", ())))
    return concatenate(parts), words


def _choose(
    name: str, plans: dict[str, Plan], folds: Sequence[ScoredFold], about: dict[str, str]
) -> tuple[Predictions, list[str]]:
    """In each fold the plan with the highest likelihood on the other folds."""
    seen = {key: prepared(plan, folds) for key, plan in plans.items()}
    parts, words = [], []
    for number in range(len(folds)):
        found = {key: likelihood_elsewhere(plans[key], seen[key], number) for key in plans}
        best = max(found, key=lambda key: found[key])
        made = fit_on(plans[best], training_part(plans[best], seen[best], number))
        test = seen[best][number]
        fused = made.predict(inputs(plans[best], test.test))
        parts.append(_predictions(name, test, fused, about))
        words.append(best)
    return concatenate(parts), words


def _predictions(
    name: str, fold: ScoredFold, fused: NDArray[np.float64], about: dict[str, str]
) -> Predictions:
    test = fold.test
    return Predictions(
        classes=RAVDESS,
        item=test.clips,
        subject=test.subjects,
        fold=np.full(len(test.clips), fold.name, dtype=object),
        label=np.asarray(RAVDESS, dtype=object)[test.labels],
        scores=fused,
        system=name,
        recipe=about["recipe"],
        data_sha256=about["data_sha256"],
    )


def _protocol(system: SystemSettings, chosen: list[str]) -> str:
    if system.candidates:
        distinct = sorted(set(chosen), key=lambda name: -chosen.count(name))
        picked = ", ".join(f"{name} in {chosen.count(name)}" for name in distinct)
        return f"candidate with the highest likelihood on the other folds ({picked})"
    words = [system.fusion]
    words += [f"{key} {value}" for key, value in system.settings.items()]
    if make_fusion(system.fusion).fitted:
        where = (
            "the fold's training clips"
            if system.fitted_on == "train"
            else ("held-out scores of the other folds' people")
        )
        words.append(f"fitted on {where}")
    if system.penalties:
        words.append(f"C by the one-standard-error rule over people ({', '.join(chosen)})")
    elif chosen:
        words.append(f"weights {', '.join(chosen)}")
    if system.person != "none":
        words.append(f"scores normalised by the person's own unlabelled clips ({system.person})")
    return "; ".join(words)


def _table(recipe: LateFusionRecipe, runs: dict[str, Run]) -> list[Result]:
    rows: list[Result] = []
    command = COMMAND.format(name=recipe.name)
    for name, run in runs.items():
        mean = "accuracy_mean_of_folds"
        rows += summarise(
            run.predictions,
            data=DATA,
            protocol=run.protocol,
            command=command,
            seed=recipe.seed,
            paper={} if run.paper is None else {mean: round(run.paper / 100, 6)},
            aim={} if run.aim is None else {mean: round(run.aim / 100, 6)},
        )
        if recipe.reference and name in {s.name for s in recipe.systems} - {recipe.reference}:
            rows.append(_gain(recipe, run, runs[recipe.reference], command))
    return rows


def _gain(recipe: LateFusionRecipe, run: Run, reference: Run, command: str) -> Result:
    found = compare(run.predictions, reference.predictions, seed=recipe.seed)
    difference = found.differences[0]
    tests = ", ".join(f"{test.name} p = {test.p:.3g}" for test in found.tests)
    return Result(
        experiment=run.predictions.system,
        metric=f"accuracy_gain_over_{recipe.reference}",
        value=round(difference.value, 4),
        low=round(difference.low, 4),
        high=round(difference.high, 4),
        data=DATA,
        protocol=f"same clips; {tests}",
        command=command,
        seed=recipe.seed,
        data_sha256=run.predictions.data_sha256,
    )


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on the terminal, gone when it is over; the names of finished systems pass by."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task("late fusion", total=total)
        yield lambda name: bar.update(task, advance=1, description=name)
