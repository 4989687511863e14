"""What the networks looked at while they scored a recording.

The recording is analysed as ever (:mod:`aver.inference.analyze`), and at each window MATER's
attention weights are kept beside the scores. Of each person the few most telling moments of every
emotion are remembered, with the face, the sound and the context they were scored from; class
activation maps are drawn for those alone. So memory stays bounded however long the recording is.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np

from aver.errors import MediaError, SettingError
from aver.features.face_embedding import FACE_SIDE
from aver.features.log_mel import BANDS
from aver.features.voice_embedding import FRAMES
from aver.inference.analyze import Analyzer, Progress, Run
from aver.inference.calibrate import Calibration
from aver.inference.explain_attention import (
    Bools,
    summarise,
    window_weights,
)
from aver.inference.explain_moments import Candidate, Moments, moment_of
from aver.inference.explain_result import Explanation, Looked, Share, Wanted
from aver.inference.explain_sound import Sound, sound_of
from aver.inference.networks import Floats
from aver.inference.people import FaceWindow
from aver.timeline import Segment

MOST_SOUND_WINDOWS: Final = 240
"""Windows (two minutes) up to which the sound is drawn as a whole; else around the moments."""


_checked: weakref.WeakSet[Analyzer] = weakref.WeakSet()


class ExplainedRun(Run):
    """A run of the analysis that remembers what the networks looked at.

    Raises:
        MediaError: if the file cannot be read at all.
        ModelError: if a network's file cannot show what it looked at.
        SettingError: if *wanted* cannot be drawn.
    """

    def __init__(
        self,
        analyzer: Analyzer,
        path: str | Path,
        progress: Progress | None = None,
        wanted: Wanted | None = None,
    ):
        super().__init__(analyzer, path, progress)
        self.wanted = wanted or Wanted()
        self.wanted.check(analyzer.fusion.labels)
        if analyzer not in _checked:
            _check_networks(analyzer)
            _checked.add(analyzer)
        self._asked: tuple[tuple[Floats, Bools, Floats, Bools], dict[str, Floats]] | None = None
        self._moments = Moments(self.wanted.moments, self.wanted.at)
        self._spans: dict[int, tuple[float, float]] = {}
        # person -> modality -> window -> sum of shares, how many
        self._drawn: dict[int | None, dict[str, dict[int, list[float]]]] = {}
        self._sound: dict[int, Floats | None] | None = {} if self.wanted.sound else None

    def _score(self, index: int) -> tuple[list[Segment], list[Segment]]:
        self._spans[index] = self.reading.spans[index]
        if self._sound is not None:
            heard = self.reading.heard.get(index)
            self._sound[index] = None if heard is None else heard.log_mel
            if len(self._sound) > MOST_SOUND_WINDOWS:
                self._sound = None
        return super()._score(index)

    def _scores(
        self, face: Floats, face_mask: Bools, voice: Floats, voice_mask: Bools
    ) -> Mapping[str, Floats]:
        scores, attention = self.analyzer.fusion.attend(face, face_mask, voice, voice_mask)
        self._asked = (face, face_mask, voice, voice_mask), attention
        return scores

    def _segments(
        self,
        index: int,
        context: range,
        rows: list[int | None],
        calibration: Calibration | None,
        whose: int | None,
    ) -> Iterator[Segment]:
        found = list(super()._segments(index, context, rows, calibration, whose))
        assert self._asked is not None
        inputs, attention = self._asked
        windows = [i for i in context if i >= 0]
        for r, person in enumerate(rows):
            if (person == whose) != (calibration is not None):
                continue
            layers = {branch: weights[:, r] for branch, weights in attention.items()}
            masks = {"face": inputs[1][r], "voice": inputs[3][r]}
            for branch, present in masks.items():
                matrix = summarise(layers[branch], present, self.wanted.attention)
                self._add(person, branch, windows, window_weights(matrix, present), present)
            mine = {s.modality: s for s in found if s.person == person}
            self._moments.offer(
                person,
                mine["fused"],
                len(self.analyzer.fusion.labels),
                lambda r=r, person=person, layers=layers, mine=mine: Candidate(  # type: ignore[misc]
                    index,
                    windows,
                    mine,
                    tuple(part[r].copy() for part in inputs),  # type: ignore[arg-type]
                    {branch: weights.copy() for branch, weights in layers.items()},
                    {} if person is None else self._seen(person, windows),
                    {
                        i: self.reading.heard[i].log_mel
                        for i in windows
                        if i in self.reading.heard and self.reading.heard[i].owner == person
                    },
                ),
            )
        return iter(found)

    def _seen(self, person: int, windows: list[int]) -> dict[int, FaceWindow]:
        remembered = self.reading.people[person].windows
        return {i: remembered[i] for i in windows if i in remembered}

    def _add(
        self,
        person: int | None,
        branch: str,
        windows: list[int],
        weights: Floats,
        present: Bools,
    ) -> None:
        sums = self._drawn.setdefault(person, {}).setdefault(branch, {})
        there = int(present.sum())
        for t, index in enumerate(windows):
            if present[t]:
                entry = sums.setdefault(index, [0.0, 0.0])
                entry[0] += float(weights[t]) * there
                entry[1] += 1.0

    def explanation(self, *, empty: bool = False) -> Explanation:
        """Run to the end and draw what was asked for.

        Args:
            empty: a recording with neither a face nor a voice is an answer, not an error.

        Raises:
            MediaError: if there is neither a face nor a voice in the recording.
            ModelError: if a network's file cannot show what it looked at.
            SettingError: if the person or the time is not in the recording.
        """
        timeline = self.timeline()
        numbers = self._numbers()
        explanation = Explanation(timeline, self.wanted.attention, [])
        kept: list[tuple[int | None, int | None]] = [*numbers.items()]
        kept += [(None, None)] if None in self._drawn else []
        path, wanted = self.reading.path, self.wanted
        if not timeline.segments and not empty:
            raise MediaError(
                path, "shows no face and lets hear no voice", "There is nothing to draw"
            )
        if wanted.person is not None:
            if wanted.person not in numbers.values():
                seen = ", ".join(str(n) for n in numbers.values()) or "nobody"
                raise SettingError(
                    "person", f"there is no person {wanted.person} in {path}", f"Seen are: {seen}"
                )
            kept = [(old, new) for old, new in kept if new == wanted.person]
        if wanted.at is not None and wanted.at >= self.reading.seconds:
            raise SettingError(
                "at",
                f"{wanted.at:g} s is after the end of {path}",
                f"It was read to {self.reading.seconds:.1f} s",
            )
        summary = timeline.summary()
        for old, new in kept:
            means = summary.get(new)
            if not means:
                continue
            emotion = wanted.emotion or max(means, key=means.__getitem__)
            label = timeline.labels.index(emotion)
            moments = [
                moment_of(self.analyzer, candidate, emotion, self._spans, explanation.notes)
                for candidate in self._moments.of(old, label)
            ]
            explanation.people.append(Looked(new, emotion, self._shares(old), moments))
        if wanted.at is not None and not any(p.moments for p in explanation.people):
            raise SettingError(
                "at", f"at {wanted.at:g} s nobody was scored in {path}", "Choose another time"
            )
        self._note_what_is_missing(explanation)
        if wanted.sound and explanation.people:
            explanation.sounds = self._sounds(explanation)
        return explanation

    def _shares(self, person: int | None) -> dict[str, list[Share]]:
        return {
            branch: [
                Share(*self._spans[i], total / count)
                for i, (total, count) in sorted(sums.items())
                if i in self._spans
            ]
            for branch, sums in self._drawn.get(person, {}).items()
            if sums
        }

    def _sounds(self, explanation: Explanation) -> list[Sound]:
        labels = self._voice_labels()
        voice = self.analyzer.front.voice
        # The one who is heard most lends the sound its emotion.
        speaker = max(explanation.people, key=lambda p: len(p.shares.get("voice", [])))
        emotion = speaker.emotion
        notes = explanation.notes
        if self._sound is not None:
            whole = sound_of(voice, self._sound, self._spans, emotion, labels, notes)
            return [whole] if whole else []
        found = []
        for person in explanation.people:
            for moment in person.moments:
                part = sound_of(voice, moment.sound, self._spans, person.emotion, labels, notes)
                found += [part] if part else []
        return found

    def _voice_labels(self) -> tuple[str, ...]:
        stated = self.analyzer.front.voice.metadata.get("labels", "[]")
        return tuple(json.loads(stated))

    def _note_what_is_missing(self, explanation: Explanation) -> None:
        info, settings = self.reading.info, self.settings
        if not self.reading.people and settings.picture and info.has_video:
            explanation.notes.append("No face was found; only the sound is drawn.")
        elif not info.has_video or not settings.picture:
            explanation.notes.append("There is no picture; only the sound is drawn.")
        if info.is_image:
            explanation.notes.append(
                "A still picture is one window: attention has nothing to choose from."
            )
        elif not self.reading.any_voice:
            explanation.notes.append("There is no voice; only faces are drawn.")


def _check_networks(analyzer: Analyzer) -> None:
    """Ask each network once, so that a file without maps is refused before any work is done."""
    fusion, front = analyzer.fusion, analyzer.front
    nothing = np.zeros((1, fusion.windows, fusion.dimensions), np.float32)
    nowhere = np.zeros((1, fusion.windows), bool)
    fusion.attend(nothing, nowhere, nothing, nowhere)
    front.face.look(np.zeros((1, 1, FACE_SIDE, FACE_SIDE), np.float32))
    front.voice.look(np.zeros((1, FRAMES, BANDS), np.float32))


def explain(
    analyzer: Analyzer,
    path: str | Path,
    wanted: Wanted | None = None,
    *,
    progress: Progress | None = None,
) -> Explanation:
    """Analyse a recording and draw what the networks looked at.

    Args:
        analyzer: networks and settings.
        path: any file FFmpeg reads: video, sound alone, a picture.
        wanted: what is to be drawn.
        progress: called after each window with the seconds read and the duration.

    Raises:
        MediaError: if it cannot be read, or shows no face and lets hear no voice.
        ModelError: if a network's file cannot show what it looked at.
        SettingError: if an emotion, a person or a time is asked for that is not there.
    """
    return ExplainedRun(analyzer, path, progress, wanted).explanation()
