"""`aver extract`: measure the clips of a corpus once, and keep the features."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aver.cli.bars import progress_bar
from aver.errors import AverError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from aver.features.store import Progress


def extract(
    source: Annotated[
        str, typer.Argument(help="A manifest (.csv, .parquet), or the name of a corpus.")
    ] = "",
    root: Annotated[
        Path | None, typer.Argument(help="Folder of the corpus, where one is named.")
    ] = None,
    extractor: Annotated[
        str, typer.Option("--extractor", "-e", help="What to measure; see --list.")
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="KEY=VALUE", help="A setting of the extractor."),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", "-o", metavar="KEY=VALUE", help="An option of the corpus."),
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="Folder of the feature store.", file_okay=False)
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Processes.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    show_list: Annotated[
        bool, typer.Option("--list", help="Show the extractors and their settings.")
    ] = False,
) -> None:
    """Measure every clip of a corpus, and keep the features in a store.

    Clips that are stored already are not measured again: after a stop it goes on where it was.
    A bad clip never stops the others. Exit code: 0 all done, 1 some clips failed, 2 wrong usage.
    """
    from rich.console import Console

    if show_list:
        _show_extractors(Console())
        return
    for name, given in (("SOURCE", source), ("--extractor", extractor), ("--store", store)):
        if not given:
            raise typer.BadParameter("is missing; see: aver extract --help", param_hint=name)
    assert store is not None
    from aver.features.extractor import make_extractor
    from aver.features.store import FeatureStore

    errors = Console(stderr=True)
    measure = make_extractor(extractor, **pairs_of(settings, "--set"))
    features = FeatureStore(store, warn=lambda line: say(errors, line))
    manifest = _read(source, root, pairs_of(options, "--option"))
    try:
        with _progress(errors, extractor, quiet) as progress:
            done = features.extract(manifest, measure, jobs=jobs, progress=progress)
    except KeyboardInterrupt:
        say(errors, "stopped; what was measured is kept. Run it again, and it goes on from there.")
        raise typer.Exit(130) from None
    typer.echo(
        f"{extractor}: {done.extracted} extracted, {done.present} already there, "
        f"{done.failed} failed; in {features.folder(measure)}"
    )
    if done.failed:
        raise typer.Exit(1)


def _read(source: str, root: Path | None, options: dict[str, Any]) -> pd.DataFrame:
    from aver.corpora import load_corpus
    from aver.corpora.manifest import read_manifest

    path = Path(source)
    if path.suffix.lower() in (".csv", ".parquet"):
        if root is not None or options:
            raise typer.BadParameter("a manifest takes neither ROOT nor --option")
        # A file that is gone costs its own clip only, like one that cannot be read.
        return read_manifest(path, missing="keep")
    if root is None:
        raise AverError(
            "is no manifest (.csv, .parquet), and of a corpus the folder is needed",
            "Write: aver extract CORPUS ROOT",
            subject=source,
        )
    return load_corpus(source, root, **options)


def pairs_of(given: list[str] | None, option: str) -> dict[str, Any]:
    """Settings typed as KEY=VALUE."""
    pairs: dict[str, Any] = {}
    for entry in given or []:
        key, sign, value = entry.partition("=")
        if not sign or not key.strip():
            raise typer.BadParameter(f"'{entry}' is not KEY=VALUE", param_hint=option)
        text = value.strip()
        try:
            pairs[key.strip()] = json.loads(text) if text[:1] in ("[", "{") else text
        except ValueError:
            raise typer.BadParameter(f"'{text}' is no list", param_hint=option) from None
    return pairs


def say(console: Console, line: str) -> None:
    """Print one line about an input to *console*."""
    console.print(f"aver: {line}", style="yellow", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _progress(console: Console, name: str, quiet: bool) -> Iterator[Progress]:
    bar = progress_bar(console, counts=True, quiet=quiet)
    with bar:
        task = bar.add_task(name, total=None)
        begun = False

        def tell(done: int, total: int) -> None:
            nonlocal begun
            if begun:
                bar.update(task, completed=done)
            else:  # what was stored before must not count as speed
                bar.reset(task, total=total, completed=done)
                begun = True

        yield tell


def _show_extractors(console: Console) -> None:
    from rich.table import Table

    from aver.features.extractor import extractor_class, extractor_names

    table = Table("extractor", "reads", "settings and their defaults", box=None, pad_edge=False)
    for name in extractor_names():
        try:
            kind = extractor_class(name)
        except ImportError as error:
            table.add_row(name, "", f"needs the package '{error.name}'")
            continue
        fields = kind.Settings.model_fields
        shown = ", ".join(
            f"{key}={'?' if field.is_required() else field.get_default()!r}"
            for key, field in fields.items()
        )
        table.add_row(name, kind.modality, shown)
    console.print(table, markup=False, highlight=False)
