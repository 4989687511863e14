"""Logs of a run: one line of figures an epoch."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from aver.errors import AverError, OutputError
from aver.training.fit_settings import FitSettings

LOG = "log.csv"
COLUMNS = ("epoch", "loss", "validation_loss", "learning_rate", "seconds")


class Log:
    """Writes ``log.csv`` or TensorBoard event files into *out*; an epoch that is done again after
    a stop replaces its earlier line.

    Args:
        settings: of the run.
        out: folder, or None for no log.
        history: epochs that are over already.

    Raises:
        AverError: if TensorBoard is asked for and not installed.
        OutputError: if the log cannot be written; here and in :meth:`add`.
    """

    def __init__(self, settings: FitSettings, out: Path | None, history: list[dict[str, float]]):
        self.file: Any = None
        self.board: Any = None
        if out is None or settings.logger == "none":
            return
        if settings.logger == "tensorboard":
            self.board = _tensorboard(out, len(history))
            return
        self.path = out / LOG
        with _explained(self.path):
            self.file = self.path.open("w", newline="", encoding="utf-8")
            self.rows = csv.DictWriter(
                self.file, COLUMNS, restval="", lineterminator="\n", extrasaction="ignore"
            )
            self.rows.writeheader()
            self.rows.writerows(history)
            self.file.flush()

    def add(self, entry: dict[str, float]) -> None:
        """Log one epoch."""
        if self.file is not None:
            with _explained(self.path):
                self.rows.writerow(entry)
                self.file.flush()
        if self.board is not None:
            figures = {name: value for name, value in entry.items() if name != "epoch"}
            self.board.log_metrics(figures, step=int(entry["epoch"]))

    def close(self) -> None:
        """Finish the files."""
        if self.file is not None:
            with suppress(OSError):  # of a line that could not be written, and was told
                self.file.close()
        if self.board is not None:
            self.board.finalize("success")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            path,
            f"cannot be written ({error.strerror or error})",
            "Check the disk; the last checkpoint is kept, start again to go on from it",
        ) from error


def _tensorboard(out: Path, epochs: int) -> Any:
    from lightning.fabric.loggers import TensorBoardLogger

    try:
        # Events after the last epoch that counts are of a part of the run that was lost.
        board = TensorBoardLogger(out, name="", version="tensorboard", purge_step=epochs + 1)
        _ = board.experiment
    except ModuleNotFoundError as error:
        raise AverError(
            "'tensorboard' needs the package tensorboard",
            'Run: pip install "aver[tensorboard]", or set logger = "csv"',
            subject="logger",
        ) from error
    return board
