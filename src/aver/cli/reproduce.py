"""`aver reproduce`: all folds of a recipe, into a table."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from aver.cli.extras import needs_train
from aver.cli.folders import make_folder
from aver.errors import AverError, OutputError, RecipeError


def reproduce(
    recipe: Annotated[Path, typer.Argument(help="Recipe file (TOML) that makes a table.")],
    data: Annotated[
        Path,
        typer.Option("--data", help="Folder that holds the corpora's folders.", envvar="AVER_DATA"),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for features, predictions and pictures.")
    ] = Path("runs"),
    results: Annotated[
        Path | None,
        typer.Option("--results", help="Folder of the table; by default beside the predictions."),
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option("--system", help="Run this system only; may be given several times."),
    ] = None,
    fold: Annotated[
        list[str] | None,
        typer.Option("--fold", help="Run this fold only (name or number from 0); no table then."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            "--store",
            help="Folder of the feature store; OUT/features if left out.",
            envvar="AVER_STORE",
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, help="Processes that extract features.")
    ] = 1,
) -> None:
    """Run all systems of a recipe over all folds, and write the table.

    What was run before is not run again: stop it when you like, and start it once more.
    """
    with needs_train("the bench"):
        from aver.training.bench_recipe import BenchRecipe
        from aver.training.recipe import load_recipe

        settings, run_task = load_recipe(recipe)
        if not isinstance(settings, BenchRecipe) and not settings.makes_table:
            raise RecipeError(
                recipe,
                f"is a recipe of the task '{settings.task}', which makes no table of folds",
                "Use aver train",
            )
        from aver.training.bench_run import Wanted
        from aver.training.bench_run import reproduce as run
    if not data.is_dir():
        raise AverError("is not a folder", "Give the folder of the corpora", subject=data)
    for folder in (out, results):
        if folder is not None:
            make_folder(folder)
    if not isinstance(settings, BenchRecipe):
        if system or fold or store:
            raise RecipeError(
                recipe, "takes no --system, --fold or --store", "They are for the task 'bench'"
            )
        run_task(settings, data, out)
        table = out / f"{settings.name}.csv"
        if results is not None and results.resolve() != out.resolve():
            table = _copied(table, results / table.name)
        typer.echo(f"Table: {table}")
        return
    run(
        settings,
        data,
        out,
        results=results,
        store=store,
        jobs=jobs,
        wanted=Wanted(tuple(system or ()), tuple(fold or ())),
        command=f"aver reproduce recipes/{recipe.name} --data DATA --out OUT",
        tell=lambda line: typer.echo(line),
    )


def _copied(table: Path, target: Path) -> Path:
    """A copy of *table*, written beside and renamed."""
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copyfile(table, beside)
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        advice = f"The table is kept as {table}"
        raise OutputError(target, f"cannot be written ({error.strerror})", advice) from error
    return target
