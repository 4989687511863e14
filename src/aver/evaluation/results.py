"""Result tables: a figure, the command that made it, and what it was measured on."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from aver._version import __version__


@dataclass(frozen=True)
class Result:
    """One row of a table in ``results/``.

    Attributes:
        experiment: what was measured, as a short stable name; with ``metric`` it names the row.
        metric: the field's name of the figure (``accuracy``, ``unweighted_average_recall``).
        value: the figure, as it should be read.
        low: lower end of its 95 % interval, where there is one.
        high: upper end.
        aim: what was aimed at, or empty.
        paper: the paper's own figure, or empty.
        data: what it was measured on.
        protocol: split and selection rule.
        command: the command that made it, run from the project's root.
        seed: seed of the run.
        data_sha256: hash over the data's own files (see :func:`hash_files`), or empty.
        versions: versions of what computed it.
        date: UTC date.
    """

    experiment: str
    metric: str
    value: float | str
    low: float | str = ""
    high: float | str = ""
    aim: float | str = ""
    paper: float | str = ""
    data: str = ""
    protocol: str = ""
    command: str = ""
    seed: int | str = ""
    data_sha256: str = ""
    versions: str = ""
    date: str = ""


def versions(*packages: str) -> str:
    """``aver 0.1.0; python 3.11.7; torch 2.13.0`` for the packages that are installed."""
    parts = [f"aver {__version__}", f"python {platform.python_version()}"]
    for package in packages:
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return "; ".join(parts)


def hash_files(files: Iterable[Path], root: Path) -> str:
    """SHA-256 over the sorted relative names and the contents of *files*."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def record(table: Path, rows: Sequence[Result], *, packages: Sequence[str] = ("numpy",)) -> None:
    """Write *rows* into the CSV *table*: same experiment and metric replaces, new ones append.

    Empty ``date`` and ``versions`` are filled in. The file is written beside and renamed.
    """
    names = [f.name for f in fields(Result)]
    old: dict[tuple[str, str], dict[str, str]] = {}
    if table.exists():
        with table.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                old[row["experiment"], row["metric"]] = row
    for result in rows:
        entry = {k: _text(v) for k, v in asdict(result).items()}
        entry["date"] = entry["date"] or datetime.now(UTC).date().isoformat()
        entry["versions"] = entry["versions"] or versions(*packages)
        old[result.experiment, result.metric] = entry
    table.parent.mkdir(parents=True, exist_ok=True)
    beside = table.with_name(f".{table.name}.{os.getpid()}")
    with beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(old.values())
    beside.replace(table)


def write_report(path: Path, report: Mapping[str, Any]) -> None:
    """Write a run's figures as JSON, beside and renamed."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    beside.replace(path)


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
