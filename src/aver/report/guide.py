"""'How to read this': what scores mean, what they must not be used for, the model's card."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from aver.report.markdown import sections, to_html
from aver.report.runs import printable
from aver.report.words import own_recordings
from aver.timeline import Timeline

_LIMITS = re.compile(r"limit|caution|not (be )?used|out.of.scope|misuse|bias", re.IGNORECASE)


def guide(timeline: Timeline) -> str:
    """The section as HTML; it stands even where the timeline names no model."""
    model = timeline.model
    card = str(model.get("card") or "")
    limits = "\n".join(
        f"### {heading}\n{body}\n" for heading, body in sections(card) if _LIMITS.search(heading)
    )
    title = " ".join(printable(model[k]) for k in ("name", "version") if model.get(k))
    parts = [
        '<section class="card guide" aria-labelledby="guide-title">',
        '<h2 id="guide-title">How to read this</h2>',
        '<div class="columns"><div>',
        "<h3>What the numbers are</h3>",
        "<p>Each score is an estimate of the emotion that a face or a voice <em>expresses</em>, "
        "as an observer might name it. It says nothing about what a person feels, thinks or is "
        "like: people smile in grief and frown in thought.</p>",
        "<p>Scores run from 0 to 1, and those of one moment add up to 1. "
        f"{_calibration(model)}</p>",
        *_own_recordings(model),
        "<p>Hatched, faded or half-height stretches rest on weak evidence: a face that was small, "
        "turned away or briefly lost, a voice near silence or one that several people in view "
        "may own, or scores that lie close together. Read them as a maybe.</p>",
        *_sounds(model),
        "</div><div>",
        "<h3>What it must not be used for</h3>",
        "<p>Not for decisions about people: no hiring or appraisal, no policing or border "
        "control, no classrooms or exams, no insurance or credit, no medical or psychological "
        "diagnosis. Not on people who have not agreed to it.</p>",
        "<p>In the European Union, inferring emotions of people at work and in education is "
        "prohibited, save for medical or safety reasons (AI Act, Regulation (EU) 2024/1689, "
        "Article 5(1)(f)); in other settings there, people must be told that such a system is "
        "used on them (Article 50(3)).</p>",
        "</div></div>",
    ]
    if limits:
        parts.append(
            f'<h3>Known limits of the model</h3><div class="limits">{to_html(limits, 4)}</div>'
        )
    if card.strip():
        parts.append(
            f"<details><summary>The whole model card{': ' + escape(title) if title else ''}"
            f'</summary><div class="model-card">{to_html(card, 4)}</div></details>'
        )
    elif title:
        parts.append(f'<p class="hint">Model: {escape(title)}. It came without a card.</p>')
    parts.append("</section>")
    return "\n".join(parts)


def _own_recordings(model: Mapping[str, Any]) -> list[str]:
    """A paragraph on per-person calibration, where it was asked for."""
    text = own_recordings(model)
    return [f"<p>{escape(text)}</p>"] if text else []


def _sounds(model: Mapping[str, Any]) -> list[str]:
    """A paragraph on the human sounds, where they were listened for."""
    if not isinstance(model.get("events"), Mapping):
        return []
    return [
        "<p>Human sounds belong to nobody in particular. A sound's score is the mean of a "
        "network's scores while it lasts, from 0 to 1 each; several sounds may be heard at once. "
        "The network was trained on mixtures made of acted speech, short cries and laughs, so "
        "expect it to mistake or miss what it hears elsewhere.</p>"
    ]


def _calibration(model: Mapping[str, Any]) -> str:
    error = model.get("expected_calibration_error")
    temperature = model.get("temperature")
    if isinstance(error, Mapping):
        error = error.get("fused")
    if isinstance(temperature, Mapping):
        temperature = temperature.get("fused")
    how = f" (temperature {float(temperature):.2f})" if isinstance(temperature, int | float) else ""
    if not isinstance(error, int | float):
        return (
            "How often a label of a given score is right was not measured for this model: compare "
            "scores with one another rather than take them for chances."
        )
    return (
        f"They are calibrated{how}: on held-out recordings, stated and actual rates of being "
        f"right differ by {100 * float(error):.1f} percentage points on average (expected "
        "calibration error). On recordings unlike those, expect more."
    )
