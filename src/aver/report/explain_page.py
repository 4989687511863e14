"""The page of ``aver explain``: what the networks looked at, in the report's own style."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import BinaryIO

import numpy as np

from aver._version import __version__
from aver.inference.explain_moments import Moment
from aver.inference.explain_result import Explanation, Looked
from aver.inference.explain_sound import Sound
from aver.report.explain_data import SCHEMA
from aver.report.explain_pictures import (
    FREQUENCIES,
    Picture,
    face_grey,
    face_picture,
    jpeg,
    place_of,
    scale_of,
    sound_picture,
)
from aver.report.explain_strip import highest, strip
from aver.report.explain_words import GUIDE, described, summed_up
from aver.report.markdown import inline
from aver.report.runs import clock, duration_of, file_name, is_still, person_name, printable
from aver.report.svg import axis, ticks
from aver.timeline import Timeline


def write_page(explanation: Explanation, out: BinaryIO) -> None:
    """Write one self-contained page; it loads nothing and needs no script."""
    timeline = explanation.timeline
    name = escape(printable(file_name(timeline)))
    model = timeline.model.get("name")
    page = Template(_template("explain.html")).substitute(
        title=f"{name} – what the networks looked at",
        style=_template("report.css") + _template("explain.css"),
        name=name,
        facts=_facts(explanation),
        lead="".join(f"<p>{escape(printable(text))}</p>" for text in summed_up(explanation)),
        notes=_notes([*explanation.notes, *timeline.warnings]),
        people="".join(_person(person, explanation) for person in explanation.people),
        sounds="".join(_sound(sound, n, timeline) for n, sound in enumerate(explanation.sounds)),
        guide=GUIDE,
        version=escape(__version__),
        model=f" with the model {escape(printable(model))}" if model else "",
        schema=SCHEMA,
    )
    out.write(page.encode("utf-8", "backslashreplace"))


@cache
def _template(name: str) -> str:
    return (files("aver.report") / "templates" / name).read_text(encoding="utf-8")


def _facts(explanation: Explanation) -> str:
    how = {"mean": "averaged over layers and heads", "rollout": "rollout"}
    length = clock(duration_of(explanation.timeline), 1)
    facts = [length, f"attention: {how[explanation.attention]}"]
    return "".join(f"<li>{escape(fact)}</li>" for fact in facts)


def _notes(notes: list[str]) -> str:
    if not notes:
        return ""
    items = "".join(f"<li>{inline(printable(text))}</li>" for text in notes[:8])
    return (
        '<aside class="warnings" aria-label="Warnings"><h2>Please note</h2>'
        f"<ul>{items}</ul></aside>"
    )


def _person(person: Looked, explanation: Explanation) -> str:
    timeline = explanation.timeline
    key = "nobody" if person.person is None else f"person-{person.person}"
    title = escape(person_name(person.person, timeline))
    moments = "".join(_moment(m, person, n, explanation) for n, m in enumerate(person.moments))
    shares = "" if is_still(timeline) else _shares(person, timeline)
    return (
        f'<section class="card person" id="{key}" aria-labelledby="{key}-title">'
        f'<h2 id="{key}-title">{title}: what spoke for {escape(printable(person.emotion))}</h2>'
        f"{shares}{moments}</section>"
    )


def _shares(person: Looked, timeline: Timeline) -> str:
    duration = duration_of(timeline)
    lanes = "".join(
        f'<div class="lane-name">{branch}</div>'
        f'<div class="lane" role="img" aria-label="{escape(highest(branch, shares))}">'
        f'{strip(shares, duration)}</div><div class="lane-end"></div>'
        for branch, shares in _triples(person).items()
    )
    if not lanes:
        return ""
    return (
        "<h3>Which half seconds were drawn from</h3>"
        '<p class="hint">The higher, the more attention; the line is an even share.</p>'
        f'<div class="grid">{lanes}<div></div>{axis(duration)}<div></div></div>'
    )


def _triples(person: Looked) -> dict[str, list[tuple[float, float, float]]]:
    return {b: [(s.start, s.end, s.share) for s in shares] for b, shares in person.shares.items()}


def _moment(moment: Moment, person: Looked, number: int, explanation: Explanation) -> str:
    shown = [f.map for f in moment.faces if f is not None]
    scale = scale_of(shown)
    scores = ", ".join(f"{name} {score:.2f}" for name, score in moment.scores.items())
    weak = " · weak evidence" if moment.weak else ""
    rollout = explanation.attention == "rollout"
    columns = "".join(
        _column(moment, n, scale, rollout) for n in range(len(moment.windows["face"]))
    )
    start, end = moment.windows["face"][0].start, moment.windows["face"][-1].end
    return (
        f"<article><h3>{clock(moment.start, 1)} to {clock(moment.end, 1)}: "
        f"{escape(printable(moment.emotion))}</h3>"
        f'<p class="facts">Scores: {escape(scores)}{weak}. Scored from what was seen and heard '
        f"from {clock(start, 1)} to {clock(end, 1)}.</p>"
        f"<p>{escape(described(moment, explanation.attention))}</p>"
        f'{_scroll("Faces of the context")}<ol class="film" style="--columns:{len(moment.faces)}">'
        f"{columns}</ol></div>{_legend() if shown else ''}"
        f"{_table(moment)}{_layers(moment)}{_cells(moment)}</article>"
    )


def _column(moment: Moment, n: int, scale: float, rollout: bool) -> str:
    window, face = moment.windows["face"][n], moment.faces[n]
    here = " here" if abs(window.start - moment.start) < 1e-6 else ""
    time = f'<p class="time{here}">{clock(window.start, 1)}</p>'
    if face is None:
        # Nothing to see in any window: no row of empty places.
        some = any(face is not None for face in moment.faces)
        empty = '<div class="no-face">no face</div><p class="own">–</p>'
        picture = empty if some else ""
    else:
        seen = _data(np.repeat(face_grey(face.crop)[..., None], 3, axis=2))
        data = _data(face_picture(face.crop, face.map, scale))
        text = (
            f"Face at {clock(face.time, 1)} with its map for {face.map.label}, "
            f"{_where(face.map.values)}; score {face.map.score:.2f}"
        )
        size = 'width="192" height="192"'
        picture = (
            f'<img src="{seen}" alt="The same face as the network takes it" {size}>'
            f'<img src="{data}" alt="{escape(text)}" {size}>'
            f'<p class="own">{escape(printable(face.map.label))} {face.map.score:.2f}</p>'
        )
    bars = "".join(_bar(branch, moment, n, rollout) for branch in ("face", "voice"))
    return f"<li>{time}{picture}{bars}</li>"


def _data(picture: Picture) -> str:
    return f"data:image/jpeg;base64,{b64encode(jpeg(picture, 84)).decode('ascii')}"


def _scroll(what: str) -> str:
    """A box that is scrolled sideways, by keyboard too."""
    return f'<div class="scroll" tabindex="0" role="group" aria-label="{what}">'


def _where(values: object) -> str:
    """Where a face's map is highest, in words."""
    grid = np.asarray(values)
    row, column = np.unravel_index(int(grid.argmax()), grid.shape)
    tall, wide = grid.shape
    high = ("in the upper third", "in the middle", "in the lower third")[3 * int(row) // tall]
    side = ("left", "centre", "right")[3 * int(column) // wide]
    return f"highest {high}, {side}"


def _bar(branch: str, moment: Moment, n: int, rollout: bool) -> str:
    window = moment.windows[branch][n]
    weight = window.rollout if rollout else window.mean
    # Weights of either modality add up to 1, so their bars share one scale.
    most = max(w.rollout if rollout else w.mean for ws in moment.windows.values() for w in ws)
    if not window.present:
        return f'<p class="weight none">{branch}: none</p>'
    share = 100 * weight / max(most, 1e-9)
    return (
        f'<p class="weight">{branch} {weight:.2f}</p>'
        f'<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="100" height="8" class="present"/>'
        f'<rect width="{share:.1f}" height="8" class="attention"/></svg>'
    )


def _table(moment: Moment) -> str:
    emotion = escape(printable(moment.emotion))
    rows = []
    for n, (face, voice) in enumerate(
        zip(moment.windows["face"], moment.windows["voice"], strict=True)
    ):
        seen = moment.faces[n]
        cells = [clock(face.start, 1), clock(face.end, 1)]
        for window in (face, voice):
            cells += (
                [
                    f"{window.mean:.2f}",
                    f"{window.rollout:.2f}",
                    "–" if window.change is None else f"{window.change:+.3f}",
                ]
                if window.present
                else ["–"] * 3
            )
        own = seen.map if seen else None
        cells += (
            [f"{own.score:.2f}", f"{own.hidden_highest:.2f}", f"{own.hidden_lowest:.2f}"]
            if own
            else ["–"] * 3
        )
        rows.append("<tr>" + "".join(f'<td class="number">{c}</td>' for c in cells) + "</tr>")
    titles = ["From", "To"]
    for branch in ("Face", "Voice"):
        titles += [f"{branch}: mean", "rollout", f"{emotion} without it"]
    titles += ["Face alone", "highest quarter hidden", "lowest quarter hidden"]
    head = "".join(f'<th scope="col" class="number">{title}</th>' for title in titles)
    return (
        '<details class="table"><summary>The numbers of these windows</summary>'
        '<div class="scroll"><table><caption>Attention weights of a modality add up to 1. '
        f"“{emotion} without it” is how the fused score changes when the window is left out. The "
        f"last three columns are the face network’s own score of {emotion}, and what is left of "
        "it when a quarter of the face is covered.</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _layers(moment: Moment) -> str:
    rows = []
    for branch, weights in moment.layers.items():
        if not any(w.present for w in moment.windows[branch]):
            continue
        for layer, row in enumerate(weights, start=1):
            cells = "".join(
                f'<td class="number shade" style="--share:{min(1.0, float(v)):.2f}">{v:.2f}</td>'
                for v in row
            )
            rows.append(f'<tr><th scope="row">{branch}, layer {layer}</th>{cells}</tr>')
    if not rows:
        return ""
    head = "".join(
        f'<th scope="col" class="number">{clock(w.start, 1)}</th>' for w in moment.windows["face"]
    )
    return (
        '<details class="table"><summary>Attention of each layer</summary><div class="scroll">'
        "<table><caption>What the windows drew from each window, averaged over heads; a row adds "
        f'up to 1</caption><thead><tr><th scope="col">Layer</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _cells(moment: Moment) -> str:
    """The strongest face's map as numbers."""
    faces = [f for f in moment.faces if f is not None]
    if not faces:
        return ""
    best = max(faces, key=lambda face: face.map.score)
    body = "".join(
        "<tr>" + "".join(f'<td class="number">{v:+.2f}</td>' for v in row) + "</tr>"
        for row in best.map.values
    )
    return (
        '<details class="table"><summary>The map of the strongest face as numbers</summary>'
        f'<div class="scroll"><table class="cells"><caption>Face at {clock(best.time, 1)}, from '
        f"forehead to chin and from left to right; the mean of all cells and the bias make the "
        f"logit {best.map.logit:+.2f}. The JSON file has the maps of all "
        f"faces.</caption><tbody>{body}</tbody></table></div></details>"
    )


def _legend() -> str:
    return (
        '<ul class="legend"><li><span class="for"></span>spoke for it</li>'
        '<li><span class="against"></span>spoke against it</li>'
        "<li>the stronger the colour, the more</li></ul>"
    )


def _sound(sound: Sound, number: int, timeline: Timeline) -> str:
    first, last = sound.windows[0].start, sound.windows[-1].end
    emotion = escape(printable(sound.emotion))
    heard = [w for w in sound.windows if w.map is not None]
    best = max(heard, key=lambda w: w.map.score if w.map else 0.0)
    text = (
        f"Log-mel spectrogram from {clock(first, 1)} to {clock(last, 1)} with the map of the voice "
        f"network for {sound.emotion}; its own score is highest from {clock(best.start, 1)} to "
        f"{clock(best.end, 1)}"
    )
    seconds = "".join(
        f'<span style="left:{100 * t / (last - first):.2f}%">{clock(first + t, 1)}</span>'
        for t in ticks(last - first)
    )
    hertz = "".join(
        f'<span style="bottom:{100 * place_of(f):.2f}%">{f} Hz</span>' for f in FREQUENCIES
    )
    pictures = "".join(
        f'<div class="spectrum"><div class="hertz" aria-hidden="true">{hertz}</div>'
        f'<img src="{_data(picture)}" '
        f'alt="{escape(alternative)}"></div>'
        for picture, alternative in (
            (sound_picture(sound, maps=False), "The same sound without its map"),
            (sound_picture(sound), text),
        )
    )
    rows = "".join(
        f'<tr><td class="number">{clock(w.start, 1)}</td><td class="number">{clock(w.end, 1)}</td>'
        + (
            f'<td class="number">{w.map.score:.2f}</td>'
            f'<td class="number">{w.map.hidden_highest:.2f}</td>'
            f'<td class="number">{w.map.hidden_lowest:.2f}</td>'
            f'<td class="number">{w.map.values.sum():+.2f}</td>'
            if w.map
            else '<td class="number">silence</td>' + '<td class="number">–</td>' * 3
        )
        + "</tr>"
        for w in sound.windows
    )
    titles = ("From", "To", "Score", "highest quarter hidden", "lowest quarter hidden", "Evidence")
    head = "".join(f'<th scope="col" class="number">{title}</th>' for title in titles)
    return (
        f'<section class="card" aria-labelledby="sound-{number}">'
        f'<h2 id="sound-{number}">The sound: what spoke for {emotion}</h2>'
        '<p class="hint">Loudness of each pitch over time (log-mel), as the voice network takes '
        "it; above without, below with its class activation map. Each half second is judged by "
        "itself.</p>"
        f'{_scroll("Log-mel")}<div class="sound">{pictures}'
        f'<div class="axis" aria-hidden="true">{seconds}</div>'
        '<p class="hint seconds">minutes and seconds</p></div></div>'
        f"{_legend()}"
        '<details class="table"><summary>The numbers of the sound</summary><div class="scroll">'
        f"<table><caption>Score: the voice network’s own, of {emotion}, not calibrated. Evidence: "
        "the sum of the map.</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details></section>"
    )
