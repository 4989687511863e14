"""From the runs of the task ``films`` to the rows of its table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import AverError
from aver.evaluation.comparison import pair
from aver.evaluation.intervals import Metric, bootstrap_metric
from aver.evaluation.metrics import unweighted_average_recall
from aver.evaluation.predictions import Predictions
from aver.evaluation.results import Result
from aver.evaluation.significance import Test, corrected_t_test, wilcoxon
from aver.evaluation.tables import Figure, figures
from aver.training.films_data import LEVELS, FilmSet
from aver.training.films_recipe import PAPER_LEAK, FilmsRecipe, FilmsRecipeBase
from aver.training.films_run import Cell

PACKAGES = ("torch", "lightning", "scikit-learn", "numpy", "opensmile")
METRIC = "unweighted_average_recall"
DRAWS = 1000
SHOWN_BELOW = 0.05
FEWEST_FILMS = 6  # with five films that all agree, Wilcoxon's p is 2 / 2**5


@dataclass(frozen=True)
class Comparison:
    """One system held against another on the same segments.

    Attributes:
        value: figure of the first less that of the second, mean over seeds.
        low: lower end of its 95 % interval, films drawn with replacement.
        high: upper end.
        films: first less second in each film that has a figure.
        tests: paired tests over films.
        verdict: in plain words.
    """

    value: float
    low: float
    high: float
    films: NDArray[np.float64]
    tests: tuple[Test, ...]
    verdict: str


def compare_over_films(
    first: Sequence[Predictions],
    second: Sequence[Predictions],
    metric: Metric = unweighted_average_recall,
) -> Comparison:
    """Compare two systems seed by seed, film by film.

    Args:
        first: predictions of one system, one a seed.
        second: of the other; a single one stands for all seeds.
        metric: of true and predicted class numbers.
    """

    def gain(labels: Any, first: Any, second: Any) -> float:
        return metric(labels, first) - metric(labels, second)

    others = [second[min(at, len(second) - 1)] for at in range(len(first))]
    values, ends, films = [], [], []
    for mine, other in zip(first, others, strict=True):
        theirs = pair(mine, other)
        arrays = (mine.numbers(), mine.decided_numbers(), theirs.decided_numbers())
        values.append(gain(*arrays))
        ends.append(bootstrap_metric(gain, arrays, mine.subject, draws=DRAWS))
        films.append(
            [gain(*(a[mine.subject == film] for a in arrays)) for film in np.unique(mine.subject)]
        )
    low, high = np.mean(ends, axis=0)
    each = np.mean(films, axis=0)
    each = each[np.isfinite(each)]
    tests = []
    if len(each) >= FEWEST_FILMS:
        tests.append(wilcoxon(each))
    if len(each) > 1:
        tests.append(corrected_t_test(each, 1 / (len(each) - 1)))
    value = float(np.mean(values))
    return Comparison(
        value, float(low), float(high), each, tuple(tests), _verdict(value, low, high, tests)
    )


def _verdict(value: float, low: float, high: float, tests: Sequence[Test]) -> str:
    apart = low > 0 or high < 0
    shown = [test.p < SHOWN_BELOW for test in tests]
    way = "higher" if value > 0 else "lower" if value < 0 else "equal"
    if apart and shown and all(shown):
        return f"{way}, and more than chance: the interval over films and the tests agree"
    if not apart and not any(shown):
        return f"{way}, which can well be chance"
    return f"{way}, and the evidence is mixed"


def cell_rows(
    recipe: FilmsRecipe, data: FilmSet, cell: Cell, leak: str, command: str
) -> list[Result]:
    """All figures of one system on one target with one validation, means over seeds."""
    common: dict[str, Any] = {
        "experiment": experiment(recipe, data, cell),
        "data": describe_data(recipe, data),
        "protocol": describe_protocol(recipe, cell, leak),
        "command": command,
        "seed": " ".join(str(seed) for seed in recipe.seeds),
        "data_sha256": data.data_sha256,
    }
    wanted = (METRIC, *(f"recall_{level}" for level in LEVELS), "accuracy")
    each = [{f.metric: f for f in figures(p, draws=DRAWS, only=wanted)} for p in cell.seeds]
    rows = []
    for metric in wanted:
        found = [seed[metric] for seed in each if metric in seed]
        if found:
            rows.append(_row(metric, found, _paper(data, cell, metric), common))
    if len(each) > 1:
        spread = float(np.std([seed[METRIC].value for seed in each], ddof=1))
        rows.append(
            Result(metric=f"spread_over_seeds_of_{METRIC}", value=round(spread, 4), **common)
        )
    by_film = np.mean([_by_film(p) for p in cell.seeds], axis=0)
    rows.append(
        Result(
            metric=f"mean_of_films_of_{METRIC}",
            value=round(float(by_film.mean()), 4),
            **{**common, "protocol": f"{common['protocol']}; films: {_films(cell, by_film)}"},
        )
    )
    return rows


def _row(
    metric: str, found: Sequence[Figure], paper: float | str, common: dict[str, Any]
) -> Result:
    means = np.mean([(f.value, f.low, f.high) for f in found], axis=0)
    value, low, high = ("" if np.isnan(v) else round(float(v), 4) for v in means)
    return Result(metric=metric, value=value, low=low, high=high, paper=paper, **common)


def _by_film(predictions: Predictions) -> list[float]:
    labels, decided = predictions.numbers(), predictions.decided_numbers()
    rows = [predictions.subject == film for film in np.unique(predictions.subject)]
    return [unweighted_average_recall(labels[r], decided[r]) for r in rows]


def _films(cell: Cell, values: NDArray[np.float64]) -> str:
    names = np.unique(cell.seeds[0].subject)
    return ", ".join(f"{name} {value:.3f}" for name, value in zip(names, values, strict=True))


def _paper(data: FilmSet, cell: Cell, metric: str) -> float | str:
    """The published figure: of other films, or the same with the paper's own validation."""
    target, name = data.target, cell.system.name
    if metric == METRIC and name in target.paper:
        return round(target.paper[name] / 100, 6)
    if metric.startswith("recall_") and name in target.paper_recalls:
        level = LEVELS.index(metric.removeprefix("recall_"))
        return round(target.paper_recalls[name][level] / 100, 6)
    return ""


