"""How well levels of valence were told frame by frame (Upadhyay, Su & Lee, sections II.E and III).

A frame is right, or within one of seven ordered levels. The text also asks what sound events bring
to the extreme levels (1, 2, 6 and 7): their recall, and how many of their frames are told rightly
while an event is heard (Figure 2). Films are the subjects: figures are means over films, and tests
look at films, for the frames of one film are alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aver.errors import SettingError
from aver.evaluation.intervals import bootstrap_metric
from aver.evaluation.metrics import Classes, accuracy_within_one, recall_per_class
from aver.evaluation.pictures import new_figure, picture_path, save_figure
from aver.evaluation.tables import Figure, figures

if TYPE_CHECKING:
    import pandas as pd

    from aver.evaluation.predictions import Predictions

EXTREMES: Final = ("1", "2", "6", "7")
"""The extreme levels of seven."""
ANY: Final = "any frame"
"""Row of :func:`correct_by_event` that counts frames whatever is heard."""
_COLOURS: Final = ("#9aa5b1", "#2f6f9f", "#c8553d", "#5b8c5a", "#8f6bb3", "#d6a243")


def extreme_recall(labels: Classes, predicted: Classes, extremes: Sequence[Any]) -> float:
    """Mean recall of the *extremes* that occur in *labels*; NaN where none does.

    Args:
        labels: (frames,) true levels.
        predicted: (frames,) predicted levels.
        extremes: levels, of the same kind.
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    rows = np.isin(labels, list(extremes))
    if not rows.any():
        return float("nan")
    kept, given = labels[rows], predicted[rows]
    levels = sorted({*kept.tolist(), *given.tolist()})
    return float(np.nanmean(recall_per_class(kept, given, levels)))


def extreme_numbers(classes: Sequence[str], extremes: Sequence[str] = EXTREMES) -> list[int]:
    """Places of the *extremes* in *classes*.

    Raises:
        SettingError: for one that is no class.
    """
    for name in extremes:
        if name not in classes:
            raise SettingError("extremes", f"'{name}' is no class", f"Use {', '.join(classes)}")
    return [list(classes).index(name) for name in extremes]


def frame_figures(
    predictions: Predictions, *, extremes: Sequence[str] = EXTREMES, draws: int = 1000
) -> list[Figure]:
    """Figures of frames, with 95 % intervals over films.

    ``accuracy`` and ``accuracy_within_one`` over all frames; the same with ``_mean_of_films``, each
    film alike (the text's "average across all movie clips"); ``unweighted_average_recall``,
    ``recall_extreme`` (mean of the recalls of the *extremes* that occur) and ``recall_<level>``.

    Args:
        predictions: of one system; subjects are films, classes are in their order.
        extremes: extreme levels.
        draws: bootstrap samples.
    """
    labels, predicted = predictions.numbers(), predictions.decided_numbers()
    films = np.unique(predictions.subject, return_inverse=True)[1]
    steps = range(len(predictions.classes))
    extreme = extreme_numbers(predictions.classes, extremes)

    def near(labels: Any, predicted: Any) -> float:
        return accuracy_within_one(labels, predicted, steps)

    def mean_of_films(share: int, labels: Any, predicted: Any, films: Any) -> float:
        right = np.abs(labels - predicted) <= share
        counts = np.bincount(films)
        there = counts > 0
        return float((np.bincount(films, right)[there] / counts[there]).mean())

    own = (
        ("accuracy_mean_of_films", partial(mean_of_films, 0), (labels, predicted, films)),
        ("accuracy_within_one", near, (labels, predicted)),
        (
            "accuracy_within_one_mean_of_films",
            partial(mean_of_films, 1),
            (labels, predicted, films),
        ),
        ("recall_extreme", partial(extreme_recall, extremes=extreme), (labels, predicted)),
    )
    found = []
    for name, metric, arrays in own:
        ends = (float("nan"), float("nan"))
        if draws and len(np.unique(films)) > 1:
            ends = bootstrap_metric(metric, arrays, predictions.subject, draws=draws)
        found.append(Figure(name, metric(*arrays), *ends))
    wanted = (
        "accuracy",
        "unweighted_average_recall",
        *(f"recall_{c}" for c in predictions.classes),
    )
    common = figures(predictions, draws=draws, only=wanted)
    return [common[0], *found, *common[1:]]


