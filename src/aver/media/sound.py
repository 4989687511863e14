"""Sound: mixed down to one channel, resampled to 16 kHz, placed on the recording's clock."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from aver.media.kinds import SAMPLE_RATE

JITTER_SECONDS = 0.04
"""Time stamps that stray no further than this from the count of samples are taken for jitter."""
RATES = (2_000, 1_000_000)
"""Sample rates in Hz that are read."""

# ITU-R BS.775-4, table 2: mono downmix of 3/2 sound; further surround channels like the nearest.
_MIX = dict.fromkeys(["FL", "FR", "FLC", "FRC"], 0.5**0.5) | dict.fromkeys(
    ["BL", "BR", "BC", "SL", "SR", "TFL", "TFR", "TFC", "TBL", "TBR", "TBC", "TC", "WL", "WR"], 0.5
)
_MIX["FC"] = 1.0
_FULL_SCALE = {"u8": 128.0, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63}


def mix_weights(channels: list[str]) -> NDArray[np.float32]:
    """Weights that mix *channels* (FFmpeg's names: FL, FR, FC, LFE, ...) down to one.

    The mono downmix of ITU-R BS.775-4, scaled so that the weights sum to one and nothing can
    clip: stereo is the mean of both channels, the low frequency effects channel is left out.
    Layouts that name none of these channels are averaged.

    Returns:
        float32 (channels,), non-negative, sum 1.
    """
    weights = np.array([_MIX.get(name, 0.0) for name in channels], np.float32)
    if weights.sum() == 0:
        weights = np.ones(len(channels), np.float32)
    return np.asarray(weights / weights.sum(), np.float32)


def to_mono(frame: Any, weights: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Mix a decoded PyAV audio frame down to float32 (samples,) in [-1, 1]."""
    kind = frame.format.name.removesuffix("p")
    raw = frame.to_ndarray()
    channels = len(frame.layout.channels)
    if channels > 1:
        if not frame.format.is_planar:
            raw = raw.reshape(-1, channels).T
        if weights is None:
            weights = mix_weights([channel.name for channel in frame.layout.channels])
        sound = weights @ raw.astype(np.float32)
    else:
        sound = raw.reshape(-1).astype(np.float32)
    if kind == "u8":
        sound = sound - 128.0
    if kind in _FULL_SCALE:
        sound = sound / np.float32(_FULL_SCALE[kind])
    elif not np.isfinite(sound.sum()):
        sound = np.nan_to_num(sound, nan=0.0, posinf=1.0, neginf=-1.0)
    return np.asarray(sound, np.float32)


class SoundClock:
    """Places resampled sound on a grid of 16 kHz samples counted from time zero of the file.

    Sound whose time stamps agree with the count of samples (within ``JITTER_SECONDS``) runs on
    without a seam; a jump starts a new run at its own time: a gap stays empty, an overlap is cut.
    """

    def __init__(self) -> None:
        self._pieces: deque[tuple[int, NDArray[np.float32]]] = deque()
        self._resampler: soxr.ResampleStream | None = None
        self._rate = 0
        self._run_time = 0.0
        self._run_in = 0
        self._run_index = 0
        self._running = False
        self.first: float | None = None
        self.end_index: int | None = None
        self.gap_seconds = 0.0
        self.gap_start = 0.0

    @property
    def end(self) -> float:
        """Seconds up to which sound has been placed."""
        return -np.inf if self.end_index is None else self.end_index / SAMPLE_RATE

    @property
    def held_samples(self) -> int:
        """Number of samples waiting to be taken."""
        return sum(len(piece) for _, piece in self._pieces)

    def push(self, sound: NDArray[np.float32], rate: int, time: float | None) -> None:
        """Add *sound* (samples,) of *rate* Hz that starts at *time* seconds, None: follows on."""
        due = self._run_time + self._run_in / self._rate if self._running else None
        if time is None:
            time = due if due is not None else max(0.0, self.end)
        if due is None or rate != self._rate or abs(time - due) > JITTER_SECONDS:
            self.finish()
            self._start_run(rate, time)
        self._run_in += len(sound)
        if self._resampler is None:
            self._place(sound)
        else:
            self._place(self._resampler.resample_chunk(sound))

    def finish(self) -> None:
        """Bring out what the resampler still holds; the next push starts a new run."""
        if self._running and self._resampler is not None:
            self._place(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        self._running = False

    def take(self, start_index: int, count: int) -> NDArray[np.float32] | None:
        """Cut samples ``[start_index, start_index + count)`` out, None where there are none."""
        stop = start_index + count
        window: NDArray[np.float32] | None = None
        while self._pieces and self._pieces[0][0] < stop:
            index, piece = self._pieces.popleft()
            inside = piece[max(0, start_index - index) : stop - index]
            if len(inside):
                if window is None:
                    window = np.zeros(count, np.float32)
                at = max(index, start_index) - start_index
                window[at : at + len(inside)] = inside
            if index + len(piece) > stop:
                self._pieces.appendleft((stop, piece[stop - index :]))
                break
        return window

    def _start_run(self, rate: int, time: float) -> None:
        self._rate, self._run_time, self._run_in = rate, time, 0
        self._run_index = round(time * SAMPLE_RATE)
        self._running = True
        self._resampler = (
            None
            if rate == SAMPLE_RATE
            else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
        )

    def _place(self, sound: NDArray[np.float32]) -> None:
        index = self._run_index
        self._run_index += len(sound)
        if self.end_index is not None and index < self.end_index:
            sound = sound[self.end_index - index :]
            index = self.end_index
        if not len(sound):
            return
        if self.first is None:
            self.first = index / SAMPLE_RATE
        elif self.end_index is not None and index > self.end_index:
            self.gap_start = self.gap_start if self.gap_seconds else self.end
            self.gap_seconds += (index - self.end_index) / SAMPLE_RATE
        self._pieces.append((index, np.clip(sound, -1.0, 1.0)))
        self.end_index = index + len(sound)
