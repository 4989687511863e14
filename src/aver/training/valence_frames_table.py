"""From the runs of the task ``valence_frames`` to the rows of Table II, and to Figure 2."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aver.corpora.affect_traces import RATE
from aver.evaluation.frame_valence import (
    ANY,
    correct_by_event,
    draw_correct_by_event,
    extreme_numbers,
    extreme_recall,
    frame_figures,
)
from aver.evaluation.intervals import Metric
from aver.evaluation.metrics import accuracy
from aver.evaluation.results import Result
from aver.evaluation.significance import paired_t_test
from aver.report.files import write_files, writer_of
from aver.training.films_data import FilmSet
from aver.training.films_run import Cell
from aver.training.films_table import (
    DRAWS,
    compare_over_films,
    describe_protocol,
    titled,
    try_to_draw,
)
from aver.training.valence_frames_data import heard_in
from aver.training.valence_frames_recipe import FramesRecipe

if TYPE_CHECKING:
    import pandas as pd

    from aver.corpora.sound_events import SoundEvent

Tell = Callable[[str], None]


def cell_rows(
    recipe: FramesRecipe, data: FilmSet, cell: Cell, leak: str, command: str
) -> list[Result]:
    """All figures of one system with one validation, means over seeds."""
    each = [frame_figures(p, extremes=recipe.extremes, draws=DRAWS) for p in cell.seeds]
    protocol = "; ".join([describe_protocol(recipe, cell, leak), *recipe.remarks])
    paper = {
        "accuracy_mean_of_films": recipe.paper.get(cell.system.name),
        "accuracy_within_one_mean_of_films": recipe.paper_within_one.get(cell.system.name),
    }
    rows = []
    for same in zip(*each, strict=True):
        means = np.mean([(f.value, f.low, f.high) for f in same], axis=0)
        value, low, high = ("" if np.isnan(v) else round(float(v), 4) for v in means)
        known = paper.get(same[0].metric)
        rows.append(
            Result(
                experiment=experiment(recipe, data, cell),
                metric=same[0].metric,
                value=value,
                low=low,
                high=high,
                paper="" if known is None else round(known / 100, 6),
                protocol=protocol,
                **_common(recipe, data, command),
            )
        )
    return rows


def comparison_rows(
    recipe: FramesRecipe, data: FilmSet, cells: Sequence[Cell], command: str
) -> list[Result]:
    """Every system against the baseline, and the recipe's pairs: accuracy and extreme levels."""
    rows = []
    for validation in dict.fromkeys(cell.validation for cell in cells):
        there = {cell.system.name: cell for cell in cells if cell.validation == validation}
        pairs = [(name, recipe.baseline) for name in there if recipe.baseline not in ("", name)]
        for first, second in dict.fromkeys([*pairs, *recipe.pairs]):
            if first in there and second in there:
                rows += _pair(recipe, data, there[first], there[second], command)
    return rows


def _pair(
    recipe: FramesRecipe, data: FilmSet, first: Cell, second: Cell, command: str
) -> list[Result]:
    extreme = extreme_numbers(recipe.levels, recipe.extremes)
    metrics: dict[str, Metric] = {
        "accuracy": accuracy,
        "recall_extreme": partial(extreme_recall, extremes=extreme),
    }
    name = f"{experiment(recipe, data, first)} against {second.system.name}"
    rows = []
    for metric, function in metrics.items():
        found = compare_over_films(first.seeds, second.seeds, function)
        films = found.films
        tests = [*found.tests, *([paired_t_test(films)] if len(films) > 1 else [])]
        told = ", ".join(f"{test.name} p = {test.p:.2g}" for test in tests)
        notes = [
            found.verdict,
            f"over films: mean {films.mean():.4f}, {told}",
            "the text's test is the paired t, which takes folds as independent",
        ]
        rows.append(
            Result(
                experiment=name,
                metric=f"difference_of_{metric}",
                value=round(found.value, 4),
                low=round(found.low, 4),
                high=round(found.high, 4),
                protocol="; ".join(notes),
                **_common(recipe, data, command),
            )
        )
        if len(films) > 1:
            p = recipe.paper_p.get(f"{first.system.name}/{second.system.name}")
            rows.append(
                Result(
                    experiment=name,
                    metric=f"p_paired_t_of_{metric}",
                    value=float(f"{tests[-1].p:.3g}"),
                    paper=p if p is not None and metric == "accuracy" else "",
                    protocol=f"paired t over {len(films)} films; two-sided",
                    **_common(recipe, data, command),
                )
            )
    return rows


