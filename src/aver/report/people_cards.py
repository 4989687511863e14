"""The part of the HTML report about each person: who, when, and the curves."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from aver.report import svg
from aver.report.explain_strip import section
from aver.report.runs import Run, clock, is_still, moment, printable, without_picture
from aver.timeline import Modality, Person, Segment, Thumbnail, Timeline

MOST_THUMBNAILS = 6


@dataclass(frozen=True)
class Track:
    """One person's share of the timeline, or the voices that belong to nobody.

    Attributes:
        key: the page's own name for it, fit for an ``id``.
        person: the number, None for voices that belong to nobody.
        name: as shown.
        seen: what is known from the picture, None without a face.
        sentence: the summary.
        curves: windows per modality.
        modality: the one that speaks for the person, None without any window.
        runs: stretches of equal strongest label in that modality.
    """

    key: str
    person: int | None
    name: str
    seen: Person | None
    sentence: str
    curves: dict[Modality, list[Segment]]
    modality: Modality | None
    runs: list[Run]


def cast_list(people: Sequence[Track], timeline: Timeline) -> str:
    """Everybody with a face and a sentence, at the head of the report."""
    if not people:
        sentence = "No face and no voice was found, so there is nothing to score."
        return f'<p class="lead">{sentence}</p>'
    entries = []
    for track in people:
        thumbnails = _thumbnails(track)
        face = _image(thumbnails[0], "") if thumbnails else _placeholder(track)
        entries.append(f"<li>{face}<p>{escape(printable(track.sentence))}</p></li>")
    return f'<ul class="cast">{"".join(entries)}</ul>'


def person_card(track: Track, timeline: Timeline, duration: float) -> str:
    """Thumbnails, facts and curves of one person."""
    title = f'<h2 id="{track.key}-title">{escape(track.name)}</h2>'
    facts = f'<p class="facts">{_facts(track, timeline)}</p>'
    seen = _thumbnails(track)[:MOST_THUMBNAILS]
    faces = "".join(_figure(thumbnail, timeline) for thumbnail in seen)
    gallery = (
        f'<div class="faces" role="group" aria-label="{escape(track.name)} at the strongest '
        f'moments">{faces}</div>'
        if faces
        else ""
    )
    chart = ""
    if track.modality and is_still(timeline):
        chart = _still(track.runs[0], track.curves[track.modality][0], timeline)
    elif track.modality:
        means = timeline.summary(track.modality)[track.person]
        top = max(range(len(timeline.labels)), key=lambda i: means[timeline.labels[i]])
        leads = ' class="top"'
        names = "".join(
            f"<li{leads if i == top else ''}>{svg.swatch(i)}<span>{escape(printable(label))}"
            "</span></li>"
            for i, label in enumerate(timeline.labels)
        )
        values = "".join(
            f'<li data-mean="{means[label]:.2f}"{leads if i == top else ""}>{means[label]:.2f}</li>'
            for i, label in enumerate(timeline.labels)
        )
        scale = svg.scale_of(timeline.segments)
        still = svg.curves(track.curves[track.modality], len(timeline.labels), duration, scale)
        resting = _resting(track, scale)
        rows = len(timeline.labels)
        chart = (
            f'<div class="grid chart" data-key="{track.key}" style="--rows:{rows}">'
            '<div class="corner"></div>'
            f'<div class="readout" data-rest="{resting}">{resting}</div>'
            '<div class="corner number value-title">mean</div>'
            f'<ul class="row-names">{names}</ul>'
            f'<div class="plot" tabindex="0" role="img" aria-label="{escape(track.sentence)} '
            f'Curves of {len(timeline.labels)} scores over {clock(duration)}.">{still}</div>'
            f'<ul class="row-values number" aria-label="Mean scores">{values}</ul>'
            f"<div></div>{svg.axis(duration)}<div></div></div>"
        )
    return (
        f'<section class="card person" id="{track.key}" aria-labelledby="{track.key}-title">'
        f'<div class="person-head"><div>{title}{facts}</div>{gallery}</div>{chart}'
        f"{section(track.person, timeline, duration)}</section>"
    )


def _still(run: Run, window: Segment, timeline: Timeline) -> str:
    """One moment has no curve: bars from 0 to 1 instead."""
    rows = "".join(
        f"<li{' class=top' if i == run.label else ''}>{svg.swatch(i)}"
        f"<span>{escape(printable(label))}</span>"
        f'<svg class="bar" viewBox="0 0 1000 14" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="1000" height="14" class="present"/>'
        f'<rect width="{1000 * score:.0f}" height="14" fill="var(--c{i})"/></svg>'
        f'<span class="number">{score:.2f}</span></li>'
        for i, (label, score) in enumerate(zip(timeline.labels, window.scores, strict=True))
    )
    weak = '<p class="hint">The evidence is weak.</p>' if run.weak else ""
    return f'<ul class="bars">{rows}</ul>{weak}'


def _thumbnails(track: Track) -> list[Thumbnail]:
    return [t for t in track.seen.thumbnails if t.jpeg] if track.seen else []


def _resting(track: Track, scale: float) -> str:
    sources = [name for name in ("face", "voice") if name in track.curves]
    what = " and ".join(sources) if sources else "fused"
    return f"{what.capitalize()}; each row runs from 0 to {scale:g}"


def _facts(track: Track, timeline: Timeline) -> str:
    if track.seen is None:
        if without_picture(timeline):
            return "All voices of the recording together; they are not told apart."
        if track.person is None:
            return (
                "Heard while nobody in view could be told to be speaking: off camera, "
                "a narrator, or a face turned away."
            )
        return ""
    person = track.seen
    quality = "good" if person.quality >= 0.66 else "fair" if person.quality >= 0.33 else "poor"
    seconds = person.seconds_seen
    length = f"{seconds:.1f} s" if seconds < 60 else f"{clock(seconds)} min"
    if seconds >= 3600:
        length = f"{clock(seconds)} h"
    voice = "" if "voice" in track.curves else " · no voice of their own found"
    if is_still(timeline):
        return f"Face quality {quality} ({person.quality:.2f})"
    return (
        f"In view from {moment(person.first_seen, timeline)} to "
        f"{moment(person.last_seen, timeline)}, {length} in all "
        f"· face quality {quality} ({person.quality:.2f}){voice}"
    )


def _figure(thumbnail: Thumbnail, timeline: Timeline) -> str:
    time = moment(thumbnail.time, timeline)
    when = "" if is_still(timeline) else f" <span>at {time}</span>"
    label = escape(printable(thumbnail.label))
    return (
        f'<figure data-time="{thumbnail.time:.3f}">{_image(thumbnail, label)}'
        f"<figcaption><strong>{label}</strong><br>{thumbnail.score:.2f}"
        f"{when}</figcaption></figure>"
    )


def _image(thumbnail: Thumbnail, alternative: str) -> str:
    kind = "png" if thumbnail.jpeg.startswith(b"\x89PNG") else "jpeg"
    data = b64encode(thumbnail.jpeg).decode("ascii")
    return f'<img src="data:image/{kind};base64,{data}" alt="{alternative}" width="96" height="96">'


def _placeholder(track: Track) -> str:
    shape = (
        "M7 10v4h3l4 4V6l-4 4zM17 9a4 4 0 0 1 0 6"
        if track.person is None
        else "M12 12a4 4 0 1 0 0 -8a4 4 0 0 0 0 8zM4 21a8 8 0 0 1 16 0"
    )
    return f'<svg class="nobody" viewBox="0 0 24 24" aria-hidden="true"><path d="{shape}"/></svg>'
