"""The face network's figures as rows of a result table and as the tables of its card."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aver.corpora import fer2013
from aver.evaluation.results import Result, hash_files
from aver.labels import FER2013

COMMAND = "aver train recipes/face_expression.toml --data DATA --out runs/face_expression"
_SOURCE = "FER-2013, 30,923 faces without near-duplicates, train/ and test/ made anew"


def wilson(share: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927).

    Args:
        share: what was observed, in [0, 1].
        count: of how many.
    """
    if not count:
        return 0.0, 1.0
    middle = share + z * z / (2 * count)
    reach = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (middle - reach) / (1 + z * z / count), (middle + reach) / (1 + z * z / count)


def hash_names(names: Iterable[str]) -> str:
    """SHA-256 over sorted names, one a line: says which faces a part holds."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def describe_data(root: Path, validation_part: float) -> dict[str, str]:
    """Hashes of the corpus's files, and of the names of the faces held out and tested on."""
    manifest = fer2013.load(root)
    held = fer2013.held_out(manifest, validation_part)
    files = {Path(file) for file in manifest["file"]}
    return {
        "data_sha256": hash_files(files, root.resolve()),
        "validation_sha256": hash_names(manifest["recording"][held]),
        "test_sha256": hash_names(manifest["recording"][manifest["group"] == "test"]),
    }


def rows(report: dict[str, Any]) -> list[Result]:
    """Rows for ``results/face_expression.csv`` from a run's ``report.json``."""
    count = int(report["test_faces"])
    protocol = (
        f"trained on {report['train_faces']} faces of train/, {report['validation_faces']} held "
        f"out (validation {report['validation_sha256'][:12]}), weights' moving average after the "
        f"last epoch, test/ ({count}, {report['test_sha256'][:12]}) scored once, exported file, "
        "single pass"
    )

    def row(experiment: str, value: float, metric: str = "accuracy", **more: Any) -> Result:
        return Result(
            experiment,
            metric,
            round(value, 4),
            data=_SOURCE,
            protocol=protocol,
            command=COMMAND,
            seed=report["recipe"]["seed"],
            data_sha256=report["data_sha256"],
            **more,
        )

    def share(experiment: str, value: float, of: int = count, **more: Any) -> Result:
        low, high = wilson(value, of)
        return row(experiment, value, low=round(low, 4), high=round(high, 4), **more)

    alone = int(report["test_faces_without_twin"])
    found = [
        share("test", report["test_accuracy"], aim=0.70),
        row("test", report["test_unweighted_average_recall"], "unweighted_average_recall"),
        share("test, no near copy in train", report["test_accuracy_without_twin"], alone),
        share("test, mean with mirror image", report["test_accuracy_mirror_mean"]),
        share("validation", report["validation_accuracy"], int(report["validation_faces"])),
        row("test", report["test_calibration_error"], "expected_calibration_error"),
        row(
            "test, tempered",
            report["test_calibration_error_tempered"],
            "expected_calibration_error",
        ),
        row("file", report["bytes"] / 1e6, "megabytes", aim=8),
    ]
    found += [row(f"test, {name}", report["test_recall"][name], "recall") for name in FER2013]
    under = report["test_accuracy_under"]
    return found + [share(f"test, {name}", value) for name, value in under.items()]


def card_tables(report: dict[str, Any]) -> str:
    """Markdown tables for the card: per class, and under each condition."""
    lines = ["| class | recall | precision | test faces |", "| --- | --- | --- | --- |"]
    for n, name in enumerate(FER2013):
        faces = sum(report["test_confusion"][n])
        recall, precision = report["test_recall"][name], report["test_precision"][name]
        lines.append(f"| {name} | {recall:.1%} | {precision:.1%} | {faces} |")
    lines += ["", "| condition | accuracy |", "| --- | --- |"]
    lines.append(f"| as they are | {report['test_accuracy']:.1%} |")
    for name, value in report["test_accuracy_under"].items():
        lines.append(f"| {name} | {value:.1%} |")
    return "\n".join(lines).replace("%", " %") + "\n"
