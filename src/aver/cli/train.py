"""`aver train`: run a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aver.cli.extras import needs_train
from aver.cli.folders import make_folder
from aver.errors import AverError


def train(
    recipe: Annotated[Path, typer.Argument(help="Recipe file (TOML).")],
    data: Annotated[
        Path,
        typer.Option("--data", help="Folder that holds the corpora's folders.", envvar="AVER_DATA"),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for checkpoints, logs and weights.")
    ] = Path("runs"),
) -> None:
    """Train what a recipe describes; run again after a stop, it goes on where it was."""
    with needs_train("training"):
        from aver.training.recipe import load_recipe

        settings, run_task = load_recipe(recipe)
    if not data.is_dir():
        raise AverError("is not a folder", "Give the folder of the corpora", subject=data)
    make_folder(out)
    run_task(settings, data, out)
