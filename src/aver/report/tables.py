"""CSV and Parquet: one row a window, with the (file, start, end) columns that audformat made usual.

Both carry the columns file, start, end, person, modality, label (the strongest), score (its own),
weak, and one score column per label. Rows are written in batches, so a long timeline does not
stand in memory a second time.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from aver.errors import TimelineError
from aver.timeline import (
    AFFECT_DIMENSIONS,
    AFFECT_LEVELS,
    MODALITIES,
    ROW_COLUMNS,
    SCHEMA,
    Affect,
    Event,
    Modality,
    Segment,
    Timeline,
)

PARQUET_KEY = b"aver.timeline"
"""Key of the Parquet file's metadata that holds what does not fit in rows, as JSON."""

EVENT = "event"
"""Modality of a CSV's rows that hold sounds of nobody in particular."""

AFFECT = "affect"
"""Modality of the rows that hold levels of the recording itself."""
AFFECT_COLUMNS = tuple(f"{d}_{level}" for d in AFFECT_DIMENSIONS for level in AFFECT_LEVELS)
"""Last columns of a CSV with such rows; it has neither where there are no levels."""

_BATCH = 8192
_NANOSECONDS = 1_000_000_000


def write_csv(timeline: Timeline, out: BinaryIO) -> None:
    """Write the table as CSV (RFC 4180, UTF-8).

    ``start`` and ``end`` are written as ``0:00:01.500``, which pandas' ``to_timedelta`` (and with
    it audformat), R's hms and spreadsheets read as times; ``person`` is empty where a voice
    belongs to nobody.

    Sounds that belong to nobody are rows of the modality ``event`` after the others, with the
    sound's name as label, its score, and nothing in the columns of the labels. Levels of arousal
    and valence, where there are any, are rows of the modality ``affect`` after these; their
    probabilities stand in six more columns, empty in the other rows.
    """
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=False)
    try:
        writer = csv.writer(text)
        more = AFFECT_COLUMNS if timeline.affect else ()
        writer.writerow([*ROW_COLUMNS, *timeline.labels, *more])
        row: dict[str, Any]
        for row in timeline.rows():
            row["start"], row["end"] = _clock(row["start"]), _clock(row["end"])
            row["weak"] = str(row["weak"])
            for name in ("score", *timeline.labels):
                row[name] = round(row[name], 5)
            values = ["" if value is None else value for value in row.values()]
            writer.writerow([*values, *("" for _ in more)])
        for event in timeline.events:
            writer.writerow(_event_row(timeline, event, more))
        for segment in timeline.affect:
            writer.writerow(_affect_row(timeline, segment))
        text.flush()
    finally:
        text.detach()


def _plain_row(
    timeline: Timeline, part: Event | Affect, modality: str, label: str, more: Sequence[str]
) -> dict[str, Any]:
    """A row that belongs to nobody, its scores still empty."""
    file = str(timeline.media.get("path") or timeline.media.get("name") or "")
    row: dict[str, Any] = dict.fromkeys((*ROW_COLUMNS, *timeline.labels, *more), "")
    return row | {
        "file": file.encode("utf-8", "backslashreplace").decode("utf-8"),
        "start": _clock(part.start),
        "end": _clock(part.end),
        "modality": modality,
        "label": label,
        "weak": "False",
    }


def _event_row(timeline: Timeline, event: Event, more: Sequence[str]) -> list[Any]:
    row = _plain_row(timeline, event, EVENT, event.label, more)
    return list((row | {"score": round(event.score, 5)}).values())


def _affect_row(timeline: Timeline, segment: Affect) -> list[Any]:
    told = (f"{d} {segment.level(d)}" for d in AFFECT_DIMENSIONS if segment.scores(d))
    row = _plain_row(timeline, segment, AFFECT, ", ".join(told), AFFECT_COLUMNS)
    for dimension in AFFECT_DIMENSIONS:
        for level, score in zip(AFFECT_LEVELS, segment.scores(dimension) or (), strict=False):
            row[f"{dimension}_{level}"] = round(score, 5)
    return list(row.values())


def _affect_of(entry: dict[str, str]) -> Affect:
    found: dict[str, Any] = {}
    for dimension in AFFECT_DIMENSIONS:
        scores = [entry[f"{dimension}_{level}"] for level in AFFECT_LEVELS]
        if any(scores):
            found[dimension] = tuple(map(float, scores))
    return Affect(_seconds(entry["start"]), _seconds(entry["end"]), **found)


