"""Between a source that does not wait and an analysis that may be late: drop and count."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.inference.live import LiveScores, LiveSession
from aver.media import SAMPLE_RATE, VideoFrame


@dataclass
class Sources:
    """Where pictures and sound of a source wait: one picture, a few seconds of sound.

    A picture that comes while another waits takes its place. Sound beyond ``most_sound_seconds`` is
    left out. Both are counted.

    Attributes:
        most_sound_seconds: sound that may wait.
        dropped_pictures: pictures that were never looked at.
        dropped_sound_seconds: sound that was never heard.
    """

    most_sound_seconds: float = 5.0
    dropped_pictures: int = 0
    dropped_sound_seconds: float = 0.0
    _picture: tuple[float, VideoFrame] | None = None
    _sound: deque[tuple[float, NDArray[np.float32]]] = field(default_factory=deque)
    _waiting: int = 0
    _done: bool = False
    _error: BaseException | None = None
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def picture(self, frame: VideoFrame) -> None:
        """A picture has just come."""
        with self._changed:
            self.dropped_pictures += self._picture is not None
            self._picture = time.perf_counter(), frame
            self._changed.notify()

    def sound(self, start: float, samples: NDArray[np.float32]) -> None:
        """Sound that began at *start* has just come: (n,) at 16 kHz."""
        with self._changed:
            if self._waiting + len(samples) > self.most_sound_seconds * SAMPLE_RATE:
                self.dropped_sound_seconds += len(samples) / SAMPLE_RATE
                return
            self._sound.append((start, samples))
            self._waiting += len(samples)
            self._changed.notify()

    def end(self, error: BaseException | None = None) -> None:
        """Nothing more will come; *error* is raised where it is taken."""
        with self._changed:
            self._done, self._error = True, error
            self._changed.notify()

    def take(
        self,
    ) -> tuple[list[tuple[float, NDArray[np.float32]]], tuple[float, VideoFrame] | None] | None:
        """Wait for what has come since: all sound, and a picture with when it came.

        None once the source has ended and all is taken.

        Raises:
            BaseException: what the source ended with.
        """
        with self._changed:
            while self._picture is None and not self._sound and not self._done:
                # In short waits, so that Ctrl-C is heard on every system.
                self._changed.wait(0.2)
            if self._picture is None and not self._sound:
                if self._error is not None:
                    raise self._error
                return None
            taken = list(self._sound), self._picture
            self._picture, self._waiting = None, 0
            self._sound.clear()
            return taken


@dataclass(frozen=True)
class Moment:
    """Scores, and how late they are.

    Attributes:
        time: seconds on the source's clock, of the picture (or the end of the sound).
        scores: of everybody seen or heard.
        delay: seconds from the picture's coming to its scores; 0 for sound alone.
    """

    time: float
    scores: list[LiveScores]
    delay: float


def follow(session: LiveSession, sources: Sources) -> Iterator[Moment]:
    """Score what comes until the source ends; one moment a picture that was looked at.

    Raises:
        AverError: what the source ended with.
    """
    while (taken := sources.take()) is not None:
        sound, picture = taken
        for start, samples in sound:
            alone = session.hear(start, samples)
            if alone and picture is None:
                yield Moment(start + len(samples) / SAMPLE_RATE, alone, 0.0)
        if picture is not None:
            came, frame = picture
            scores = session.see(frame)
            yield Moment(frame.time, scores, time.perf_counter() - came)


def run_source(feed: Callable[[Sources, threading.Event], None]) -> tuple[Sources, threading.Event]:
    """Start *feed* in a thread; it hands over until the event is set or it has no more.

    Returns:
        Where it hands over to, and the event that stops it.
    """
    sources, stop = Sources(), threading.Event()

    def run() -> None:
        error: Any = None
        try:
            feed(sources, stop)
        except BaseException as problem:  # handed to whoever takes, whatever it is
            error = problem
        sources.end(error)

    threading.Thread(target=run, name="aver-live-source", daemon=True).start()
    return sources, stop
