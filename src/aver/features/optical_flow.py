"""Optical flow as an extractor: how much moves, and which way (OpenCV's DIS and Farneback).

``output = "stack"`` gives what Fea-TF SCMA feeds its motion network with: the fields between
eleven pictures in a row, across and down, each brought to integers from 0 to 255.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aver.errors import MediaError
from aver.features.clip_windows import Pictures, read_clip_pictures
from aver.features.extractor import Clip, Extractor, ExtractorSettings, Features, register_extractor
from aver.features.pictures import middle, resize, shorter_side_to

Floats = NDArray[np.float32]
Motion = tuple[float, float, Floats]
"""When the earlier and the later picture were shown, and the (h, w, 2) flow between them."""

Flow = Callable[[NDArray[np.uint8], NDArray[np.uint8]], Floats]


class OpticalFlowSettings(ExtractorSettings):
    """Settings of the extractor ``optical_flow``.

    Attributes:
        algorithm: ``dis`` (Kroeger et al. 2016) or ``farneback`` (Farneback 2003).
        output: ``statistics`` of each window, or ``stack`` of fields.
        frames_per_second: pictures taken a second, at most; flow is between neighbours.
        size: side in pixels of the square that pictures are brought to; flow is counted in its
            pixels.
        fit: ``crop`` takes the middle of the picture, ``stretch`` all of it.
        window_seconds: length of a window of statistics.
        windows: rows kept from the clip's start, at most; 0 for all.
        directions: sectors of the histogram of directions, the first around to the right,
            counted clockwise as the picture is seen.
        stack: fields in a stack (the paper's 10 last 0.4 s at 25 pictures a second).
        hop: pictures from one stack to the next; the paper's is 1.
        bound: pixels that become 0 (to the left, up) and 255; flow beyond is clipped.
    """

    algorithm: Literal["dis", "farneback"] = "dis"
    output: Literal["statistics", "stack"] = "statistics"
    frames_per_second: float = Field(25.0, gt=0, le=240)
    size: int = Field(224, ge=32, le=1024)
    fit: Literal["crop", "stretch"] = "crop"
    window_seconds: float = Field(0.5, gt=0, le=600)
    windows: int = Field(0, ge=0)
    directions: int = Field(8, ge=2, le=64)
    stack: int = Field(10, ge=1, le=64)
    hop: int = Field(10, ge=1)
    bound: float = Field(20.0, gt=0)


@register_extractor("optical_flow")
class OpticalFlow(Extractor):
    """How the picture moves, of the whole picture: camera and people alike."""

    version = 1
    Settings = OpticalFlowSettings
    modality = "picture"

    @property
    def shape(self) -> tuple[int, ...]:
        """(4 + directions,), or (2 * stack, size, size) with across and down in turn."""
        s = self.settings
        return (4 + s.directions,) if s.output == "statistics" else (2 * s.stack, s.size, s.size)

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the statistics."""
        s = self.settings
        if s.output == "stack":
            return None
        return (
            "magnitude_mean",
            "magnitude_spread",
            "across_mean",
            "down_mean",
            *(f"direction_{round(360 * k / s.directions)}" for k in range(s.directions)),
        )

    def extract(self, clip: Clip) -> Features:
        """Statistics (windows, 4 + directions), or stacks (time, 2 * stack, size, size).

        Magnitudes and means are pixels from picture to picture; the histogram holds the share of
        all movement that goes each way (sum 1, or 0 where nothing moves). A window in which no
        two pictures meet, or a clip of fewer pictures than a stack needs, is not present.

        Raises:
            MediaError: if the clip has no picture, or only one.
        """
        s = self.settings
        reading = read_clip_pictures(
            clip,
            window_seconds=s.window_seconds,
            frames_per_second=s.frames_per_second,
            max_side=max(640, 2 * s.size),
            windows=s.windows if s.output == "statistics" else 0,
        )
        with one_flow_thread():
            found = (self._statistics if s.output == "statistics" else self._stacks)(reading)
        if found is None:
            raise MediaError(
                clip.file, "holds a single picture, and flow is between two", "Name a video"
            )
        return found

    def _fields(self, reading: Iterator[Pictures]) -> Iterator[tuple[Pictures, list[Motion]]]:
        """Each window with the fields that end in it."""
        flow = make_flow(self.settings.algorithm)
        before: tuple[float, NDArray[np.uint8]] | None = None
        for window in reading:
            fields: list[Motion] = []
            for image, time in zip(window.images, window.times, strict=True):
                grey = grey_square(image, self.settings.size, self.settings.fit)
                if before is not None:
                    fields.append((before[0], time, flow(before[1], grey)))
                before = time, grey
            yield window, fields

    def _statistics(self, reading: Iterator[Pictures]) -> Features | None:
        rows, times, present = [], [], []
        for window, fields in self._fields(reading):
            times.append((window.start, window.end))
            present.append(bool(fields))
            flows = [field for _, _, field in fields] or [np.zeros((1, 1, 2), np.float32)]
            rows.append(flow_statistics(np.stack(flows), self.settings.directions))
        if not any(present):
            return None
        return Features(np.stack(rows), np.array(times, np.float32), np.array(present, np.bool_))

    def _stacks(self, reading: Iterator[Pictures]) -> Features | None:
        s = self.settings
        recent: deque[tuple[float, float, NDArray[np.uint8]]] = deque(maxlen=s.stack)
        rows: list[NDArray[np.uint8]] = []
        times: list[tuple[float, float]] = []
        count, end = 0, 0.0
        for window, fields in self._fields(reading):
            end = window.end
            for before, after, field in fields:
                recent.append((before, after, to_integers(field, s.bound)))
                count += 1
                if count >= s.stack and (count - s.stack) % s.hop == 0:
                    rows.append(np.concatenate([part.transpose(2, 0, 1) for _, _, part in recent]))
                    times.append((recent[0][0], after))
            if s.windows and len(rows) >= s.windows:
                break
        if not count:
            return None
        if not rows:
            return Features.missing(self.shape, end)
        kept = s.windows or len(rows)
        return Features(
            np.stack(rows[:kept]).astype(np.float32),
            np.array(times[:kept], np.float32),
            np.ones(len(rows[:kept]), np.bool_),
        )


def grey_square(image: NDArray[np.uint8], side: int, fit: str) -> NDArray[np.uint8]:
    """(h, w, 3) RGB to (side, side) grey; *fit* as of :class:`OpticalFlowSettings`."""
    import cv2

    if fit == "stretch":
        square = resize(image, side, side)
    else:
        square = middle(shorter_side_to(image, side), side)
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(square), cv2.COLOR_RGB2GRAY), np.uint8)


