"""VGGish's log-mel spectrogram as an extractor: MATER's windows, or frames of the whole clip."""

from __future__ import annotations

import numpy as np
from pydantic import field_validator

from aver.errors import MediaError
from aver.features.extractor import Clip, Extractor, Features, register_extractor
from aver.features.log_mel import (
    BANDS,
    FRAME_SAMPLES,
    HOP_SAMPLES,
    log_mel,
    window_log_mel,
)
from aver.features.windows import WindowSettings, cut, read_sound, window_features
from aver.media import SAMPLE_RATE

_BLOCK = 8192


class LogMelSettings(WindowSettings):
    """Windows of log-mel frames.

    Attributes:
        window_seconds: 0.5 or 0.25 as MATER, or any whole number of quarter seconds; 0 gives the
            frames of the whole clip one by one.
    """

    window_seconds: float = 0.5

    @field_validator("window_seconds")
    @classmethod
    def _whole_quarters(cls, value: float) -> float:
        if not (value >= 0 and value * 4 == round(value * 4)):
            raise ValueError("must be a whole number of quarter seconds, as 0.5 and 0.25 are")
        return value


@register_extractor("log_mel")
class LogMel(Extractor):
    """64 log-mel bands every 10 ms (:mod:`aver.features.log_mel`; MATER, section 2.1.2).

    In windows: (windows, 48, 64) for half a second, (windows, 24, 64) for a quarter, the last
    window continued with silence. Of the whole clip: (frames, 64), each frame 25 ms long.
    """

    version = 1
    Settings = LogMelSettings
    modality = "sound"

    @property
    def shape(self) -> tuple[int, ...]:
        """``(24 * quarters, 64)``, or ``(64,)`` for the whole clip."""
        quarters = round(self.settings.window_seconds * 4)
        return (24 * quarters, BANDS) if quarters else (BANDS,)

    def extract(self, clip: Clip) -> Features:
        """Transform the sound of one clip."""
        sound = read_sound(clip)
        if self.settings.window_seconds:
            parts = [window_log_mel(part) for part in cut(sound, self.settings)]
            return window_features(parts, sound, self.settings)
        # Frame by frame the same, but in blocks, so that a film fits into memory.
        step = _BLOCK * HOP_SAMPLES
        ends = range(0, max(1, len(sound.samples)), step)
        blocks = [sound.samples[at : at + step + FRAME_SAMPLES - HOP_SAMPLES] for at in ends]
        frames = np.concatenate([log_mel(block) for block in blocks])
        if not len(frames):
            raise MediaError(clip.file, f"its sound lasts {sound.seconds:.3f} s, less than 25 ms")
        starts = np.arange(len(frames)) * HOP_SAMPLES / SAMPLE_RATE
        times = np.stack([starts, starts + FRAME_SAMPLES / SAMPLE_RATE], axis=1)
        return Features(frames, times.astype(np.float32), np.ones(len(frames), np.bool_))
