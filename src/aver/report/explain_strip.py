"""Attention over the recording as a strip; in the report of ``aver analyze`` and on its own page.

The strip's box is 1000 units wide and stretches to the page's width, so it holds no words.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from aver.report.runs import clock, is_still, printable
from aver.report.svg import STRIP_HEIGHT, WIDTH
from aver.timeline import Timeline

MOST_SHARE = 2.0
"""The share that fills the strip's height; more is drawn as this."""

_MOST_PIECES = 800


Shares = Sequence[tuple[float, float, float]]
"""Start and end in seconds, and the share: 1 is an even one."""


def strip(shares: Shares, duration: float) -> str:
    """A bar a window, as high and dark as its share; the line in the middle is an even share."""
    step = -(-len(shares) // _MOST_PIECES)
    bars = []
    for at in range(0, len(shares), max(1, step)):
        group = shares[at : at + step]
        share = min(sum(share for _, _, share in group) / len(group) / MOST_SHARE, 1.0)
        left = WIDTH * group[0][0] / duration if duration > 0 else 0.0
        width = WIDTH * (group[-1][1] - group[0][0]) / duration if duration > 0 else WIDTH
        height = STRIP_HEIGHT * share
        bars.append(
            f'<rect x="{left:.1f}" width="{max(0.6, width - 0.6):.1f}" '
            f'y="{STRIP_HEIGHT - height:.1f}" height="{height:.1f}" class="attention" '
            f'opacity="{0.35 + 0.65 * share:.2f}"/>'
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {STRIP_HEIGHT}" preserveAspectRatio="none" '
        f'aria-hidden="true" focusable="false">{"".join(bars)}'
        f'<path class="even" d="M0 {STRIP_HEIGHT / 2}H{WIDTH}"/></svg>'
    )


def highest(branch: str, shares: Shares) -> str:
    """The strip in words."""
    start, end, share = max(shares, key=lambda entry: entry[2])
    return (
        f"Attention to the {branch} over time, highest from {clock(start, 1)} to "
        f"{clock(end, 1)} with {share:.1f} times an even share"
    )


def section(person: int | None, timeline: Timeline, duration: float) -> str:
    """What the report says of one person's attention and face; nothing where it was not asked for.

    Reads ``Timeline.explanation``, see :func:`aver.report.explain_data.attach`.
    """
    known = (timeline.explanation or {}).get("people", [])
    entry: dict[str, Any] | None = next((e for e in known if e.get("person") == person), None)
    if entry is None:
        return ""
    lanes = "" if is_still(timeline) else _lanes(entry.get("shares", {}), duration)
    face = _face(entry.get("face"))
    words = []
    if lanes:
        kind = str((timeline.explanation or {}).get("attention"))
        how = {"rollout": "attention rollout", "mean": "averaged over layers and heads"}.get(kind)
        words.append(
            f"Strips: how much the scores drew from each half second ({how or escape(kind)}; the "
            "line is an even share). Attention shows where the network mixed from, not why."
        )
    if face:
        emotion = escape(printable(entry.get("emotion", "")))
        words.append(
            f"Face: what spoke for {emotion} (orange) and against it (blue) in the face network, "
            "which does not say what the person feels."
        )
    if not words:
        return ""
    words.append("More shows <code>aver explain</code>.")
    return (
        f'<div class="looked"><h3>What the networks looked at</h3>{lanes}'
        f'<div class="looked-parts">{face}<p class="hint">{" ".join(words)}</p></div></div>'
    )


def _lanes(shares: dict[str, Any], duration: float) -> str:
    rows = []
    for branch, found in shares.items():
        windows = [(float(start), float(end), float(share)) for start, end, share in found]
        if not windows:
            continue
        text = highest(branch, windows)
        rows.append(
            f'<div class="lane-name">{escape(branch)}</div><div class="lane" role="img" '
            f'aria-label="{escape(text)}">{strip(windows, duration)}</div>'
            '<div class="lane-end"></div>'
        )
    return f'<div class="grid">{"".join(rows)}</div>' if rows else ""


def _face(face: dict[str, Any] | None) -> str:
    if not face:
        return ""
    label = escape(printable(face["label"]))
    time = clock(float(face["time"]), 1)
    return (
        f'<figure><img src="data:image/jpeg;base64,{escape(str(face["jpeg"]))}" width="120" '
        f'height="120" alt="Face at {time} with the class activation map for {label}">'
        f"<figcaption><strong>{label}</strong> {float(face['score']):.2f} "
        f"<span>at {time}, face network</span></figcaption></figure>"
    )
