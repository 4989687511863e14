"""VGGish as an extractor (Hershey et al. 2017; MATER, section 2.1.2).

MATER takes the output of the last convolution, 512 channels, for windows of 48 or 24 frames; the
network's own 128-d embedding is there for windows of 96 frames (0.96 s), which its linear layers
were trained on, raw or rotated and quantised as AudioSet's released embeddings are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aver.errors import ModelError
from aver.features.clip_windows import read_clip_sound, window_times
from aver.features.extractor import Clip, Extractor, ExtractorSettings, Features, register_extractor
from aver.features.log_mel import FRAME_SAMPLES, HOP_SAMPLES, log_mel, window_log_mel
from aver.features.onnx_network import OnnxNetwork
from aver.features.weights import file_hash

Floats = NDArray[np.float32]

CHANNELS, EMBEDDING, FRAMES = 512, 128, 96

QUANTISED_RANGE = 2.0
"""The rotated embedding is clipped to plus or minus this before it is quantised to 8 bits."""

_PCA_HELP = (
    "Download https://storage.googleapis.com/audioset/vggish_pca_params.npz and name it as pca"
)


class VGGishSettings(ExtractorSettings):
    """Settings of the extractor ``vggish``.

    Attributes:
        output: ``convolution``, the last convolution pooled over its positions (512), or
            ``embedding`` (128), for windows of 0.96 s alone.
        window_seconds: 0.25 (24 frames), 0.5 (48) or 0.96 (96).
        windows: windows kept from the clip's start, at most; 0 for all.
        pooling: ``mean`` or ``max`` over the positions of the convolution.
        pca: ``vggish_pca_params.npz`` as Google publishes it: embeddings are then rotated to
            their principal components, whitened, clipped and quantised to 0 to 255, as AudioSet's
            are; empty for the raw embedding.
        network: name or path of the convolutions.
        linear_layers: name or path of what follows them.
    """

    output: Literal["convolution", "embedding"] = "convolution"
    window_seconds: float = 0.5
    windows: int = Field(0, ge=0)
    pooling: Literal["mean", "max"] = "mean"
    pca: str = ""
    network: str = "vggish"
    linear_layers: str = "vggish_embedding"

    @model_validator(mode="after")
    def _embedding_takes_096(self) -> VGGishSettings:
        if self.window_seconds not in (0.25, 0.5, 0.96):
            raise ValueError("window_seconds is neither 0.25, 0.5 nor 0.96")
        if self.output == "embedding" and self.window_seconds != 0.96:
            raise ValueError("the embedding is of windows of 0.96 s alone: set window_seconds 0.96")
        if self.output != "embedding" and self.pca:
            raise ValueError("pca rotates the embedding alone: set output to embedding")
        return self


@register_extractor("vggish")
class VGGishExtractor(Extractor):
    """What VGGish hears in each window.

    The input is :mod:`aver.features.log_mel`, at the recording's own level. The weights are not
    shipped: ``aver models convert vggish``. The last window is continued with silence, where the
    authors' own code leaves out what does not fill 0.96 s.
    """

    version = 1
    Settings = VGGishSettings
    modality = "sound"
    ignored_settings = frozenset({"network", "linear_layers", "pca"})

    def __init__(self, settings: VGGishSettings | None = None):
        super().__init__(settings)
        s = self.settings
        self._convolutions = OnnxNetwork(s.network, "vggish", "log_mel", "features")
        self._linear = OnnxNetwork(s.linear_layers, "vggish_embedding", "features", "embedding")

    @property
    def shape(self) -> tuple[int, ...]:
        """(512,) or (128,)."""
        return (CHANNELS if self.settings.output == "convolution" else EMBEDDING,)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """Hashes of the weights."""
        found = {"network": self._convolutions.hash()}
        if self.settings.output == "embedding":
            found["linear_layers"] = self._linear.hash()
        if self.settings.pca:
            found["pca"] = file_hash(Path(self.settings.pca))
        return found

    def extract(self, clip: Clip) -> Features:
        """Values (windows, 512) or (windows, 128).

        Raises:
            MediaError: if the clip has no sound.
            ModelError: if weights are missing, or others.
        """
        s = self.settings
        samples, seconds = read_clip_sound(clip)
        times = window_times(seconds, s.window_seconds, s.windows)
        features = self._convolutions(vggish_input(samples, s.window_seconds, len(times)))
        if s.output == "embedding":
            values = self._linear(features)
            if s.pca:
                values = postprocess(values, *_read_pca(Path(s.pca)))
        else:
            values = features.mean((2, 3)) if s.pooling == "mean" else features.max((2, 3))
        return Features(values.astype(np.float32), times, np.ones(len(times), np.bool_))


def vggish_input(samples: Floats, window_seconds: float, windows: int) -> Floats:
    """(windows, frames, 64) log-mel of (n,) sound at 16 kHz.

    Windows of 0.25 and 0.5 s each stand alone; those of 0.96 s are cut from the spectrogram of
    the whole clip, as the authors do, so that their last frames reach into the next window.
    """
    if window_seconds == 0.96:
        needed = windows * FRAMES * HOP_SAMPLES + FRAME_SAMPLES - HOP_SAMPLES
        padded = np.pad(samples, (0, max(0, needed - len(samples))))
        return log_mel(padded[:needed]).reshape(windows, FRAMES, -1)
    length = round(window_seconds * 16_000)
    padded = np.pad(samples, (0, max(0, windows * length - len(samples))))
    return np.stack([window_log_mel(padded[k * length :][:length]) for k in range(windows)])


def postprocess(
    embeddings: Floats, eigenvectors: NDArray[np.float64], means: NDArray[np.float64]
) -> Floats:
    """Rotate, whiten, clip to [-2, 2] and quantise to 0 to 255, as AudioSet's embeddings are.

    Args:
        embeddings: (n, 128) raw.
        eigenvectors: (128, 128), a component a row.
        means: (128,) or (128, 1).
    """
    rotated = (embeddings - means.reshape(-1)) @ eigenvectors.T
    clipped = np.clip(rotated, -QUANTISED_RANGE, QUANTISED_RANGE)
    steps = (clipped + QUANTISED_RANGE) * (255.0 / (2 * QUANTISED_RANGE))
    return np.asarray(np.round(steps), np.float32)


def _read_pca(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = np.array(stored["pca_eigen_vectors"]), np.array(stored["pca_means"])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ModelError(path, f"holds no PCA of VGGish's ({error})", _PCA_HELP) from None
    if found[0].shape != (EMBEDDING, EMBEDDING) or found[1].size != EMBEDDING:
        raise ModelError(path, f"holds a PCA of shape {found[0].shape}", _PCA_HELP)
    return found
