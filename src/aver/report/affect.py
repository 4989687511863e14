"""Levels of arousal and valence (``aver analyze --affect``): runs for writers, a card for the page.

The drawing is the valence-arousal plane with one dot a segment, joined in time, beside a strip of
levels for each dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from aver.report.runs import TOUCHING, clock, duration_of, printable
from aver.timeline import AFFECT_DIMENSIONS, AFFECT_LEVELS, Affect, Dimension, Timeline

SIDE = 240
"""Side of the plane's square in the drawing's own units."""
MOST_DOTS = 400
_MARGIN = 26

STYLE = """
.affect-body { display: grid; grid-template-columns: minmax(13rem, 19rem) minmax(0, 1fr); gap: 1rem 1.6rem; align-items: center; margin-top: .6rem; }
@media (max-width: 40rem) { .affect-body { grid-template-columns: minmax(0, 1fr); } }
.affect-plane { width: 100%; height: auto; display: block; }
.affect-plane text { fill: var(--soft); font: 11px var(--text); }
.affect-plane .frame { fill: var(--present); stroke: var(--rule); }
.affect-plane .third { stroke: var(--rule); stroke-dasharray: 3 3; }
.affect-plane .path { fill: none; stroke: var(--soft); stroke-opacity: .45; stroke-width: 1; }
.affect-plane .dot { fill: var(--accent); fill-opacity: .3; }
.affect-plane .mean { fill: none; stroke: var(--ink); stroke-width: 2; }
.affect-strip { width: 100%; height: 46px; display: block; background: var(--present); border-radius: 5px; }
.affect-strip rect { fill: var(--accent); }
.affect-strip .l0 { fill-opacity: .22; } .affect-strip .l1 { fill-opacity: .5; } .affect-strip .l2 { fill-opacity: .95; }
.affect-times h3 { margin: .6rem 0 .25rem; font-size: .95rem; }
.affect-times .ends { display: flex; justify-content: space-between; color: var(--soft); font-size: .78rem; }
.affect-key { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; padding: 0; margin: .5rem 0 0; font-size: .85rem; color: var(--soft); }
.affect-key svg { display: inline-block; width: 22px; height: 14px; vertical-align: -2px; margin-right: .35rem; background: none; border-radius: 0; }
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class AffectRun:
    """Neighbouring segments of the same level.

    Attributes:
        start: seconds.
        end: seconds.
        level: one of :data:`aver.timeline.AFFECT_LEVELS`.
        score: mean probability of that level.
    """

    start: float
    end: float
    level: str
    score: float


def affect_runs(timeline: Timeline, dimension: Dimension) -> list[AffectRun]:
    """Runs of equal level in one dimension, in time order; empty if it was not measured."""
    runs: list[AffectRun] = []
    segments = 0
    for segment in timeline.affect:
        scores = segment.scores(dimension)
        if scores is None:
            continue
        level = segment.level(dimension)
        score = max(scores)
        last = runs[-1] if runs else None
        if last and last.level == level and segment.start - last.end <= TOUCHING:
            mean = (last.score * segments + score) / (segments + 1)
            runs[-1] = AffectRun(last.start, segment.end, level, mean)
            segments += 1
        else:
            runs.append(AffectRun(segment.start, segment.end, level, score))
            segments = 1
    return runs


def affect_lanes(timeline: Timeline) -> list[tuple[str, list[AffectRun]]]:
    """``Film arousal`` and ``Film valence`` with their runs, those that were measured."""
    found = [(f"Film {name}", affect_runs(timeline, name)) for name in AFFECT_DIMENSIONS]
    return [(name, runs) for name, runs in found if runs]


