"""Emotion along films (task ``films``): Table 2 and Table 3 of the audio-saliency transformer.

    aver reproduce recipes/asmt_table2.toml --data DATA --out OUT

Every system is trained with every film left out, with both validations; each training (model,
film, seed, learning rate, hidden size) lies in ``OUT/runs`` and is not done again. Figures come
into ``OUT/<recipe's name>.csv``, predictions into ``OUT/<name>/``, the mask analysis into
``OUT/<name>_masks.csv`` and ``.png``, a network for ``aver analyze --affect`` into
``OUT/<name>_affect.onnx``. See ``docs/films_protocol.md``.
"""

from __future__ import annotations

from pathlib import Path

from aver.corpora.pseudo_films import check_disjoint, make_pseudo_films
from aver.errors import AverError
from aver.evaluation.metrics import unweighted_average_recall
from aver.evaluation.predictions import write_predictions
from aver.evaluation.results import Result, record
from aver.training.bench_data import progress_bar
from aver.training.films_data import FilmSet, check_extras, load_films
from aver.training.films_masks import mask_rows
from aver.training.films_recipe import FilmsRecipe, FilmsRecipeBase
from aver.training.films_run import Cell, Runner
from aver.training.films_sides import leaks_of
from aver.training.films_table import PACKAGES, cell_rows, comparison_rows
from aver.training.recipe import register_task

COMMAND = "aver reproduce recipes/{name}.toml --data DATA --out OUT"
STORE, RUNS, PSEUDO_FILMS = "features", "runs", "pseudo_films"


@register_task("films", FilmsRecipe)
def run_films(recipe: FilmsRecipe, data_root: Path, out: Path) -> None:
    """Run all systems on all targets, and write the table.

    Raises:
        CorpusError: if the films cannot be used, or there is one only.
        AverError: at the end, if some systems failed; the others' figures are there.
    """
    out.mkdir(parents=True, exist_ok=True)
    check_extras(recipe)
    root = corpus_root(recipe, data_root, out)
    targets = load_films(recipe, root, out / STORE, jobs=recipe.jobs, tell=_tell)
    command = COMMAND.format(name=recipe.name)
    rows: list[Result] = []
    failed: list[str] = []
    for data in targets:
        cells, problems = run_target(recipe, data, out)
        failed += problems
        for cell in cells:
            leak = leaks_of(data, cell.validation, recipe.validation_share, recipe.seeds[0])
            rows += cell_rows(recipe, data, cell, leak, command)
        rows += comparison_rows(recipe, data, cells, command)
        if rows:
            record(out / f"{recipe.name}.csv", rows, packages=PACKAGES)
    if recipe.masks is not None:
        rows = mask_rows(recipe, targets, out, command, _tell)
        if rows:
            record(out / f"{recipe.name}.csv", rows, packages=PACKAGES)
    if recipe.keep:
        from aver.training.films_keep import keep_network

        keep_network(recipe, targets, out, _tell)
    if failed:
        raise AverError(
            f"{len(failed)} systems failed ({failed[0]})",
            "The others' figures are there; mend these and run again",
            subject=recipe.name,
        )


def corpus_root(recipe: FilmsRecipeBase, data_root: Path, out: Path) -> Path:
    """Folder of the films; pseudo-films are made first where the recipe says so."""
    if recipe.pseudo_films is None:
        return data_root / (recipe.data.folder or recipe.data.corpus)
    with progress_bar() as bar:
        task = bar.add_task("pseudo-films", total=recipe.pseudo_films.films)
        root = make_pseudo_films(
            recipe.pseudo_films,
            data_root,
            out / PSEUDO_FILMS,
            tell=lambda done, every: bar.update(task, completed=done, total=every),
        )
    check_disjoint(root)
    return root


def run_target(recipe: FilmsRecipeBase, data: FilmSet, out: Path) -> tuple[list[Cell], list[str]]:
    """All systems with all validations on one target, and a line for each that failed."""
    cells: list[Cell] = []
    failed: list[str] = []
    with progress_bar() as bar:
        task = bar.add_task(data.target.name, total=len(recipe.systems) * len(recipe.validations))
        runner = Runner(
            recipe,
            data,
            out / RUNS,
            lambda what: bar.update(task, description=f"{data.target.name}: {what}"),
        )
        for validation in recipe.validations:
            for system in recipe.systems:
                try:
                    cell = runner.cell(system, validation)
                except AverError as error:
                    failed.append(str(error))
                    _tell(str(error))
                    continue
                finally:
                    bar.advance(task)
                cells.append(cell)
                _keep(recipe, data, cell, out)
    return cells, failed


def _keep(recipe: FilmsRecipeBase, data: FilmSet, cell: Cell, out: Path) -> None:
    folder = out / recipe.name / data.target.name.replace(" ", "_") / cell.validation
    for seed, predictions in zip(recipe.seeds, cell.seeds, strict=False):
        name = cell.system.name if len(cell.seeds) == 1 else f"{cell.system.name}-{seed}"
        write_predictions(predictions, folder / f"{name}.parquet")
    recall = sum(unweighted_average_recall(p.label, p.decided()) for p in cell.seeds)
    _tell(
        f"{data.target.name}, {cell.validation} validation, {cell.system.name}: "
        f"unweighted average recall {100 * recall / len(cell.seeds):.2f} %"
    )


def _tell(line: str) -> None:
    print(line, flush=True)
