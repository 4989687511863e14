"""The pictures that a film shows at its frames, each read, prepared and measured once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aver.errors import MediaError
from aver.features.frame_clock import FRAMES_PER_SECOND, TOLERANCE, frame_count, rate_remark
from aver.media import read_windows, starts

Floats = NDArray[np.float32]

_FASTEST = 120.0


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture, and the frames at which it is the nearest earlier one.

    Attributes:
        image: (height, width, 3) RGB.
        first: number of the first frame that shows it.
        frames: how many show it, at least one.
    """

    image: NDArray[np.uint8]
    first: int
    frames: int


def shown_pictures(
    file: Path, max_side: int, warn: Callable[[str], None], first: int = 0
) -> Iterator[Shown]:
    """The pictures of *file* that are shown at its frames, in order.

    Of 60 pictures a second every other is left out, of 24 one a second is shown twice; where the
    rate varies, time stamps decide, and one line tells of it. Before the first picture stands the
    first.

    Args:
        file: the recording.
        max_side: pixels; larger pictures are scaled down.
        warn: called with one line about the recording.
        first: number of the frame to begin with.

    Raises:
        MediaError: if the recording cannot be read or holds no picture.
    """
    begins = starts(file)[0] or 0.0
    reading = read_windows(
        file,
        window_seconds=1.0,
        frames_per_second=_FASTEST,
        max_side=max_side,
        sound=False,
        warn=warn,
    )
    image: NDArray[np.uint8] | None = None
    times: list[float] = []
    at, end = 0, 0.0
    with closing(reading):  # type: ignore[type-var]
        for window in reading:
            end = window.end + begins
            for frame in window.frames:
                time = frame.time + begins
                upto = math.ceil((time - TOLERANCE) * FRAMES_PER_SECOND)
                if image is not None and upto > at:
                    if upto > first:
                        yield Shown(image, max(at, first), upto - max(at, first))
                    at = upto
                image = frame.image
                times.append(time)
    if image is None:
        raise MediaError(file, "holds no picture", "Name a video")
    last = max(frame_count(end), at + 1)
    if last > first:
        yield Shown(image, max(at, first), last - max(at, first))
    remark = rate_remark(times)
    if remark:
        warn(remark)


def repeated(rows: Floats, shown: list[Shown]) -> Floats:
    """Rows of pictures (pictures, width) at the frames that show them (frames, width)."""
    return np.repeat(rows, [picture.frames for picture in shown], axis=0)
