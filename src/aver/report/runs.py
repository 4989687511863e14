"""What all writers share: who is on the timeline, runs of equal labels, and readable times."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aver.timeline import MODALITIES, Event, Modality, Segment, Timeline

TOUCHING = 1e-3
"""Seconds; windows closer than this follow one another without a gap."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive windows whose strongest label is the same.

    Attributes:
        start: seconds.
        end: seconds, greater than ``start``.
        label: index into :attr:`aver.timeline.Timeline.labels`.
        score: mean score of that label over the run, weighted by window length, in [0, 1].
        peak: highest score of that label within the run.
        peak_time: start of the window with the highest score, seconds.
        weak: True where at least half of the run's time rests on thin evidence.
    """

    start: float
    end: float
    label: int
    score: float
    peak: float
    peak_time: float
    weak: bool


def without_overlap(segments: Iterable[Segment]) -> list[tuple[float, float, Segment]]:
    """Order one track's windows by time and cut each where the one before it still runs.

    Returns:
        Triples of start, end and the segment; every end is greater than its start and no two
        overlap. Windows of which nothing remains are left out.
    """
    ordered: list[tuple[float, float, Segment]] = []
    last = -math.inf
    for segment in sorted(segments, key=lambda s: (s.start, s.end)):
        start = max(segment.start, last)
        if segment.end > start:
            ordered.append((start, segment.end, segment))
            last = segment.end
    return ordered


def runs_of(segments: Iterable[Segment]) -> list[Run]:
    """Join neighbouring windows of one person and modality that share their strongest label."""
    found: list[Run] = []
    members: list[tuple[float, float, Segment]] = []

    def close() -> None:
        if not members:
            return
        label = members[0][2].best
        lengths = [end - start for start, end, _ in members]
        scores = [segment.scores[label] for _, _, segment in members]
        strongest = max(range(len(scores)), key=scores.__getitem__)
        total = sum(lengths)
        weak = sum(n for n, (_, _, s) in zip(lengths, members, strict=True) if s.weak)
        found.append(
            Run(
                start=members[0][0],
                end=members[-1][1],
                label=label,
                score=sum(n * v for n, v in zip(lengths, scores, strict=True)) / total,
                peak=scores[strongest],
                peak_time=members[strongest][0],
                weak=2 * weak >= total,
            )
        )
        members.clear()

    for window in without_overlap(segments):
        if members and (
            window[2].best != members[0][2].best or window[0] - members[-1][1] > TOUCHING
        ):
            close()
        members.append(window)
    close()
    return found


def tracks(timeline: Timeline) -> dict[int | None, dict[Modality, list[Segment]]]:
    """All windows by person and modality.

    Everybody in :attr:`~aver.timeline.Timeline.people` is there, with or without windows, in
    their order; then persons known from windows only; then None, where a voice belongs to nobody.
    Modalities follow the order face, voice, fused. Windows without length are left out.
    """
    grouped: dict[int | None, dict[Modality, list[Segment]]] = {p.id: {} for p in timeline.people}
    for segment in timeline.segments:
        if segment.end <= segment.start:
            continue
        grouped.setdefault(segment.person, {}).setdefault(segment.modality, []).append(segment)
    if None in grouped:
        grouped[None] = grouped.pop(None)
    return {
        person: {m: by_modality[m] for m in MODALITIES if m in by_modality}
        for person, by_modality in grouped.items()
    }


def leading_modality(by_modality: dict[Modality, list[Segment]]) -> Modality | None:
    """The modality that speaks for a person: fused where it exists, else face, else voice."""
    order: tuple[Modality, ...] = ("fused", "face", "voice")
    return next((m for m in order if by_modality.get(m)), None)


def event_lanes(events: Sequence[Event]) -> list[list[Event]]:
    """Spread events over as few lanes as needed, so that none overlap within a lane."""
    lanes: list[list[Event]] = []
    for event in sorted(events, key=lambda e: (e.start, e.end)):
        if event.end <= event.start:
            continue
        free = next((lane for lane in lanes if lane[-1].end <= event.start), None)
        if free is None:
            lanes.append([event])
        else:
            free.append(event)
    return lanes


def sound_name(label: str) -> str:
    """An event's label as people read it: ``speech_male`` becomes ``speech male``."""
    return printable(label.replace("_", " "))


def without_picture(timeline: Timeline) -> bool:
    """True for sound alone, where no voice can be expected to belong to somebody in view."""
    return timeline.media.get("has_video") is False and not timeline.people


def person_name(person: int | None, timeline: Timeline) -> str:
    """How a person is called in every format."""
    if person is not None:
        return f"Person {person}"
    return "Voice" if without_picture(timeline) else "Voice, nobody in view"


def file_name(timeline: Timeline) -> str:
    """The recording's file name without its folders."""
    name = timeline.media.get("name")
    if not name:
        path = str(timeline.media.get("path") or "").replace("\\", "/")
        name = path.rstrip("/").rsplit("/", 1)[-1]
    return str(name) or "recording"


def is_still(timeline: Timeline) -> bool:
    """True for a picture, and for a recording of one window: there is nothing to follow in time."""
    windows = {(s.start, s.end) for s in timeline.segments}
    return len(windows) == 1 or (bool(timeline.media.get("is_image")) and bool(windows))


def duration_of(timeline: Timeline) -> float:
    """Seconds the timeline covers: the recording's length, or the last end if that is later."""
    stated = timeline.media.get("duration")
    ends = [s.end for s in timeline.segments] + [e.end for e in timeline.events]
    known = isinstance(stated, int | float) and math.isfinite(stated) and stated > 0
    return max([float(stated) if known and stated else 0.0, *ends])


def clock(seconds: float, decimals: int = 0) -> str:
    """Time as people write it: ``0:07``, ``12:03``, ``1:02:03``; with *decimals*, ``0:07.5``."""
    units = 10**decimals
    ticks = max(0, math.floor(seconds * units + 1e-6))
    whole, rest = divmod(ticks, units)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    text = f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
    return f"{text}.{rest:0{decimals}d}" if decimals else text


def moment(seconds: float, timeline: Timeline) -> str:
    """A time in the recording, with tenths of a second where all of it is shorter than ten."""
    return clock(seconds, 1 if duration_of(timeline) < 10 else 0)


def printable(text: object) -> str:
    """*text* on one line and encodable: line breaks become spaces, stray bytes are spelled out."""
    one_line = " ".join(str(text).split())
    return "".join(c if c.isprintable() or c == " " else "�" for c in _encodable(one_line))


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
