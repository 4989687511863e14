"""What a recording's voice sounds like by itself, taken away from its embeddings.

A stranger's voice is mistaken most of all because it is a stranger's: one man sounds sad, whatever
he says. The mean embedding of a voice over many windows is mostly the voice, its microphone and
its room, not what it expresses at one moment. So each embedding is moved by the difference
between the recording's mean so far (never later windows) and the mean of the voices the network
was trained on. Eighty prior windows at that mean stand before the first: a clip of a few seconds
stays almost as it is, and after forty seconds of voice half of the difference is gone.

The price: in a recording that is angry from beginning to end, anger slowly becomes its middle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PRIOR_WINDOWS = 80.0
"""Windows with a voice that the training mean counts for (chosen on RAVDESS actors 19 to 24)."""


class RunningCentre:
    """Moves the embeddings of one recording, one after another.

    Args:
        centre: (dimensions,) mean embedding of the voices the network was trained on.
        prior_windows: how many windows it counts for.
    """

    def __init__(self, centre: NDArray[np.floating[Any]], prior_windows: float = PRIOR_WINDOWS):
        self._centre = np.asarray(centre, dtype=np.float64)
        self._total = self._centre * prior_windows
        self._count = prior_windows

    def step(self, embedding: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Take the next window's embedding; return it moved, of length 1 again."""
        self._total = self._total + embedding
        self._count += 1.0
        moved = embedding - self._total / self._count + self._centre
        length = max(float(np.linalg.norm(moved)), 1e-12)
        return np.asarray(moved / length, dtype=np.float32)
