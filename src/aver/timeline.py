"""The timeline of a recording: who shows which emotion when, in seconds on its own clock.

A :class:`Timeline` is plain data: no network, no file handle. Its JSON form carries
``"schema": "aver.timeline/1"``.
"""

from __future__ import annotations

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from aver.errors import TimelineError

if TYPE_CHECKING:
    import pandas

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


@dataclass
class Timeline:
    """Everything that was found in one recording.

    Attributes:
        media: file name, duration and the facts of its streams.
        labels: names of the scores, in the order of :attr:`Segment.scores`.
        people: who was seen; empty where there was no face.
        segments: scores, ordered by start.
        events: sounds that belong to nobody in particular.
        warnings: plain sentences about what could not be read or trusted.
        model: which networks made the scores.
        explanation: what they looked at, where it was asked for (``aver analyze --explain``): plain
            data, see :func:`aver.report.explain_data.attach`.
        affect: levels of the recording itself, ordered by start, where they were asked for
            (``aver analyze --affect``).
    """

    media: dict[str, Any]
    labels: tuple[str, ...]
    people: list[Person] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=dict)
    explanation: dict[str, Any] | None = None
    affect: list[Affect] = field(default_factory=list)

    def select(
        self, *, person: int | Literal["any"] | None = "any", modality: Modality | None = None
    ) -> list[Segment]:
        """Segments of one person and/or one modality, in time order."""
        return [
            s
            for s in self.segments
            if (person == "any" or s.person == person)
            and (modality is None or s.modality == modality)
        ]

    def summary(self, modality: Modality = "fused") -> dict[int | None, dict[str, float]]:
        """Mean score per label and person, weighted by window length; weak windows count half."""
        sums: dict[int | None, list[float]] = {}
        weights: dict[int | None, float] = {}
        for segment in self.segments:
            if segment.modality != modality:
                continue
            weight = (segment.end - segment.start) * (0.5 if segment.weak else 1.0)
            row = sums.setdefault(segment.person, [0.0] * len(self.labels))
            weights[segment.person] = weights.get(segment.person, 0.0) + weight
            for i, score in enumerate(segment.scores):
                row[i] += weight * score
        return {
            person: dict(zip(self.labels, (v / weights[person] for v in row), strict=True))
            for person, row in sums.items()
            if weights[person] > 0
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """One flat row a segment: :data:`ROW_COLUMNS`, then one score per label."""
        file = str(self.media.get("path") or self.media.get("name") or "")
        # A name that is not valid UTF-8 cannot stand in a table; its stray bytes are spelled out.
        file = file.encode("utf-8", "backslashreplace").decode("utf-8")
        for s in self.segments:
            row: dict[str, Any] = {
                "file": file,
                "start": s.start,
                "end": s.end,
                "person": s.person,
                "modality": s.modality,
                "label": self.labels[s.best],
                "score": s.scores[s.best],
                "weak": s.weak,
            }
            row.update(zip(self.labels, s.scores, strict=True))
            yield row

    def to_frame(self) -> pandas.DataFrame:
        """A table with the (file, start, end) index columns that audformat made usual.

        ``start`` and ``end`` are ``timedelta64[ns]``, ``person`` is a nullable integer.
        """
        import pandas as pd

        frame = pd.DataFrame(list(self.rows()), columns=[*ROW_COLUMNS, *self.labels])
        for name in ("start", "end"):
            seconds = frame[name].astype("float64")
            frame[name] = pd.to_timedelta((seconds * 1e9).round().astype("int64"), unit="ns")
        types = {"file": "string", "person": "Int64", "modality": "string", "label": "string"}
        types |= {"score": "float64", "weak": "bool", **dict.fromkeys(self.labels, "float64")}
        return frame.astype(types).set_index(["file", "start", "end"])

    def _dict_head(self) -> dict[str, Any]:
        people = []
        for person in self.people:
            entry = asdict(person)
            entry["thumbnails"] = [
                {**asdict(t), "jpeg": b64encode(t.jpeg).decode("ascii")} for t in person.thumbnails
            ]
            people.append(entry)
        return {
            "schema": SCHEMA,
            "media": _plain(self.media),
            "labels": list(self.labels),
            "model": _plain(self.model),
            "people": people,
        }

    def _dict_segments(self) -> Iterator[dict[str, Any]]:
        for s in self.segments:
            entry: dict[str, Any] = {
                "start": s.start,
                "end": s.end,
                "person": s.person,
                "modality": s.modality,
                "scores": [round(v, 5) for v in s.scores],
                "weak": s.weak,
            }
            if s.box is not None:
                entry["box"] = [round(v, 1) for v in s.box]
            yield entry

    def _dict_tail(self) -> dict[str, Any]:
        tail: dict[str, Any] = {
            "events": [asdict(e) for e in self.events],
            "warnings": list(self.warnings),
        }
        if self.affect:
            tail["affect"] = [_affect_entry(segment) for segment in self.affect]
        return tail if self.explanation is None else {**tail, "explanation": self.explanation}

    def to_dict(self) -> dict[str, Any]:
        """The JSON form as plain Python objects (thumbnails as base64 text)."""
        return {
            **self._dict_head(),
            "segments": list(self._dict_segments()),
            **self._dict_tail(),
        }

    def iter_json(self) -> Iterator[str]:
        """The JSON text in pieces, one line a segment, without a second copy in memory.

        Raises:
            ValueError: if a number is not finite; JSON has no such number.
        """

        def text(value: object) -> str:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)

        def members(values: Mapping[str, Any]) -> Iterator[str]:
            for key, value in values.items():
                if isinstance(value, list) and value and isinstance(value[0], dict):
                    lines = ",\n".join(text(entry) for entry in value)
                    yield f"{text(key)}: [\n{lines}\n]"
                else:
                    yield f"{text(key)}: {text(value)}"

        yield "{\n" + "".join(f"{member},\n" for member in members(self._dict_head()))
        yield '"segments": ['
        separator = "\n"
        for segment in self._dict_segments():
            yield separator + text(segment)
            separator = ",\n"
        yield "\n],\n" if self.segments else "],\n"
        yield ",\n".join(members(self._dict_tail())) + "\n}\n"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str | Path = "timeline") -> Timeline:
        """Read the JSON form back; keys that this version does not know are ignored.

        Raises:
            TimelineError: if *data* is not a timeline, or of a schema this version does not know.
        """
        schema = data.get("schema") if isinstance(data, Mapping) else None
        if schema != SCHEMA:
            raise TimelineError(
                source,
                f"schema is {schema!r}, this version reads {SCHEMA!r}",
                "Analyse the recording again, or install the aver version that wrote it",
            )
        try:
            labels = tuple(str(label) for label in data["labels"])
            return cls(
                media=dict(data["media"]),
                labels=labels,
                people=[_person(entry) for entry in data["people"]],
                segments=[_segment(entry, len(labels)) for entry in data["segments"]],
                events=[
                    Event(float(e["start"]), float(e["end"]), str(e["label"]), float(e["score"]))
                    for e in data["events"]
                ],
                warnings=[str(warning) for warning in data["warnings"]],
                model=dict(data.get("model", {})),
                explanation=dict(data["explanation"]) if data.get("explanation") else None,
                affect=[_affect(entry) for entry in data.get("affect") or ()],
            )
        except (KeyError, TypeError, ValueError) as error:
            problem = f"{error} is missing" if isinstance(error, KeyError) else error
            raise TimelineError(
                source, f"is damaged ({problem})", "Analyse the recording again"
            ) from error

    def to_json(self, *, indent: int | None = None) -> str:
        """The timeline as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, source: str | Path = "timeline") -> Timeline:
        """Read :meth:`to_json`'s text.

        Raises:
            TimelineError: if the text is not a timeline.
        """
        try:
            data = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise TimelineError(source, f"is not JSON ({error})") from error
        return cls.from_dict(data, source)


def _plain(value: Any) -> Any:
    """*value* in JSON's own types: paths become text, numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if callable(getattr(value, "item", None)):  # a number of numpy's
        return _plain(value.item())
    return str(value)


