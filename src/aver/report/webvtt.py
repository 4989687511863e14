"""WebVTT subtitles (W3C WebVTT): one cue per run of the same strongest label."""

from __future__ import annotations

from typing import BinaryIO

from aver.report.affect import affect_lanes
from aver.report.runs import (
    event_lanes,
    file_name,
    leading_modality,
    person_name,
    printable,
    runs_of,
    sound_name,
    tracks,
)
from aver.timeline import Timeline


def write_webvtt(timeline: Timeline, out: BinaryIO) -> None:
    """Write subtitles that any player shows over the recording.

    Each person's fused runs become cues with a voice tag, ``<v Person 1>happy 0.62``; the number
    is the mean score over the run, and ``(weak)`` marks runs that rest on thin evidence. Sounds
    that belong to nobody stand in brackets.
    """
    cues: list[tuple[int, int, str]] = []
    for person, by_modality in tracks(timeline).items():
        modality = leading_modality(by_modality)
        for run in runs_of(by_modality[modality]) if modality else ():
            label = _text(timeline.labels[run.label])
            weak = " (weak)" if run.weak else ""
            voice = _text(person_name(person, timeline))
            cues.append((*_span(run.start, run.end), f"<v {voice}>{label} {run.score:.2f}{weak}"))
    for lane in event_lanes(timeline.events):
        cues += [
            (*_span(e.start, e.end), f"[{_text(sound_name(e.label))} {e.score:.2f}]") for e in lane
        ]
    for name, runs in affect_lanes(timeline):
        cues += [(*_span(r.start, r.end), f"[{name} {r.level} {r.score:.2f}]") for r in runs]
    note = printable(file_name(timeline)).replace("-->", "→")
    out.write(
        "WEBVTT - expressed emotion, scores from 0 to 1\n\n"
        f"NOTE\n{note}\n"
        "Scores are estimates of expressed emotion, not of what a person feels.\n".encode()
    )
    for start, end, text in sorted(cues, key=lambda cue: cue[:2]):
        out.write(f"\n{_time(start)} --> {_time(end)}\n{text}\n".encode())


def _span(start: float, end: float) -> tuple[int, int]:
    """Milliseconds; a cue's end must be greater than its start."""
    first = max(0, round(start * 1000))
    return first, max(first + 1, round(end * 1000))


def _time(milliseconds: int) -> str:
    seconds, ms = divmod(milliseconds, 1000)
    minutes, s = divmod(seconds, 60)
    hours, m = divmod(minutes, 60)
    return f"{hours:02d}:{m:02d}:{s:02d}.{ms:03d}"


def _text(text: str) -> str:
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
