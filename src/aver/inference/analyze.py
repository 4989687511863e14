"""The main job: a recording in, a timeline of expressed emotion out.

Windows of half a second come from one decode of the file. Each gives an embedding for every
visible face and one for the voice; eight windows around it give its scores. Nothing older than
that context is kept, so memory does not grow with the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver import pretrained
from aver._version import __version__
from aver.errors import ModelError
from aver.inference.front import FrontEnd, Reading
from aver.inference.networks import FusionNetwork, locate
from aver.inference.settings import WINDOW_SECONDS, AnalysisSettings
from aver.timeline import Modality, Segment, Timeline, order_segments

Progress = Callable[[float, float | None], None]
"""Called with the seconds read so far and the recording's duration (None if unknown)."""


class Analyzer:
    """The networks and settings of the analysis; one instance serves any number of recordings.

    Args:
        settings: see :class:`AnalysisSettings`.

    Raises:
        ModelError: if a network is missing or damaged.
    """

    def __init__(self, settings: AnalysisSettings | None = None):
        self.settings = settings or AnalysisSettings()
        s = self.settings
        self.fusion = FusionNetwork(locate(s.fusion_network), s.threads)
        self.front = FrontEnd(s)
        ahead = self.fusion.windows // 2 if s.context == "centred" else 0
        self.windows_ahead = ahead
        self.windows_behind = self.fusion.windows - 1 - ahead

    def analyze(self, path: str | Path, *, progress: Progress | None = None) -> Timeline:
        """Analyse one recording.

        Raises:
            MediaError: if it cannot be read at all.
        """
        return Run(self, path, progress).timeline()

    def stream(self, path: str | Path, *, progress: Progress | None = None) -> Iterator[Segment]:
        """Yield segments in time order while the recording is still being read.

        Raises:
            MediaError: if it cannot be read at all.
        """
        return iter(Run(self, path, progress))


