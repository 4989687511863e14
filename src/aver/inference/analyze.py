"""The main job: a recording in, a timeline of expressed emotion out.

Windows of half a second come from one decode of the file. Each gives an embedding for every
visible face and one for the voice; eight windows around it give its scores. Nothing older than
that context is kept, so memory does not grow with the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import MediaError
from aver.features.sound_event_detector import SoundEventDetector
from aver.inference.affect import AffectNetwork
from aver.inference.calibrate import NOBODY, Calibration, learn
from aver.inference.calibrate import Progress as ClipProgress
from aver.inference.events import EventLane, detector_facts
from aver.inference.facts import media_facts, model_facts, remarks
from aver.inference.front import FrontEnd, Reading
from aver.inference.kept import chosen, final_numbers, renumbered
from aver.inference.networks import Floats, FusionNetwork, locate
from aver.inference.settings import AnalysisSettings
from aver.timeline import Affect, Modality, Segment, Timeline, order_segments

Progress = Callable[[float, float | None], None]
"""Called with the seconds read so far and the recording's duration (None if unknown)."""


class Analyzer:
    """The networks and settings of the analysis; one instance serves any number of recordings.

    Args:
        settings: see :class:`AnalysisSettings`.
        calibrating: called with the calibration clips read so far and all of them.

    Raises:
        ModelError: if a network is missing or damaged.
        SettingError: if calibration clips are given and none of them can be used.
    """

    def __init__(
        self,
        settings: AnalysisSettings | None = None,
        *,
        calibrating: ClipProgress | None = None,
    ):
        self.settings = settings or AnalysisSettings()
        s = self.settings
        self.fusion = FusionNetwork(locate(s.fusion_network), s.threads)
        self.affect = AffectNetwork(s.affect, s.threads) if s.affect else None
        self.front = FrontEnd(s)
        self.event_detector: SoundEventDetector | None = None
        if s.events and s.sound:
            self.event_detector = SoundEventDetector(locate(s.event_network), s.threads)
        self.calibration: Calibration | None = learn(self.front, progress=calibrating)
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
        self._lane: EventLane | None = None

    def __iter__(self) -> Iterator[Segment]:
        for plain, calibrated in self._windows():
            yield from chosen(plain, calibrated, self._whose(self.reading.people))

    def timeline(self) -> Timeline:
        """Run to the end and sum up."""
        plain: list[Segment] = []
        calibrated: list[Segment] = []
        if self.analyzer.event_detector is not None and self.reading.info.has_audio:
            self._lane = EventLane(self.analyzer.event_detector)
        for some, others in self._windows():
            plain += some
            calibrated += others
        numbers = self._numbers()
        # Who the calibration clips show is known for sure once everybody has been seen.
        whose = self._whose(numbers)
        kept = [k for s in chosen(plain, calibrated, whose) for k in renumbered(s, numbers)]
        reading, settings, front = self.reading, self.settings, self.analyzer.front
        calibration = self.analyzer.calibration
        warnings = [*reading.warnings, *remarks(settings, front.detector, reading, len(numbers))]
        model = model_facts(settings, self.analyzer.fusion, front.detector)
        if calibration is not None:
            warnings += calibration.remarks(reading.tracker, list(numbers))
            number = None if whose is None else numbers.get(whose)
            model["calibration"] = calibration.facts(number, whose != NOBODY)
        levels = self._levels(warnings, model)
        if self.analyzer.event_detector is not None:
            model["events"] = detector_facts(settings.event_network, self.analyzer.event_detector)
        return Timeline(
            media=media_facts(reading),
            labels=self.analyzer.fusion.labels,
            people=[reading.people[old].as_person(new) for old, new in numbers.items()],
            segments=order_segments(kept),
            events=[] if self._lane is None else self._lane.finish(),
            warnings=warnings,
            model=model,
            affect=levels,
        )

    def _levels(self, warnings: list[str], model: dict[str, Any]) -> list[Affect]:
        """Levels of arousal and valence of the sound, where a network for them was given."""
        network = self.analyzer.affect
        if network is None:
            return []
        model["affect"] = network.describe()
        if not self.reading.info.has_audio:
            warnings.append("There is no sound track to give levels of arousal and valence to.")
            return []
        try:
            return network(self.reading.path)
        except MediaError as error:
            warnings.append(f"No levels of arousal and valence: {error.problem}.")
            return []

    def _windows(self) -> Iterator[tuple[list[Segment], list[Segment]]]:
        """Segments of each window whose context is complete: as they are, and calibrated."""
        ahead = self.analyzer.windows_ahead
        last = -1
        for window in self.reading.windows():
            self.reading.take(window)
            if self._lane is not None:
                self._lane.take(window)
            last = window.index
            if last - ahead >= 0:
                yield self._score(last - ahead)
            if self._progress is not None:
                self._progress(window.end, self.reading.info.duration)
        for index in range(max(0, last - ahead + 1), last + 1):
            yield self._score(index)

    def _whose(self, people: Iterable[int]) -> int | None:
        """Whose scores are calibrated, by what was seen so far: see :mod:`.calibrate`."""
        if self.analyzer.calibration is None:
            return NOBODY
        return self.analyzer.calibration.whose(self.reading.tracker, people)

    def _score(self, index: int) -> tuple[list[Segment], list[Segment]]:
        """Segments of window *index*, as they are and (everybody's) calibrated."""
        first = index - self.analyzer.windows_behind
        context = range(first, index + self.analyzer.windows_ahead + 1)
        people, heard = self.reading.people, self.reading.heard.get(index)
        rows: list[int | None] = [p for p, memory in people.items() if index in memory.windows]
        if heard is not None and heard.owner not in rows:
            rows.append(None)
        plain: list[Segment] = []
        calibrated: list[Segment] = []
        if rows:
            whose = self._whose(people)
            plain += self._segments(index, context, rows, None, whose)
            if self.analyzer.calibration is not None:
                calibrated += self._segments(index, context, rows, self.analyzer.calibration, whose)
        self.reading.forget_before(first + 1)
        return plain, calibrated

    def _segments(
        self,
        index: int,
        context: range,
        rows: list[int | None],
        calibration: Calibration | None,
        whose: int | None,
    ) -> Iterator[Segment]:
        network = self.analyzer.fusion
        people, all_heard = self.reading.people, self.reading.heard
        scores = self._scores(*self._inputs(context, rows, calibration))
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
            shown = (person == whose) == (calibration is not None)
            if person is not None and window is not None and not face_weak and shown:
                best = fused.best
                people[person].offer_thumbnail(
                    window, network.labels[best], fused.scores[best], self.settings.thumbnails
                )

    def _scores(
        self,
        face: Floats,
        face_mask: NDArray[np.bool_],
        voice: Floats,
        voice_mask: NDArray[np.bool_],
    ) -> Mapping[str, Floats]:
        """What the network says to :meth:`_inputs`."""
        return self.analyzer.fusion(face, face_mask, voice, voice_mask)

    def _inputs(
        self, context: range, rows: list[int | None], calibration: Calibration | None
    ) -> tuple[Floats, NDArray[np.bool_], Floats, NDArray[np.bool_]]:
        """What the network reads: embeddings and masks of each row's windows."""
        network, people, all_heard = (
            self.analyzer.fusion,
            self.reading.people,
            self.reading.heard,
        )
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
                    found = people[person].windows[i].embedding
                    face[r, t] = found if calibration is None else calibration.face_of(found)
                    face_mask[r, t] = True
                there = all_heard.get(i)
                if there is not None and there.owner == person:
                    moved = there.embedding
                    voice[r, t] = (
                        moved if calibration is None else calibration.voice_of(moved, there.plain)
                    )
                    voice_mask[r, t] = True
        return face, face_mask, voice, voice_mask

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
        weak = bool(weak or self.settings.is_flat(values))
        return Segment(start, end, person, modality, values, weak)

    def _numbers(self) -> dict[int, int]:
        """New numbers 1, 2, ... of the people who were there long enough, by first appearance."""
        least = self.settings.min_seconds_seen
        if self.reading.info.is_image or self.reading.seconds < 4 * least:
            least = 0.0
        return final_numbers(self.reading.people, least)


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
