"""Human sounds on the page: a lane a label, a chart to look closer, and a table.

Sounds are who-less: they stand beside the people, never in anybody's row.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from aver.report import svg
from aver.report.runs import clock, duration_of, sound_name
from aver.timeline import Event, Timeline

MOST_LANES = 12
"""Labels with a lane of their own; further ones share the last lane."""

MOST_ROWS = 400
"""Rows of the table; the CSV has them all."""

OTHERS = "other sounds"

STYLE = """
.lane.sound { height: 18px; margin: 3px 0; }
.lane-name.sound { color: var(--soft); font-size: .82rem; }
.lane-name.first, .lane.sound.first { margin-top: .7rem; }
.sounds .plot { --rows: 1; height: auto; }
.sounds .plot .lane { border-radius: 0; margin: 0; height: 26px; border-bottom: 1px solid var(--rule); }
.sounds .lane-name { height: 26px; }
.sounds .lane-end { font-size: .82rem; color: var(--soft); text-align: right; height: 26px; line-height: 26px; white-space: nowrap; font-variant-numeric: tabular-nums; }
.sounds .plot canvas { z-index: 1; }
.script .sounds .plot svg { display: none; }
"""  # noqa: E501


def lanes_of(timeline: Timeline) -> list[tuple[str, list[Event]]]:
    """Events by label, each in time order: the detector's own order of labels, then by first start.

    Events without length are left out. Of very many labels those heard for the shortest time share
    a lane.
    """
    known = timeline.model.get("events")
    stated = known.get("labels") if isinstance(known, dict) else None
    order = [str(label) for label in stated] if isinstance(stated, list | tuple) else []
    lanes: dict[str, list[Event]] = {label: [] for label in order}
    for event in sorted(timeline.events, key=lambda e: (e.start, e.end)):
        if event.end > event.start:
            lanes.setdefault(event.label, []).append(event)
    heard = {label: events for label, events in lanes.items() if events}
    if len(heard) <= MOST_LANES:
        return [(sound_name(label), events) for label, events in heard.items()]
    longest = sorted(heard, key=lambda label: -_seconds(heard[label]))[: MOST_LANES - 1]
    rest = [e for label, events in heard.items() if label not in longest for e in events]
    kept = [(sound_name(label), heard[label]) for label in heard if label in longest]
    return [*kept, (OTHERS, sorted(rest, key=lambda e: (e.start, e.end)))]


def overview_lanes(timeline: Timeline, duration: float) -> str:
    """Rows of the overview's grid, one a label."""
    rows = []
    for number, (name, events) in enumerate(lanes_of(timeline)):
        first = " first" if number == 0 else ""
        rows.append(
            f'<div class="lane-name sound{first}">{escape(name)}</div>'
            f'<div class="lane sound{first}">{svg.bars(_marks(events), duration)}</div>'
            '<div class="lane-end"></div>'
        )
    return "".join(rows)


def sounds_section(timeline: Timeline) -> str:
    """The card: the lanes once more, to look closer with the curves, and the table."""
    lanes = lanes_of(timeline)
    if not lanes:
        return ""
    duration = duration_of(timeline)
    names = "".join(f'<div class="lane-name">{escape(name)}</div>' for name, _ in lanes)
    strips = "".join(
        f'<div class="lane">{svg.bars(_marks(events), duration)}</div>' for _, events in lanes
    )
    told = "".join(
        f'<div class="lane-end">{_length(_seconds(events))}</div>' for _, events in lanes
    )
    return (
        '<section class="card sounds" aria-labelledby="sounds-title">'
        '<h2 id="sounds-title">Human sounds</h2>'
        '<p class="hint">What a network heard in the sound, whoever made it; it may mistake one '
        "for another, and miss some. On the right: for how long in all.</p>"
        '<p class="readout script-only" id="sounds-now"></p>'
        f'<div class="grid"><div>{names}</div>'
        f'<div class="plot" id="sounds-plot">{strips}</div><div>{told}</div>'
        f"<div></div>{svg.axis(duration)}<div></div></div>"
        f"{_table(timeline)}</section>"
    )


def packed_sounds(timeline: Timeline) -> dict[str, Any]:
    """What the page's script reads: names of the lanes, and by lane start, end (ms) and score.

    Scores are in hundredths. Of the lane of other sounds the label stands beside each event.
    """
    lanes = lanes_of(timeline)
    return {
        "names": [name for name, _ in lanes],
        "spans": [
            [
                [round(1000 * e.start), round(1000 * e.end), round(100 * e.score)]
                + ([sound_name(e.label)] if name == OTHERS else [])
                for e in events
            ]
            for name, events in lanes
        ],
    }


def _seconds(events: Sequence[Event]) -> float:
    return sum(event.end - event.start for event in events)


def _length(seconds: float) -> str:
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return clock(round(seconds))


def _marks(events: Sequence[Event]) -> list[tuple[float, float, str]]:
    return [
        (
            e.start,
            e.end,
            f"{clock(e.start, 1)}–{clock(e.end, 1)} {sound_name(e.label)} {e.score:.2f}",
        )
        for e in events
    ]


def _table(timeline: Timeline) -> str:
    events = sorted(
        (e for e in timeline.events if e.end > e.start), key=lambda e: (e.start, e.end, e.label)
    )
    body = "".join(
        f'<tr><td class="number">{clock(e.start, 1)}</td><td class="number">{clock(e.end, 1)}</td>'
        f'<td>{escape(sound_name(e.label))}</td><td class="number">{e.score:.2f}</td></tr>'
        for e in events[:MOST_ROWS]
    )
    count = "1 row" if len(events) == 1 else f"{len(events)} rows"
    note = (
        f'<p class="hint">The first {MOST_ROWS} of {len(events)} sounds. The CSV file '
        "(<code>--format csv</code>) has every one.</p>"
        if len(events) > MOST_ROWS
        else ""
    )
    return (
        f'<details class="table"><summary>All sounds as a table <span class="hint">{count}</span>'
        f'</summary>{note}<div class="scroll"><table><caption>Human sounds, with scores from 0 to '
        '1</caption><thead><tr><th scope="col" class="number">From</th>'
        '<th scope="col" class="number">To</th><th scope="col">Sound</th>'
        f'<th scope="col" class="number">Score</th></tr></thead><tbody>{body}</tbody></table></div>'
        "</details>"
    )
