"""`aver compare`: is one system better than another on the same items?"""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from aver.evaluation.comparison import Comparison


def compare(
    first: Annotated[Path, typer.Argument(help="Prediction file of one system.")],
    second: Annotated[Path, typer.Argument(help="Prediction file of the other.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not a table.")] = False,
    draws: Annotated[
        int, typer.Option("--draws", min=1, help="Bootstrap samples of the intervals.")
    ] = 1000,
) -> None:
    """Compare two systems on the same items: difference, interval, paired tests, a verdict.

    Both files must hold the same items in the same folds.
    """
    from dataclasses import replace

    from aver.evaluation import comparison
    from aver.evaluation.predictions import read_predictions

    a, b = read_predictions(first), read_predictions(second)
    if a.system == b.system:
        a, b = replace(a, system=str(first)), replace(b, system=str(second))
    found = comparison.compare(a, b, draws=draws)
    if as_json:
        typer.echo(json.dumps(_report(found), indent=2))
    else:
        _print(found)


def _report(found: Comparison) -> dict[str, Any]:
    report = dataclasses.asdict(found)
    for entry, difference in zip(report["differences"], found.differences, strict=True):
        entry["difference"] = difference.value
    return {key: _plain(value) for key, value in report.items()}


def _plain(value: Any) -> Any:
    """JSON knows neither NaN nor infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def _print(found: Comparison) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=False)
    table = Table(
        title=f"{found.items} items of {found.subjects} subjects",
        title_justify="left",
        title_style="bold",
        box=None,
        header_style="bold",
    )
    table.add_column("figure")
    for name in (found.first, found.second, "difference", "95 % interval over subjects"):
        table.add_column(name, justify="right", overflow="fold")
    for d in found.differences:
        interval = "" if math.isnan(d.low) else f"{d.low:+.4f} to {d.high:+.4f}"
        table.add_row(
            d.metric.replace("_", " "),
            f"{d.first:.4f}",
            f"{d.second:.4f}",
            f"{d.value:+.4f}",
            interval,
        )
    console.print(table, markup=False)
    tests = Table(box=None, header_style="bold")
    tests.add_column("test")
    tests.add_column("p", justify="right")
    tests.add_column("over")
    tests.add_column("how", overflow="fold")
    over = {"McNemar": "items", "Wilcoxon": "subjects", "corrected t": "folds"}
    for test in found.tests:
        tests.add_row(
            test.name,
            "< 0.0001" if test.p < 1e-4 else f"{test.p:.4f}",
            f"{test.count} {over[test.name]}",
            test.note,
        )
    console.print(tests, markup=False)
    for note in found.notes:
        console.print(f"note: {note}", style="dim", markup=False)
    console.print(found.verdict, markup=False)