def comparison_rows(
    recipe: FilmsRecipe, data: FilmSet, cells: Sequence[Cell], command: str
) -> list[Result]:
    """Every system against the baseline, and what the paper's validation flatters by."""
    rows: list[Result] = []
    for cell in cells:
        base = next(
            (
                c
                for c in cells
                if c.system.name == recipe.baseline and c.validation == cell.validation
            ),
            None,
        )
        if base is not None and cell is not base:
            found = compare_over_films(cell.seeds, base.seeds)
            name = f"{experiment(recipe, data, cell)} against {recipe.baseline}"
            rows.append(_difference(recipe, data, name, f"difference_of_{METRIC}", found, command))
        clean = next(
            (c for c in cells if c.system.name == cell.system.name and c.validation == "clean"),
            None,
        )
        if cell.validation == "paper" and clean is not None:
            found = compare_over_films(cell.seeds, _same_items(clean.seeds, cell.seeds))
            name = f"{experiment(recipe, data, cell)} against clean"
            row = _difference(recipe, data, name, f"flattered_by_in_{METRIC}", found, command)
            rows.append(row)
    return rows


def _same_items(
    predictions: Sequence[Predictions], wanted: Sequence[Predictions]
) -> list[Predictions]:
    """*predictions* of the items that *wanted* tests, seed by seed."""
    found = []
    for at, want in enumerate(wanted):
        mine = predictions[min(at, len(predictions) - 1)]
        found.append(mine.select(np.isin(mine.item, want.item)))
    return found


