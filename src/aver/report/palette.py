"""Colours and patterns of the labels.

The colours of the eight RAVDESS labels are told apart with the common forms of colour blindness
(simulated after Machado, Oliveira & Fernandes 2009), on light and on dark paper. Each label has a
pattern as well, and words stand wherever there is room, so colour never carries meaning alone.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """How one label is drawn.

    Attributes:
        light: colour on light paper, ``#rrggbb``.
        dark: colour on dark paper.
        pattern: one of :data:`PATTERNS`.
    """

    light: str
    dark: str
    pattern: str


PATTERNS: dict[str, str] = {
    "plain": "",
    "waves": "M0 4h8",
    "dots": "M2 2h.01M6 6h.01",
    "falling": "M-2 -2l12 12M-2 6l4 4M6 -2l4 4",
    "cross": "M-2 -2l12 12M10 -2l-12 12",
    "bars": "M2 0v8M6 0v8",
    "rising": "M10 -2l-12 12M2 -2l-4 4M10 6l-4 4",
    "grid": "M0 4h8M4 0v8",
}
"""Strokes on a tile of 8 x 8, as SVG path data."""

_KNOWN: dict[str, Look] = {
    "neutral": Look("#667578", "#7F9090", "plain"),
    "calm": Look("#4CB4FD", "#A9DBFE", "waves"),
    "happy": Look("#D6A419", "#D9CB4A", "dots"),
    "sad": Look("#4B55E6", "#4A6CEB", "falling"),
    "angry": Look("#B5330F", "#E0532C", "cross"),
    "fearful": Look("#61366C", "#B08AD8", "bars"),
    "disgust": Look("#17875A", "#3FB57C", "rising"),
    "surprised": Look("#FE66A8", "#FFB9C0", "grid"),
}

_SAME_AS = {
    "anger": "angry",
    "fear": "fearful",
    "happiness": "happy",
    "sadness": "sad",
    "serenity": "calm",
    "surprise": "surprised",
}


def looks(labels: Sequence[str]) -> list[Look]:
    """A look for every label: the usual one where the label is known, else one not yet used."""
    known = [_KNOWN.get(_SAME_AS.get(label, label)) for label in labels]
    free = [look for look in _KNOWN.values() if look not in known]
    patterns = list(PATTERNS)
    found: list[Look] = []
    made = 0
    for look in known:
        if look is None and free:
            look = free.pop(0)
        elif look is None or look in found:
            # The golden angle keeps any number of further hues apart.
            hue = (0.12 + made * 0.381966) % 1.0
            look = Look(_hex(hue, 0.42), _hex(hue, 0.66), patterns[made % len(patterns)])
            made += 1
        found.append(look)
    return found


def _hex(hue: float, lightness: float) -> str:
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.55)
    return "#" + "".join(f"{round(255 * value):02X}" for value in (red, green, blue))


def colour_rules(labels: Sequence[str]) -> str:
    """CSS custom properties ``--c0``, ``--c1``, ... for light and dark paper."""
    found = looks(labels)
    light = "".join(f"--c{i}:{look.light};" for i, look in enumerate(found))
    dark = "".join(f"--c{i}:{look.dark};" for i, look in enumerate(found))
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def pattern_definitions(labels: Sequence[str]) -> str:
    """SVG ``<pattern>`` elements ``p0``, ``p1``, ... and ``weak``, thin evidence's hatching."""
    tiles = [
        f'<pattern id="p{i}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<rect width="8" height="8" fill="var(--c{i})"/>'
        + (f'<path class="mark" d="{PATTERNS[look.pattern]}"/>' if look.pattern != "plain" else "")
        + "</pattern>"
        for i, look in enumerate(looks(labels))
    ]
    hatch = (
        '<pattern id="weak" width="6" height="6" patternUnits="userSpaceOnUse">'
        '<path class="hatch" d="M-1 7l8 -8M-1 1l2 -2M5 7l2 -2"/></pattern>'
    )
    return "".join(tiles) + hatch
