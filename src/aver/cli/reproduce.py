"""`aver reproduce`: all folds of a recipe, into a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aver.cli.folders import make_folder
from aver.errors import AverError, RecipeError


def reproduce(
    recipe: Annotated[Path, typer.Argument(help="Recipe file (TOML) of the task 'bench'.")],
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
) -> None:
    """Run all systems of a recipe over all folds, and write the table.

    What was run before is not run again: stop it when you like, and start it once more.
    """
    try:
        from aver.training.bench_recipe import BenchRecipe
        from aver.training.recipe import load_recipe

        settings, _ = load_recipe(recipe)
        if not isinstance(settings, BenchRecipe):
            raise RecipeError(
                recipe,
                f"is a recipe of the task '{settings.task}', which makes no table of folds",
                "Use aver train",
            )
        from aver.training.bench_run import Wanted
        from aver.training.bench_run import reproduce as run
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("aver"):
            raise
        raise AverError(
            f"the bench needs the package '{error.name}'", 'Run: pip install "aver[train]"'
        ) from error
    if not data.is_dir():
        raise AverError("is not a folder", "Give the folder of the corpora", subject=data)
    for folder in (out, results):
        if folder is not None:
            make_folder(folder)
    run(
        settings,
        data,
        out,
        results=results,
        store=store,
        wanted=Wanted(tuple(system or ()), tuple(fold or ())),
        command=f"aver reproduce recipes/{recipe.name} --data DATA --out OUT",
        tell=lambda line: typer.echo(line),
    )
