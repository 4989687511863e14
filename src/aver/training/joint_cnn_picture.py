"""Validation accuracy by epoch as a picture: experiment 3, figure 7 of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from aver.errors import AverError
from aver.report.files import write_files

STYLES = {
    "pair": ("joint classifier", "#1b6ca8"),
    "image": ("image by itself", "#c1571a"),
    "audio": ("audio by itself", "#3f7d3a"),
}


def draw_curves(
    panels: Mapping[str, Mapping[str, Sequence[Sequence[float]]]], path: Path, *, chance: float
) -> None:
    """Draw one panel a split, in each one line a head: the mean over seeds, their range shaded.

    Args:
        panels: title -> head -> (seeds, epochs) accuracies in [0, 1].
        path: a ``.png`` or ``.svg`` file, written beside and renamed.
        chance: accuracy of guessing, drawn as a dotted line.

    Raises:
        AverError: if matplotlib is not installed.
        OutputError: if the file cannot be written.
    """
    try:
        # Without pyplot: no window system, no state shared with the caller's own figures.
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise AverError(
            "the picture needs the package 'matplotlib'", 'Run: pip install "aver[train]"'
        ) from error
    figure = Figure(figsize=(1.0 + 3.6 * len(panels), 3.4), layout="constrained")
    row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (title, heads) in zip(row, panels.items(), strict=True):
        for head, (name, colour) in STYLES.items():
            if head not in heads:
                continue
            values = 100.0 * np.asarray(heads[head], dtype=np.float64)
            epochs = np.arange(1, values.shape[1] + 1)
            low, high = values.min(axis=0), values.max(axis=0)
            axes.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(epochs, values.mean(axis=0), color=colour, label=name, linewidth=1.8)
        axes.axhline(100.0 * chance, color="#777777", linewidth=0.8, linestyle=":")
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel("epoch")
        axes.set_ylim(0, 100)
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
        axes.set_axisbelow(True)
        for edge in ("top", "right"):
            axes.spines[edge].set_visible(False)
    row[0].set_ylabel("validation accuracy, percent")
    row[0].legend(frameon=False, fontsize=8, loc="upper left")
    kind = path.suffix.lstrip(".").lower() or "png"
    # Without a date in it, so that the same curves make the same file.
    about = {"Date": None} if kind == "svg" else {"Software": None}
    write_files(
        [
            (
                path,
                lambda out: figure.savefig(
                    out, format=kind, dpi=110, facecolor="white", metadata=about
                ),
            )
        ]
    )
