"""The sound and the pictures of one clip, in windows counted from the clip's own start."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import MediaError
from aver.features.extractor import Clip
from aver.features.windows import read_sound
from aver.media import SAMPLE_RATE, VideoFrame, Window, read_windows

Floats = NDArray[np.float32]

# Shorter remains of a clip are no window of their own: rounding of time stamps, not pictures.
_SLIVER_SECONDS = 1e-3

_WHOLE_SAMPLES = SAMPLE_RATE // 2


@dataclass(frozen=True, eq=False)
class Pictures:
    """The pictures of one window.

    Attributes:
        start: seconds from the clip's start.
        end: seconds; in the last window the clip's end.
        frames: in order of time, as the media reader gives them, on the recording's clock.
        times: seconds from the clip's start, of each.
    """

    start: float
    end: float
    frames: tuple[VideoFrame, ...]
    times: tuple[float, ...]

    @property
    def images(self) -> list[NDArray[np.uint8]]:
        """The pictures alone."""
        return [frame.image for frame in self.frames]


def read_clip_sound(clip: Clip) -> tuple[Floats, float]:
    """All sound of a clip.

    Where the clip ends with its recording, silence is added up to a whole half second, as the
    analysis and the training of the voice networks have it.

    Returns:
        (n,) mono sound at 16 kHz in [-1, 1], and the seconds of the clip.

    Raises:
        MediaError: if the recording cannot be read, has no sound, or ends before the clip starts.
    """
    sound = read_sound(clip)
    samples, seconds = sound.samples, sound.seconds
    if clip.end is None or seconds < clip.end - clip.first - _SLIVER_SECONDS:
        samples = np.pad(samples, (0, -len(samples) % _WHOLE_SAMPLES))
    return samples, seconds


def read_clip_pictures(
    clip: Clip,
    *,
    window_seconds: float,
    frames_per_second: float,
    max_side: int,
    windows: int = 0,
) -> Iterator[Pictures]:
    """Yield the pictures of a clip window by window, in bounded memory.

    Args:
        clip: the clip.
        window_seconds: length of a window.
        frames_per_second: pictures kept a second, at most.
        max_side: pixels; larger pictures are scaled down.
        windows: windows read, at most; 0 for all.

    Raises:
        MediaError: if the recording cannot be read, has no picture, or ends before the clip
            starts.
    """
    waiting: list[VideoFrame] = []
    index, end, anything = 0, 0.0, False
    reading = _read(
        clip,
        window_seconds,
        frames_per_second=frames_per_second,
        max_side=max_side,
        sound=False,
    )
    with closing(reading):
        for window in reading:
            if window.end <= clip.first:
                continue
            anything = True
            end = (window.end if clip.end is None else min(window.end, clip.end)) - clip.first
            for frame in window.frames:
                time = frame.time - clip.first
                if time < -1e-6 or (clip.end is not None and frame.time >= clip.end):
                    continue
                while time >= (index + 1) * window_seconds - 1e-6:
                    yield _pictures(clip, index, window_seconds, waiting, math.inf)
                    waiting, index = [], index + 1
                    if windows and index >= windows:
                        return
                waiting.append(frame)
    if not anything:
        raise MediaError(
            clip.file,
            f"holds no picture between {clip.first:g} s and the clip's end",
            "Correct start and end in the manifest",
        )
    while index * window_seconds < end - _SLIVER_SECONDS and not (windows and index >= windows):
        yield _pictures(clip, index, window_seconds, waiting, end)
        waiting, index = [], index + 1


def window_times(seconds: float, window_seconds: float, windows: int = 0) -> Floats:
    """Start and end of the windows of a clip of *seconds*.

    Args:
        seconds: length of the clip.
        window_seconds: length of a window; 0 for one window over the whole clip.
        windows: windows kept, at most; 0 for all.

    Returns:
        (windows, 2) seconds from the clip's start, at least one window.
    """
    if not window_seconds:
        return np.array([[0.0, seconds]], np.float32)
    count = max(1, math.ceil((seconds - _SLIVER_SECONDS) / window_seconds))
    count = min(count, windows) if windows else count
    starts = np.arange(count) * window_seconds
    ends = np.minimum(starts + window_seconds, max(seconds, _SLIVER_SECONDS))
    return np.stack([starts, ends], axis=1).astype(np.float32)


def _pictures(
    clip: Clip, index: int, seconds: float, frames: list[VideoFrame], end: float
) -> Pictures:
    times = tuple(max(0.0, frame.time - clip.first) for frame in frames)
    return Pictures(index * seconds, min((index + 1) * seconds, end), tuple(frames), times)


def _read(clip: Clip, window_seconds: float, **settings: Any) -> Generator[Window, None, None]:
    """Windows of the recording up to the clip's end; earlier ones are read, there is no seeking."""
    windows = read_windows(clip.file, window_seconds=window_seconds, **settings)
    with closing(windows):  # type: ignore[type-var]
        for window in windows:
            if clip.end is not None and window.start >= clip.end:
                break
            yield window