def make_flow(algorithm: str) -> Flow:
    """From two (h, w) grey pictures to (h, w, 2): pixels across (right) and down."""
    import cv2

    if algorithm == "dis":
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        return lambda a, b: np.asarray(dis.calc(a, b, None), np.float32)
    return lambda a, b: np.asarray(
        cv2.calcOpticalFlowFarneback(
            a,
            b,
            None,  # type: ignore[call-overload]
            pyr_scale=0.5,
            levels=4,
            winsize=15,
            iterations=3,
            poly_n=5,
            poly_sigma=1.2,
            flags=0,
        ),
        np.float32,
    )


def flow_statistics(fields: Floats, directions: int) -> Floats:
    """Sum up the fields of a window.

    Args:
        fields: (pairs, h, w, 2) pixels across and down.
        directions: sectors of the histogram.

    Returns:
        (4 + directions,): mean and standard deviation of the magnitude, mean across and down,
        and the share of all movement in each sector; sector k is around 360 k / directions
        degrees, clockwise from the right.
    """
    across, down = fields[..., 0], fields[..., 1]
    magnitude = np.hypot(across, down)
    sector = np.round(np.arctan2(down, across) * (directions / (2 * np.pi))).astype(np.intp)
    shares = np.bincount(
        (sector % directions).ravel(), magnitude.ravel().astype(np.float64), directions
    )
    total = shares.sum()
    head = [magnitude.mean(), magnitude.std(), across.mean(), down.mean()]
    return np.array([*head, *(shares / total if total > 0 else shares)], np.float32)


def to_integers(field: Floats, bound: float) -> NDArray[np.uint8]:
    """Bring pixels from [-bound, bound] to integers from 0 to 255; 128 is no movement."""
    scaled = np.clip(field, -bound, bound) * (127.5 / bound) + 127.5
    return np.asarray(np.floor(scaled + 0.5).clip(0, 255), np.uint8)


@contextmanager
def one_flow_thread() -> Iterator[None]:
    """OpenCV's DIS gives other numbers with another number of threads."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
