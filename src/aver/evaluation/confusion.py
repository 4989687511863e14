"""The confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import SettingError
from aver.evaluation.pictures import new_figure, picture_path, save_figure

CELL = 0.62  # inches a cell
DARK = 0.55  # share from which a cell is so dark that its text is white


def draw_confusion(
    counts: NDArray[np.integer], classes: Sequence[str], path: str | Path, *, title: str = ""
) -> None:
    """Draw *counts* with rows (true classes) as shares: percent large, count small in each cell.

    Written beside and renamed.

    Args:
        counts: (classes, classes), rows true, columns predicted.
        classes: their names.
        path: a ``.png``, ``.svg`` or ``.pdf`` file.
        title: a line above.

    Raises:
        AverError: if matplotlib is not installed (extra ``train``).
        OutputError: if the file cannot be written.
        SettingError: for another suffix or a matrix that does not fit the classes.
    """
    path = picture_path(path, "confusion")
    if counts.shape != (len(classes), len(classes)):
        raise SettingError("counts", f"have the shape {counts.shape} for {len(classes)} classes")
    save_figure(_figure(np.asarray(counts), [str(c) for c in classes], title), path)


def _figure(counts: NDArray[np.integer], classes: list[str], title: str) -> Any:
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    side = CELL * len(classes)
    figure = new_figure(side + 1.6, side + 1.4)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        if not counts[row, column]:
            continue
        share = shares[row, column]
        colour = "white" if share >= DARK else "#1b2a3a"
        text: dict[str, Any] = {"ha": "center", "color": colour}
        axes.text(column, row, f"{100 * share:.0f}", va="bottom", fontsize=11, **text)
        axes.text(column, row + 0.08, str(counts[row, column]), va="top", fontsize=7, **text)
    ticks = range(len(classes))
    rows = [f"{name}  ({count})" for name, count in zip(classes, total[:, 0], strict=True)]
    axes.set_xticks(ticks, classes, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, rows)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true (items)")
    axes.set_xticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(classes) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    for edge in axes.spines.values():
        edge.set_visible(False)
    heading = "percent of the true class; count below"
    axes.set_title(f"{title}\n{heading}" if title else heading, fontsize=10, loc="left")
    return figure
