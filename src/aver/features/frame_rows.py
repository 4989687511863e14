"""Any extractor along a whole film, one row at each frame of 25 a second.

Extractors that know how to go through a film frame by frame in bounded memory say so by a method
``frame_rows``; the others are run over the whole recording, and their rows are brought to the
frames by time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from aver.errors import AverError
from aver.features.extractor import Clip, Extractor, Features
from aver.features.frame_clock import frame_count, nearest_earlier
from aver.media import starts

Floats = NDArray[np.float32]
Warn = Callable[[str], None]
"""Called with one line about the recording, without its name."""


@runtime_checkable
class FrameByFrame(Protocol):
    """An extractor that goes through a film by itself."""

    def frame_rows(self, file: Path, first: int, warn: Warn) -> Iterator[Floats]:
        """Rows (n, width) of the frames of *file* from number *first* on, piece by piece.

        Raises:
            MediaError: if the file cannot be read, or holds nothing of the extractor's kind.
        """
        ...


def frame_rows(
    extractor: Extractor, file: Path, first: int = 0, warn: Warn = lambda line: None
) -> Iterator[Floats]:
    """What *extractor* measures along *file*, on the recording's own clock.

    Args:
        extractor: what to measure.
        file: the recording.
        first: number of the frame to begin with (those before are stored).
        warn: called with one line for what is odd about the recording.

    Yields:
        (n, width) rows of consecutive frames; shapes of more axes are laid out in a row.

    Raises:
        AverError: if the file cannot be measured.
    """
    if isinstance(extractor, FrameByFrame):
        yield from extractor.frame_rows(file, first, warn)
        return
    if extractor.modality == "table":
        raise AverError(
            "brings a table and measures no recording",
            "Name an extractor of pictures or sound",
            subject=extractor.name,
        )
    picture, sound = starts(file)
    begins = (picture if extractor.modality == "picture" else sound) or 0.0
    yield at_frames(extractor.extract(Clip(file)), begins)[first:]


def at_frames(features: Features, begins: float = 0.0) -> Floats:
    """Rows at the frames: the last that began at or before each; zeros where not present.

    Args:
        features: of a whole recording.
        begins: seconds on the recording's clock that their times count from.

    Returns:
        (frames, width), as many frames as begin before the features end.
    """
    values = features.values.reshape(len(features), -1) * features.present[:, None]
    times = features.times.astype(np.float64) + begins
    frames = frame_count(float(times[:, 1].max()))
    return np.asarray(values[nearest_earlier(times[:, 0], frames)], np.float32)
