"""The events lane: human sounds in a recording, whoever makes them.

The sound comes from the windows that the analysis reads anyway, so the file is decoded once. The
detector runs in chunks with context (:mod:`aver.features.sound_event_detector`); its scores become
events wherever every label has been quiet for long enough, and are forgotten then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.features.sound_event_detector import SCORES, SoundEventDetector
from aver.features.sound_event_names import named_events
from aver.features.sound_events import NON_VERBAL, VERBAL, DetectorSettings
from aver.media import SAMPLE_RATE, Window
from aver.timeline import Event

Floats = NDArray[np.float32]

SILENCE_LEVEL = 1e-4
"""Highest sample of silence, in a frame: 80 dB below full scale. No event is heard in it."""


class EventLane:
    """The events of one recording, window by window.

    Args:
        detector: the network.
    """

    def __init__(self, detector: SoundEventDetector):
        self._stream = detector.start((VERBAL, NON_VERBAL, SCORES))
        self._decoder = RunningDecoder(detector.settings)
        self._loud = LoudFrames(detector.settings.log_mel.hop_samples)
        self._events: list[Event] = []
        self._seconds = 0.0

    def take(self, window: Window) -> None:
        """Listen to the next window; one without sound (it starts late, has a gap) is silence."""
        self._seconds = window.end
        # The last window's samples go on after the recording's end.
        length = max(1, round((window.end - window.start) * SAMPLE_RATE))
        samples = np.zeros(length, np.float32)
        if window.samples is not None:
            heard = window.samples[:length]
            samples[: len(heard)] = heard
        self._loud.push(samples)
        for found in self._stream.push(samples):
            self._hear(found)

    def finish(self) -> list[Event]:
        """All events, ordered by start, then end and label."""
        for found in self._stream.finish():
            self._hear(found)
        self._keep(self._decoder.finish())
        return sorted(self._events, key=lambda e: (e.start, e.end, e.label))

    def _hear(self, found: Mapping[str, Floats]) -> None:
        columns = (found[VERBAL][:, None], found[NON_VERBAL][:, None], found[SCORES])
        scores = np.concatenate(columns, axis=1)
        self._keep(self._decoder.push(scores * self._loud.take(len(scores))[:, None]))

    def _keep(self, events: list[Event]) -> None:
        for event in events:
            end = min(event.end, round(self._seconds, 3))
            if end > event.start:
                self._events.append(Event(event.start, end, event.label, event.score))


class LoudFrames:
    """Which frames of a recording are more than silence."""

    def __init__(self, hop_samples: int):
        self._hop = hop_samples
        self._rest = np.zeros(0, np.float32)
        self._loud = np.zeros(0, np.bool_)

    def push(self, samples: Floats) -> None:
        """Take the next samples (n,)."""
        sound = np.concatenate([self._rest, np.abs(np.nan_to_num(samples))])
        frames = len(sound) // self._hop
        self._rest = sound[frames * self._hop :]
        peaks = sound[: frames * self._hop].reshape(frames, self._hop).max(axis=1, initial=0.0)
        self._loud = np.concatenate([self._loud, peaks > SILENCE_LEVEL])

    def take(self, count: int) -> NDArray[np.bool_]:
        """The next *count* frames; one that is only begun counts by what there is of it."""
        if count > len(self._loud):
            last = self._rest.max(initial=0.0) > SILENCE_LEVEL
            self._loud = np.append(self._loud, np.full(count - len(self._loud), last))
        found, self._loud = self._loud[:count], self._loud[count:]
        return found


class RunningDecoder:
    """Scores that come in pieces to events: the same as of all scores at once.

    Scores are held back to the last place where every name has been below its threshold for so long
    that neither its median filter nor a closed gap reaches across.

    Args:
        settings: the detector's.
    """

    def __init__(self, settings: DetectorSettings):
        self._settings = settings
        self._names = (VERBAL, NON_VERBAL, *settings.labels)
        self._hop = settings.log_mel.hop
        decodings = [settings.decoding_of(name) for name in self._names]
        self._thresholds = np.array([d.threshold for d in decodings], np.float32)
        self._reach = max(max(d.median, int(d.gap / self._hop) + 1) for d in decodings)
        self._held = np.zeros((0, len(self._names)), np.float32)
        self._quiet = np.zeros(0, np.bool_)
        self._first = 0

    def push(self, scores: Floats) -> list[Event]:
        """Take the next scores; the events that are settled by now.

        Args:
            scores: (frames, 2 + labels), those of the two binary detectors first.
        """
        quiet = (scores < self._thresholds).all(axis=1)
        self._held = np.concatenate([self._held, scores])
        self._quiet = np.concatenate([self._quiet, quiet])
        # Quiet for reach on both sides of the cut: so many quiet frames in a row around it.
        counted = np.concatenate([[0], np.cumsum(self._quiet)])
        length = 2 * self._reach
        full = np.flatnonzero(counted[length:] - counted[:-length] == length)
        return self._decode(int(full[-1]) + self._reach) if len(full) else []

    def finish(self) -> list[Event]:
        """The remaining events."""
        return self._decode(len(self._held))

    def _decode(self, count: int) -> list[Event]:
        scores = dict(zip(self._names, self._held[:count].T, strict=True))
        start = self._first * self._hop
        found = [
            Event(
                round(start + event.start, 3),
                round(start + event.end, 3),
                event.label,
                round(event.score, 4),
            )
            for event in named_events(scores, self._settings)
        ]
        self._held, self._quiet = self._held[count:], self._quiet[count:]
        self._first += count
        return found


def detector_facts(name: str, detector: SoundEventDetector) -> dict[str, Any]:
    """What the timeline's ``model`` says of the detector."""
    return {"name": name, "version": detector.version, "labels": list(detector.settings.labels)}
