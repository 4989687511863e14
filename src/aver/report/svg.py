"""The report's still pictures: strips of the strongest label, and curves for pages without script.

All are drawn on a box 1000 units wide that stretches to the page's width, so they hold no text;
words and times stand beside them as HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from aver.report.runs import TOUCHING, Run, clock, without_overlap
from aver.timeline import Segment

WIDTH = 1000
STRIP_HEIGHT = 26
ROW_HEIGHT = 36
MOST_STRETCHES = 1200
"""Pieces of one strip; more could not be told apart on any screen."""

_POINTS = 400


def condensed(runs: Sequence[Run], duration: float, pieces: int = MOST_STRETCHES) -> list[Run]:
    """Runs few enough to draw: of more than *pieces*, the longest label of each bin."""
    if len(runs) <= pieces or duration <= 0:
        return list(runs)
    width = duration / pieces
    shares: list[dict[tuple[int, bool], float]] = [{} for _ in range(pieces)]
    for run in runs:
        first = min(pieces - 1, int(run.start / width))
        last = min(pieces - 1, int(run.end / width))
        for i in range(first, last + 1):
            overlap = min(run.end, (i + 1) * width) - max(run.start, i * width)
            key = (run.label, run.weak)
            shares[i][key] = shares[i].get(key, 0.0) + max(0.0, overlap)
    drawn: list[Run] = []
    for i, share in enumerate(shares):
        if not share or sum(share.values()) < 0.25 * width:
            continue
        label, weak = max(share, key=share.__getitem__)
        start, end = i * width, (i + 1) * width
        before = drawn[-1] if drawn else None
        if before and before.label == label and before.weak == weak and before.end >= start - 1e-9:
            drawn[-1] = Run(before.start, end, label, 0.0, 0.0, 0.0, weak)
        else:
            drawn.append(Run(start, end, label, 0.0, 0.0, 0.0, weak))
    return drawn


def strip(runs: Sequence[Run], duration: float) -> str:
    """A band of the strongest label over time; weak runs are half as high and fainter."""
    pieces = []
    for run in condensed(runs, duration):
        x, width = _place(run.start, run.end, duration)
        if run.weak:
            shape = f'y="{STRIP_HEIGHT // 2}" height="{STRIP_HEIGHT // 2}" class="faint"'
        else:
            shape = f'height="{STRIP_HEIGHT}"'
        pieces.append(f'<rect x="{x}" width="{width}" {shape} fill="url(#p{run.label})"/>')
    return _picture(STRIP_HEIGHT, "".join(pieces))


def bars(marks: Sequence[tuple[float, float, str]], duration: float) -> str:
    """Plain marks over time, each with words of its own: for sounds that belong to nobody.

    Of very many, those that no screen could keep apart become one.
    """
    near = duration / WIDTH if len(marks) > MOST_STRETCHES else -1.0
    drawn: list[tuple[float, float, list[str]]] = []
    for start, end, words in marks:
        if drawn and start - drawn[-1][1] < near:
            begin, before, told = drawn.pop()
            drawn.append((begin, max(before, end), [*told, words]))
        else:
            drawn.append((start, end, [words]))
    pieces = []
    for start, end, told in drawn:
        x, width = _place(start, end, duration)
        title = escape(told[0]) if len(told) == 1 else f"{len(told)} sounds"
        pieces.append(
            f'<rect x="{x}" width="{width}" height="{STRIP_HEIGHT}" class="event">'
            f"<title>{title}</title></rect>"
        )
    return _picture(STRIP_HEIGHT, "".join(pieces))


def scale_of(segments: Iterable[Segment]) -> float:
    """What the head of each row of curves stands for: 0.5, 0.75 or 1, whatever the scores need."""
    highest = max((max(segment.scores) for segment in segments), default=1.0)
    return next((scale for scale in (0.5, 0.75) if highest <= scale), 1.0)


def curves(segments: Sequence[Segment], labels: int, duration: float, scale: float = 1.0) -> str:
    """One row per label: its score over time, from 0 at the row's foot to *scale* at its head."""
    pixel = duration / WIDTH  # a gap narrower than this cannot be seen
    thin = _thinned(segments, pixel)
    stretches = _stretches(thin, pixel)
    parts = []
    for stretch in stretches:
        x, width = _place(stretch[0].start, stretch[-1].end, duration)
        parts.append(
            f'<rect x="{x}" width="{width}" height="{labels * ROW_HEIGHT}" class="present"/>'
        )
    for label in range(labels):
        foot = (label + 1) * ROW_HEIGHT
        area = []
        line = []
        for stretch in stretches:
            points = [(stretch[0].start, stretch[0].scores[label])]
            points += [((s.start + s.end) / 2, s.scores[label]) for s in stretch]
            points.append((stretch[-1].end, stretch[-1].scores[label]))
            path = "L".join(
                f"{_x(t, duration):g} {foot - 1 - value / scale * (ROW_HEIGHT - 4):.1f}"
                for t, value in points
            )
            line.append(f"M{path}")
            left, right = _x(points[0][0], duration), _x(points[-1][0], duration)
            area.append(f"M{left:g} {foot}L{path}L{right:g} {foot}Z")
        parts.append(f'<path class="area" d="{"".join(area)}" fill="var(--c{label})"/>')
        parts.append(f'<path class="line" d="{"".join(line)}" stroke="var(--c{label})"/>')
        parts.append(f'<path class="foot" d="M0 {foot - 0.5}H{WIDTH}"/>')
    for start, end in _weak_spans(thin):
        x, width = _place(start, end, duration)
        parts.append(
            f'<rect x="{x}" width="{width}" height="{labels * ROW_HEIGHT}" fill="url(#weak)"/>'
        )
    return _picture(labels * ROW_HEIGHT, "".join(parts))


