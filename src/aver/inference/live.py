"""Scores while it happens: pictures and sound go in as they come, scores come out at once.

The networks and their context are those of the recording's analysis with
``context = "trailing"``: eight windows of half a second, the newest last. The difference is where
windows begin. A recording is cut at every half second of its clock; here the windows are counted
back from the picture that has just come, so a face is scored on the picture it was seen in and not
up to half a second later. The voice is cut at every half second of its own clock and goes into the
window its middle lies in.

Memory does not grow with time: pictures and voices older than the context are forgotten, people who
are gone for long as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from aver.errors import SettingError
from aver.faces import FaceObservation, FaceTracker
from aver.features.face_embedding import window_embedding
from aver.features.voice_embedding import WINDOW_SAMPLES
from aver.inference.front import FrontEnd
from aver.inference.live_memory import Floats, Sight, Sound, Stretch
from aver.inference.networks import FusionNetwork, locate
from aver.inference.people import FaceWindow
from aver.inference.settings import WINDOW_SECONDS, AnalysisSettings
from aver.inference.speaker import owner_of_voice
from aver.media import SAMPLE_RATE, VideoFrame

_LONGEST_CHUNK_SECONDS = 10.0
# Sound whose time stamp is further than this from where the sound before it ended is a new piece:
# something was lost in between.
_JUMP_SECONDS = 0.25
# A voice is scored without a face when none was seen for so long.
_ALONE_SECONDS = 1.0
# So that a picture half a second old counts as that, however its time was rounded.
_SLIVER_SECONDS = 1e-6


@dataclass(frozen=True)
class LiveScores:
    """Scores of one person, or of a voice that is nobody's, at one moment.

    Attributes:
        person: number in order of first appearance; None for a voice without a face.
        box: (x, y, width, height) in pixels of the picture that was given; None without a face.
        face, voice, fused: probabilities in the order of :attr:`LiveAnalyzer.labels`, each of sum
            1; None where there is no evidence of that kind.
        weak: whether the evidence is weak, as in a timeline's segments.
    """

    person: int | None
    box: tuple[float, float, float, float] | None
    face: tuple[float, ...] | None
    voice: tuple[float, ...] | None
    fused: tuple[float, ...]
    weak: bool


class LiveAnalyzer:
    """Networks of the live analysis; :meth:`start` begins a session.

    Args:
        settings: as of the analysis; ``context``, ``calibrate``, ``thumbnails`` and ``affect`` play
            no part here.

    Raises:
        ModelError: if a network is missing or damaged.
        SettingError: if calibration is asked for, which takes recordings.
    """

    def __init__(self, settings: AnalysisSettings | None = None):
        self.settings = settings or AnalysisSettings()
        if self.settings.calibrate:
            raise SettingError("calibrate", "is not for live use", "Leave it out")
        self.front = FrontEnd(self.settings)
        self.fusion = FusionNetwork(locate(self.settings.fusion_network), self.settings.threads)

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes of the scores, in order."""
        return self.fusion.labels

    def start(self) -> LiveSession:
        """A new session, which knows nobody."""
        return LiveSession(self)


