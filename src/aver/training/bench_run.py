"""The task ``bench``: all systems over all folds, into a table; or one system, to be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aver._version import __version__
from aver.corpora.splits import Fold
from aver.errors import AverError, RecipeError
from aver.evaluation.metrics import accuracy
from aver.evaluation.predictions import Predictions, concatenate, write_predictions
from aver.evaluation.results import record
from aver.fusion import make_fusion
from aver.training.bench import Bench
from aver.training.bench_data import BenchRows, Tell, load_rows, progress_bar
from aver.training.bench_files import labelling, write_beside, writing
from aver.training.bench_recipe import BenchRecipe
from aver.training.bench_system import System
from aver.training.bench_table import PACKAGES, comparison_rows, draw, system_rows
from aver.training.recipe import register_task

SCORES = 1
"""Goes up when the same settings give other scores: then kept ones are not used."""
STORE = "features"
"""Folder of the feature store under the output folder, shared by the recipes that go there."""


@dataclass(frozen=True)
class Wanted:
    """What of a recipe is to be run; all of it by default.

    Attributes:
        systems: names of systems; those they fuse are run with them.
        folds: names or numbers (from 0) of folds.
    """

    systems: tuple[str, ...] = ()
    folds: tuple[str, ...] = ()


def reproduce(
    recipe: BenchRecipe,
    data_root: Path,
    out: Path,
    *,
    results: Path | None = None,
    store: Path | None = None,
    wanted: Wanted | None = None,
    jobs: int = 1,
    command: str = "",
    tell: Tell = print,
) -> dict[str, Predictions]:
    """Run systems over folds; what was run before is not run again.

    Leaves ``out/<recipe>/<system>/predictions.parquet`` (further seeds beside it), its confusion
    matrix as ``confusion.png``, and with all folds the rows of the table
    ``results/<recipe>.csv``. Scores are kept one file a system, fold and seed in ``out/scores``:
    whatever changes in data, settings, split or seed makes other files.

    Args:
        recipe: the recipe.
        data_root: folder of the corpora.
        out: folder for predictions and scores.
        results: folder of the table; ``out/<recipe>`` if None.
        store: folder of the feature store; ``out/features`` if None.
        wanted: a part of the recipe.
        jobs: processes that extract features.
        command: recorded in the table.
        tell: called with lines for the user.

    Returns:
        Predictions by system, of the first seed, over the folds that were run.

    Raises:
        CorpusError: if the corpus, the split or a feature cannot be used.
        RecipeError: if a system or fold that is asked for is not there.
        AverError: at the end, if some systems failed; the others' results are there.
    """
    wanted = wanted or Wanted()
    systems = [_system(recipe, name) for name in wanted.systems] or list(recipe.systems)
    streams = {stream for system in systems for stream in recipe.streams_of(system)}
    out.mkdir(parents=True, exist_ok=True)
    data = load_rows(
        recipe, data_root, out, store or out / STORE, streams=streams, jobs=jobs, tell=tell
    )
    for remark in data.remarks:
        tell(remark)
    if data.split.leaks:
        tell(f"This split leaks: {data.split.leaks}. The table says so.")
    folds = _folds(recipe, data, wanted.folds)
    home = out / recipe.name
    table = (results or home) / f"{recipe.name}.csv"
    scores = score_folder(out, tell)
    named = np.array(data.classes)[data.labels].tolist()
    told_of = [f"{label}/{who}" for label, who in zip(named, data.subjects.tolist(), strict=True)]
    kept = labelling(scores, data.items.tolist(), told_of, data.data_sha256)
    if kept:
        tell("The labels are not those of the scores kept before: everything is trained again")
    bench = Bench(recipe, data, scores, kept)
    failed: list[str] = []
    first: dict[str, Predictions] = {}
    with _progress(bench, trainings(recipe, systems) * len(folds) * len(recipe.seeds)) as title:
        for system in systems:
            try:
                seeds = [run_system(bench, system, folds, seed, title) for seed in recipe.seeds]
            except AverError as error:
                failed.append(system.name)
                tell(f"{system.name}: {error}")
                continue
            first[system.name] = seeds[0]
            keep(recipe, system, seeds, home)
            tell(told(system, seeds))
            if len(folds) == len(data.split.folds):
                found = system_rows(recipe, data, system, seeds, command)
                with writing(table):
                    record(table, found, packages=PACKAGES)
                if line := draw(seeds[0], home / system.name / "confusion.png", system.name):
                    tell(line)
    if len(folds) == len(data.split.folds):
        with writing(table):
            record(table, comparison_rows(recipe, data, first, command), packages=PACKAGES)
        tell(f"Table: {table}")
    if failed:
        raise AverError(
            f"{len(failed)} of {len(systems)} systems failed ({', '.join(failed)})",
            "The others' results are there; mend these and run again",
            subject=recipe.name,
        )
    return first


def score_folder(out: Path, tell: Tell = print) -> Path:
    """Folder for scores under *out*; those of another version of aver are left alone, unused.

    Raises:
        OutputError: if it cannot be made.
    """
    version = f"aver {__version__}, scores {SCORES}"
    folder = out / "scores"
    mark = folder / "version.txt"
    with writing(folder):
        if mark.is_file() and mark.read_text(encoding="utf-8") != version:
            tell(f"{folder} is of another version: everything is trained again")
            folder = out / f"scores-{__version__}-{SCORES}"
            mark = folder / mark.name
        folder.mkdir(parents=True, exist_ok=True)
        if not mark.is_file():
            write_beside(mark, version)
    return folder


def _system(recipe: BenchRecipe, name: str) -> System:
    try:
        return recipe.system(name)
    except ValueError as error:
        raise RecipeError(recipe.name, str(error)) from None


def _folds(recipe: BenchRecipe, data: BenchRows, wanted: Sequence[str]) -> list[Fold]:
    """The folds asked for, by name or by number from 0."""
    folds = list(data.split.folds)
    names = [fold.name for fold in folds]
    chosen = []
    for name in wanted:
        if name in names:
            chosen.append(folds[names.index(name)])
        elif name.isdigit() and int(name) < len(folds):
            chosen.append(folds[int(name)])
        else:
            problem = f"has no fold '{name}'"
            raise RecipeError(recipe.name, problem, f"There are: {', '.join(names)}")
    return chosen or folds


def trainings(recipe: BenchRecipe, systems: Sequence[System]) -> int:
    """Trainings that *systems* need in one fold with one seed, shared ones counted once."""
    needed: dict[tuple[str, str], int] = {}

    def add(system: System, held_out: bool) -> None:
        for name in system.of:
            part = recipe.system(name)
            add(part, held_out)
            if make_fusion(system.fusion, **system.settings).fitted:
                add(part, True)
        if not system.of:
            kind = "held out" if held_out else "scores"
            needed[system.name, kind] = recipe.inner_folds if held_out else 1

    for system in systems:
        add(system, False)
    return sum(needed.values())


def run_system(
    bench: Bench,
    system: System,
    folds: Sequence[Fold],
    seed: int,
    title: Callable[[str], None] = lambda _: None,
) -> Predictions:
    """Predictions of *system* for the test rows of *folds*."""
    parts = []
    for fold in folds:
        title(f"{system.name}, fold {fold.name}, seed {seed}")
        scores = bench.test_scores(system, fold, seed)
        parts.append(predictions_of(bench.recipe, system, bench.data, fold, scores))
    return concatenate(parts)


def predictions_of(
    recipe: BenchRecipe,
    system: System,
    data: BenchRows,
    fold: Fold,
    scores: NDArray[np.float64],
) -> Predictions:
    """The *scores* (test rows, classes) of a fold's test rows, ready to be kept."""
    return Predictions(
        classes=data.classes,
        item=data.items[fold.test],
        # Nobody named: all count as one, so that no interval or test is over people.
        subject=np.array([who or "unnamed" for who in data.subjects[fold.test]], dtype=object),
        fold=np.full(len(fold.test), fold.name, dtype=object),
        label=np.array(data.classes, dtype=object)[data.labels[fold.test]],
        scores=scores,
        system=system.name,
        recipe=recipe.name,
        data_sha256=data.data_sha256,
    )


