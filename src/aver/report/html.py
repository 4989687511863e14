"""The HTML report: one file, nothing fetched from anywhere, readable without script."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import BinaryIO

from aver._version import __version__
from aver.report import svg
from aver.report.affect import STYLE as AFFECT_STYLE
from aver.report.affect import affect_section
from aver.report.guide import guide
from aver.report.markdown import inline
from aver.report.page_data import pack
from aver.report.palette import colour_rules, looks, pattern_definitions
from aver.report.people_cards import Track, cast_list, person_card
from aver.report.runs import (
    clock,
    duration_of,
    file_name,
    is_still,
    leading_modality,
    person_name,
    printable,
    runs_of,
    tracks,
)
from aver.report.sounds import STYLE as SOUNDS_STYLE
from aver.report.sounds import overview_lanes, packed_sounds, sounds_section
from aver.report.words import describe
from aver.timeline import SCHEMA, Timeline

MOST_ROWS = 400
"""Rows of the table; the CSV has them all."""

MOST_WARNINGS = 8
"""Warnings shown at once; further ones can be unfolded."""


def write_html(timeline: Timeline, out: BinaryIO) -> None:
    """Write the report as one self-contained page."""
    duration = duration_of(timeline)
    people = _tracks(timeline)
    packed = pack(
        timeline,
        {t.person: t.key for t in people},
        {
            "looks": _patterns(timeline),
            "scale": svg.scale_of(timeline.segments),
            "sounds": packed_sounds(timeline),
        },
    )
    name = printable(file_name(timeline))
    still = is_still(timeline)
    page = Template(_template("report.html")).substitute(
        title=escape(f"{name} – expressed emotion"),
        style="\n".join(
            (
                _template("report.css"),
                colour_rules(timeline.labels),
                _sizes(timeline.labels),
                AFFECT_STYLE if timeline.affect else "",
                SOUNDS_STYLE if timeline.events else "",
            )
        ),
        patterns=pattern_definitions(timeline.labels),
        name=escape(name),
        facts=_facts(timeline, duration),
        cast=cast_list(people, timeline),
        warnings=_warnings(timeline.warnings),
        overview="" if still else _overview(timeline, people, duration),
        affect=affect_section(timeline),
        toolbar="" if still or not timeline.segments else _template("toolbar.html"),
        people="".join(person_card(track, timeline, duration) for track in people),
        sounds=sounds_section(timeline),
        averaged=_averaged(packed.windows_per_point),
        table="" if still else _table(timeline, people),
        guide=guide(timeline),
        version=escape(__version__),
        model=_made_with(timeline),
        schema=SCHEMA,
        data=packed.text,
        script=_template("report.js"),
    )
    out.write(page.encode("utf-8", "backslashreplace"))


@cache
def _template(name: str) -> str:
    return (files("aver.report") / "templates" / name).read_text(encoding="utf-8")


def _sizes(labels: Sequence[str]) -> str:
    """Room for long names, and lower rows where there are many labels."""
    left = min(11.0, max(7.2, 2.6 + 0.52 * max(map(len, labels), default=0)))
    row = 36 if len(labels) <= 12 else 22
    return f"@media (min-width:40.01rem){{:root{{--left:{left:.1f}rem}}}}\n.chart{{--row:{row}px}}"


def _patterns(timeline: Timeline) -> list[str]:
    return [look.pattern for look in looks(timeline.labels)]


def _made_with(timeline: Timeline) -> str:
    name = timeline.model.get("name")
    return f" with the model {escape(printable(name))}" if name else ""


def _tracks(timeline: Timeline) -> list[Track]:
    people = {person.id: person for person in timeline.people}
    found = []
    sentences = describe(timeline)
    for (number, by_modality), sentence in zip(tracks(timeline).items(), sentences, strict=False):
        modality = leading_modality(by_modality)
        found.append(
            Track(
                key="nobody" if number is None else f"person-{number}",
                person=number,
                name=person_name(number, timeline),
                seen=None if number is None else people.get(number),
                sentence=sentence,
                curves=by_modality,
                modality=modality,
                runs=runs_of(by_modality[modality]) if modality else [],
            )
        )
    return found


def _facts(timeline: Timeline, duration: float) -> str:
    media = timeline.media
    facts = [] if media.get("is_image") else [clock(duration, 1 if duration < 60 else 0)]
    if media.get("has_video"):
        size = f"{media['width']} × {media['height']}" if media.get("width") else ""
        rate = media.get("frames_per_second")
        parts = [
            "picture" if media.get("is_image") else "video",
            size,
            f"{float(rate):.4g} frames per second" if rate and not media.get("is_image") else "",
            media.get("video_codec"),
        ]
        facts.append(_joined(parts))
    elif media.get("has_video") is False:
        facts.append("no picture")
    if media.get("has_audio"):
        rate = media.get("sample_rate")
        channels = {1: "mono", 2: "stereo", 6: "5.1"}.get(
            media.get("channels") or 0, f"{media.get('channels')} channels"
        )
        parts = [
            "sound",
            f"{float(rate) / 1000:g} kHz" if rate else "",
            channels if media.get("channels") else "",
            # FFmpeg's name for its own decoder of the same format.
            str(media.get("audio_codec") or "").removesuffix("float"),
        ]
        facts.append(_joined(parts))
    elif media.get("has_audio") is False and not media.get("is_image"):
        facts.append("no sound")
    return "".join(f"<li>{escape(printable(fact))}</li>" for fact in facts)


def _joined(parts: Sequence[object]) -> str:
    kind, *details = (str(part) for part in parts if part)
    return f"{kind} {', '.join(details)}".strip()


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = [f"<li>{inline(printable(text))}</li>" for text in warnings]
    shown = "".join(items[:MOST_WARNINGS])
    rest = items[MOST_WARNINGS:]
    more = (
        f"<details><summary>{len(rest)} more</summary><ul>{''.join(rest)}</ul></details>"
        if rest
        else ""
    )
    return (
        '<aside class="warnings" aria-label="Warnings"><h2>Please note</h2>'
        f"<ul>{shown}</ul>{more}</aside>"
    )


def _overview(timeline: Timeline, people: Sequence[Track], duration: float) -> str:
    rows = []
    for track in people:
        if not track.runs:
            continue
        words = "".join(
            _word(printable(timeline.labels[run.label]), run.start / duration, run.end / duration)
            for run in svg.condensed(track.runs, duration)
            if not run.weak
        )
        rows.append(
            f'<div class="lane-name"><a href="#{track.key}">{escape(track.name)}</a></div>'
            f'<div class="lane" data-key="{track.key}">{svg.strip(track.runs, duration)}'
            f'<div class="words" aria-hidden="true">{words}</div></div>'
            '<div class="lane-end"></div>'
        )
    if not rows:
        return ""  # sounds alone have a card of their own
    rows.append(overview_lanes(timeline, duration))
    legend = "".join(
        f"<li>{svg.swatch(i)}{escape(printable(label))}</li>"
        for i, label in enumerate(timeline.labels)
    )
    faint = (
        '<li><svg class="swatch" viewBox="0 0 22 14" aria-hidden="true">'
        '<rect y="7" width="22" height="7" fill="url(#p0)" class="faint"/></svg>'
        "half height: weak evidence</li>"
    )
    return (
        '<section aria-labelledby="overview-title" class="card overview">'
        '<h2 id="overview-title">The strongest expression at each moment</h2>'
        f'<ul class="legend">{legend}{faint}</ul>'
        f'<div class="grid" id="overview">{"".join(rows)}'
        f"<div></div>{svg.axis(duration)}<div></div></div>"
        '<p class="hint script-only">Drag across the band to look at a part of the recording.</p>'
        "</section>"
    )


def _word(label: str, start: float, end: float) -> str:
    """A label on its stretch of the band, where it fits; on a phone only where it fits there."""
    room, need = end - start, len(label) + 2.5
    if room * 105 < need:  # characters that a band has room for
        return ""
    kind = ' class="wide"' if room * 34 >= need else ""
    place = f"left:{100 * start:.2f}%;width:{100 * room:.2f}%"
    return f'<span{kind} style="{place}">{escape(label)}</span>'


def _averaged(windows_per_point: int) -> str:
    if windows_per_point == 1:
        return ""
    return (
        f'<p class="hint">This is a long recording: each point of the curves is the mean of '
        f"{windows_per_point} windows. The CSV and JSON files hold every window.</p>"
    )


def _table(timeline: Timeline, people: Sequence[Track]) -> str:
    rows = sorted(
        ((run, track) for track in people for run in track.runs),
        key=lambda pair: (pair[0].start, pair[1].person is None, pair[1].person or 0),
    )
    if not rows:
        return ""
    count = "1 row" if len(rows) == 1 else f"{len(rows)} rows"
    decimals = 1 if duration_of(timeline) < 3600 else 0
    body = "".join(
        f'<tr><td class="number">{clock(run.start, decimals)}</td>'
        f'<td class="number">{clock(run.end, decimals)}</td>'
        f"<td>{escape(track.name)}</td>"
        f"<td>{svg.swatch(run.label)}"
        f"{escape(printable(timeline.labels[run.label]))}</td>"
        f'<td class="number">{run.score:.2f}</td><td class="number">{run.peak:.2f}</td>'
        f"<td>{'weak' if run.weak else ''}</td></tr>"
        for run, track in rows[:MOST_ROWS]
    )
    note = (
        f'<p class="hint">The first {MOST_ROWS} of {len(rows)} stretches. The CSV file '
        "(<code>--format csv</code>) has every window.</p>"
        if len(rows) > MOST_ROWS
        else ""
    )
    head = "".join(
        f'<th scope="col"{kind}>{title}</th>'
        for title, kind in (
            ("From", ' class="number"'),
            ("To", ' class="number"'),
            ("Who", ""),
            ("Strongest", ""),
            ("Mean score", ' class="number"'),
            ("Highest", ' class="number"'),
            ("Evidence", ""),
        )
    )
    return (
        '<section class="card"><details class="table"><summary><h2>All stretches as a table'
        f'</h2> <span class="hint">{count}</span></summary>{note}'
        '<div class="scroll"><table><caption>Stretches of the same strongest expression, with '
        f"scores from 0 to 1</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        "</div></details></section>"
    )