class LiveSession:
    """One stream of pictures and sound; times are seconds on one clock that goes forward."""

    def __init__(self, analyzer: LiveAnalyzer):
        self.analyzer = analyzer
        front = analyzer.front
        self._tracker = (
            None
            if front.detector is None
            else FaceTracker(front.detector, settings=analyzer.settings.faces)
        )
        self._voice = front.voice.start()
        self._sights: dict[int, deque[Sight]] = {}
        self._heard: deque[Sound] = deque()
        self._waiting = Stretch()
        self._owner: int | None = None
        self._began: float | None = None
        self._seen_at = 0.0
        self._newest = -np.inf

    @property
    def context_seconds(self) -> float:
        """How far back the scores reach."""
        return self.analyzer.fusion.windows * WINDOW_SECONDS

    def see(self, frame: VideoFrame) -> list[LiveScores]:
        """Look at a picture; scores of everybody whose face is in it, in order of their numbers."""
        if self._tracker is None:
            return []
        self._begin(frame.time)
        if frame.time < self._newest:  # another clock: what was before belongs to another time
            self._sights.clear()
            self._heard.clear()
            self._began = frame.time
        self._newest = frame.time
        found = self._tracker.update(frame)
        self._forget(frame.time)
        if not found:
            return []
        self._seen_at = frame.time
        embeddings = self.analyzer.front.face.embed(np.stack([o.crop for o in found]))
        for observation, embedding in zip(found, embeddings, strict=True):
            sight = Sight(observation, embedding)
            self._sights.setdefault(observation.person, deque()).append(sight)
        return self._scores(frame.time, {o.person: o for o in found})

    def hear(self, time: float, samples: Floats) -> list[LiveScores]:
        """Listen to sound that begins at *time*.

        Args:
            time: seconds, of the first sample.
            samples: (n,) mono at 16 kHz in [-1, 1], at most ten seconds.

        Returns:
            Scores of the voice alone, each time half a second of it is full and no face was seen in
            the last second; a face's scores take the voice in when :meth:`see` is called.

        Raises:
            ValueError: if *samples* has another shape or is too long.
        """
        if samples.ndim != 1 or len(samples) > _LONGEST_CHUNK_SECONDS * SAMPLE_RATE:
            raise ValueError(f"samples must be (n,), n at most ten seconds: {samples.shape}")
        self._begin(time)
        waiting = self._waiting
        if not waiting.samples or abs(time - waiting.end) > _JUMP_SECONDS:
            self._waiting = waiting = Stretch(start=time)
        waiting.parts.append(np.asarray(samples, np.float32))
        waiting.samples += len(samples)
        scores: list[LiveScores] = []
        if waiting.samples < WINDOW_SAMPLES:
            return scores
        sound, start = np.concatenate(waiting.parts), waiting.start
        while len(sound) >= WINDOW_SAMPLES:
            self._listen(start, sound[:WINDOW_SAMPLES])
            sound, start = sound[WINDOW_SAMPLES:], start + WINDOW_SECONDS
            if start - self._seen_at > _ALONE_SECONDS:
                scores = self._scores(start, {}) or scores
        self._waiting = Stretch(start, [sound], len(sound))
        return scores

    def _begin(self, time: float) -> None:
        if self._began is None:
            self._began = self._seen_at = time

    def _listen(self, start: float, window: Floats) -> None:
        embedding = self._voice.embed_window(window)
        if embedding is None:
            return
        self._heard.append(Sound(start, embedding))
        oldest = start - self.context_seconds
        while self._heard[0].middle < oldest:
            self._heard.popleft()

    def _settle(self, now: float) -> None:
        """Say whose each voice is, by the pictures of its time that have come until *now*."""
        for sound in self._heard:
            if not sound.settled:
                faces = self._faces(sound.start, sound.end)
                sound.owner = owner_of_voice(faces, self._owner)
                if sound.end <= now:
                    self._owner, sound.settled = sound.owner, True

    def _faces(self, start: float, end: float) -> dict[int, FaceWindow]:
        """Faces of a stretch of time, for whose mouth moves in it."""
        faces = {}
        for person, sights in self._sights.items():
            inside = [s for s in sights if start <= s.observation.time < end]
            if inside:
                mean = window_embedding(np.stack([s.embedding for s in inside]))
                faces[person] = FaceWindow.of([s.observation for s in inside], mean)
        return faces

    def _forget(self, now: float) -> None:
        oldest = now - self.context_seconds
        for person in list(self._sights):
            sights = self._sights[person]
            while sights and sights[0].observation.time <= oldest:
                sights.popleft()
            if not sights:
                del self._sights[person]

    def _scores(self, now: float, seen: Mapping[int, FaceObservation]) -> list[LiveScores]:
        """Scores at *now* of who is *seen*, and of the voice where it is nobody's."""
        self._settle(now)
        rows: list[int | None] = [*sorted(seen)]
        count = self._windows(now)
        ages = [(sound, self._age(now, sound.middle)) for sound in self._heard]
        heard = [(sound, age) for sound, age in ages if 0 <= age < count]
        # A voice that is somebody's who is not in the picture now is heard without a face.
        loose = [(s, age) for s, age in heard if s.owner not in seen]
        if any(age == 0 or not seen for _, age in loose):
            rows.append(None)
        if not rows:
            return []
        network = self.analyzer.fusion
        shape = (len(rows), network.windows)
        face, voice = (np.zeros((*shape, network.dimensions), np.float32) for _ in range(2))
        face_mask, voice_mask = np.zeros(shape, bool), np.zeros(shape, bool)
        for r, person in enumerate(rows):
            for age in range(count):
                # The first window that is there stands at position 0, as in training.
                at = count - 1 - age
                if person is not None and (mean := self._window(person, now, age)) is not None:
                    face[r, at], face_mask[r, at] = mean, True
            for sound, age in heard:
                if (sound.owner == person) if person is not None else (sound.owner not in seen):
                    voice[r, count - 1 - age], voice_mask[r, count - 1 - age] = (
                        sound.embedding,
                        True,
                    )
        scores = network(face, face_mask, voice, voice_mask)
        return [
            self._row(
                person,
                None if person is None else seen[person],
                {name: values[r] for name, values in scores.items()},
                bool(voice_mask[r].any()),
                not bool(face_mask[r].any()) and len(seen) > 1,
            )
            for r, person in enumerate(rows)
        ]

    def _row(
        self,
        person: int | None,
        observation: FaceObservation | None,
        scores: Mapping[str, Floats],
        has_voice: bool,
        shared: bool,
    ) -> LiveScores:
        settings = self.analyzer.settings
        fused = tuple(float(v) for v in scores["fused"])
        unclear = observation is None or (
            not observation.detected or observation.quality < settings.weak_quality
        )
        weak = shared or (unclear and not has_voice) or settings.is_flat(fused)
        return LiveScores(
            person=person,
            box=None if observation is None else observation.box,
            face=None if observation is None else tuple(float(v) for v in scores["face"]),
            voice=tuple(float(v) for v in scores["voice"]) if has_voice else None,
            fused=fused,
            weak=weak,
        )

    def _windows(self, now: float) -> int:
        """How many windows there are by now, the one that has just begun included."""
        began = now if self._began is None else self._began
        return min(self.analyzer.fusion.windows, self._age(now, began) + 1)

    @staticmethod
    def _age(now: float, time: float) -> int:
        """Which window counted back from *now* a time lies in; 0 is the newest."""
        return int((now - time + _SLIVER_SECONDS) // WINDOW_SECONDS)

    def _window(self, person: int, now: float, age: int) -> Floats | None:
        """The embedding of a person's face in a window, None where it is not seen."""
        inside = [
            s.embedding for s in self._sights[person] if self._age(now, s.observation.time) == age
        ]
        return window_embedding(np.stack(inside)) if inside else None
