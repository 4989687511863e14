"""The saliency map's means over windows, of sound of any length in bounded memory.

The spectrogram is taken in blocks that overlap by what a column depends on: 320 frames of the
coarsest scale, and the stretch of the normalisation. Only the maximum of the whole map is not known
before the end; so the sums of every window's columns are kept for each of the maps, and weighed
when all has been read: about 50 MB for two hours in windows of 5 s.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from aver.features.auditory_saliency_fields import (
    BANDS,
    BINS,
    FIELDS,
    LEVELS,
    REACH,
    Floats,
    Pairs,
    differences,
)
from aver.features.auditory_saliency_weights import (
    AFTER,
    BEFORE,
    WINDOW,
    Level,
    Scale,
    find_peaks,
    flank,
    level_of,
    taper,
)

BLOCK: Final = 20 * WINDOW
"""Columns that are finished at a time."""
_CONTEXT: Final = (REACH + 1) << (LEVELS - 1)
"""Frames around a column that it depends on; a whole number of the coarsest scale's cells."""


@dataclass(frozen=True)
class Piece:
    """Columns of one normalisation window that belong to the same means.

    Attributes:
        start: first column.
        end: column after the last.
        levels: (maps,) the window's part in the normalisation of each map.
        sums: (maps, 257) sums of the columns, not weighed yet.
    """

    start: int
    end: int
    levels: tuple[Level, ...]
    sums: Floats


@dataclass(frozen=True)
class Measured:
    """All pieces of a recording.

    Attributes:
        pieces: in order of time.
        largest: (maps,) maximum of each whole map.
        pairs: number of pairs of scales.
        columns: of the map.
    """

    pieces: tuple[Piece, ...]
    largest: tuple[float, ...]
    pairs: int
    columns: int

    def mean(self, start: int, end: int, scale: Scale) -> Floats | None:
        """(257,) mean of the saliency map over columns; None where there is none."""
        first = bisect_left(self.pieces, start, key=lambda piece: piece.start)
        total, count = np.zeros(BANDS), 0
        for piece in self.pieces[first:]:
            if piece.end > end:
                break
            weights = [
                level.weight(largest, scale)
                for level, largest in zip(piece.levels, self.largest, strict=True)
            ]
            total += np.asarray(weights) @ piece.sums
            count += piece.end - piece.start
        if not count:
            return None
        return np.asarray(total / (count * len(FIELDS) * self.pairs), np.float32)


def measure(blocks: Iterable[Floats], pairs: Pairs, borders: Iterator[int]) -> Measured:
    """Sum the maps over pieces.

    Args:
        blocks: (frames, 513) of the log-magnitude spectrogram, in order.
        pairs: levels of centre and surround.
        borders: columns at which means begin or end, rising, without end.

    Returns:
        What :meth:`Measured.mean` needs for means that begin and end at the borders, or with the
        recording. Without pieces where there are fewer than two frames.
    """
    state = _State(pairs, borders)
    for block in blocks:
        state.add(block)
    return state.finish()


class _State:
    def __init__(self, pairs: Pairs, borders: Iterator[int]) -> None:
        self._pairs, self._borders = pairs, borders
        self._border = next(borders)
        self._waiting: list[Floats] = []
        self._first = 0  # frame at which what waits begins
        self._count = 0  # frames that wait
        self._done = 0  # columns that are finished
        self._pieces: list[Piece] = []
        self._largest = np.zeros(len(FIELDS) * len(pairs))

    def add(self, block: Floats) -> None:
        self._waiting.append(block)
        self._count += len(block)
        while self._first + self._count >= 2 * (self._done + BLOCK + AFTER) + _CONTEXT + 2 * WINDOW:
            self._work(self._done + BLOCK, is_last=False)

    def finish(self) -> Measured:
        frames = self._first + self._count
        columns = -(-frames // 2)
        if frames >= 2 and columns > self._done:
            self._work(columns, is_last=True)
        largest = tuple(float(value) for value in self._largest)
        return Measured(tuple(self._pieces), largest, len(self._pairs), self._done)

    def _work(self, end: int, *, is_last: bool) -> None:
        """Finish the columns up to *end*."""
        whole = np.concatenate(self._waiting) if self._waiting else np.zeros((0, BINS), np.float32)
        used = len(whole) if is_last else 2 * (end + AFTER) + _CONTEXT - self._first
        cells = 1 << (LEVELS - 1)
        used = min(len(whole), -(-used // cells) * cells)
        offset = self._first // 2
        maps = [one for several in differences(whole[:used], self._pairs) for one in several]
        columns = np.arange(len(maps[0])) + offset
        edges = columns if not is_last else np.minimum(columns, columns[-1] - columns)
        over_time = flank(edges).astype(np.float32)[:, None]
        # One column more on both sides: a local maximum is known by its neighbours.
        lower, upper = max(0, self._done - BEFORE - 1) - offset, end + AFTER + 1 - offset
        spans = list(self._spans(self._done, end))
        levels: list[list[Level]] = [[] for _ in spans]
        sums = np.zeros((len(spans), len(maps), BANDS), np.float32)
        over_bands = taper(BANDS)
        for number, one in enumerate(maps):
            one = one[:upper]
            one *= over_time[:upper]
            one *= over_bands
            core = one[self._done - offset : end - offset]
            self._largest[number] = max(self._largest[number], float(core.max()))
            peaks = find_peaks(one[lower:])
            for row, (start, stop) in enumerate(spans):
                window = start // WINDOW * WINDOW - offset - lower
                levels[row].append(level_of(peaks, window, window + WINDOW))
                sums[row, number] = one[start - offset : stop - offset].sum(axis=0)
        self._pieces += [
            Piece(start, stop, tuple(levels[row]), sums[row])
            for row, (start, stop) in enumerate(spans)
        ]
        self._done = end
        self._forget(whole)

    def _spans(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """[start, end) cut at the borders and at the windows of the normalisation."""
        while start < end:
            while self._border <= start:
                self._border = next(self._borders)
            stop = min(end, self._border, (start // WINDOW + 1) * WINDOW)
            yield start, stop
            start = stop

    def _forget(self, whole: Floats) -> None:
        """Keep the frames that columns to come depend on."""
        cells = 1 << (LEVELS - 1)
        needed = max(0, 2 * (self._done - BEFORE) - _CONTEXT) // cells * cells
        kept = whole[needed - self._first :].copy()
        self._waiting, self._first, self._count = [kept], needed, len(kept)


def in_order(borders: Iterable[int]) -> Iterator[int]:
    """*borders*, then one that is never reached."""
    yield from borders
    while True:
        yield int(np.iinfo(np.int64).max)
