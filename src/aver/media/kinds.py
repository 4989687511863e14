"""What media hands on: limits, facts about a file, frames and windows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Rate in Hz to which all sound is brought."""


@dataclass(frozen=True)
class MediaLimits:
    """What a recording may at most be; beyond it the recording is refused with a clear line.

    Args:
        max_duration_seconds: longest recording, in seconds; None for no limit.
        max_pixels: most pixels in one picture (width x height).
        max_streams: most streams (pictures, sounds, subtitles, data) in one file.
    """

    max_duration_seconds: float | None = 12 * 3600.0
    max_pixels: int = 8192 * 8192
    max_streams: int = 32


@dataclass(frozen=True)
class MediaInfo:
    """Facts about a file, read from its header and the first picture.

    Width and height are those of the picture as players show it: after rotation, and with square
    pixels. ``duration`` is in seconds and None when the header does not say (and for images);
    ``rotation`` is the clockwise turn in degrees (0, 90, 180, 270) that showing the stored
    picture upright takes.
    """

    path: Path
    duration: float | None
    has_video: bool
    has_audio: bool
    width: int | None
    height: int | None
    frames_per_second: float | None
    sample_rate: int | None
    channels: int | None
    container: str
    video_codec: str | None
    audio_codec: str | None
    rotation: int
    is_image: bool


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One picture of the recording.

    Args:
        time: seconds on the recording's clock.
        image: uint8 (height, width, 3), RGB, upright.
        scale: pixels of the shown original per pixel of ``image`` (1.0 when not downscaled).
    """

    time: float
    image: NDArray[np.uint8]
    scale: float


@dataclass(frozen=True, eq=False)
class Window:
    """Picture and sound of one stretch of the recording.

    Args:
        index: number of the window, from 0.
        start: seconds on the recording's clock, ``index`` times the window length.
        end: seconds; ``start`` plus the window length, less in the last window of a recording
            that ends within it.
        frames: pictures shown in the window, in order of time; none where there is no picture.
        samples: float32 (window length x 16000,), 16 kHz mono in [-1, 1]; None where no sound
            lies in the window. Zeros stand where sound covers only part of it.
    """

    index: int
    start: float
    end: float
    frames: tuple[VideoFrame, ...]
    samples: NDArray[np.float32] | None
