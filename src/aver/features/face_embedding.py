"""From crops of faces to the 512-d face embedding and seven expression scores (MATER 2.1.1).

The network is this project's own (see the card of ``face_expression``) where the paper took
FaceNet: mean over a window's frames, then l2-normalised.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import ModelError
from aver.labels import FER2013
from aver.pretrained.session import open_session, require_outputs

FACE_SIDE = 48
"""Pixels of the side of the grey faces that the network takes."""

EMBEDDING = 512
"""Width of the face embedding."""

# Weights of ITU-R BT.601, as every JPEG decoder and OpenCV turn colour into grey.
_LUMA = np.array([[0.299, 0.587, 0.114]], dtype=np.float32) / np.float32(255.0)

# Faces in one run of the network: enough to keep it busy, few enough to keep its buffers small.
_BATCH = 32


def preprocess(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn colour crops into what the network takes.

    Resampled by area (from 96 x 96: the mean of 2 x 2 pixels), grey by ITU-R BT.601. Light and
    contrast are evened out in the network.

    Args:
        crops: (n, side, side, 3) RGB, framed as :mod:`aver.faces` does; side 96 in use.

    Returns:
        (n, 1, 48, 48) grey in [0, 1].

    Raises:
        ValueError: if *crops* has another shape or type.
    """
    if crops.ndim != 4 or crops.shape[3] != 3 or crops.dtype != np.uint8:
        raise ValueError(f"crops must be (n, side, side, 3) uint8, got {crops.shape} {crops.dtype}")
    count, height, width, _ = crops.shape
    if not count:
        return np.empty((0, 1, FACE_SIDE, FACE_SIDE), dtype=np.float32)
    import cv2

    faces = np.empty((count, 1, FACE_SIDE, FACE_SIDE), dtype=np.float32)
    for crop, face in zip(crops, faces, strict=True):
        # Smaller first, then grey: the same to rounding, with a quarter of the sums.
        small = crop.astype(np.float32)
        if (height, width) != (FACE_SIDE, FACE_SIDE):
            small = cv2.resize(small, (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_AREA)
        cv2.transform(small, _LUMA, dst=face[0])
    return faces.clip(0.0, 1.0)


def window_embedding(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over the frames of a window, then l2-normalised (MATER, section 2.1.1).

    Args:
        embeddings: (frames, 512), at least one frame.

    Returns:
        (512,), of length 1; all zero if the mean is.
    """
    if embeddings.ndim != 2 or not len(embeddings):
        raise ValueError(f"need (frames, features) with a frame, got {embeddings.shape}")
    mean = embeddings.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), dtype=np.float32)


class FaceEmbedder:
    """The face network as an ONNX file, on the CPU.

    Args:
        path: ``face_expression.onnx``; None takes the shipped one.
        threads: threads of one run.

    Raises:
        ModelError: if the file is missing, damaged, or another network.
    """

    labels: tuple[str, ...] = FER2013

    def __init__(self, path: str | Path | None = None, *, threads: int = 1):
        if path is None:
            from aver import pretrained

            path = pretrained.path_of("face_expression")
        self.path = Path(path)
        self._session: Any = open_session(path, threads)
        inputs = [entry.name for entry in self._session.get_inputs()]
        outputs = [entry.name for entry in self._session.get_outputs()]
        if inputs != ["faces"] or outputs[:2] != ["embedding", "logits"]:
            raise ModelError(
                path,
                f"takes {inputs} and gives {outputs}, a face network takes ['faces'] and gives "
                "['embedding', 'logits']",
                "Export it with a face_expression recipe",
            )
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, faces: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embed and classify faces that are already grey and small.

        Args:
            faces: (n, 1, 48, 48) grey in [0, 1].

        Returns:
            Embedding (n, 512), not normalised, and logits (n, 7) in the order of labels.FER2013.
        """
        if not len(faces):
            empty = np.empty((0, EMBEDDING), dtype=np.float32)
            return empty, np.empty((0, len(self.labels)), dtype=np.float32)
        parts = [
            self._session.run(["embedding", "logits"], {"faces": faces[n : n + _BATCH]})
            for n in range(0, len(faces), _BATCH)
        ]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def look(
        self, faces: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """What class activation maps are made of (:mod:`aver.inference.explain_maps`).

        Args:
            faces: (n, 1, 48, 48) grey in [0, 1], at least one.

        Returns:
            Logits (n, 7), the last feature maps (n, channels, 6, 6), and the weights (7, channels)
            of the linear layer that reads their averages.

        Raises:
            ModelError: if the file does not give them.
        """
        names = ["logits", "maps", "class_weights"]
        require_outputs(self._session, self.path, names)
        parts = [
            self._session.run(names, {"faces": faces[n : n + _BATCH]})
            for n in range(0, len(faces), _BATCH)
        ]
        return (
            np.concatenate([p[0] for p in parts]),
            np.concatenate([p[1] for p in parts]),
            parts[0][2],
        )

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings (n, 512), not normalised, of crops (n, 96, 96, 3) RGB."""
        return self.run(preprocess(crops))[0]

    def logits(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Scores (n, 7) before softmax, in the order of ``labels``, of crops (n, 96, 96, 3)."""
        return self.run(preprocess(crops))[1]
