"""`aver evaluate`: figures of stored predictions."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from aver.errors import AverError, SettingError

if TYPE_CHECKING:
    from aver.evaluation.predictions import Predictions
    from aver.evaluation.tables import Figure


def evaluate(
    predictions: Annotated[
        list[Path], typer.Argument(help="Prediction files (Parquet or CSV), one a system.")
    ],
    by: Annotated[
        str, typer.Option("--by", help="Also figures for each subject, fold or label.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not a table.")] = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Also write the figures into this CSV file.")
    ] = None,
    confusion: Annotated[
        Path | None,
        typer.Option(
            "--confusion", help="Draw the confusion matrix; with several files, one each."
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option("--draws", min=0, help="Bootstrap samples of the intervals; 0 for none.")
    ] = 1000,
) -> None:
    """Accuracy, recalls, F1 and calibration of stored predictions, with intervals over subjects."""
    from aver.evaluation.predictions import read_predictions
    from aver.evaluation.tables import GROUPS, by_group, figures

    if by and by not in GROUPS:
        raise typer.BadParameter(f"{by!r} is not one of {', '.join(GROUPS)}", param_hint="--by")
    # All files are read before anything is written or printed.
    systems = _named([(path, read_predictions(path)) for path in predictions])
    found = {name: figures(p, draws=draws) for name, p in systems.items()}
    groups = {name: by_group(p, by) for name, p in systems.items()} if by else {}
    if csv is not None:
        _write_csv(csv, found, groups, by)
    if confusion is not None:
        _draw(confusion, systems)
    if as_json:
        typer.echo(json.dumps(_report(systems, found, groups, by), indent=2))
    else:
        _print(systems, found, groups, by)


def _named(read: list[tuple[Path, Predictions]]) -> dict[str, Predictions]:
    """By system; by path where two files are of a system of one name."""
    names = [p.system for _, p in read]
    keys = [p.system if names.count(p.system) == 1 else str(path) for path, p in read]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise SettingError(twice, "is named twice", "Name each file once")
    return {key: p for key, (_, p) in zip(keys, read, strict=True)}


def _draw(path: Path, systems: dict[str, Predictions]) -> None:
    from aver.evaluation.confusion import draw_confusion
    from aver.evaluation.metrics import confusion_matrix

    drawn: set[str] = set()
    for name, p in systems.items():
        one = path
        if len(systems) > 1:
            # Files of one system are told apart by their paths, whose last parts may be the same.
            word = Path(name).stem if "/" in name or "\\" in name else name
            own = "".join(c if c.isalnum() or c in "-_." else "_" for c in word)
            own = own if own not in drawn else f"{own}_{len(drawn) + 1}"
            drawn.add(own)
            one = path.with_name(f"{path.stem}_{own}{path.suffix}")
        counts = confusion_matrix(p.label, p.decided(), p.classes)
        draw_confusion(counts, p.classes, one, title=name)
        typer.echo(f"confusion matrix of {name}: {one}", err=True)


def _write_csv(
    path: Path,
    found: dict[str, list[Figure]],
    groups: dict[str, dict[str, list[Figure]]],
    by: str,
) -> None:
    import pandas as pd

    from aver.report.files import write_files

    rows: list[dict[str, Any]] = [
        {"system": name, "group": "", **_entry(figure)}
        for name, figures in found.items()
        for figure in figures
    ]
    rows += [
        {"system": name, "group": f"{by}={value}", **_entry(figure)}
        for name, values in groups.items()
        for value, figures in values.items()
        for figure in figures
    ]
    text = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    write_files([(path, lambda stream: _write_text(stream, text))])


def _write_text(stream: BinaryIO, text: str) -> None:
    stream.write(text.encode())


def _entry(figure: Figure) -> dict[str, Any]:
    """JSON knows no NaN: an interval that there is not is null."""
    return {
        "metric": figure.metric,
        "value": figure.value,
        "low": None if math.isnan(figure.low) else figure.low,
        "high": None if math.isnan(figure.high) else figure.high,
    }


def _report(
    systems: dict[str, Predictions],
    found: dict[str, list[Figure]],
    groups: dict[str, dict[str, list[Figure]]],
    by: str,
) -> list[dict[str, Any]]:
    report = []
    for name, p in systems.items():
        entry: dict[str, Any] = {
            "system": name,
            "recipe": p.recipe,
            "data_sha256": p.data_sha256,
            "items": len(p),
            "subjects": len(set(p.subject.tolist())),
            "folds": len(p.folds),
            "classes": list(p.classes),
            "figures": [_entry(f) for f in found[name]],
        }
        if by:
            entry["by"] = by
            entry["groups"] = {
                value: {f.metric: f.value for f in figures}
                for value, figures in groups[name].items()
            }
        report.append(entry)
    return report


def _print(
    systems: dict[str, Predictions],
    found: dict[str, list[Figure]],
    groups: dict[str, dict[str, list[Figure]]],
    by: str,
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(soft_wrap=False)
    for name, p in systems.items():
        people, folds = len(set(p.subject.tolist())), len(p.folds)
        table = Table(
            # As Text: a system may be called [red].
            title=Text(f"{name}: {len(p)} items, {people} subjects, {folds} folds"),
            title_justify="left",
            title_style="bold",
            box=None,
            header_style="bold",
        )
        table.add_column("figure")
        table.add_column("value", justify="right")
        table.add_column("95 % interval over subjects", justify="right")
        for f in found[name]:
            interval = "" if math.isnan(f.low) else f"{f.low:.3f} to {f.high:.3f}"
            table.add_row(f.metric.replace("_", " "), f"{f.value:.4f}", interval)
        console.print(table, markup=False)
        if by:
            _print_groups(console, groups[name], by)


def _print_groups(console: Any, groups: dict[str, list[Figure]], by: str) -> None:
    from rich.table import Table

    if not groups:
        raise AverError("there are no groups", subject=by)
    metrics = [f.metric for f in next(iter(groups.values()))]
    table = Table(box=None, header_style="bold")
    table.add_column(by)
    for metric in metrics:
        table.add_column(metric.replace("_", " "), justify="right")
    for value, figures in groups.items():
        table.add_row(value, *(f"{f.value:.4f}" for f in figures))
    console.print(table, markup=False)
