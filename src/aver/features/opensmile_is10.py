"""From openSMILE's IS10 functionals to emobase2010's: the same descriptors, scaled differently."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

INEXACT = ("F0final", "F0finEnv", "jitterLocal", "jitterDDP", "shimmerLocal")
"""Descriptors whose functionals differ: the sets' pitch picking differs."""

_FRAMES_PER_SECOND = 100
# The smoothed descriptors have two frames fewer than the pitch contour that is timed.
_FRAMES_LESS = 2


def is_inexact(name: str) -> bool:
    """Whether the functional *name* comes out differently in openSMILE's own emobase2010."""
    descriptor = name.split("_sma")[0].split("__")[0]
    return descriptor in INEXACT and not name.endswith("Turn_duration")


def emobase_names(is10: tuple[str, ...]) -> tuple[str, ...]:
    """emobase2010's names of IS10's functionals, in order."""
    return tuple(_emobase_name(name) for name in is10)


def _emobase_name(name: str) -> str:
    for descriptor in ("mfcc_sma", "mfcc_sma_de"):
        if name.startswith(f"{descriptor}["):
            return f"pcm_fftMag_{name}"
    return name.replace("Turn_onsetRate", "Turn_numOnsets")


def to_emobase(row: NDArray[np.float32], is10: tuple[str, ...]) -> NDArray[np.float32]:
    """IS10's functionals as emobase2010's.

    Positions come in frames and leave as a share of the segment's frames; a rate of onsets
    becomes their count.

    Args:
        row: (1582,) functionals of IS10.
        is10: their names.

    Returns:
        (1582,) float32.
    """
    named = dict(zip(is10, range(len(is10)), strict=True))
    seconds = float(row[named["F0final__Turn_duration"]])
    frames = max(1, round(seconds * _FRAMES_PER_SECOND) - _FRAMES_LESS)
    out = row.astype(np.float32)
    for name, at in named.items():
        if name.endswith(("_maxPos", "_minPos")):
            out[at] = out[at] / np.float32(frames)
        elif name.endswith("Turn_onsetRate"):
            out[at] = np.round(out[at] * seconds)
    return out
