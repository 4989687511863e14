"""25 frames a second on a recording's own clock: which picture is shown at each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FRAMES_PER_SECOND = 25
"""Frames a second that features are aligned to: the rate of COGNIMUSE's traces."""

TOLERANCE = 1e-3
"""Seconds by which something may begin after a frame and still be there: containers round time
stamps to a millisecond, and single precision to half of one within two hours."""

_JITTER = 0.25
"""Share of the usual step by which steps may differ and still count as one rate: containers
round time stamps to a millisecond or worse."""


def frame_count(seconds: float) -> int:
    """Frames that begin within *seconds*: every 40 ms from 0."""
    return max(0, math.ceil((seconds - TOLERANCE) * FRAMES_PER_SECOND))


def nearest_earlier(times: Sequence[float] | NDArray[np.floating], frames: int) -> NDArray[np.intp]:
    """What is true at each frame: the last thing that began at or before it.

    Args:
        times: (n,) seconds at which things begin, rising, at least one.
        frames: how many frames.

    Returns:
        (frames,) index into *times*; 0 for frames before the first.
    """
    at = np.arange(frames) / FRAMES_PER_SECOND
    found = np.searchsorted(np.asarray(times, np.float64), at + TOLERANCE, side="right") - 1
    return np.asarray(found.clip(0), np.intp)


def rate_remark(times: Sequence[float]) -> str:
    """One line on a picture rate that varies; empty where it does not.

    Args:
        times: when pictures begin, in seconds.
    """
    steps = np.diff(np.asarray(times, np.float64))
    if len(steps) < 2:
        return ""
    usual = float(np.median(steps))
    odd = np.abs(steps - usual) > max(_JITTER * usual, 2 * TOLERANCE)
    if not odd.any():
        return ""
    return (
        f"its picture rate varies ({int(odd.sum())} of {len(steps)} steps differ from the usual "
        f"{1000 * usual:.0f} ms); each frame takes the nearest earlier picture by its time stamp"
    )