def correct_by_event(
    predictions: Predictions,
    heard: Mapping[str, NDArray[np.bool_]],
    *,
    extremes: Sequence[str] = EXTREMES,
) -> pd.DataFrame:
    """Frames of extreme levels that were told rightly, by what is heard meanwhile (Figure 2).

    Args:
        predictions: of one system.
        heard: (frames,) whether an event is heard, by its name, in the order of *predictions*.
        extremes: extreme levels.

    Returns:
        A row for each event and one, :data:`ANY`, for all: ``frames`` of extreme levels during it,
        ``correct`` ones among them, and their ``share_of_correct`` in all correct frames of extreme
        levels, in percent (events may overlap, and need not fill the film).

    Raises:
        SettingError: if an event has another number of frames.
    """
    import pandas as pd

    for name, mask in heard.items():
        if mask.shape != (len(predictions),):
            raise SettingError(
                f"event '{name}'", f"has {mask.shape} frames for {len(predictions)} predictions"
            )
    extreme = np.isin(predictions.label, list(extremes))
    correct = extreme & (predictions.label == predictions.decided())
    total = int(correct.sum())
    rows = {ANY: np.ones(len(predictions), np.bool_), **heard}
    return pd.DataFrame(
        {
            "frames": [int((extreme & mask).sum()) for mask in rows.values()],
            "correct": [int((correct & mask).sum()) for mask in rows.values()],
            "share_of_correct": [
                100.0 * int((correct & mask).sum()) / total if total else float("nan")
                for mask in rows.values()
            ],
        },
        index=pd.Index(list(rows), name="event"),
    )


def draw_correct_by_event(
    tables: Mapping[str, pd.DataFrame], path: str | Path, *, title: str = ""
) -> None:
    """Draw Figure 2: bars of correct frames of extreme levels by event, one for each system.

    Args:
        tables: of :func:`correct_by_event`, by the system's name, with the same events.
        path: a ``.png``, ``.svg`` or ``.pdf`` file, written beside and renamed.
        title: a line above.

    Raises:
        AverError: if matplotlib is not installed (extra ``train``).
        OutputError: if the file cannot be written.
        SettingError: for another suffix, no table, or tables of different events.
    """
    path = picture_path(path)
    events = [list(table.index) for table in tables.values()]
    if not events or any(names != events[0] for names in events):
        raise SettingError("tables", "have different events, or there are none")
    names = [name for name in events[0] if name != ANY]
    figure = new_figure(8.5, 1.8 + len(names) * (0.16 + 0.2 * len(tables)))
    axes = figure.subplots()
    height = 0.8 / len(tables)
    widest = max(int(table.loc[names, "correct"].max()) for table in tables.values()) or 1
    for number, (system, table) in enumerate(tables.items()):
        at = np.arange(len(names)) - 0.4 + (number + 0.5) * height
        every = table[table.index == ANY]
        label = f"{system}: {every['correct'].sum()} of {every['frames'].sum()}"
        colour = _COLOURS[number % len(_COLOURS)]
        counts = table.loc[names, "correct"].to_numpy(np.int64)
        shares = table.loc[names, "share_of_correct"].to_numpy(np.float64)
        axes.barh(at, counts, 0.9 * height, color=colour, label=label)
        for place, count, share in zip(at, counts, shares, strict=True):
            told = "" if np.isnan(share) else f"{count}  ({share:.1f} %)"
            axes.text(count + 0.01 * widest, place, told, va="center", fontsize=7, color="#1b2a3a")
    axes.set_yticks(range(len(names)), [str(name).replace("_", " ") for name in names])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.18 * widest)
    axes.set_xlabel("correct frames of the extreme levels while the event is heard")
    axes.legend(
        fontsize=8,
        frameon=False,
        loc="upper left",
        bbox_to_anchor=(0, -0.16),
        title="correct frames of the extreme levels in all",
        title_fontsize=8,
        ncols=2,
    )
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)
    heading = "in brackets: share of the system's correct frames of the extreme levels"
    axes.set_title(f"{title}\n{heading}" if title else heading, fontsize=9, loc="left")
    save_figure(figure, path)