def affect_section(timeline: Timeline) -> str:
    """The page's card; empty where no levels were measured."""
    if not timeline.affect:
        return ""
    duration = max(duration_of(timeline), timeline.affect[-1].end)
    strips = "".join(
        f"<h3>{name.capitalize()}</h3>{_strip(affect_runs(timeline, name), name, duration)}"
        for name in AFFECT_DIMENSIONS
        if affect_runs(timeline, name)
    )
    facts = timeline.model.get("affect")
    facts = facts if isinstance(facts, dict) else {}
    told = " ".join(
        f"{escape(printable(str(facts[key])))}." for key in ("name", "data") if facts.get(key)
    )
    length = timeline.affect[0].end - timeline.affect[0].start
    key = "".join(
        f'<li><svg class="affect-strip" viewBox="0 0 22 14" aria-hidden="true">'
        f'<rect class="l{i}" y="{14 - h}" width="22" height="{h}"/></svg>{level}</li>'
        for i, (level, h) in enumerate(zip(AFFECT_LEVELS, (5, 9, 14), strict=True))
    )
    return (
        '<section class="card affect" aria-labelledby="affect-title">'
        '<h2 id="affect-title">The recording’s own arousal and valence</h2>'
        f'<p class="hint">Levels of each {length:g} seconds of sound, estimated by your own model. '
        f"They describe the recording, not what a person in it or before it feels. {told}</p>"
        f'<div class="affect-body">{_plane(timeline.affect)}<div class="affect-times">{strips}'
        f'<div class="ends"><span>{clock(0)}</span><span>{clock(duration)}</span></div>'
        f'<ul class="affect-key">{key}</ul></div></div></section>'
    )


def _strip(runs: Sequence[AffectRun], name: str, duration: float) -> str:
    """Bars over time: the level's height and shade."""
    heights = {"low": 16, "mid": 31, "high": 46}
    pieces = "".join(
        f'<rect class="l{AFFECT_LEVELS.index(run.level)}" x="{1000 * run.start / duration:.2f}" '
        f'y="{46 - heights[run.level]}" width="{1000 * (run.end - run.start) / duration:.2f}" '
        f'height="{heights[run.level]}"><title>{clock(run.start)} to {clock(run.end)}: '
        f"{run.level} ({run.score:.2f})</title></rect>"
        for run in runs
    )
    shares = dict.fromkeys(AFFECT_LEVELS, 0.0)
    for run in runs:
        shares[run.level] += run.end - run.start
    total = sum(shares.values()) or 1.0
    label = ", ".join(f"{level} {100 * s / total:.0f} %" for level, s in shares.items())
    return (
        f'<svg class="affect-strip" viewBox="0 0 1000 46" preserveAspectRatio="none" role="img" '
        f'aria-label="{name} over time: {label}">{pieces}</svg>'
    )


def _plane(segments: Sequence[Affect]) -> str:
    """The square: valence to the right, arousal upwards."""
    points = [
        (segment.position("valence") or 0.0, segment.position("arousal") or 0.0)
        for segment in segments
    ]
    step = max(1, -(-len(points) // MOST_DOTS))
    drawn = points[::step]
    at = [(_x(valence), _y(arousal)) for valence, arousal in drawn]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
    dots = "".join(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in at)
    mean = [sum(values) / len(points) for values in zip(*points, strict=True)]
    thirds = "".join(
        f'<path class="third" d="M{_x(t):.1f} {_y(-1):.1f}V{_y(1):.1f}'
        f'M{_x(-1):.1f} {_y(t):.1f}H{_x(1):.1f}"/>'
        for t in (-1 / 3, 1 / 3)
    )
    size = SIDE + 2 * _MARGIN
    middle = size / 2
    title = (
        f"Valence-arousal plane: on average valence {mean[0]:+.2f}, arousal {mean[1]:+.2f}, "
        "both from -1 to 1"
    )
    return (
        f'<svg class="affect-plane" viewBox="0 0 {size} {size}" role="img" aria-label="{title}">'
        f'<rect class="frame" x="{_MARGIN}" y="{_MARGIN}" width="{SIDE}" height="{SIDE}" rx="6"/>'
        f'{thirds}<path class="path" d="{path}"/>{dots}'
        f'<circle class="mean" cx="{_x(mean[0]):.1f}" cy="{_y(mean[1]):.1f}" r="7">'
        "<title>the recording's mean</title></circle>"
        f'<text x="{middle}" y="16" text-anchor="middle">high arousal</text>'
        f'<text x="{middle}" y="{size - 8}" text-anchor="middle">low arousal</text>'
        f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">'
        "negative valence</text>"
        f'<text transform="translate({size - 8} {middle}) rotate(-90)" text-anchor="middle">'
        "positive valence</text></svg>"
    )


def _x(valence: float) -> float:
    return _MARGIN + (valence + 1) / 2 * SIDE


def _y(arousal: float) -> float:
    return _MARGIN + (1 - arousal) / 2 * SIDE