def event_rows(
    recipe: FramesRecipe,
    data: FilmSet,
    cells: Sequence[Cell],
    events: Mapping[str, Sequence[SoundEvent]],
    out: Path,
    command: str,
    tell: Tell = print,
) -> list[Result]:
    """Figure 2 as a table and a picture under *out*, and as rows; of the first validation's runs.

    Frames are those of all seeds together.
    """
    import pandas as pd

    if recipe.figure_2 is None:
        return []
    there = {c.system.name: c for c in cells if c.validation == recipe.validations[0]}
    tables: dict[str, pd.DataFrame] = {}
    rows: list[Result] = []
    for name in recipe.figure_2.systems:
        if name not in there:
            continue
        parts = [
            correct_by_event(p, heard_in(p, events, recipe.frames.every), extremes=recipe.extremes)
            for p in there[name].seeds
        ]
        tables[name] = _added(parts)
        rows += _events_of(recipe, data, there[name], tables[name], command)
    if not tables:
        return []
    path = out / f"{recipe.name}_events.csv"
    whole = pd.concat(tables, names=["system"])
    write_files([(path, writer_of(whole.to_csv().encode()))])
    tell(f"Correct frames by event: {path}")
    title = titled(recipe, f"every {recipe.frames.every}th frame")
    picture = path.with_suffix(".png")
    draw = partial(draw_correct_by_event, tables, picture, title=title)
    try_to_draw(draw, "the frames by event", tell)
    return rows


def _added(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    total = parts[0][["frames", "correct"]].copy()
    for part in parts[1:]:
        total += part[["frames", "correct"]]
    every = int(total["correct"][total.index == ANY].sum())
    total["share_of_correct"] = 100.0 * total["correct"] / every if every else np.nan
    return total


def _events_of(
    recipe: FramesRecipe, data: FilmSet, cell: Cell, table: pd.DataFrame, command: str
) -> list[Result]:
    rows = []
    for event, frames, correct, share in table.itertuples(name=None):
        name = str(event).replace(" ", "_")
        told = "in all" if event == ANY else f"{share:.1f} % of the system's correct ones"
        rows.append(
            Result(
                experiment=f"{experiment(recipe, data, cell)}/events",
                metric=f"correct_extreme_frames_{name}",
                value=int(correct),
                protocol=f"levels {', '.join(recipe.extremes)}: {frames} frames, {told}; every "
                f"{recipe.frames.every}th frame, added over seeds",
                **_common(recipe, data, command),
            )
        )
    return rows


def experiment(recipe: FramesRecipe, data: FilmSet, cell: Cell) -> str:
    """``recipe/target/validation/system``."""
    return f"{recipe.name}/{data.target.name}/{cell.validation}/{cell.system.name}"


def _common(recipe: FramesRecipe, data: FilmSet, command: str) -> dict[str, Any]:
    told = [data.data_sha256, *(f"{key} {data.identity[key]}" for key in sorted(data.identity))]
    return {
        "data": describe_data(recipe, data),
        "command": command,
        "seed": " ".join(str(seed) for seed in recipe.seeds),
        "data_sha256": hashlib.sha256("\n".join(told).encode()).hexdigest(),
    }


def describe_data(recipe: FramesRecipe, data: FilmSet) -> str:
    """What was trained on, in a few words."""
    counts = Counter(
        recipe.levels[label] for film in data.films for label in film.labels.tolist() if label >= 0
    )
    told = ", ".join(f"{counts[level]} of level {level}" for level in recipe.levels)
    parts = [
        recipe.data.describe or recipe.data.corpus,
        f"{len(data.films)} films, {data.segments} frames (every {recipe.frames.every}th of {RATE} "
        f"a second, in training and testing; {told})",
        f"target {data.target.name}",
    ]
    if recipe.data.constructed:
        parts.append(f"CONSTRUCTED: {recipe.data.constructed}")
    return "; ".join(parts)
