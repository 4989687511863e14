"""The sound itself, in windows: for networks that begin with the waveform."""

from __future__ import annotations

from pydantic import Field

from aver.features.extractor import Clip, Extractor, Features, register_extractor
from aver.features.windows import WindowSettings, cut, read_sound, window_features
from aver.media import SAMPLE_RATE


class WaveformSettings(WindowSettings):
    """Windows of sound; a fixed number of samples each, so a length is needed.

    Attributes:
        window_seconds: length of a window.
    """

    window_seconds: float = Field(0.5, gt=0, allow_inf_nan=False)


@register_extractor("waveform")
class Waveform(Extractor):
    """16 kHz mono sound in [-1, 1]: (windows, samples), the last window continued with zeros."""

    version = 1
    Settings = WaveformSettings
    modality = "sound"

    @property
    def shape(self) -> tuple[int, ...]:
        """``(window_seconds * 16000,)``."""
        return (round(self.settings.window_seconds * SAMPLE_RATE),)

    def extract(self, clip: Clip) -> Features:
        """Read the sound of one clip."""
        sound = read_sound(clip)
        return window_features(cut(sound, self.settings), sound, self.settings)
