"""What a timeline is made of: plain values, all times in seconds on the recording's own clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

SCHEMA = "aver.timeline/1"
Modality = Literal["face", "voice", "fused"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
Dimension = Literal["arousal", "valence"]
AFFECT_DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
AFFECT_LEVELS = ("low", "mid", "high")
"""Levels of arousal and valence: equal thirds of the scale from -1 to 1."""
ROW_COLUMNS = ("file", "start", "end", "person", "modality", "label", "score", "weak")
"""Columns of the table form, before one column per label."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Scores of one person, in one modality, over one window.

    Attributes:
        start: seconds on the recording's clock.
        end: seconds, greater than ``start``.
        person: the person's number in :attr:`Timeline.people`, or None for a voice that belongs
            to nobody in the picture.
        modality: ``face``, ``voice`` or ``fused``.
        scores: calibrated probabilities in the order of :attr:`Timeline.labels`; they sum to 1.
        weak: True where the evidence is thin (a gap bridged, a poor face, near silence, a voice
            that several visible people may own, or a flat distribution).
        box: of a face: its mean box over the window (x, y, width, height) in pixels of the picture
            as it is shown; None for the other modalities.
    """

    start: float
    end: float
    person: int | None
    modality: Modality
    scores: tuple[float, ...]
    weak: bool = False
    box: tuple[float, float, float, float] | None = None

    @property
    def best(self) -> int:
        """Index of the highest score (the first of equals)."""
        return max(range(len(self.scores)), key=self.scores.__getitem__)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A face at one of the person's strongest moments.

    Attributes:
        time: seconds on the recording's clock.
        label: the label that was strongest then.
        score: its fused probability.
        jpeg: the crop as JPEG bytes.
    """

    time: float
    label: str
    score: float
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody seen in the recording.

    Attributes:
        id: 1, 2, ... in the order of first appearance.
        first_seen: seconds.
        last_seen: seconds.
        seconds_seen: total time with a face in the picture.
        quality: mean face quality in [0, 1] (size, sharpness, light, pose, detector score).
        thumbnails: at most a handful, strongest first.
    """

    id: int
    first_seen: float
    last_seen: float
    seconds_seen: float
    quality: float
    thumbnails: tuple[Thumbnail, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """A sound heard in the recording that belongs to nobody in particular.

    Attributes:
        start: seconds.
        end: seconds.
        label: what was heard.
        score: probability in [0, 1].
    """

    start: float
    end: float
    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Affect:
    """Levels of the recording itself over one segment, by a user's own model.

    Attributes:
        start: seconds.
        end: seconds, greater than ``start``.
        arousal: probabilities of :data:`AFFECT_LEVELS`, or None where the model gives none.
        valence: the same.
    """

    start: float
    end: float
    arousal: tuple[float, float, float] | None = None
    valence: tuple[float, float, float] | None = None

    def scores(self, dimension: Dimension) -> tuple[float, float, float] | None:
        """Probabilities of the levels of one dimension."""
        return self.arousal if dimension == "arousal" else self.valence

    def level(self, dimension: Dimension) -> str:
        """The likeliest level, the first of equals; empty where there is none."""
        scores = self.scores(dimension)
        return "" if scores is None else AFFECT_LEVELS[scores.index(max(scores))]

    def position(self, dimension: Dimension) -> float | None:
        """Expected place on the scale from -1 to 1, the levels at the middle of their thirds."""
        scores = self.scores(dimension)
        return None if scores is None else 2.0 / 3.0 * (scores[2] - scores[0]) / sum(scores)


def order_segments(segments: Sequence[Segment]) -> list[Segment]:
    """Order by start, then modality (face, voice, fused), then person (nobody last)."""
    rank = {m: i for i, m in enumerate(MODALITIES)}
    return sorted(
        segments, key=lambda s: (s.start, rank[s.modality], s.person is None, s.person or 0)
    )
