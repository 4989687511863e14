"""The JSON form of a timeline (``aver.timeline/1``): writing it and reading it back."""

from __future__ import annotations

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aver.errors import TimelineError
from aver.timeline.parts import (
    AFFECT_DIMENSIONS,
    MODALITIES,
    SCHEMA,
    Affect,
    Event,
    Person,
    Segment,
    Thumbnail,
)

if TYPE_CHECKING:
    from aver.timeline import Timeline


def to_dict(timeline: Timeline) -> dict[str, Any]:
    """*timeline* as plain Python objects (thumbnails as base64 text)."""
    return {
        **_head(timeline),
        "segments": list(_segment_entries(timeline)),
        **_tail(timeline),
    }


def iter_json(timeline: Timeline) -> Iterator[str]:
    """The JSON text of *timeline* in pieces, one line a segment.

    Raises:
        ValueError: if a number is not finite; JSON has no such number.
    """
    yield "{\n" + "".join(f"{member},\n" for member in _members(_head(timeline)))
    yield '"segments": ['
    separator = "\n"
    for segment in _segment_entries(timeline):
        yield separator + _text(segment)
        separator = ",\n"
    yield "\n],\n" if timeline.segments else "],\n"
    yield ",\n".join(_members(_tail(timeline))) + "\n}\n"


def read_dict(data: Mapping[str, Any], source: str | Path) -> dict[str, Any]:
    """The fields of a :class:`~aver.timeline.Timeline` from its JSON form.

    Keys that this version does not know are ignored.

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
        return {
            "media": dict(data["media"]),
            "labels": labels,
            "people": [_person(entry) for entry in data["people"]],
            "segments": [_segment(entry, len(labels)) for entry in data["segments"]],
            "events": [_event(entry) for entry in data["events"]],
            "warnings": [str(warning) for warning in data["warnings"]],
            "model": dict(data.get("model", {})),
            "explanation": dict(data["explanation"]) if data.get("explanation") else None,
            "affect": [_affect(entry) for entry in data.get("affect") or ()],
        }
    except (KeyError, TypeError, ValueError) as error:
        problem = f"{error} is missing" if isinstance(error, KeyError) else error
        raise TimelineError(
            source, f"is damaged ({problem})", "Analyse the recording again"
        ) from error


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _members(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines = ",\n".join(_text(entry) for entry in value)
            yield f"{_text(key)}: [\n{lines}\n]"
        else:
            yield f"{_text(key)}: {_text(value)}"


def _head(timeline: Timeline) -> dict[str, Any]:
    people = []
    for person in timeline.people:
        entry = asdict(person)
        entry["thumbnails"] = [
            {**asdict(t), "jpeg": b64encode(t.jpeg).decode("ascii")} for t in person.thumbnails
        ]
        people.append(entry)
    return {
        "schema": SCHEMA,
        "media": _plain(timeline.media),
        "labels": list(timeline.labels),
        "model": _plain(timeline.model),
        "people": people,
    }


def _segment_entries(timeline: Timeline) -> Iterator[dict[str, Any]]:
    for s in timeline.segments:
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


def _tail(timeline: Timeline) -> dict[str, Any]:
    tail: dict[str, Any] = {
        "events": [asdict(e) for e in timeline.events],
        "warnings": list(timeline.warnings),
    }
    if timeline.affect:
        tail["affect"] = [_affect_entry(segment) for segment in timeline.affect]
    if timeline.explanation is not None:
        tail["explanation"] = timeline.explanation
    return tail


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


def _event(entry: Mapping[str, Any]) -> Event:
    start, end, score = (float(entry[key]) for key in ("start", "end", "score"))
    if not all(map(math.isfinite, (start, end, score))):
        raise ValueError(f"event {dict(entry)!r}")
    return Event(start, end, str(entry["label"]), score)


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
