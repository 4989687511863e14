"""Whisper's encoder as an extractor: what a large speech network hears in each window."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aver.features.clip_windows import read_clip_sound, window_times
from aver.features.extractor import Clip, Extractor, Features, register_extractor
from aver.features.layers import LayerSettings, pool_pieces
from aver.features.weights import file_hash, weights_path
from aver.features.whisper import MOST_SAMPLES, STEPS_A_SECOND, Context, SpeechEncoder


class WhisperSettings(LayerSettings):
    """Settings of the extractor ``whisper_encoder``; see also :class:`LayerSettings`.

    Attributes:
        model: ``whisper_tiny_encoder`` (384 wide, 4 blocks), ``whisper_base_encoder`` (512, 6),
            ``whisper_small_encoder`` (768, 12), or the path of another export of the same form.
        context: ``clip`` computes positions for the sound alone, which costs a fraction; ``30s``
            continues it with silence to the 30 s that the network was trained on.
    """

    model: str = "whisper_base_encoder"
    context: Context = "clip"


@register_extractor("whisper_encoder")
class WhisperEncoder(Extractor):
    """Hidden layers of Whisper's encoder, pooled over windows (or the whole clip).

    Trained by its makers to write down speech, on 680,000 hours from the web (Radford et al.
    2022); no emotion label was seen. The weights are not shipped: ``aver models fetch
    whisper_base_encoder``.
    """

    version = 1
    Settings = WhisperSettings
    modality = "sound"
    ignored_settings = frozenset({"model"})

    def __init__(self, settings: WhisperSettings | None = None):
        super().__init__(settings)
        self._encoder: SpeechEncoder | None = None

    @property
    def encoder(self) -> SpeechEncoder:
        """The network, loaded when first needed."""
        if self._encoder is None:
            s = self.settings
            self._encoder = SpeechEncoder(s.model, layers=s.layers, context=s.context)
        return self._encoder

    @property
    def shape(self) -> tuple[int, ...]:
        """(features,)."""
        return (self.settings.width(self.encoder.width),)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """Hash of the weights."""
        return {"weights": file_hash(weights_path(self.settings.model))}

    def extract(self, clip: Clip) -> Features:
        """Values (windows, features); sound beyond 30 s is taken in pieces of 30 s.

        Raises:
            MediaError: if the clip has no sound.
            ModelError: if the network is missing.
        """
        samples, seconds = read_clip_sound(clip)
        pieces = (
            self.encoder.hidden(samples[at : at + MOST_SAMPLES])
            for at in range(0, len(samples), MOST_SAMPLES)
        )
        s = self.settings
        times = window_times(seconds, s.window_seconds, s.windows)
        values = pool_pieces(pieces, times, STEPS_A_SECOND, s)
        return Features(values, times, np.ones(len(times), np.bool_))