def write_parquet(timeline: Timeline, out: BinaryIO) -> None:
    """Write the table as Parquet.

    Types: file, modality and label are strings, ``start`` and ``end`` durations in nanoseconds,
    ``person`` a nullable int64, ``weak`` a boolean, scores float64. What does not fit in rows
    (media, people without their thumbnails, events, warnings, model, affect) stands as JSON in the
    file's metadata under ``aver.timeline``, so :func:`aver.report.read_timeline` gets it back.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    empty = Timeline(media={}, labels=timeline.labels).to_frame().reset_index()
    head = Timeline(
        media=timeline.media,
        labels=timeline.labels,
        people=[replace(person, thumbnails=()) for person in timeline.people],
        events=timeline.events,
        warnings=timeline.warnings,
        model=timeline.model,
        affect=timeline.affect,
    ).to_dict()
    types = {"file": pa.string(), "start": pa.duration("ns"), "end": pa.duration("ns")}
    types |= {"person": pa.int64(), "modality": pa.string(), "label": pa.string()}
    types |= {"score": pa.float64(), "weak": pa.bool_()}
    types |= dict.fromkeys(timeline.labels, pa.float64())
    # pandas' own notes make it restore the nullable integer; everybody else ignores them.
    notes = pa.Schema.from_pandas(empty, preserve_index=False).metadata
    schema = pa.schema(
        list(types.items()),
        metadata={**notes, PARQUET_KEY: json.dumps(head, allow_nan=False).encode()},
    )
    rows = timeline.rows()
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        while batch := list(itertools.islice(rows, _BATCH)):
            columns: dict[str, list[Any]] = {name: [row[name] for row in batch] for name in types}
            for name in ("start", "end"):
                columns[name] = [round(seconds * _NANOSECONDS) for seconds in columns[name]]
            writer.write_table(pa.Table.from_pydict(columns, schema=schema))


def read_csv(path: Path) -> Timeline:
    """Read :func:`write_csv`'s file back: what its rows hold.

    Raises:
        TimelineError: if it is not such a table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            more = len(AFFECT_COLUMNS)
            with_affect = tuple(header[-more:]) == AFFECT_COLUMNS
            labels = _labels(header[:-more] if with_affect else header, path)
            timeline = Timeline(media={}, labels=labels)
            for row in rows:
                entry = dict(zip(header, row, strict=True))
                timeline.media.setdefault("name", entry["file"])
                if with_affect and entry["modality"] == AFFECT:
                    timeline.affect.append(_affect_of(entry))
                    continue
                if entry["modality"] == EVENT:
                    start, end = _seconds(entry["start"]), _seconds(entry["end"])
                    event = Event(start, end, entry["label"], float(entry["score"]))
                    timeline.events.append(event)
                    continue
                timeline.segments.append(
                    Segment(
                        start=_seconds(entry["start"]),
                        end=_seconds(entry["end"]),
                        person=int(entry["person"]) if entry["person"] else None,
                        modality=_modality(entry["modality"]),
                        scores=tuple(float(entry[label]) for label in labels),
                        weak={"True": True, "False": False}[entry["weak"]],
                    )
                )
    except (ValueError, KeyError, csv.Error) as error:
        raise TimelineError(path, f"is not a timeline as CSV ({error})") from error
    return timeline


def read_parquet(path: Path) -> Timeline:
    """Read :func:`write_parquet`'s file back: everything but the thumbnails.

    Raises:
        TimelineError: if it is not such a table.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file, pq.ParquetFile(file) as parquet:
            schema = parquet.schema_arrow
            labels = _labels(schema.names, path)
            stored = (schema.metadata or {}).get(PARQUET_KEY)
            if stored is None:
                timeline = Timeline(media={}, labels=labels)
            else:
                timeline = Timeline.from_dict(json.loads(stored), path)
            for batch in parquet.iter_batches(_BATCH):
                columns = {
                    name: batch.column(name).cast(pa.int64()).to_pylist()
                    if name in ("start", "end")
                    else batch.column(name).to_pylist()
                    for name in schema.names
                }
                scores = zip(*(columns[label] for label in labels), strict=True)
                for i, row in enumerate(scores):
                    timeline.segments.append(
                        Segment(
                            start=columns["start"][i] / _NANOSECONDS,
                            end=columns["end"][i] / _NANOSECONDS,
                            person=columns["person"][i],
                            modality=_modality(columns["modality"][i]),
                            scores=row,
                            weak=columns["weak"][i],
                        )
                    )
                if stored is None and columns["file"]:
                    timeline.media.setdefault("name", columns["file"][0])
    except (pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise TimelineError(path, f"is not a timeline as Parquet ({error})") from error
    return timeline


def _labels(header: list[str], path: Path) -> tuple[str, ...]:
    fixed = len(ROW_COLUMNS)
    if tuple(header[:fixed]) != ROW_COLUMNS or len(header) == fixed:
        expected = ", ".join(ROW_COLUMNS)
        raise TimelineError(
            path, f"is not a timeline, its columns must be {expected} and the labels ({SCHEMA})"
        )
    return tuple(header[fixed:])


def _modality(text: str) -> Modality:
    if text not in MODALITIES:
        raise ValueError(f"modality {text!r}")
    return text


def _clock(seconds: float) -> str:
    """``h:mm:ss.mmm``, with as many more digits as a nanosecond needs."""
    whole, rest = divmod(round(seconds * _NANOSECONDS), _NANOSECONDS)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    fraction = f"{rest:09d}".rstrip("0").ljust(3, "0")
    return f"{hours}:{minute:02d}:{second:02d}.{fraction}"


def _seconds(text: str) -> float:
    hours, minutes, seconds = text.split(":")
    whole, _, fraction = seconds.partition(".")
    total = (int(hours) * 60 + int(minutes)) * 60 + int(whole)
    return (total * _NANOSECONDS + int(fraction.ljust(9, "0"))) / _NANOSECONDS
