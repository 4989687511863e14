"""The ONNX networks of the analysis, loaded once and run on the CPU."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aver import pretrained
from aver.errors import ModelError
from aver.pretrained.session import open_session, require_outputs

Floats = NDArray[np.float32]


def locate(name: str | Path) -> Path:
    """The file of a network: a path to an ``.onnx`` file as it is, else a catalogue name's file.

    Raises:
        ModelError: if there is no such network on this machine.
    """
    if str(name).lower().endswith(".onnx"):
        path = Path(name)
        if not path.is_file():
            raise ModelError(path, "there is no such file", "Check the path")
        return path
    return pretrained.path_of(str(name))


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Probabilities over the last axis of ``logits / temperature``."""
    scaled = (logits - logits.max(axis=-1, keepdims=True)) / temperature
    powers = np.exp(scaled)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)


class FusionNetwork:
    """MATER as an ONNX file: windows of face and voice in, three calibrated distributions out.

    The file's metadata carries the labels (JSON list) and one temperature an output, fitted on
    held-out data.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        self.path = Path(path)
        self._session = open_session(path, threads)
        inputs = {entry.name: entry.shape for entry in self._session.get_inputs()}
        expected = {"face", "face_mask", "voice", "voice_mask"}
        if set(inputs) != expected:
            raise ModelError(
                path,
                f"has inputs {sorted(inputs)}, a fusion network has {sorted(expected)}",
                "Export it with a fusion recipe",
            )
        self.windows = int(inputs["face"][1])
        self.dimensions = int(inputs["face"][2])
        metadata = self._session.get_modelmeta().custom_metadata_map
        try:
            self.labels = tuple(json.loads(metadata["labels"]))
            self.temperatures = {
                name: float(metadata.get(f"temperature_{name}", "1"))
                for name in ("fused", "face", "voice")
            }
        except (KeyError, ValueError) as error:
            raise ModelError(
                path, f"lacks its metadata ({error})", "Export it with a fusion recipe"
            ) from error
        self.metadata: dict[str, str] = dict(metadata)
        outputs = [entry.name for entry in self._session.get_outputs()]
        self._attention = {
            branch: [n for n in outputs if n.startswith(f"{branch}_attention_")]
            for branch in ("face", "voice")
        }
        # Tells this file from every other of the same name.
        self.version = hashlib.sha256(self.path.read_bytes()).hexdigest()[:12]

    def __call__(
        self,
        face: Floats,
        face_mask: NDArray[np.bool_],
        voice: Floats,
        voice_mask: NDArray[np.bool_],
    ) -> dict[str, Floats]:
        """Probabilities.

        Args:
            face: (batch, windows, dimensions).
            face_mask: (batch, windows), True where there is a face.
            voice: (batch, windows, dimensions).
            voice_mask: (batch, windows).

        Returns:
            ``fused``, ``face``, ``voice``, each (batch, classes), rows summing to 1.
        """
        return self._run(face, face_mask, voice, voice_mask)[0]

    def attend(
        self,
        face: Floats,
        face_mask: NDArray[np.bool_],
        voice: Floats,
        voice_mask: NDArray[np.bool_],
    ) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Like a call, and the attention weights of every layer.

        Returns:
            The probabilities, and ``face`` and ``voice``, each
            (layers, batch, heads, windows, windows), rows adding up to 1.

        Raises:
            ModelError: if the file does not give them.
        """
        names = [names[0] if names else f"{b}_attention_0" for b, names in self._attention.items()]
        require_outputs(self._session, self.path, names)
        scores, found = self._run(
            face, face_mask, voice, voice_mask, [n for b in self._attention.values() for n in b]
        )
        faces = len(self._attention["face"])
        return scores, {"face": np.stack(found[:faces]), "voice": np.stack(found[faces:])}

    def _run(
        self,
        face: Floats,
        face_mask: NDArray[np.bool_],
        voice: Floats,
        voice_mask: NDArray[np.bool_],
        further: Sequence[str] = (),
    ) -> tuple[dict[str, Floats], list[Floats]]:
        """Probabilities, and the outputs *further*."""
        fused, of_face, of_voice, *others = self._session.run(
            ["fused", "face_logits", "voice_logits", *further],
            {"face": face, "face_mask": face_mask, "voice": voice, "voice_mask": voice_mask},
        )
        # A fused distribution with one modality alone is that modality's own, and is calibrated
        # as such.
        temperature = np.where(
            face_mask.any(1) & voice_mask.any(1),
            self.temperatures["fused"],
            np.where(face_mask.any(1), self.temperatures["face"], self.temperatures["voice"]),
        )[:, None]
        return {
            "fused": softmax(fused / temperature),
            "face": softmax(of_face, self.temperatures["face"]),
            "voice": softmax(of_voice, self.temperatures["voice"]),
        }, others
