"""The shipped voice network as an extractor: what half a second of voice expresses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import Field, field_validator

from aver.errors import SettingError
from aver.features.clip_windows import read_clip_sound, window_times
from aver.features.extractor import Clip, Extractor, ExtractorSettings, Features, register_extractor
from aver.features.voice_embedding import EMBEDDING, VoiceEmbedder
from aver.features.weights import file_hash, seen_by, weights_path
from aver.media import SAMPLE_RATE


class VoiceExpressionExtractorSettings(ExtractorSettings):
    """Settings of the extractor ``voice_expression``.

    Attributes:
        network: name or path of the voice network.
        window_seconds: 0.5, what the shipped network was trained on, or 0.25, which it takes too.
        windows: windows kept from the clip's start, at most; 0 for all.
        adapt: move embeddings along the clip by what its voice is like by itself; networks that
            fuse voices are trained on embeddings that are not moved.
    """

    network: str = "voice_expression"
    window_seconds: float = 0.5
    windows: int = Field(0, ge=0)
    adapt: bool = False

    @field_validator("window_seconds")
    @classmethod
    def _a_length_it_takes(cls, value: float) -> float:
        if value not in (0.25, 0.5):
            raise ValueError("is neither 0.5 nor 0.25")
        return value


@register_extractor("voice_expression")
class VoiceExpression(Extractor):
    """512-d embeddings of length 1, one a window (MATER, section 2.1.2); see the network's card.

    A window without a voice is not present. The level of each window is brought to that of the
    clip so far (:mod:`aver.features.voice_level`), as the analysis does.
    """

    version = 1
    Settings = VoiceExpressionExtractorSettings
    modality = "sound"
    ignored_settings = frozenset({"network"})

    def __init__(self, settings: VoiceExpressionExtractorSettings | None = None):
        super().__init__(settings)
        self._embedder: VoiceEmbedder | None = None

    @property
    def embedder(self) -> VoiceEmbedder:
        """The network, loaded when first needed."""
        if self._embedder is None:
            path = weights_path(self.settings.network)
            embedder = VoiceEmbedder(path)
            if self.settings.window_seconds != 0.5 and not embedder.any_length:
                raise SettingError(
                    "window_seconds",
                    f"is {self.settings.window_seconds:g}, and {path} takes windows of 0.5 s alone",
                    "Use 0.5, or export the network again",
                )
            self._embedder = embedder
        return self._embedder

    @property
    def shape(self) -> tuple[int, ...]:
        """(512,)."""
        return (EMBEDDING,)

    @property
    def seen_subjects(self) -> frozenset[str]:
        """Whom the network was trained on; see :func:`aver.features.weights.seen_by`."""
        return seen_by(self.settings.network, "voice_expression", self.embedder.metadata)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """Hash of the network."""
        return {"network": file_hash(weights_path(self.settings.network))}

    def extract(self, clip: Clip) -> Features:
        """Values (windows, 512).

        Raises:
            MediaError: if the clip has no sound.
            ModelError: if the network is missing or another one.
            SettingError: if the network takes no windows of that length.
        """
        s = self.settings
        length = round(s.window_seconds * SAMPLE_RATE)
        stream = self.embedder.start(adapt=s.adapt, window_samples=length)
        samples, seconds = read_clip_sound(clip)
        times = window_times(seconds, s.window_seconds, s.windows)
        values = np.zeros((len(times), EMBEDDING), np.float32)
        present = np.zeros(len(times), np.bool_)
        for k in range(len(times)):
            embedding = stream.embed_window(samples[k * length : (k + 1) * length])
            if embedding is not None:
                values[k], present[k] = embedding, True
        return Features(values, times, present)
