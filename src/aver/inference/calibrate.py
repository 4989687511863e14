"""Per-person calibration of the analysis (``aver analyze --calibrate CLIP...``).

The clips are other recordings of the person who is to be analysed; no label is used. They go
through the same front end; of each, the person seen longest counts. The mean (and spread) of that
person's face and voice embeddings is taken out of the analysis' embeddings before MATER reads
them (:mod:`aver.features.person_calibration`).

Who is that person in the recording? Of the people kept there, the one whose descriptor is nearest
to those of the clips (:mod:`aver.faces.describe`). A single person is always taken, as the user
said who it is, with a warning if they look unlike the clips; of several, nobody is taken if even
the nearest is surely a stranger. Clips without a face calibrate a recording's only person, or the
voice of a recording without faces. Everybody else's scores stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import AverError, ModelError, SettingError
from aver.faces import FaceTracker
from aver.faces.describe import Vector
from aver.features.face_embedding import EMBEDDING
from aver.features.person_calibration import (
    Mode,
    RunningStatistics,
    Statistics,
    apply,
    shrink,
)
from aver.features.population import population_beside, probe_face, probe_voice
from aver.inference.front import FrontEnd, Reading
from aver.inference.networks import locate

Embedding = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with the clips done so far and all of them."""

NOBODY = -1
"""In place of a person's number where nobody is calibrated."""


@dataclass(frozen=True)
class Own:
    """A person's statistics in one modality, and where they are mapped to."""

    person: Statistics
    population: Statistics
    mode: Mode

    def __call__(self, embedding: Embedding) -> Embedding:
        """An embedding as if the person were like the population; of length 1."""
        return apply(embedding, self.person, self.population, self.mode, unit=True)


@dataclass(frozen=True)
class Calibration:
    """What the clips say about a person.

    Attributes:
        face: maps face embeddings; None where no clip shows a clear face.
        voice: maps voice embeddings before they are moved by anything else; None without voice.
        views: unit descriptors of the person's face.
        same_person: likeness from which a face is surely the person's.
        stranger: likeness below which it is surely somebody else's.
        clips: paths of the clips that were used.
        mode: what is mapped.
        prior_windows: windows that the population counts for.
        warnings: one line for each clip that was left out.
    """

    face: Own | None
    voice: Own | None
    views: tuple[Vector, ...]
    same_person: float
    stranger: float
    clips: tuple[Path, ...]
    mode: Mode
    prior_windows: float
    warnings: tuple[str, ...]

    def face_of(self, embedding: Embedding) -> Embedding:
        """A window's face embedding, calibrated if the clips show a face."""
        return embedding if self.face is None else self.face(embedding)

    def voice_of(self, embedding: Embedding, plain: Embedding | None) -> Embedding:
        """A window's voice embedding, calibrated if the clips let hear a voice.

        Args:
            embedding: as the analysis has it, moved by the recording's own voice so far.
            plain: before that; what is calibrated, as the clips know the voice better.
        """
        return embedding if self.voice is None or plain is None else self.voice(plain)

    def likeness(self, tracker: FaceTracker, person: int) -> float:
        """How alike a person of a recording is to the clips', in [-1, 1]; -1 without a view."""
        views = tracker.views(person)
        return max((float(a @ b) for a in self.views for b in views), default=-1.0)

    def whose(self, tracker: FaceTracker | None, people: Iterable[int]) -> int | None:
        """Whom to calibrate: a raw number of *people*, None for the voice alone, or NOBODY."""
        known = list(people)
        if not known:
            return None
        if len(known) == 1:
            return known[0]
        if not self.views or tracker is None:
            return NOBODY
        likeness, person = max((self.likeness(tracker, p), -p) for p in known)
        return NOBODY if likeness < self.stranger else -person

    def remarks(self, tracker: FaceTracker | None, people: Sequence[int]) -> list[str]:
        """What a reader must know of how it was applied, one line each."""
        found = list(self.warnings)
        whose = self.whose(tracker, people)
        if whose == NOBODY:
            why = (
                "nobody here looks like the person of the calibration clips"
                if self.views
                else "the calibration clips show no face, so whose they are cannot be told"
            )
            found.append(f"Several people are seen, and {why}; scores are not calibrated.")
        elif (
            whose is not None
            and self.views
            and tracker is not None
            and self.likeness(tracker, whose) < self.stranger
        ):
            found.append(
                "The person looks unlike the calibration clips; if it is somebody else, "
                "analyse again without --calibrate."
            )
        return found

    def facts(self, person: int | None, applied: bool) -> dict[str, Any]:
        """What the timeline's ``model`` tells of it; *person* is the final number."""
        return {
            "applied": applied,
            "person": person,
            "clips": [clip.name for clip in self.clips],
            "mode": self.mode,
            "prior_windows": self.prior_windows,
            "face_windows": self.face.person.windows if self.face else 0,
            "voice_windows": self.voice.person.windows if self.voice else 0,
        }


