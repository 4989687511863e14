"""Picture: sampled on a grid of time, converted small, turned upright."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from aver.media.kinds import VideoFrame

_UNSPECIFIED_COLORSPACE = 2
_SHRUNK_FIRST = frozenset({"yuv420p", "yuvj420p"})
_ASPECT = (0.25, 4.0)
HOLD_SECONDS = 1.0
"""How long a picture stays on show when the next is late and its own duration is shorter."""


def display_size(width: int, height: int, aspect: Any | None) -> tuple[int, int]:
    """Size with square pixels of a picture whose pixels are *aspect* wide (None: square)."""
    ratio = float(aspect) if aspect else 1.0
    if not _ASPECT[0] <= ratio <= _ASPECT[1]:
        ratio = 1.0
    if ratio >= 1.0:
        return max(1, round(width * ratio)), height
    return width, max(1, round(height / ratio))


def orientation(frame: Any) -> tuple[int, bool]:
    """How a decoded picture is turned upright: clockwise quarter turns after a mirroring.

    Read from the display matrix that a container or EXIF gives (ISO/IEC 14496-12, 8.3.2); turns
    that are no multiple of 90 degrees are taken for the nearest.

    Returns:
        quarter turns clockwise (0 to 3), and whether to mirror left to right first.
    """
    matrix = _display_matrix(frame)
    if matrix is None:
        return round(-frame.rotation / 90) % 4, False
    a, b, c, d = matrix
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    if not (a or b):
        return 0, False
    return round(math.degrees(math.atan2(b, a)) / 90) % 4, mirrored


def _display_matrix(frame: Any) -> tuple[int, int, int, int] | None:
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except (ValueError, KeyError):  # side data of a kind that PyAV has no name for
        return None
    if data is None:
        return None
    values = np.frombuffer(bytes(data), np.int32)
    if len(values) < 9:
        return None
    return int(values[0]), int(values[1]), int(values[3]), int(values[4])


class Converter:
    """Turns decoded PyAV frames into small upright RGB pictures."""

    def __init__(self, max_side: int) -> None:
        self._max_side = max_side
        self._shrinker, self._reformatter = VideoReformatter(), VideoReformatter()
        self._orientation: tuple[tuple[int, int, int], tuple[int, bool]] | None = None

    def __call__(self, frame: Any, aspect: Any | None) -> tuple[NDArray[np.uint8], float]:
        """Convert *frame*.

        Returns:
            uint8 (height, width, 3) RGB with the longer side at most ``max_side``, and the pixels
            of the shown original per pixel of it.
        """
        width, height = display_size(frame.width, frame.height, aspect)
        shrink = min(1.0, self._max_side / max(width, height))
        small = max(1, round(width * shrink)), max(1, round(height * shrink))
        image = self._to_rgb(frame, *small)
        turns, mirrored = self._orientation_of(frame)
        if mirrored:
            image = image[:, ::-1]
        if turns:
            image = np.rot90(image, -turns)
        return np.ascontiguousarray(image), max(width, height) / max(small)

    def _orientation_of(self, frame: Any) -> tuple[int, bool]:
        """Orientation of *frame*, looked up when it changes.

        PyAV keeps a frame whose side data was looked at until Python next searches for circular
        references, so doing that for every frame would hold hundreds of them.
        """
        key = frame.rotation, frame.width, frame.height
        if self._orientation is None or self._orientation[0] != key:
            self._orientation = key, orientation(frame)
        return self._orientation[1]

    def _to_rgb(self, frame: Any, width: int, height: int) -> NDArray[np.uint8]:
        has_alpha = _has_alpha(frame.format.name)
        colorspace = None
        if frame.colorspace == _UNSPECIFIED_COLORSPACE and frame.height >= 720:
            colorspace = Colorspace.ITU709  # as players do for high definition that does not say
        if frame.format.name in _SHRUNK_FIRST and width * height < frame.width * frame.height:
            # In its own format first: half the time of doing both at once.
            frame = self._shrinker.reformat(
                frame, width, height, frame.format.name, interpolation=Interpolation.AREA
            )
        small = self._reformatter.reformat(
            frame,
            width,
            height,
            "rgba" if has_alpha else "rgb24",
            src_colorspace=colorspace,
            interpolation=Interpolation.AREA,
        )
        image = np.asarray(small.to_ndarray(), np.uint8)
        if not has_alpha:
            return image
        alpha = image[:, :, 3:].astype(np.uint16)
        on_white = image[:, :, :3].astype(np.uint16) * alpha + 255 * (255 - alpha)
        return ((on_white + 127) // 255).astype(np.uint8)


def _has_alpha(pixel_format: str) -> bool:
    return pixel_format.startswith(
        ("rgba", "bgra", "argb", "abgr", "yuva", "ya8", "ya16", "gbrap", "pal8", "vuya", "ayuv")
    )


class FrameSampler:
    """Keeps the first picture at or after each tick of a grid of time, and converts only those.

    A window in which no picture begins, but an earlier one is still on show (slides, screen
    recordings), gets that one at its start. Times are seconds on the recording's clock.
    """

    def __init__(self, frames_per_second: float, max_side: int, window_seconds: float) -> None:
        self._rate = frames_per_second
        self._window = window_seconds
        self._convert = Converter(max_side)
        self._slot = -1
        self._previous: tuple[float, Any, Any, float] | None = None
        self.kept: deque[VideoFrame] = deque()

    def slot(self, time: float) -> int:
        """Number of the last tick at or before *time*."""
        return math.floor(time * self._rate + 1e-6)

    def push(self, frame: Any, time: float, aspect: Any | None, until: float) -> None:
        """Convert and keep *frame* if its tick has none yet.

        Args:
            frame: decoded PyAV frame.
            time: when it begins.
            aspect: width of a pixel by its height, None where not said.
            until: when it ends by its own account.
        """
        if time < -1e-6:
            return
        self._hold_until(time)
        self._previous = time, frame, aspect, until
        slot = self.slot(time)
        if slot > self._slot:
            self._slot = slot
            image, scale = self._convert(frame, aspect)
            self.kept.append(VideoFrame(max(0.0, time), image, scale))

    def finish(self) -> None:
        """No more pictures follow: the last is on show until its own end."""
        self._hold_until(math.inf)
        self._previous = None

    def take(self, end: float) -> tuple[VideoFrame, ...]:
        """Take the pictures before *end*."""
        taken = []
        while self.kept and self.kept[0].time < end:
            taken.append(self.kept.popleft())
        return tuple(taken)

    def _hold_until(self, time: float) -> None:
        if self._previous is None:
            return
        began, frame, aspect, until = self._previous
        if time < math.inf:
            until = max(until, began + HOLD_SECONDS)
        index = math.floor(began / self._window + 1e-9) + 1
        held: tuple[NDArray[np.uint8], float] | None = None
        while (start := index * self._window) < until - 1e-6 and start + self._window <= time:
            held = held or self._convert(frame, aspect)
            self.kept.append(VideoFrame(start, *held))
            index += 1
