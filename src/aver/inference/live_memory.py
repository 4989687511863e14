"""What a live session remembers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aver.faces import FaceObservation
from aver.inference.settings import WINDOW_SECONDS
from aver.media import SAMPLE_RATE

Floats = NDArray[np.float32]


@dataclass(slots=True)
class Sight:
    """One face in one picture, and its embedding."""

    observation: FaceObservation
    embedding: Floats


@dataclass(slots=True)
class Sound:
    """A window's voice; whose it is can change while pictures of its time still come."""

    start: float
    embedding: Floats
    owner: int | None = None
    settled: bool = False

    @property
    def middle(self) -> float:
        """Seconds."""
        return self.start + WINDOW_SECONDS / 2

    @property
    def end(self) -> float:
        """Seconds."""
        return self.start + WINDOW_SECONDS


@dataclass(slots=True)
class Stretch:
    """Sound that waits to fill a window."""

    start: float = 0.0
    parts: list[Floats] = field(default_factory=list)
    samples: int = 0

    @property
    def end(self) -> float:
        """Seconds."""
        return self.start + self.samples / SAMPLE_RATE
