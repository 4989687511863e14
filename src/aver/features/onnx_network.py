"""A network with one input and one output as an ONNX file, as ``aver models convert`` writes it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver import pretrained
from aver.errors import ModelError
from aver.features.weights import file_hash, weights_path
from aver.pretrained import CATALOGUE
from aver.pretrained.session import open_session

Floats = NDArray[np.float32]

_BATCH = 16


class OnnxNetwork:
    """The network, loaded when first needed.

    Args:
        name: a path, or a name of the model cache.
        kind: which network it must be: a name of the catalogue.
        takes: name of its input.
        gives: name of its output.
        batch: rows in one run.
    """

    def __init__(self, name: str, kind: str, takes: str, gives: str, batch: int = _BATCH):
        self.name, self.kind, self.batch = name, kind, batch
        self._takes, self._gives = takes, gives
        self._session: Any = None

    def hash(self) -> str:
        """SHA-256 of its file in hex.

        Raises:
            ModelError: if it is not on this machine; the message says how to get it.
        """
        return file_hash(weights_path(self.name))

    def load(self) -> None:
        """Open the file now rather than with the first rows.

        Raises:
            ModelError: if it is not on this machine, damaged, or another network.
        """
        if self._session is None:
            self._session = self._open()

    def __call__(self, rows: Floats) -> Floats:
        """(n, ...) to (n, ...).

        Raises:
            ModelError: if it is not on this machine, damaged, or another network.
        """
        self.load()
        parts = [
            self._session.run([self._gives], {self._takes: rows[at : at + self.batch]})[0]
            for at in range(0, len(rows), self.batch)
        ]
        return np.asarray(np.concatenate(parts), np.float32)

    def _open(self) -> Any:
        path = weights_path(self.name)
        session = open_session(path)
        inputs = [entry.name for entry in session.get_inputs()]
        outputs = [entry.name for entry in session.get_outputs()]
        stated = session.get_modelmeta().custom_metadata_map.get("network", self.kind)
        if inputs != [self._takes] or self._gives not in outputs or stated != self.kind:
            known = self.kind in CATALOGUE
            raise ModelError(
                path,
                f"is not {self.kind}: it takes {inputs} and gives {outputs}",
                pretrained.how_to_get(self.kind) if known else "",
            )
        return session
