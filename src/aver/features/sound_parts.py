"""The sound of a clip part by part, in bounded memory.

A film's manifest names hundreds of stretches of one file, in order. Recordings are read from their
beginning, there is no seeking, so the reader of a stretch is kept open: the next stretch of the
same file goes on where it stands, and a film is decoded once, not once a stretch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import MediaError
from aver.features.extractor import Clip
from aver.media import SAMPLE_RATE, read_windows

_Identity = tuple[str, int, int]


@dataclass
class _Reader:
    """Windows of a recording's sound.

    Attributes:
        file: its path, size and time of change.
        windows: still to be read.
        part: the samples read last; None before the first.
        start: their number in the recording.
    """

    file: _Identity
    windows: Any
    part: NDArray[np.float32] | None = None
    start: int = 0

    @property
    def end(self) -> int:
        return self.start + (0 if self.part is None else len(self.part))

    def advance(self) -> bool:
        window = next(self.windows, None)
        if window is None:
            return False
        length = round((window.end - window.start) * SAMPLE_RATE)
        self.start = self.end
        silent = window.samples is None
        self.part = np.zeros(length, np.float32) if silent else window.samples[:length]
        return True

    def close(self) -> None:
        self.windows.close()


class _Kept(threading.local):
    reader: _Reader | None = None


_kept = _Kept()


def sound_parts(clip: Clip) -> Iterator[NDArray[np.float32]]:
    """Mono sound of *clip* at 16 kHz, half a second or less at a time, to its last sample.

    Gaps in the recording are silence.

    Raises:
        MediaError: if the file cannot be read, holds no sound, or ends before the clip starts.
    """
    first = round(clip.first * SAMPLE_RATE)
    last = None if clip.end is None else round(clip.end * SAMPLE_RATE)
    reader = _open(clip.file, first)
    is_anything, is_kept = False, False
    try:
        more = reader.part is not None or reader.advance()
        while more:
            lower = max(0, first - reader.start)
            upper = reader.end - reader.start if last is None else last - reader.start
            assert reader.part is not None
            part = reader.part[lower : max(upper, 0)]
            if len(part):
                is_anything = True
                yield part
            if last is not None and reader.end >= last:
                is_kept = True
                break
            more = reader.advance()
        if not is_anything:
            raise MediaError(
                clip.file,
                f"holds no sound between {clip.first:g} s and the clip's end: it ends at "
                f"{reader.end / SAMPLE_RATE:.2f} s",
                "Correct start and end in the manifest",
            )
    finally:
        if is_kept and _kept.reader is None:
            _kept.reader = reader
        else:
            reader.close()


def _open(path: Path, first: int) -> _Reader:
    """The reader kept of this file where it has not passed sample *first*; else a new one."""
    kept, _kept.reader = _kept.reader, None
    identity = _identify(path)
    if kept is not None:
        if kept.file == identity and kept.start <= first:
            return kept
        kept.close()
    return _Reader(identity, read_windows(path, picture=False))


def _identify(path: Path) -> _Identity:
    try:
        state = path.stat()
    except OSError:  # the reader will say what is wrong
        return str(path), -1, -1
    return str(path), state.st_size, state.st_mtime_ns
