"""`aver split`: a manifest in, folds out, checked for leaks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aver.errors import SettingError

if TYPE_CHECKING:
    import pandas as pd

    from aver.corpora.splits import SplitSettings


def split(
    manifest: Annotated[
        Path, typer.Argument(help="Manifest (.parquet or .csv).", metavar="MANIFEST")
    ],
    scheme: Annotated[str, typer.Option(help="Name of the protocol.")] = "subjects",
    folds: Annotated[int, typer.Option(help="Folds of the scheme 'subjects'.")] = 12,
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 0,
    validation: Annotated[
        str, typer.Option(help="none, or subjects: people taken out of training.")
    ] = "none",
    validation_subjects: Annotated[int, typer.Option(help="How many.")] = 2,
    column: Annotated[str, typer.Option(help="Column of the scheme 'column'.")] = "",
    allow_leak: Annotated[
        str, typer.Option(metavar="REASON", help="Why something may stand on both sides.")
    ] = "",
    by_sound: Annotated[
        bool, typer.Option("--by-sound", help="Compare the files' decoded sound as well.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse test rows that lack a class.")
    ] = False,
    root: Annotated[
        Path | None, typer.Option("--root", help="Folder of the corpus, if it has moved.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the folds to this .csv or .parquet.")
    ] = None,
) -> None:
    """Split a manifest into folds, refuse what leaks, and show who is tested where."""
    from rich.console import Console

    from aver.corpora.manifest import read_manifest
    from aver.corpora.split_table import split_frame, summary, write_split
    from aver.corpora.splits import make_split
    from aver.errors import one_line

    settings = _settings(
        scheme=scheme,
        folds=folds,
        seed=seed,
        validation=validation,
        validation_subjects=validation_subjects,
        column=column,
        allow_leak=allow_leak,
        by_sound=by_sound,
        strict=strict,
    )
    # Folds follow from the table alone; only the comparison of sounds needs the files.
    frame = read_manifest(manifest, root=root, missing="refuse" if by_sound else "keep")
    found = make_split(frame, settings)
    if out is not None:
        write_split(split_frame(frame, found), out)
    console = Console()
    console.print(_table(summary(frame, found)), markup=False)
    notes = [
        *found.remarks,
        *([f"Leaks: {found.leaks}. Allowed: {found.reason}"] if found.leaks else []),
    ]
    for note in notes:
        console.print(f"note: {one_line(note)}", markup=False, highlight=False, soft_wrap=True)
    if out is not None:
        console.print(f"written: {one_line(out)}", markup=False, highlight=False, soft_wrap=True)


def _settings(**chosen: Any) -> SplitSettings:
    from pydantic import ValidationError

    from aver.corpora.splits import SplitSettings

    try:
        return SplitSettings(**chosen)
    except ValidationError as error:
        first = error.errors()[0]
        problem = first["msg"].removeprefix("Value error, ")
        name = f"--{str(first['loc'][0]).replace('_', '-')}"
        raise SettingError(name, problem) from error


def _table(rows: pd.DataFrame) -> Any:
    from rich.table import Table

    table = Table()
    for name in rows.columns:
        number = name in ("train", "validation", "test")
        table.add_column(name, justify="right" if number else "left")
    for row in rows.itertuples(index=False):
        table.add_row(*map(str, row))
    return table
