"""The numbers behind the pictures: JSON with everything, CSV with one row a window."""

from __future__ import annotations

import csv
import io
import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from aver.inference.explain_maps import Map
from aver.inference.explain_moments import Moment
from aver.inference.explain_result import Explanation, Wanted
from aver.report.explain_pictures import face_picture, jpeg, scale_of
from aver.timeline import Timeline

if TYPE_CHECKING:
    from aver.inference.analyze import Analyzer, Progress

SCHEMA = "aver.explanation/1"
COLUMNS = (
    *("file", "person", "emotion", "moment_start", "moment_end", "start", "end", "modality"),
    *("present", "attention_mean", "attention_rollout", "change_without"),
    *("own_score", "own_score_highest_hidden", "own_score_lowest_hidden"),
)
"""Columns of the CSV; ``own_score`` is what the face network itself gives the emotion."""


def to_dict(explanation: Explanation) -> dict[str, Any]:
    """Everything but the pictures as plain Python objects."""
    timeline = explanation.timeline
    return {
        "schema": SCHEMA,
        "media": {k: timeline.media.get(k) for k in ("name", "duration")},
        "model": {
            k: timeline.model.get(k)
            for k in ("aver", "name", "version", "face_network", "voice_network")
        },
        "attention": explanation.attention,
        "notes": list(explanation.notes),
        "people": [
            {
                "person": person.person,
                "emotion": person.emotion,
                "shares": {
                    branch: [_rounded(asdict(share)) for share in shares]
                    for branch, shares in person.shares.items()
                },
                "moments": [_moment(moment) for moment in person.moments],
            }
            for person in explanation.people
        ],
        "sounds": [
            {
                "emotion": sound.emotion,
                "windows": [
                    {"start": w.start, "end": w.end, "map": _map(w.map)} for w in sound.windows
                ],
            }
            for sound in explanation.sounds
        ],
    }


def _moment(moment: Moment) -> dict[str, Any]:
    return {
        "start": moment.start,
        "end": moment.end,
        "scores": _rounded(dict(moment.scores)),
        "weak": moment.weak,
        "windows": {b: [_rounded(asdict(w)) for w in ws] for b, ws in moment.windows.items()},
        "layers": {
            branch: [[round(float(v), 5) for v in row] for row in weights]
            for branch, weights in moment.layers.items()
        },
        "faces": [
            None if face is None else {"time": face.time, "map": _map(face.map)}
            for face in moment.faces
        ],
    }


def _map(found: Map | None) -> dict[str, Any] | None:
    if found is None:
        return None
    values = [[round(float(v), 5) for v in row] for row in found.values]
    return _rounded({**asdict(found), "values": values})


def _rounded(entry: dict[Any, Any]) -> dict[str, Any]:
    return {
        str(k): round(v, 5) if isinstance(v, float) and not isinstance(v, bool) else v
        for k, v in entry.items()
    }


def write_json(explanation: Explanation, out: BinaryIO) -> None:
    """Write :func:`to_dict` as JSON text."""
    text = json.dumps(to_dict(explanation), ensure_ascii=False, allow_nan=False, indent=1)
    out.write(text.encode("utf-8", "backslashreplace"))


def rows(explanation: Explanation) -> Iterator[dict[str, Any]]:
    """One row a window of each moment's context and modality: :data:`COLUMNS`."""
    name = str(explanation.timeline.media.get("name") or "")
    for person in explanation.people:
        for moment in person.moments:
            for branch, windows in moment.windows.items():
                faces = moment.faces if branch == "face" else [None] * len(windows)
                for window, face in zip(windows, faces, strict=True):
                    own = face.map if face else None
                    yield {
                        "file": name,
                        "person": person.person,
                        "emotion": moment.emotion,
                        "moment_start": moment.start,
                        "moment_end": moment.end,
                        "start": window.start,
                        "end": window.end,
                        "modality": branch,
                        "present": window.present,
                        "attention_mean": window.mean,
                        "attention_rollout": window.rollout,
                        "change_without": window.change,
                        "own_score": own.score if own else None,
                        "own_score_highest_hidden": own.hidden_highest if own else None,
                        "own_score_lowest_hidden": own.hidden_lowest if own else None,
                    }


def write_csv(explanation: Explanation, out: BinaryIO) -> None:
    """Write :func:`rows` as CSV (RFC 4180, UTF-8); times are seconds."""
    text = io.TextIOWrapper(
        out, encoding="utf-8", errors="backslashreplace", newline="", write_through=False
    )
    try:
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for row in rows(explanation):
            values = (round(v, 5) if isinstance(v, float) else v for v in row.values())
            writer.writerow(["" if v is None else v for v in values])
        text.flush()
    finally:
        text.detach()


def explained_timeline(
    analyzer: Analyzer, path: str | Path, *, progress: Progress | None = None
) -> Timeline:
    """Like ``analyzer.analyze``, and with what the networks looked at (:func:`attach`).

    Raises:
        MediaError: if the recording cannot be read at all.
        ModelError: if a network's file cannot show what it looked at.
    """
    from aver.inference.explain import ExplainedRun

    run = ExplainedRun(analyzer, path, progress, Wanted(moments=1, sound=False))
    return attach(run.explanation(empty=True))


def attach(explanation: Explanation) -> Timeline:
    """The timeline with what its report draws: shares of attention, and one face a person.

    It stands in ``Timeline.explanation`` as plain data, and in the JSON under ``explanation``.
    """
    people = []
    for person in explanation.people:
        entry: dict[str, Any] = {
            "person": person.person,
            "emotion": person.emotion,
            "shares": {
                branch: [[round(v, 4) for v in (s.start, s.end, s.share)] for s in shares]
                for branch, shares in person.shares.items()
            },
        }
        faces = [f for moment in person.moments for f in moment.faces if f is not None]
        if faces:
            best = max(faces, key=lambda face: face.map.score)
            picture = face_picture(best.crop, best.map, scale_of([best.map]))
            entry["face"] = {
                "time": best.time,
                **{k: v for k, v in (_map(best.map) or {}).items() if k != "values"},
                "jpeg": b64encode(jpeg(picture)).decode("ascii"),
            }
        people.append(entry)
    explanation.timeline.explanation = {"attention": explanation.attention, "people": people}
    return explanation.timeline
