"""From half-second windows of sound to the 512-d voice embedding (MATER, section 2.1.2).

The network is this project's own (see the card of ``voice_expression``) where the paper took
VGGish; its input is VGGish's (:mod:`aver.features.log_mel`), brought to the level of the recording
so far (:mod:`aver.features.voice_level`). Embeddings are l2-normalised, and along a recording
moved by what its voice is like by itself (:mod:`aver.features.voice_centre`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import ModelError
from aver.features.log_mel import BANDS, FRAME_SAMPLES, HOP_SAMPLES, LOG_OFFSET, mel_magnitudes
from aver.features.voice_centre import RunningCentre
from aver.features.voice_level import RunningLevel, window_power
from aver.pretrained.session import open_session, require_outputs

EMBEDDING = 512
"""Width of the voice embedding."""

WINDOW_SAMPLES = 8_000
"""Samples of a window: half a second at 16 kHz."""

FRAMES = 48
"""Frames of a window."""

_BATCH = 64


class VoiceEmbedder:
    """The voice network as an ONNX file.

    Args:
        path: the file; input ``log_mel`` (batch, 48, 64), or of any number of frames; output
            ``embedding`` (batch, 512); its metadata may hold ``centre``, the mean embedding of the
            training voices (JSON list).
        threads: threads of ONNX Runtime.

    Attributes:
        centre: (512,) that mean, or None.
        metadata: text entries of the file.
        any_length: whether windows of other lengths than half a second are taken.

    Raises:
        ModelError: if the file is missing, damaged, or another network.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        self.path = Path(path)
        self._session: Any = open_session(path, threads)
        shapes = {entry.name: entry.shape[1:] for entry in self._session.get_inputs()}
        frames = shapes.get("log_mel", [None])[0]
        self.any_length = isinstance(frames, str)
        outputs = [entry.name for entry in self._session.get_outputs()]
        if (
            shapes != {"log_mel": [frames if self.any_length else FRAMES, BANDS]}
            or "embedding" not in outputs
        ):
            raise ModelError(
                path,
                f"is not a voice network: it takes {shapes} and gives {outputs}",
                "Export it with a voice recipe",
            )
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self.centre: NDArray[np.float32] | None = None
        if "centre" in self.metadata:
            self.centre = np.array(json.loads(self.metadata["centre"]), np.float32)

    def run(self, log_mel: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed windows whose level is already even.

        Args:
            log_mel: (windows, 48, 64), or (windows, 24, 64) where lengths are free.

        Returns:
            (windows, 512) of length 1.
        """
        parts = [
            self._session.run(["embedding"], {"log_mel": log_mel[at : at + _BATCH]})[0]
            for at in range(0, len(log_mel), _BATCH)
        ]
        if not parts:
            return np.zeros((0, EMBEDDING), np.float32)
        raw = np.concatenate(parts)
        length = np.linalg.norm(raw, axis=1, keepdims=True)
        return np.asarray(raw / np.maximum(length, 1e-12), dtype=np.float32)

    def look(self, log_mel: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """What class activation maps are made of (:mod:`aver.inference.explain_maps`).

        Args:
            log_mel: (windows, 48, 64), at least one window.

        Returns:
            Logits (windows, classes), the last feature maps (windows, channels, 3, 4), the lengths
            (windows, 1) of the embeddings before they are brought to 1, and the weights
            (classes, 2 * channels * 4) of both linear layers on mean and maximum over time.

        Raises:
            ModelError: if the file does not give them.
        """
        names = ["logits", "maps", "length", "class_weights"]
        require_outputs(self._session, self.path, names)
        parts = [
            self._session.run(names, {"log_mel": log_mel[n : n + _BATCH]})
            for n in range(0, len(log_mel), _BATCH)
        ]
        return (*(np.concatenate([p[i] for p in parts]) for i in range(3)), parts[0][3])

    def start(self, *, adapt: bool = True, window_samples: int = WINDOW_SAMPLES) -> VoiceStream:
        """A new recording: level and centre of its voice are learned from its own windows.

        Args:
            adapt: whether embeddings are moved by the centre; networks that fuse voices are
                trained on embeddings that are not.
            window_samples: samples of a window: 8,000, or 4,000 where lengths are free (the
                shipped network was trained on half seconds alone).
        """
        return VoiceStream(self, adapt, window_samples)

    def embed_window(self, samples: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Embed one window on its own, as if it were the first of a recording."""
        return self.start().embed_window(samples)


class VoiceStream:
    """The windows of one recording, one after another; see :meth:`VoiceEmbedder.start`.

    Attributes:
        plain: (512,) the last voiced window's embedding before it was moved; None before any.
        log_mel: (frames, 64) of the last voiced window, as the network took it; None before any.
    """

    def __init__(
        self, embedder: VoiceEmbedder, adapt: bool = True, window_samples: int = WINDOW_SAMPLES
    ):
        if window_samples != WINDOW_SAMPLES and not (
            embedder.any_length and window_samples == 4000
        ):
            raise ValueError(f"the network takes no windows of {window_samples} samples")
        self._embedder = embedder
        self._window_samples = window_samples
        # As many as whole quarter seconds hold, the last one continued with silence.
        self._frames = FRAMES * window_samples // WINDOW_SAMPLES
        self.plain: NDArray[np.float32] | None = None
        self.log_mel: NDArray[np.float32] | None = None
        self._level = RunningLevel.start()
        known = adapt and embedder.centre is not None
        self._centre = RunningCentre(embedder.centre) if known else None  # type: ignore[arg-type]

    def embed_window(self, samples: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Embed the next window.

        Args:
            samples: (window_samples,) mono sound at 16 kHz in [-1, 1]; the last window of a
                recording may be shorter, and is continued with silence.

        Returns:
            (512,) of length 1, or None where there is no voice: silence is no evidence.

        Raises:
            ValueError: if there are more samples than a window's.
        """
        if samples.ndim != 1 or len(samples) > self._window_samples:
            raise ValueError(
                f"samples must be (n,) with n <= {self._window_samples}: {samples.shape}"
            )
        needed = FRAME_SAMPLES + (self._frames - 1) * HOP_SAMPLES
        padded = np.pad(samples[:needed], (0, max(0, needed - len(samples))))
        magnitudes = mel_magnitudes(np.nan_to_num(padded, posinf=0.0, neginf=0.0))
        gain, present = self._level.step(window_power(magnitudes)[None])
        if not present[0]:
            return None
        log_mel = np.log(magnitudes * np.float32(gain[0]) + np.float32(LOG_OFFSET))
        embedding = np.asarray(self._embedder.run(log_mel[None])[0])
        self.plain, self.log_mel = embedding, log_mel
        return embedding if self._centre is None else self._centre.step(embedding)