def keep(recipe: BenchRecipe, system: System, seeds: Sequence[Predictions], home: Path) -> None:
    """Write the predictions, the first seed's as ``predictions.parquet``."""
    for number, (seed, predictions) in enumerate(zip(recipe.seeds, seeds, strict=True)):
        name = f"predictions_seed_{seed}.parquet" if number else "predictions.parquet"
        write_predictions(predictions, home / system.name / name)


def told(system: System, seeds: Sequence[Predictions]) -> str:
    """One line: the mean accuracy of the folds, over all seeds, and its spread."""
    folds = np.array(
        [
            [
                accuracy(p.label[p.fold == fold], p.decided()[p.fold == fold])
                for fold in seeds[0].folds
            ]
            for p in seeds
        ]
    )
    text = f"{system.name}: {100 * folds.mean():.2f} %"
    if folds.shape[1] > 1:
        spread = 100 * folds.mean(axis=0).std(ddof=1)
        text += f" mean of {folds.shape[1]} folds (spread {spread:.1f})"
    if len(seeds) > 1:
        text += f", seeds {', '.join(f'{100 * m:.2f}' for m in folds.mean(axis=1))}"
    for what, value in (("paper", system.paper), ("aim", system.aim)):
        text += f"; {what} {value:g}" if value else ""
    return text


@contextmanager
def _progress(bench: Bench, total: int) -> Iterator[Callable[[str], None]]:
    """A bar of the trainings, told what is trained."""
    from rich.markup import escape

    with progress_bar() as bar:
        task = bar.add_task("", total=total)
        bench.step = lambda count: bar.advance(task, count)
        yield lambda title: bar.update(task, description=escape(title))


@register_task("bench", BenchRecipe)
def train_bench(recipe: BenchRecipe, data_root: Path, out: Path) -> None:
    """Train the recipe's system ``train`` and leave a run folder (see ``bench_keep``)."""
    from aver.training.bench_keep import train_and_keep

    out.mkdir(parents=True, exist_ok=True)
    train_and_keep(recipe, data_root, out)