def learn(front: FrontEnd, *, progress: Progress | None = None) -> Calibration | None:
    """Read the clips of ``front.settings.calibrate``.

    Returns:
        The calibration; None where no clips are given.

    Raises:
        SettingError: if none of the clips can be used; it says what is wrong with each.
        ModelError: if the networks come without their training population's statistics.
    """
    settings = front.settings
    clips = [Path(clip) for clip in settings.calibrate]
    if not clips:
        return None
    population = {
        "face": population_beside(locate(settings.face_network), "face", probe_face(front.face)),
        "voice": population_beside(
            locate(settings.voice_network), "voice", probe_voice(front.voice)
        ),
    }
    face, voice = RunningStatistics(EMBEDDING), RunningStatistics(EMBEDDING)
    views: list[Vector] = []
    limits = (1.0, -1.0)
    used: list[Path] = []
    warnings: list[str] = []
    for done, clip in enumerate(clips):
        if progress is not None:
            progress(done, len(clips))
        try:
            reading, seen, heard = _listen(front, clip)
        except ModelError:
            raise
        except AverError as error:
            warnings.append(f"A calibration clip was left out: {error}")
            continue
        main = _main_person(reading)
        own_face = seen.get(main, RunningStatistics(EMBEDDING)) if main is not None else None
        own_voice = _voice_of(main, reading, heard)
        if not (own_face and own_face.windows) and not own_voice.windows:
            warnings.append(
                f"A calibration clip was left out: {clip}: no clear face and no voice in it."
            )
            continue
        used.append(clip)
        voice.join(own_voice)
        if own_face and main is not None and reading.tracker is not None:
            face.join(own_face)
            views += reading.tracker.views(main)
            describer = reading.tracker.describer
            limits = (describer.same_person, describer.stranger)
    if not used:
        told = "; ".join(
            line.removeprefix("A calibration clip was left out: ") for line in warnings
        )
        raise SettingError(
            "calibrate",
            f"none of the {len(clips)} clip(s) can be used: {told.rstrip('.')}",
            "Give recordings that show or let hear the person, or leave --calibrate out",
        )
    if progress is not None:
        progress(len(clips), len(clips))
    prior = settings.calibration_prior_windows

    def own(found: RunningStatistics, kind: str) -> Own | None:
        if not found.windows:
            return None
        person = shrink(found.statistics(), population[kind], prior)
        return Own(person, population[kind], settings.calibration)

    return Calibration(
        own(face, "face"),
        own(voice, "voice"),
        tuple(views),
        *limits,
        tuple(used),
        settings.calibration,
        prior,
        tuple(warnings),
    )


def _listen(
    front: FrontEnd, clip: Path
) -> tuple[Reading, dict[int, RunningStatistics], dict[int | None, RunningStatistics]]:
    """Read a clip to its end: face statistics by person, voice statistics by owner."""
    reading = Reading(front, clip, adapt_voice=False)
    seen: dict[int, RunningStatistics] = {}
    heard: dict[int | None, RunningStatistics] = {}
    for window in reading.windows():
        reading.take(window)
        for person, memory in reading.people.items():
            face = memory.windows.get(window.index)
            # What is bridged, small or blurred in the analysis says little about the person.
            if face and face.detected > 0 and face.quality >= front.settings.weak_quality:
                seen.setdefault(person, RunningStatistics(EMBEDDING)).add(face.embedding)
        voice = reading.heard.get(window.index)
        if voice is not None and not voice.shared:
            sums = heard.setdefault(voice.owner, RunningStatistics(EMBEDDING))
            sums.add(voice.embedding)
        reading.forget_before(window.index)
    return reading, seen, heard


def _main_person(reading: Reading) -> int | None:
    people = reading.people
    return max(people, key=lambda p: people[p].seconds_seen) if people else None


def _voice_of(
    main: int | None, reading: Reading, heard: dict[int | None, RunningStatistics]
) -> RunningStatistics:
    """The main person's voice; in a clip of one person, also what is heard while nobody is seen."""
    found = RunningStatistics(EMBEDDING)
    for owner, sums in heard.items():
        if owner == main or (owner is None and len(reading.people) <= 1):
            found.join(sums)
    return found
