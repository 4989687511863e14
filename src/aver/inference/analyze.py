"""The main job: a recording in, a timeline of expressed emotion out.

Windows of half a second come from one decode of the file. Each gives an embedding for every
visible face and one for the voice; eight windows around it give its scores. Nothing older than
that context is kept, so memory does not grow with the recording.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver import pretrained
from aver._version import __version__
from aver.faces import FaceObservation, FaceTracker, make_detector
from aver.features.face_embedding import FaceEmbedder
from aver.features.voice_embedding import VoiceEmbedder
from aver.inference.networks import FusionNetwork
from aver.inference.people import FaceWindow, PersonMemory
from aver.inference.settings import WINDOW_SECONDS, AnalysisSettings
from aver.inference.speaker import owner_of_voice
from aver.media import MediaInfo, Window, probe, read_windows
from aver.timeline import Segment, Timeline, order_segments

Progress = Callable[[float, float | None], None]
"""Called with the seconds read so far and the recording's duration (None if unknown)."""


@dataclass(slots=True)
class _Heard:
    """A window's voice: its embedding, and whose it is."""

    embedding: NDArray[np.float32]
    owner: int | None
    shared: bool


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
        self.fusion = FusionNetwork(pretrained.path_of(s.fusion_network), s.threads)
        self.face = FaceEmbedder(pretrained.path_of(s.face_network), threads=s.threads)
        self.voice = VoiceEmbedder(pretrained.path_of(s.voice_network), threads=s.threads)
        self.detector = make_detector(s.detector) if s.picture else None
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
        self.path = Path(path)
        self.info: MediaInfo = probe(path, self.settings.limits)
        self.warnings: list[str] = []
        self.people: dict[int, PersonMemory] = {}
        self.seconds = 0.0
        self._progress = progress
        self._heard: dict[int, _Heard] = {}
        self._spans: dict[int, tuple[float, float]] = {}
        self._owner: int | None = None
        self._tracker = None
        self._any_voice = False
        if analyzer.detector is not None and self.info.has_video:
            rate = self.settings.detections_per_second
            extra = {} if rate is None else {"detections_per_second": rate}
            self._tracker = FaceTracker(analyzer.detector, **extra)

    def __iter__(self) -> Iterator[Segment]:
        ahead = self.analyzer.windows_ahead
        last = -1
        for window in self._windows():
            self._take(window)
            last = window.index
            if last - ahead >= 0:
                yield from self._score(last - ahead)
            if self._progress is not None:
                self._progress(window.end, self.info.duration)
        for index in range(max(0, last - ahead + 1), last + 1):
            yield from self._score(index)

    def timeline(self) -> Timeline:
        """Run to the end and sum up."""
        segments = list(self)
        numbers = self._numbers()
        kept = [
            s
            if s.person is None
            else Segment(s.start, s.end, numbers[s.person], s.modality, s.scores, s.weak)
            for s in segments
            if s.person is None or s.person in numbers
        ]
        return Timeline(
            media=self._media(),
            labels=self.analyzer.fusion.labels,
            people=[self.people[old].as_person(new) for old, new in numbers.items()],
            segments=order_segments(kept),
            warnings=[*self.warnings, *self._remarks(len(numbers))],
            model=self._model(),
        )

    def _windows(self) -> Iterator[Window]:
        s = self.settings
        windows = read_windows(
            self.path,
            window_seconds=WINDOW_SECONDS,
            frames_per_second=s.frames_per_second,
            max_side=s.max_side,
            picture=s.picture,
            sound=s.sound,
            limits=s.limits,
            warn=self.warnings.append,
        )
        # Decoding and looking at faces run side by side; the queue bounds what waits between.
        return prefetch(windows, size=3)

    def _take(self, window: Window) -> None:
        self._spans[window.index] = (window.start, window.end)
        self.seconds = window.end
        faces = self._look(window)
        embedding = None
        if window.samples is not None and self.settings.sound:
            embedding = self.analyzer.voice.embed_window(window.samples)
        if embedding is not None:
            self._any_voice = True
            self._owner = owner_of_voice(faces, self._owner)
            shared = self._owner is None and len(faces) > 1
            self._heard[window.index] = _Heard(embedding, self._owner, shared)

    def _look(self, window: Window) -> dict[int, FaceWindow]:
        if self._tracker is None:
            return {}
        seen: dict[int, list[FaceObservation]] = {}
        for frame in window.frames:
            for observation in self._tracker.update(frame):
                seen.setdefault(observation.person, []).append(observation)
        if not seen:
            return {}
        crops = [o.crop for observations in seen.values() for o in observations]
        embeddings = self.analyzer.face.embed(np.stack(crops))
        found: dict[int, FaceWindow] = {}
        at = 0
        for person, observations in seen.items():
            mean = embeddings[at : at + len(observations)].mean(axis=0)
            at += len(observations)
            mean /= max(float(np.linalg.norm(mean)), 1e-9)
            found[person] = FaceWindow.of(observations, mean)
            memory = self.people.setdefault(
                person, PersonMemory(first_seen=observations[0].time, last_seen=window.end)
            )
            memory.add(window.index, window.start, window.end, found[person])
        return found

    def _score(self, index: int) -> Iterator[Segment]:
        """Segments of window *index*, whose context is complete."""
        analyzer = self.analyzer
        first = index - analyzer.windows_behind
        context = range(first, index + analyzer.windows_ahead + 1)
        visible = [p for p, memory in self.people.items() if index in memory.windows]
        heard = self._heard.get(index)
        rows: list[int | None] = list(visible)
        if heard is not None and heard.owner not in visible:
            rows.append(None)
        if rows:
            yield from self._segments(index, context, rows)
        for memory in self.people.values():
            memory.forget_before(first + 1)
        for old in [i for i in self._heard if i <= first]:
            del self._heard[old]
        del self._spans[index]

    def _segments(self, index: int, context: range, rows: list[int | None]) -> Iterator[Segment]:
        network = self.analyzer.fusion
        shape = (len(rows), network.windows)
        face = np.zeros((*shape, network.dimensions), np.float32)
        voice = np.zeros((*shape, network.dimensions), np.float32)
        face_mask = np.zeros(shape, bool)
        voice_mask = np.zeros(shape, bool)
        for r, person in enumerate(rows):
            # Windows before the recording's start are left out, so the first window that is there
            # stands at position 0, as in training.
            for t, i in enumerate(i for i in context if i >= 0):
                if person is not None and i in self.people[person].windows:
                    face[r, t] = self.people[person].windows[i].embedding
                    face_mask[r, t] = True
                voice_there = self._heard.get(i)
                if voice_there is not None and voice_there.owner == person:
                    voice[r, t] = voice_there.embedding
                    voice_mask[r, t] = True
        scores = network(face, face_mask, voice, voice_mask)
        start, end = self._spans[index]
        heard = self._heard.get(index)
        for r, person in enumerate(rows):
            window = None if person is None else self.people[person].windows[index]
            speaks = heard is not None and heard.owner == person
            face_weak = window is None or (
                window.detected == 0.0 or window.quality < self.settings.weak_quality
            )
            voice_weak = heard is None or heard.shared
            if window is not None:
                yield self._segment(start, end, person, "face", scores["face"][r], face_weak)
            if speaks:
                yield self._segment(start, end, person, "voice", scores["voice"][r], voice_weak)
            weak = (window is None or face_weak) and (not speaks or voice_weak)
            fused = self._segment(start, end, person, "fused", scores["fused"][r], weak)
            yield fused
            if person is not None and window is not None and not fused.weak:
                best = fused.best
                self.people[person].offer_thumbnail(
                    window, network.labels[best], fused.scores[best], self.settings.thumbnails
                )

    def _segment(
        self,
        start: float,
        end: float,
        person: int | None,
        modality: Any,
        scores: NDArray[np.float32],
        weak: bool,
    ) -> Segment:
        values = tuple(float(v) for v in scores)
        flat = max(values) < self.settings.weak_score
        return Segment(start, end, person, modality, values, bool(weak or flat))

    def _numbers(self) -> dict[int, int]:
        """New numbers 1, 2, ... of the people who were there long enough, by first appearance."""
        least = self.settings.min_seconds_seen
        if self.info.is_image or self.seconds < 4 * least:
            least = 0.0
        ordered = sorted(self.people.items(), key=lambda item: (item[1].first_seen, item[0]))
        kept = [old for old, memory in ordered if memory.seconds_seen >= least]
        return {old: new for new, old in enumerate(kept, start=1)}

    def _remarks(self, people: int) -> Iterator[str]:
        left_out = len(self.people) - people
        if left_out:
            yield (
                f"{left_out} face track(s) seen for less than "
                f"{self.settings.min_seconds_seen:g} s were left out as likely false detections."
            )
        if self._tracker is not None and not self.people:
            yield "No face was found; only the voice is scored."
        if self.settings.picture and not self.info.has_video:
            yield "There is no picture; only the voice is scored."
        if self.settings.sound and not self.info.has_audio and not self.info.is_image:
            yield "There is no sound track; only faces are scored."
        elif self.settings.sound and self.info.has_audio and not self._any_voice:
            yield "The sound track is silent; only faces are scored."
        detector = self.analyzer.detector
        advice = getattr(detector, "advice", None) if self._tracker is not None else None
        if advice:
            yield str(advice)

    def _media(self) -> dict[str, Any]:
        info = self.info
        return {
            "path": str(self.path),
            "name": self.path.name,
            "duration": info.duration if info.duration is not None else self.seconds,
            "read": self.seconds,
            "has_video": info.has_video,
            "has_audio": info.has_audio,
            "is_image": info.is_image,
            "width": info.width,
            "height": info.height,
            "frames_per_second": info.frames_per_second,
            "sample_rate": info.sample_rate,
            "channels": info.channels,
            "container": info.container,
            "video_codec": info.video_codec,
            "audio_codec": info.audio_codec,
            "rotation": info.rotation,
        }

    def _model(self) -> dict[str, Any]:
        s = self.settings
        metadata = self.analyzer.fusion.metadata
        model: dict[str, Any] = {
            "aver": __version__,
            "name": s.fusion_network,
            "version": metadata.get("version", ""),
            "face_network": s.face_network,
            "voice_network": s.voice_network,
            "detector": self.analyzer.detector.name if self.analyzer.detector else None,
            "window_seconds": WINDOW_SECONDS,
            "context_windows": self.analyzer.fusion.windows,
            "context": s.context,
            "temperature": self.analyzer.fusion.temperatures,
        }
        if "expected_calibration_error" in metadata:
            model["expected_calibration_error"] = float(metadata["expected_calibration_error"])
        try:
            model["card"] = pretrained.read_card(s.fusion_network)
        except Exception:  # a user's own network may have no card
            model["card"] = ""
        return model


def prefetch(windows: Iterator[Window], size: int) -> Iterator[Window]:
    """Read *windows* in a thread of its own, at most *size* ahead.

    An exception of the reader comes out here; closing this iterator stops the reader.
    """
    waiting: queue.Queue[Any] = queue.Queue(maxsize=size)
    stop = threading.Event()
    end = object()

    def put(item: Any) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for window in windows:
                if not put(window):
                    break
            put(end)
        except BaseException as error:  # handed to the reader of the queue, whatever it is
            put(error)
        finally:
            close = getattr(windows, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=read, name="aver-decode", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not end:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join(timeout=10.0)


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
