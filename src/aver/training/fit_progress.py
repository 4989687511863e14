"""Telling how far a run is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class FitProgress:
    """How far a run is.

    Attributes:
        done: steps that are over, of all epochs.
        total: steps of all epochs; fewer are done when the run stops early.
        epoch: the running epoch, from 1.
        epochs: greatest number of epochs.
        figures: of the last epoch that is over: ``loss``, perhaps ``validation_loss``.
    """

    done: int
    total: int
    epoch: int
    epochs: int
    figures: dict[str, float]


Progress = Callable[[FitProgress], None]


@contextmanager
def show_progress(title: str) -> Iterator[Progress]:
    """A progress bar with the time left on standard error, where that is a terminal.

    Args:
        title: what is trained; stands before the bar.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    text = TextColumn("{task.fields[told]}")
    columns = (TextColumn("{task.description}"), BarColumn(), text)
    with Progress(
        *columns,
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(escape(title), total=None, told="")

        def show(now: FitProgress) -> None:
            figures = " ".join(
                f"{name.replace('_', ' ')} {now.figures[name]:.3f}"
                for name in ("loss", "validation_loss")
                if name in now.figures
            )
            told = f"epoch {now.epoch}/{now.epochs} {figures}"
            bar.update(task, completed=now.done, total=now.total, told=told)

        yield show