class Run:
    """One recording being analysed; iterate for segments, then ask for the rest."""

    def __init__(self, analyzer: Analyzer, path: str | Path, progress: Progress | None = None):
        self.analyzer = analyzer
        self.settings = analyzer.settings
        self.reading = Reading(analyzer.front, path)
        self._progress = progress

    def __iter__(self) -> Iterator[Segment]:
        ahead = self.analyzer.windows_ahead
        last = -1
        for window in self.reading.windows():
            self.reading.take(window)
            last = window.index
            if last - ahead >= 0:
                yield from self._score(last - ahead)
            if self._progress is not None:
                self._progress(window.end, self.reading.info.duration)
        for index in range(max(0, last - ahead + 1), last + 1):
            yield from self._score(index)

    def timeline(self) -> Timeline:
        """Run to the end and sum up."""
        segments = list(self)
        numbers = self._numbers()
        kept = [k for s in segments for k in _renumbered(s, numbers)]
        people = self.reading.people
        return Timeline(
            media=self._media(),
            labels=self.analyzer.fusion.labels,
            people=[people[old].as_person(new) for old, new in numbers.items()],
            segments=order_segments(kept),
            warnings=[*self.reading.warnings, *self._remarks(len(numbers))],
            model=self._model(),
        )

    def _score(self, index: int) -> Iterator[Segment]:
        """Segments of window *index*, whose context is complete."""
        first = index - self.analyzer.windows_behind
        context = range(first, index + self.analyzer.windows_ahead + 1)
        people, heard = self.reading.people, self.reading.heard.get(index)
        rows: list[int | None] = [p for p, memory in people.items() if index in memory.windows]
        if heard is not None and heard.owner not in rows:
            rows.append(None)
        if rows:
            yield from self._segments(index, context, rows)
        self.reading.forget_before(first + 1)

    def _segments(self, index: int, context: range, rows: list[int | None]) -> Iterator[Segment]:
        network = self.analyzer.fusion
        people, all_heard = self.reading.people, self.reading.heard
        shape = (len(rows), network.windows)
        face = np.zeros((*shape, network.dimensions), np.float32)
        voice = np.zeros((*shape, network.dimensions), np.float32)
        face_mask = np.zeros(shape, bool)
        voice_mask = np.zeros(shape, bool)
        for r, person in enumerate(rows):
            # Windows before the recording's start are left out, so the first window that is there
            # stands at position 0, as in training.
            for t, i in enumerate(i for i in context if i >= 0):
                if person is not None and i in people[person].windows:
                    face[r, t] = people[person].windows[i].embedding
                    face_mask[r, t] = True
                voice_there = all_heard.get(i)
                if voice_there is not None and voice_there.owner == person:
                    voice[r, t] = voice_there.embedding
                    voice_mask[r, t] = True
        scores = network(face, face_mask, voice, voice_mask)
        start, end = self.reading.spans[index]
        heard = all_heard.get(index)
        for r, person in enumerate(rows):
            window = None if person is None else people[person].windows[index]
            speaks = heard is not None and heard.owner == person
            face_weak = window is None or (
                window.detected == 0.0 or window.quality < self.settings.weak_quality
            )
            voice_weak = heard is None or heard.shared
            if window is not None:
                face_scores = scores["face"][r]
                yield replace(
                    self._segment(start, end, person, "face", face_scores, face_weak),
                    box=window.box,
                )
            if speaks:
                yield self._segment(start, end, person, "voice", scores["voice"][r], voice_weak)
            weak = (window is None or face_weak) and (not speaks or voice_weak)
            fused = self._segment(start, end, person, "fused", scores["fused"][r], weak)
            yield fused
            if person is not None and window is not None and not face_weak:
                best = fused.best
                people[person].offer_thumbnail(
                    window, network.labels[best], fused.scores[best], self.settings.thumbnails
                )

    def _segment(
        self,
        start: float,
        end: float,
        person: int | None,
        modality: Modality,
        scores: NDArray[np.float32],
        weak: bool,
    ) -> Segment:
        values = tuple(float(v) for v in scores)
        second, first = sorted(values)[-2:]
        s = self.settings
        flat = first < s.weak_score or first - second < s.weak_margin
        return Segment(start, end, person, modality, values, bool(weak or flat))

    def _numbers(self) -> dict[int, int]:
        """New numbers 1, 2, ... of the people who were there long enough, by first appearance."""
        least = self.settings.min_seconds_seen
        if self.reading.info.is_image or self.reading.seconds < 4 * least:
            least = 0.0
        ordered = sorted(
            self.reading.people.items(), key=lambda item: (item[1].first_seen, item[0])
        )
        kept = [old for old, memory in ordered if memory.seconds_seen >= least]
        return {old: new for new, old in enumerate(kept, start=1)}

    def _remarks(self, people: int) -> Iterator[str]:
        left_out = len(self.reading.people) - people
        if left_out:
            yield (
                f"{left_out} face track(s) seen for less than "
                f"{self.settings.min_seconds_seen:g} s were left out as likely false detections."
            )
        if self.reading.tracker is not None and not self.reading.people:
            scored = "; only the voice is scored" if self.reading.any_voice else ""
            yield f"No face was found{scored}."
        if self.settings.picture and not self.reading.info.has_video:
            yield "There is no picture; only the voice is scored."
        scored = "; only faces are scored" if people else ""
        if (
            self.settings.sound
            and not self.reading.info.has_audio
            and not self.reading.info.is_image
        ):
            yield f"There is no sound track{scored}."
        elif self.settings.sound and self.reading.info.has_audio and not self.reading.any_voice:
            yield f"The sound track is silent{scored}."
        detector = self.analyzer.front.detector
        advice = getattr(detector, "advice", None) if self.reading.tracker is not None else None
        if advice:
            yield str(advice)

    def _media(self) -> dict[str, Any]:
        info = self.reading.info
        facts = {k: v for k, v in asdict(info).items() if k not in ("path", "duration")}
        return {
            "path": str(self.reading.path),
            "name": self.reading.path.name,
            "duration": info.duration if info.duration is not None else self.reading.seconds,
            "read": self.reading.seconds,
            **facts,
        }

    def _model(self) -> dict[str, Any]:
        s = self.settings
        metadata = self.analyzer.fusion.metadata
        model: dict[str, Any] = {
            "aver": __version__,
            "name": s.fusion_network,
            "version": self.analyzer.fusion.version,
            "face_network": s.face_network,
            "voice_network": s.voice_network,
            "detector": self.analyzer.front.detector.name if self.analyzer.front.detector else None,
            "window_seconds": WINDOW_SECONDS,
            "context_windows": self.analyzer.fusion.windows,
            "context": s.context,
            "temperature": self.analyzer.fusion.temperatures,
        }
        if "expected_calibration_error" in metadata:
            model["expected_calibration_error"] = float(metadata["expected_calibration_error"])
        try:
            model["card"] = pretrained.read_card(s.fusion_network)
        except ModelError:  # a user's own network may have no card
            model["card"] = ""
        return model


def _renumbered(segment: Segment, numbers: Mapping[int, int]) -> Iterator[Segment]:
    """The segment under its person's final number; of somebody left out only the voice is kept."""
    if segment.person is None:
        yield segment
    elif segment.person in numbers:
        yield replace(segment, person=numbers[segment.person])
    elif segment.modality == "voice":
        yield replace(segment, person=None)
        yield replace(segment, person=None, modality="fused")


def analyze(
    path: str | Path,
    *,
    settings: AnalysisSettings | None = None,
    progress: Progress | None = None,
) -> Timeline:
    """Analyse a recording: who shows which emotion when.

    Args:
        path: any file FFmpeg reads: video, sound alone, a picture.
        settings: see :class:`AnalysisSettings`.
        progress: called after each window with the seconds read and the duration.

    Returns:
        The timeline. No face, or no voice, is an answer with a warning, not an error.

    Raises:
        MediaError: if the file is missing, holds no media, or is refused by a limit.
        ModelError: if a network is missing.
    """
    return Analyzer(settings).analyze(path, progress=progress)


def stream(
    path: str | Path,
    *,
    settings: AnalysisSettings | None = None,
    progress: Progress | None = None,
) -> Iterator[Segment]:
    """Like :func:`analyze`, but yields each window's segments as soon as its context is read.

    People keep their raw numbers here: very short appearances are not filtered out, as that
    needs the whole recording.
    """
    return Analyzer(settings).stream(path, progress=progress)
