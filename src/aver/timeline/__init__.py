"""The timeline of a recording: who shows which emotion when, in seconds on its own clock.

A :class:`Timeline` is plain data: no network, no file handle. Its JSON form carries
``"schema": "aver.timeline/1"``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aver.errors import TimelineError
from aver.timeline import json_form
from aver.timeline.parts import (
    AFFECT_DIMENSIONS,
    AFFECT_LEVELS,
    MODALITIES,
    ROW_COLUMNS,
    SCHEMA,
    Affect,
    Dimension,
    Event,
    Modality,
    Person,
    Segment,
    Thumbnail,
    order_segments,
)

if TYPE_CHECKING:
    import pandas

__all__ = [
    "AFFECT_DIMENSIONS",
    "AFFECT_LEVELS",
    "MODALITIES",
    "ROW_COLUMNS",
    "SCHEMA",
    "Affect",
    "Dimension",
    "Event",
    "Modality",
    "Person",
    "Segment",
    "Thumbnail",
    "Timeline",
    "order_segments",
]


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

    def to_dict(self) -> dict[str, Any]:
        """The JSON form as plain Python objects (thumbnails as base64 text)."""
        return json_form.to_dict(self)

    def iter_json(self) -> Iterator[str]:
        """The JSON text in pieces, one line a segment, without a second copy in memory.

        Raises:
            ValueError: if a number is not finite; JSON has no such number.
        """
        return json_form.iter_json(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str | Path = "timeline") -> Timeline:
        """Read the JSON form back; keys that this version does not know are ignored.

        Raises:
            TimelineError: if *data* is not a timeline, or of a schema this version does not know.
        """
        return cls(**json_form.read_dict(data, source))

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
