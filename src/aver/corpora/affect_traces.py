"""Traces of emotion over time: read, averaged over annotators, cut into segments, made levels.

A trace is a text file with one row ``time valence arousal`` every 40 ms (25 Hz), time in seconds,
valence and arousal in [-1, 1].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from aver.errors import CorpusError
from aver.labels import COGNIMUSE_3, COGNIMUSE_7

Floats = NDArray[np.float64]
Rescale = Literal["corpus", "film", "none"]
Thirds = Literal["thirds", "of_seven"]

RATE: Final = 25
"""Rows a second."""
VALENCE, AROUSAL = 0, 1
"""Columns of a trace's values."""
LEVELS: Final[Mapping[int, tuple[str, ...]]] = {3: COGNIMUSE_3, 7: COGNIMUSE_7}
"""Names of the levels, from the lowest."""

_ADVICE = "A trace has rows 'time valence arousal' every 0.04 s, values from -1 to 1"


@dataclass(frozen=True, eq=False)
class Trace:
    """Valence and arousal over time.

    Attributes:
        file: that it was read from.
        values: (n, 2) valence and arousal in [-1, 1], at 0, 0.04, 0.08 ... seconds.
    """

    file: Path
    values: Floats

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.values) / RATE


def read_trace(path: Path) -> Trace:
    """Read a trace.

    Raises:
        CorpusError: if the file cannot be read or is empty; a row has not three numbers; time
            does not rise, does not begin at 0, leaves a gap, or runs at another rate; a value is
            not in [-1, 1].
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(path, "is not a trace, or cannot be read", _ADVICE) from error
    rows = _parse(path, text)
    if not len(rows):
        raise CorpusError(path, "is empty", _ADVICE)
    _check_times(path, rows[:, 0])
    beyond = ~(np.abs(rows[:, 1:]) <= 1.0)
    if beyond.any():
        row, column = np.argwhere(beyond)[0]
        what = ("valence", "arousal")[column]
        problem = f"{what} is {rows[row, column + 1]:g} at {rows[row, 0]:g} s, outside [-1, 1]"
        raise CorpusError(path, problem, "Scale the trace to [-1, 1], or correct it")
    return Trace(path, rows[:, 1:])


def _parse(path: Path, text: str) -> Floats:
    text = text.replace(",", " ").rstrip()
    if not text:
        return np.zeros((0, 3))
    import pandas as pd

    with suppress(ValueError):  # said line by line
        table = pd.read_csv(
            StringIO(text), sep=r"\s+", header=None, dtype=np.float64, skip_blank_lines=False
        )
        rows = table.to_numpy()
        if rows.shape[1] == 3 and np.isfinite(rows).all():
            return rows
    for number, fields in enumerate((line.split() for line in text.split("\n")), 1):
        if len(fields) != 3:
            problem = f"line {number} holds {len(fields)} values, not 3"
            raise CorpusError(path, problem, _ADVICE)
        for field in fields:
            if not _is_number(field):
                problem = f"line {number} holds '{field[:20]}' where a number belongs"
                raise CorpusError(path, problem, _ADVICE)
    raise CorpusError(path, "is not a trace", _ADVICE)


def _is_number(field: str) -> bool:
    try:
        return math.isfinite(float(field))
    except ValueError:
        return False


def _check_times(path: Path, times: Floats) -> None:
    step = 1.0 / RATE
    if abs(times[0]) > 1.5 * step:
        problem = f"begins at {times[0]:g} s: the film's beginning has no values"
        raise CorpusError(path, problem, "Complete the trace")
    steps = np.diff(times)
    if (steps <= 0).any():
        row = int(np.flatnonzero(steps <= 0)[0])
        problem = f"time does not rise after {times[row]:g} s (line {row + 2})"
        raise CorpusError(path, problem, "Sort its rows, each time once")
    if len(steps) and abs(np.median(steps) - step) > 0.1 * step:
        problem = f"has {1 / np.median(steps):.4g} rows a second, not {RATE}"
        raise CorpusError(path, problem, f"Bring it to {RATE} rows a second")
    wide = np.flatnonzero(steps > 1.5 * step)
    if len(wide):
        first = int(wide[0])
        more = f", and {len(wide) - 1} more" if len(wide) > 1 else ""
        problem = f"has a gap of {steps[first]:.2f} s at {times[first]:g} s{more}"
        raise CorpusError(path, problem, "Fill it, or leave this annotator out")


def average(annotators: Sequence[Sequence[Trace]]) -> Floats:
    """Mean of the annotators, all cut to the shortest trace.

    Args:
        annotators: the traces of each; somebody who annotated a film twice counts once.

    Returns:
        (n, 2) valence and arousal.
    """
    length = min(len(trace.values) for traces in annotators for trace in traces)
    means = [np.mean([t.values[:length] for t in traces], axis=0) for traces in annotators]
    return np.asarray(np.mean(means, axis=0))


def without_lag(values: Floats, seconds: float) -> Floats:
    """What was annotated *seconds* late, moved to where it belongs; so much shorter at its end."""
    return values[round(seconds * RATE) :]


def segment_means(values: Floats, seconds: float, count: int | None = None) -> Floats:
    """Means over segments side by side from the beginning; a rest at the end is left out.

    Args:
        values: (n, ...) at 25 Hz.
        seconds: length of a segment; its borders fall on the nearest rows.
        count: at most so many.

    Returns:
        (segments, ...).
    """
    borders = np.round(np.arange(len(values) / RATE / seconds + 2) * seconds * RATE).astype(int)
    borders = borders[borders <= len(values)]
    if count is not None:
        borders = borders[: count + 1]
    parts = [values[a:b].mean(axis=0) for a, b in pairwise(borders)]
    return np.array(parts).reshape(-1, *values.shape[1:])


def rescale(films: Mapping[str, Floats], how: Rescale) -> dict[str, Floats]:
    """Min-max each column to [-1, 1].

    Args:
        films: (n, 2) values of each film.
        how: with one minimum and maximum for all films (``corpus``), for each (``film``), or not
            at all (``none``). What does not vary becomes 0, the middle.
    """
    if how == "none" or not films:
        return dict(films)
    together = np.concatenate(list(films.values()))
    scaled = {}
    for film, values in films.items():
        over = together if how == "corpus" else values
        if not len(over):
            scaled[film] = values
            continue
        low, high = over.min(axis=0), over.max(axis=0)
        spread = high - low
        with np.errstate(invalid="ignore", divide="ignore"):
            unit = np.where(spread > 0, (values - low) / spread, 0.5)
        scaled[film] = 2.0 * unit - 1.0
    return scaled


def to_levels(values: Floats, levels: int, three: Thirds = "thirds") -> NDArray[np.intp]:
    """Level numbers, from 0, of values in [-1, 1] in equal steps; 1 itself is of the highest.

    Args:
        values: of any shape.
        levels: how many.
        three: three levels are ``thirds`` of the scale, or the lower three, the middle and the
            upper three ``of_seven``.
    """
    if levels == 3 and three == "of_seven":
        return np.asarray(np.sign(to_levels(values, 7) - 3) + 1, np.intp)
    steps = np.floor((values + 1.0) / 2.0 * levels + 1e-9).astype(np.intp)
    return np.clip(steps, 0, levels - 1)
