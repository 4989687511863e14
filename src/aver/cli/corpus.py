"""`aver corpus`: which corpora can be read, a manifest of one, and whether one is whole."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aver.cli.bars import progress_bar
from aver.errors import CorpusError, OutputError, one_line

if TYPE_CHECKING:
    from aver.corpora.check import CheckReport
    from aver.corpora.findings import Finding

app = typer.Typer(help="Corpora: list, build a manifest, check one.", no_args_is_help=True)

_SHOWN = 3
Options = Annotated[
    list[str] | None,
    typer.Option("--option", "-o", metavar="KEY=VALUE", help="Option of the corpus; repeatable."),
]


def parse_options(typed: Iterable[str]) -> dict[str, object]:
    """``["channel=song"]`` as a dictionary; dashes in names are underscores."""
    options: dict[str, object] = {}
    for text in typed:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--option")
        options[key.strip().replace("-", "_")] = value.strip()
    return options


@app.command("list")
def list_command() -> None:
    """List the corpora that can be read, and the options of each."""
    from rich.console import Console
    from rich.table import Table

    from aver.corpora import corpus_names, get_corpus

    table = Table("name", "what", box=None, header_style="bold")
    table.add_column("options (the first is taken)", overflow="fold")
    for name in corpus_names():
        corpus = get_corpus(name)
        fields = corpus.options.model_fields.items() if corpus.options else ()
        told = [f"{key}={_values(field)}" for key, field in fields]
        table.add_row(name, corpus.title, "\n".join(told))
    Console().print(table, markup=False)


def _values(field: Any) -> str:
    from typing import Literal, get_args, get_origin

    if get_origin(field.annotation) is Literal:
        others = [value for value in get_args(field.annotation) if value != field.default]
        return "|".join([str(field.default), *map(str, others)])
    return ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)


@app.command()
def build(
    name: Annotated[str, typer.Argument(help="Corpus; see 'aver corpus list'.")],
    root: Annotated[Path, typer.Argument(help="Folder that its archives were unpacked into.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Manifest to write, .parquet or .csv. [default: NAME.parquet]"),
    ] = None,
    option: Options = None,
) -> None:
    """List a corpus as a table, one row a clip, and write it."""
    from aver.corpora import load_corpus
    from aver.corpora.manifest import write_manifest

    frame = load_corpus(name, root, **parse_options(option or ()))
    path = write_manifest(frame, out or Path(f"{name}.parquet"))
    labels = frame["label"].value_counts()
    people = frame["subject"][frame["subject"] != ""].nunique()
    typer.echo(f"{several(len(frame), 'row')}, {several(people, 'subject')}")
    typer.echo("labels: " + ", ".join(f"{label} {number:,}" for label, number in labels.items()))
    for note in frame.attrs.get("notes", ()):
        typer.echo(f"left out: {note}")
    for remark in frame.attrs.get("remarks", ()):
        typer.echo(f"note: {one_line(remark)}")
    typer.echo(f"written: {one_line(path)}")


@app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="NAME|MANIFEST", help="Corpus, or a manifest.")],
    root: Annotated[
        Path | None, typer.Argument(help="Folder of the corpus; of a manifest, where it moved to.")
    ] = None,
    option: Options = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="A part of the corpus is meant to be here.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not decode the files: names and numbers only.")
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", min=0, help="Files decoded at a time; 0: by processors.")
    ] = 0,
    findings: Annotated[
        Path | None, typer.Option("--findings", help="Write all that was found to this CSV.")
    ] = None,
) -> None:
    """Decode every file; find what is missing, unreadable, there twice, or wrongly labelled.

    Exit code 1 if anything is wrong.
    """
    from rich.console import Console

    from aver.corpora import corpus_names
    from aver.corpora.check import CheckSettings, check_corpus, check_manifest

    settings = CheckSettings(partial=partial, decode=not quick, jobs=jobs)
    console = Console(stderr=True)
    is_manifest = name not in corpus_names() and (root is None or Path(name).is_file())
    if is_manifest and Path(name).suffix not in (".parquet", ".csv"):
        from aver.corpora import get_corpus

        get_corpus(name)  # neither: told with the nearest name
    if is_manifest and option:
        raise typer.BadParameter("a manifest has none; they belong to 'build'", param_hint="-o")
    if not is_manifest and root is None:
        raise CorpusError(name, "its folder was not given", f"Run: aver corpus check {name} ROOT")
    with progress_bar(console, counts=True) as bar:
        task = bar.add_task("files", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        if is_manifest or root is None:
            report = check_manifest(name, root, settings, show)
        else:
            options = parse_options(option or ())
            report = check_corpus(name, root, options, settings, show)
    if findings is not None:
        _write(report.findings, findings)
    _print(report, findings)
    if not report.is_sound:
        raise typer.Exit(1)


def _print(report: CheckReport, written: Path | None) -> None:
    from rich.console import Console

    console = Console(soft_wrap=False)
    frame = report.frame
    people = frame["subject"][frame["subject"] != ""].nunique()
    what = f"{several(len(frame), 'row')}, {several(report.files, 'file')}"
    console.print(
        f"{report.name}: {what}, {several(people, 'subject')}", highlight=False, markup=False
    )
    if _tells_counts(report):
        console.print(_counts(report), markup=False)
    wrong = [finding for finding in report.findings if finding.is_wrong]
    notes = [finding for finding in report.findings if not finding.is_wrong]
    for title, found in (("wrong", wrong), ("note", notes)):
        if found:
            console.print(_table(title, found), markup=False)
    if not wrong:
        console.print("nothing is wrong", highlight=False)
    elif written is not None:
        console.print(f"all of it: {one_line(written)}", highlight=False, markup=False)
    elif len(wrong) > _SHOWN:
        console.print("all of it: --findings FILE.csv", highlight=False)


def _tells_counts(report: CheckReport) -> bool:
    from aver.corpora import corpus_names, get_corpus

    name = str(report.frame.attrs.get("corpus", ""))
    return name in corpus_names() and get_corpus(name).tells_counts


def _counts(report: CheckReport) -> Any:
    """All the publishers' numbers beside what was found."""
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("number of")
    table.add_column("published", justify="right")
    table.add_column("found", justify="right")
    for count in report.counts:
        table.add_row(count.what, f"{count.published:,}", f"{count.found:,}")
    return table


def _table(title: str, findings: list[Finding]) -> Any:
    """One row a kind: how many, and the first few with what to do."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(title)
    table.add_column("", justify="right")
    table.add_column("", overflow="fold")
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.kind, []).append(finding)
    for kind, found in kinds.items():
        lines = [f"{one_line(f.subject)}: {one_line(f.problem)}" for f in found[:_SHOWN]]
        if len(found) > _SHOWN:
            lines.append(f"... and {len(found) - _SHOWN:,} more")
        if advice := found[0].advice:
            lines.append(f"{one_line(advice).rstrip('.')}.")
        # As Text: a file may be called [red].
        table.add_row(Text(kind), f"{len(found):,}", Text("\n".join(lines)))
    return table


def _write(findings: Iterable[Finding], path: Path) -> None:
    import csv
    import os
    from contextlib import suppress

    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["kind", "subject", "problem", "advice", "wrong"])
            for f in findings:
                writer.writerow([f.kind, f.subject, f.problem, f.advice, f.is_wrong])
        beside.replace(path)
    except OSError as error:
        raise OutputError(
            path, f"cannot be written ({error.strerror})", "Choose another"
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()


def several(number: int, what: str) -> str:
    """``1 file``, ``1,440 files``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
