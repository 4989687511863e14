"""How loud the voice of a recording is, and whether a window holds one.

Loudness is a sign of emotion, and it is also the distance to a microphone and a setting of its
amplifier. What can be used is how loud a window is *within its recording*: each window is scaled
by the mean power of the recording's voiced windows so far (never later ones, so that a stream and
a file give the same). One prior window of a typical level stands before the first, so that a
short clip keeps part of its own level and noise before the first word is not blown up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TARGET_LOG_LEVEL = 0.5
"""Natural logarithm of the root mean square that mel magnitudes are brought to."""

PRIOR_LOG_LEVEL = -0.3
"""The same of the prior window: speech at about 30 dB below full scale."""

PRIOR_WINDOWS = 1.0
"""How many windows the prior counts for."""

SILENCE_POWER = 3e-4
"""Mean mel power below which a window is silence: about 64 dB below full scale."""

SILENCE_RATIO = 1e-3
"""Power relative to the voice so far below which a window is silence: 30 dB below it."""


def window_power(magnitudes: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Mean squared mel magnitude over the last two axes (frames, bands)."""
    return np.asarray(np.mean(np.square(magnitudes, dtype=np.float64), axis=(-2, -1)))


@dataclass
class RunningLevel:
    """The level of the recordings of a batch so far; state of :func:`follow`.

    Attributes:
        total: (batch,) sum of the power of the voiced windows, the prior included.
        count: (batch,) how many they are.
    """

    total: NDArray[np.float64]
    count: NDArray[np.float64]

    @classmethod
    def start(cls, batch: int = 1) -> RunningLevel:
        """The state before the first window."""
        prior = np.exp(2.0 * PRIOR_LOG_LEVEL) * PRIOR_WINDOWS
        return cls(np.full(batch, prior), np.full(batch, PRIOR_WINDOWS))

    def step(self, power: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Take the next window of each recording.

        Args:
            power: (batch,) its :func:`window_power`.

        Returns:
            (batch,) the gain for that window, and whether it holds a voice (or any sound that
            stands out like one: this is a gate on energy, not a detector of speech).
        """
        present = power > np.maximum(SILENCE_POWER, SILENCE_RATIO * self.total / self.count)
        self.total = self.total + power * present
        self.count = self.count + present
        gain = np.exp(TARGET_LOG_LEVEL) / np.sqrt(self.total / self.count)
        return gain, present


def follow(
    power: NDArray[np.float64], level: RunningLevel | None = None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Run :meth:`RunningLevel.step` over the windows of recordings.

    Args:
        power: (batch, windows).
        level: the state before the first window; None for the start of a recording.

    Returns:
        (batch, windows) gains, and (batch, windows) whether there is a voice.
    """
    level = RunningLevel.start(len(power)) if level is None else level
    steps = [level.step(power[:, k]) for k in range(power.shape[1])]
    if not steps:
        return np.zeros(power.shape), np.zeros(power.shape, bool)
    return np.stack([s[0] for s in steps], 1), np.stack([s[1] for s in steps], 1)
