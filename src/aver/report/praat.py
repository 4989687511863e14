"""Praat TextGrid (the long text form of the Praat manual, "TextGrid file formats")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from aver.report.affect import affect_lanes
from aver.report.runs import duration_of, event_lanes, person_name, printable, runs_of, tracks
from aver.timeline import Timeline


def write_textgrid(timeline: Timeline, out: BinaryIO) -> None:
    """Write one interval tier per person and modality, and one for sounds of nobody.

    Every tier tiles [0, duration] without gap or overlap, as Praat demands: stretches without a
    score are intervals with empty text. Runs on thin evidence read ``happy (weak)``. A recording
    without any window gets one empty tier, since Praat cannot show a grid of none.
    """
    total = round(max(duration_of(timeline), 1e-3), 6)
    tiers: list[tuple[str, list[tuple[float, float, str]]]] = []
    for person, by_modality in tracks(timeline).items():
        for modality, segments in by_modality.items():
            spans = [
                (r.start, r.end, timeline.labels[r.label] + (" (weak)" if r.weak else ""))
                for r in runs_of(segments)
            ]
            tiers.append((f"{person_name(person, timeline)} {modality}", spans))
    for number, lane in enumerate(event_lanes(timeline.events), start=1):
        name = "Sounds" if number == 1 else f"Sounds {number}"
        tiers.append((name, [(e.start, e.end, e.label) for e in lane]))
    for name, runs in affect_lanes(timeline):
        tiers.append((name, [(run.start, run.end, run.level) for run in runs]))
    if not tiers:
        tiers.append(("No face or voice", []))

    def line(text: str) -> None:
        out.write(f"{text}\n".encode())

    line('File type = "ooTextFile"')
    line('Object class = "TextGrid"')
    line("")
    line("xmin = 0")
    line(f"xmax = {_number(total)}")
    line("tiers? <exists>")
    line(f"size = {len(tiers)}")
    line("item []:")
    for index, (name, spans) in enumerate(tiers, start=1):
        intervals = list(_tiled(spans, total))
        line(f"    item [{index}]:")
        line('        class = "IntervalTier"')
        line(f"        name = {_quoted(name)}")
        line("        xmin = 0")
        line(f"        xmax = {_number(total)}")
        line(f"        intervals: size = {len(intervals)}")
        for number, (start, end, text) in enumerate(intervals, start=1):
            line(f"        intervals [{number}]:")
            line(f"            xmin = {_number(start)}")
            line(f"            xmax = {_number(end)}")
            line(f"            text = {_quoted(text)}")


def _tiled(
    spans: Iterable[tuple[float, float, str]], total: float
) -> Iterable[tuple[float, float, str]]:
    """Fill the gaps between *spans*, and around them, with empty intervals."""
    at = 0.0
    for start, end, text in spans:
        first, last = max(at, round(start, 6)), min(total, round(end, 6))
        if last <= first:
            continue
        if first > at:
            yield at, first, ""
        yield first, last, text
        at = last
    if at < total:
        yield at, total, ""


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    doubled = printable(text).replace('"', '""')
    return f'"{doubled}"'