def _difference(
    recipe: FilmsRecipe, data: FilmSet, name: str, metric: str, found: Comparison, command: str
) -> Result:
    tests = ", ".join(f"{test.name} over films p = {test.p:.2g}" for test in found.tests)
    notes = [found.verdict, tests, "same segments", recipe.data.constructed]
    if "/paper/" in name:
        notes.append(f"LEAKS: {PAPER_LEAK}")
    return Result(
        experiment=name,
        metric=metric,
        value=round(found.value, 4),
        low=round(found.low, 4),
        high=round(found.high, 4),
        data=describe_data(recipe, data),
        protocol="; ".join(note for note in notes if note),
        command=command,
        seed=" ".join(str(seed) for seed in recipe.seeds),
        data_sha256=data.data_sha256,
    )


def experiment(recipe: FilmsRecipe, data: FilmSet, cell: Cell) -> str:
    """``recipe/target/validation/system``."""
    return f"{recipe.name}/{data.target.name}/{cell.validation}/{cell.system.name}"


def describe_data(recipe: FilmsRecipe, data: FilmSet) -> str:
    """What was trained on, in a few words."""
    counts = Counter(
        LEVELS[label] for film in data.films for label in film.labels.tolist() if label >= 0
    )
    told = ", ".join(f"{counts[level]} {level}" for level in LEVELS)
    parts = [
        recipe.data.describe or recipe.data.corpus,
        f"{len(data.films)} films, {data.segments} segments of {recipe.data.segment_seconds:g} s "
        f"({told})",
        f"target {data.target.name}",
    ]
    if recipe.data.binning == "terciles":
        parts.append("levels by terciles of each fold's training segments")
    if recipe.data.constructed:
        parts.append(f"CONSTRUCTED LABEL: {recipe.data.constructed}")
    return "; ".join(parts)


def titled(recipe: FilmsRecipeBase, what: str) -> str:
    """Title of a picture of *what*; it says where labels are constructed."""
    title = f"{recipe.name}, {what}"
    return f"{title} (constructed labels)" if recipe.data.constructed else title


def try_to_draw(draw: Callable[[], object], what: str, tell: Callable[[str], None]) -> None:
    """Draw a picture of *what*; a table is left without one where it cannot be drawn."""
    try:
        draw()
    except AverError as error:
        tell(f"no picture of {what}: {error}")


def describe_protocol(recipe: FilmsRecipeBase, cell: Cell, leak: str) -> str:
    """Division, leaks, how it was trained, and what was chosen."""
    share = f"{100 * recipe.validation_share:g} %"
    parts = ["leave one film out"]
    if cell.validation == "clean":
        parts.append(f"validation: a contiguous {share} of each training film; nothing leaks")
    else:
        parts.append(f"validation: a contiguous {share} of the tested film, the rest is tested")
        parts.append(f"LEAKS: {leak} (allowed because {PAPER_LEAK})")
    parts.append(
        f"sequences of {recipe.time} {recipe.unit}s, scaled by training {recipe.unit}s alone"
    )
    if cell.system.is_network:
        t = recipe.training
        parts.append(
            f"{t.optimiser}, batch {t.batch}, at most {t.epochs} epochs, stops after {t.patience} "
            f"without a lower validation loss, class weights {t.class_weights}"
        )
    if cell.system.model != "majority":
        what = "learning rate" if cell.system.is_network else "C"
        if cell.system.width_settings:
            what += " and hidden size"
        counts = Counter(str(choice.candidate) for choice in cell.chosen).most_common()
        told = "; ".join(f"{name} in {count} folds" for name, count in counts)
        parts.append(f"{what} by validation {recipe.search.choose} ({told})")
    if len(recipe.seeds) > 1:
        parts.append(f"mean over {len(recipe.seeds)} seeds, as is the interval (over films)")
    else:
        parts.append("interval over films")
    return "; ".join([*parts, *([cell.system.note] if cell.system.note else [])])
