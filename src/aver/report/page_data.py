"""The numbers inside the HTML report, packed small enough for an hour of several people."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

from aver.report.runs import duration_of, tracks, without_overlap
from aver.timeline import Segment, Timeline

MOST_VALUES = 1_200_000
"""Scores in one page; a longer recording is averaged over several windows a point."""

MISSING = 65535
"""Stands for a window without a score; scores are stored in thousandths."""


@dataclass
class Packed:
    """What the page's script reads.

    Attributes:
        text: JSON, safe inside ``<script type="application/json">``.
        windows_per_point: 1, or how many windows each point of the curves averages.
    """

    text: str
    windows_per_point: int = 1


@dataclass
class _Point:
    start: float
    end: float
    total: float = 0.0
    weak: float = 0.0
    sums: list[float] = field(default_factory=list)


def pack(timeline: Timeline, keys: dict[int | None, str], extra: dict[str, Any]) -> Packed:
    """Pack all curves.

    One shared list of windows (start and end in milliseconds, uint32), and per person and
    modality a dense block of uint16 thousandths over a range of these windows, with a bit per
    window for weak ones; all as base64, little-endian.

    Args:
        timeline: what to show.
        keys: the page's own name for each person.
        extra: further entries for the script.
    """
    import numpy as np

    grouped = tracks(timeline)
    windows = sorted({_milliseconds(s) for s in timeline.segments})
    values = len(timeline.segments) * len(timeline.labels)
    per_point = max(1, -(-values // MOST_VALUES))
    position = {window: i // per_point for i, window in enumerate(windows)}
    points = [
        (windows[i][0], windows[min(i + per_point, len(windows)) - 1][1])
        for i in range(0, len(windows), per_point)
    ]
    blocks = []
    for person, by_modality in grouped.items():
        entry: dict[str, Any] = {"key": keys[person], "curves": {}}
        for modality, segments in by_modality.items():
            merged = _merged(segments, position)
            if not merged:
                continue
            first, last = min(merged), max(merged)
            scores = np.full((last - first + 1, len(timeline.labels)), MISSING, dtype="<u2")
            weak = np.zeros(last - first + 1, dtype=bool)
            for i, point in merged.items():
                mean = np.asarray(point.sums) / point.total
                scores[i - first] = np.clip(np.rint(mean * 1000), 0, 1000)
                weak[i - first] = 2 * point.weak >= point.total
            entry["curves"][modality] = {
                "first": first,
                "count": last - first + 1,
                "scores": _text(scores.tobytes()),
                "weak": _text(np.packbits(weak, bitorder="little").tobytes()),
            }
        blocks.append(entry)
    page = {
        "duration": duration_of(timeline),
        "labels": list(timeline.labels),
        "windows": _text(np.asarray(points, dtype="<u4").reshape(-1, 2).tobytes()),
        "people": blocks,
        **extra,
    }
    return Packed(script_safe(json.dumps(page, separators=(",", ":"))), per_point)


def _milliseconds(segment: Segment) -> tuple[int, int]:
    return max(0, round(segment.start * 1000)), max(0, round(segment.end * 1000))


def _merged(segments: list[Segment], position: dict[tuple[int, int], int]) -> dict[int, _Point]:
    merged: dict[int, _Point] = {}
    for start, end, segment in without_overlap(segments):
        index = position[_milliseconds(segment)]
        point = merged.setdefault(index, _Point(start, end, sums=[0.0] * len(segment.scores)))
        length = end - start
        point.total += length
        point.weak += length if segment.weak else 0.0
        for i, score in enumerate(segment.scores):
            point.sums[i] += length * score
    return merged


def script_safe(text: str) -> str:
    """JSON that cannot end the script element it stands in, nor open a comment in it."""
    escaped = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return escaped.encode("utf-8", "backslashreplace").decode("utf-8")


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")
