"""`aver models`: which networks there are, what they are, and how to get one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from aver.errors import ModelError
from aver.pretrained import cache, catalogue

app = typer.Typer(help="Networks: list them, read their cards, fetch one.", no_args_is_help=True)


def _known(names: list[str] | str) -> list[str] | str:
    for name in [names] if isinstance(names, str) else names:
        if name not in catalogue.CATALOGUE:
            raise typer.BadParameter(
                f"{name!r} is no network this version knows; "
                f"known are: {', '.join(catalogue.CATALOGUE)}"
            )
    return names


def _place(model: catalogue.Model) -> str:
    path = cache.find(model.name)
    if path is None:
        return f"not here. {cache.how_to_get(model.name)}"
    return "ships with aver" if path.parent == cache.WEIGHTS else str(path)


@app.command("list")
def list_command() -> None:
    """List every network: what it does, its licence, and where its file is."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    # Folded, never cut: names and paths are there to be copied.
    table.add_column("name", no_wrap=True)
    for title in ("what", "licence", "where"):
        table.add_column(title, overflow="fold")
    for model in cache.list_models():
        table.add_row(model.name, model.what, model.licence, _place(model))
    Console(soft_wrap=False).print(table, markup=False)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the network.", callback=_known)],
) -> None:
    """Print the card of a network, and where its file is."""
    typer.echo(cache.read_card(name).rstrip())
    model = catalogue.entry(name)
    path = cache.find(name)
    if path is None:
        typer.echo(f"\nnot here. {cache.how_to_get(name)}")
    elif not cache.is_intact(name):
        raise ModelError(
            name, f"{path} has not the pinned SHA-256", f"Delete it. {cache.how_to_get(name)}"
        )
    else:
        typer.echo(f"\nhere: {path}" + (" (SHA-256 as pinned)" if model.sha256 else ""))


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(help="Names of the networks.", callback=_known)],
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder to put them in; the user's cache if absent.")
    ] = None,
) -> None:
    """Download networks from their makers' addresses, checked against a pinned SHA-256."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    # Gone when it is over, and never in a log: a failure is then one line.
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        for name in names:
            task = bar.add_task(name, total=catalogue.entry(name).download_size or None)
            path = cache.fetch(
                name,
                folder=to,
                progress=lambda done, total, task=task: bar.update(  # type: ignore[misc]
                    task, completed=done, total=total
                ),
            )
            bar.update(task, completed=catalogue.entry(name).download_size)
            typer.echo(f"{name}: {path}")


@app.command()
def convert(
    network: Annotated[
        str, typer.Argument(help="Name of the network, or 'safetensors' to rewrite any weights.")
    ],
    weights: Annotated[Path, typer.Argument(help="File of weights as its makers publish it.")],
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder to put it in; the user's cache if absent.")
    ] = None,
    first_layer: Annotated[
        str,
        typer.Option(
            "--first-layer",
            help="Of a network on stacks of flow: averaged over the colours, copied (averaged, "
            "but not scaled), or random.",
        ),
    ] = "averaged",
) -> None:
    """Make a network's ONNX file from its makers' weights, without running code in them."""
    from importlib.util import find_spec

    if find_spec("torch") is None or find_spec("onnx") is None:
        raise ModelError(network, "can be converted only with torch", "Install aver[train]")
    from aver.models.resnet101 import FirstLayer
    from aver.training.convert import CONVERSIONS
    from aver.training.convert import convert as make_file
    from aver.training.weight_files import write_safetensors

    if network == "safetensors":
        typer.echo(write_safetensors(weights, None if to is None else to / "model.safetensors"))
        return
    if network not in CONVERSIONS:
        raise typer.BadParameter(
            f"{network!r} is not made from weights; "
            f"those that are: {', '.join(CONVERSIONS)}, and safetensors"
        )
    if first_layer not in get_args(FirstLayer):
        raise typer.BadParameter(
            f"{first_layer!r} is none of {', '.join(get_args(FirstLayer))}",
            param_hint="--first-layer",
        )
    made = make_file(network, weights, to, first_layer=cast("FirstLayer", first_layer))
    typer.echo(f"{network}: {made}")