def _person(entry: Mapping[str, Any]) -> Person:
    return Person(
        id=int(entry["id"]),
        first_seen=float(entry["first_seen"]),
        last_seen=float(entry["last_seen"]),
        seconds_seen=float(entry["seconds_seen"]),
        quality=float(entry["quality"]),
        thumbnails=tuple(
            Thumbnail(
                time=float(t["time"]),
                label=str(t["label"]),
                score=float(t["score"]),
                jpeg=b64decode(t["jpeg"], validate=True),
            )
            for t in entry.get("thumbnails", ())
        ),
    )


def _segment(entry: Mapping[str, Any], labels: int) -> Segment:
    scores = tuple(float(score) for score in entry["scores"])
    if len(scores) != labels or not all(map(math.isfinite, scores)):
        raise ValueError(f"{len(scores)} scores for {labels} labels, or one is not a number")
    if entry["modality"] not in MODALITIES:
        raise ValueError(f"modality {entry['modality']!r}")
    person = entry["person"]
    return Segment(
        start=float(entry["start"]),
        end=float(entry["end"]),
        person=None if person is None else int(person),
        modality=entry["modality"],
        scores=scores,
        weak=bool(entry.get("weak", False)),
        box=None if entry.get("box") is None else _box(entry["box"]),
    )


def _affect_entry(segment: Affect) -> dict[str, Any]:
    entry: dict[str, Any] = {"start": segment.start, "end": segment.end}
    for dimension in AFFECT_DIMENSIONS:
        scores = segment.scores(dimension)
        if scores is not None:
            entry[dimension] = [round(v, 5) for v in scores]
    return entry


def _affect(entry: Mapping[str, Any]) -> Affect:
    found: dict[str, tuple[float, float, float]] = {}
    for dimension in AFFECT_DIMENSIONS:
        if entry.get(dimension) is not None:
            low, mid, high = (float(v) for v in entry[dimension])
            if not all(map(math.isfinite, (low, mid, high))) or low + mid + high <= 0:
                raise ValueError(f"{dimension} {entry[dimension]!r}")
            found[dimension] = low, mid, high
    return Affect(float(entry["start"]), float(entry["end"]), **found)


def _box(values: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = (float(v) for v in values)
    return x, y, width, height


def order_segments(segments: Sequence[Segment]) -> list[Segment]:
    """Order by start, then modality (face, voice, fused), then person (nobody last)."""
    rank = {m: i for i, m in enumerate(MODALITIES)}
    return sorted(
        segments, key=lambda s: (s.start, rank[s.modality], s.person is None, s.person or 0)
    )