def _thinned(segments: Sequence[Segment], gap: float) -> list[Segment]:
    """At most about ``_POINTS`` windows: means over several where there are more."""
    windows = without_overlap(segments)
    step = max(1, -(-len(windows) // _POINTS))
    thin: list[Segment] = []
    at = 0
    while at < len(windows):
        group = windows[at : at + step]
        for i in range(1, len(group)):
            if group[i][0] - group[i - 1][1] > max(gap, TOUCHING):  # never average across a gap
                group = group[:i]
                break
        scores = tuple(
            sum(column) / len(group)
            for column in zip(*(window.scores for _, _, window in group), strict=True)
        )
        first = group[0][2]
        weak = 2 * sum(window.weak for _, _, window in group) >= len(group)
        thin.append(Segment(group[0][0], group[-1][1], first.person, first.modality, scores, weak))
        at += len(group)
    return thin


def _stretches(segments: Sequence[Segment], gap: float) -> list[list[Segment]]:
    found: list[list[Segment]] = []
    for segment in segments:
        if found and segment.start - found[-1][-1].end <= max(gap, TOUCHING):
            found[-1].append(segment)
        else:
            found.append([segment])
    return found


def _weak_spans(segments: Sequence[Segment]) -> list[tuple[float, float]]:
    spans: list[tuple[float, float]] = []
    for start, end, segment in without_overlap(segments):
        if not segment.weak:
            continue
        if spans and start - spans[-1][1] <= TOUCHING:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _x(time: float, duration: float) -> float:
    return round(WIDTH * time / duration, 1) if duration > 0 else 0.0


def _place(start: float, end: float, duration: float) -> tuple[str, str]:
    left = _x(start, duration)
    return f"{left:g}", f"{max(0.6, _x(end, duration) - left):.1f}"


def _picture(height: int, content: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" preserveAspectRatio="none" aria-hidden="true" '
        f'focusable="false">{content}</svg>'
    )


def swatch(label: int) -> str:
    """A label's colour and pattern, to stand beside its name."""
    return (
        '<svg class="swatch" viewBox="0 0 22 14" aria-hidden="true">'
        f'<rect width="22" height="14" rx="3" fill="url(#p{label})"/></svg>'
    )


def ticks(duration: float, most: int = 8) -> list[float]:
    """Round times from 0 to *duration*, at most *most* steps apart, in seconds."""
    if duration <= 0:
        return [0.0]
    steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400]
    step = next((s for s in steps if duration / s <= most), 86400.0)
    count = int(duration / step + 1e-9)
    return [i * step for i in range(count + 1)]


def axis(duration: float) -> str:
    """Times below a plot, placed in per cent of its width."""
    times = ticks(duration)
    decimals = 1 if len(times) > 1 and times[1] < 1 else 0
    marks = "".join(
        f'<span style="left:{100 * t / duration if duration else 0:.3f}%">'
        f"{clock(t, decimals)}</span>"
        for t in times
    )
    return f'<div class="axis" aria-hidden="true">{marks}</div>'
