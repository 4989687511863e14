"""Sound of a clip, and its windows: what every extractor of sound begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aver.errors import MediaError
from aver.features.extractor import Clip, ExtractorSettings, Features
from aver.features.sound_parts import sound_parts
from aver.media import SAMPLE_RATE

_SLIVER_SECONDS = 1e-3


class WindowSettings(ExtractorSettings):
    """How a clip is cut into windows.

    Attributes:
        window_seconds: length of a window; 0 takes the whole clip as one.
        hop_seconds: from the start of one window to the next; 0 for the window's length.
        windows: at most so many, from the clip's start; 0 for all.
    """

    window_seconds: float = Field(0.0, ge=0, allow_inf_nan=False)
    hop_seconds: float = Field(0.0, ge=0, allow_inf_nan=False)
    windows: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _windows_need_a_length(self) -> WindowSettings:
        if not self.window_seconds and (self.hop_seconds or self.windows):
            raise ValueError("hop_seconds and windows need window_seconds above 0")
        return self


@dataclass(frozen=True)
class Sound:
    """Mono sound of a clip.

    Attributes:
        samples: float32 (n,), full scale at 1.
        rate: samples a second.
    """

    samples: NDArray[np.float32]
    rate: int = SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.samples) / self.rate


def read_sound(clip: Clip) -> Sound:
    """The sound of *clip* at 16 kHz, to its last sample; gaps in the recording are silence.

    Clips that follow one another in a file are read in one go, see
    :mod:`aver.features.sound_parts`.

    Raises:
        MediaError: if the file cannot be read, holds no sound, or ends before the clip starts.
    """
    return Sound(np.concatenate(list(sound_parts(clip))))


def window_spans(seconds: float, settings: WindowSettings) -> NDArray[np.float64]:
    """Where the windows of a clip lie.

    The last window may reach beyond the clip's end; windows that would bring less than a
    millisecond of new sound are left out.

    Args:
        seconds: length of the clip.
        settings: how it is cut.

    Returns:
        (windows, 2) start and end in seconds from the clip's start; at least one.
    """
    length = settings.window_seconds
    if not length:
        return np.array([[0.0, seconds]])
    hop = settings.hop_seconds or length
    beyond = seconds - length - _SLIVER_SECONDS
    count = 1 + max(0, int(np.ceil(beyond / hop - 1e-9)))
    if hop > length:  # a window that would start after the end is none
        count = min(count, 1 + int((seconds - _SLIVER_SECONDS) / hop))
    if settings.windows:
        count = min(count, settings.windows)
    starts = np.arange(count) * hop
    return np.stack([starts, starts + length], axis=1)


def cut(sound: Sound, settings: WindowSettings, *, pad: bool = True) -> list[NDArray[np.float32]]:
    """The samples of each of :func:`window_spans`' windows.

    Args:
        sound: of the clip.
        settings: how it is cut.
        pad: whether a window that reaches beyond the end is continued with zeros.
    """
    if not settings.window_seconds:
        return [sound.samples]
    length = round(settings.window_seconds * sound.rate)
    parts = []
    for start in window_spans(sound.seconds, settings)[:, 0]:
        at = round(start * sound.rate)
        part = sound.samples[at : at + length]
        parts.append(np.pad(part, (0, length - len(part))) if pad else part)
    return parts


def window_features(
    values: list[NDArray[Any]] | NDArray[Any],
    sound: Sound,
    settings: WindowSettings,
    present: NDArray[np.bool_] | None = None,
) -> Features:
    """Features of the windows of a clip; their times end with the clip."""
    spans = np.minimum(window_spans(sound.seconds, settings), sound.seconds).astype(np.float32)
    stacked = np.asarray(np.stack(list(values)), np.float32)
    return Features(stacked, spans, np.ones(len(spans), np.bool_) if present is None else present)


def mean_by_window(
    frames: NDArray[np.floating[Any]],
    centres: NDArray[np.float64],
    sound: Sound,
    settings: WindowSettings,
) -> Features:
    """Mean of *frames* (frames, *shape) over the windows in which their *centres* lie.

    Centres are in seconds, rising. A window without a frame is not present.
    """
    spans = window_spans(sound.seconds, settings)
    values = np.zeros((len(spans), *frames.shape[1:]), np.float32)
    present = np.zeros(len(spans), np.bool_)
    first, last = np.searchsorted(centres, spans).T
    if not settings.window_seconds:
        last[:] = len(frames)  # the last centred frame may lie on the clip's very end
    for row in np.flatnonzero(last > first):
        values[row], present[row] = frames[first[row] : last[row]].mean(axis=0), True
    return window_features(values, sound, settings, present)


def read_native(clip: Clip) -> Sound:
    """The sound of *clip* mixed to mono at the file's own rate, as it is decoded.

    Gaps and overlaps in the time stamps are not mended: made for short clips.

    Raises:
        MediaError: as :func:`read_sound`; also if the rate changes on the way.
    """
    from aver.media.decode import Track
    from aver.media.demux import Decoding
    from aver.media.kinds import MediaLimits
    from aver.media.sound import mix_weights, to_mono
    from aver.media.source import open_recording

    class NativeTrack(Track):
        """Keeps decoded sound as it is."""

        def __init__(self, stream: Any) -> None:
            super().__init__(stream)
            self.parts: list[NDArray[np.float32]] = []
            self.rates: set[int] = set()

        def receive(self, frame: Any) -> None:
            self.received += 1
            if frame.samples and not frame.is_corrupt:
                weights = mix_weights([channel.name for channel in frame.layout.channels])
                self.parts.append(to_mono(frame, weights))
                self.rates.add(frame.sample_rate)

    limits = MediaLimits()
    recording = open_recording(clip.file, limits, picture=False)
    track = NativeTrack(recording.audio)
    decoding = Decoding(recording, [track], limits)
    try:
        while not track.done:
            decoding.advance(track)
    finally:
        decoding.close()
    if len(track.rates) != 1:
        problem = "its sample rate changes on the way" if track.rates else "no sound in it decodes"
        raise MediaError(clip.file, problem, "Convert it to WAV first")
    rate = track.rates.pop()
    samples = np.concatenate(track.parts)
    last = None if clip.end is None else round(clip.end * rate)
    samples = samples[round(clip.first * rate) : last]
    if not len(samples):
        raise MediaError(
            clip.file, f"ends before {clip.first:g} s", "Correct start and end in the manifest"
        )
    return Sound(samples, rate)
