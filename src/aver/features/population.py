"""Where the training population's embeddings lie: a small JSON file beside the networks.

``population.json`` holds, for the face and the voice network, the mean and spread of embeddings
over what the fusion network was trained on, and what the network answers to a fixed input: the
statistics of one network say nothing about another, and an answer, unlike a hash of the file,
stays when the same network is exported anew. It is made by ``aver train recipes/population.toml``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import ModelError, OutputError
from aver.features.face_embedding import FACE_SIDE, FaceEmbedder
from aver.features.log_mel import BANDS
from aver.features.person_calibration import Statistics
from aver.features.voice_embedding import FRAMES, VoiceEmbedder

SCHEMA = "aver.population/1"
FILE = "population.json"
# Cosine of a network's answers on different machines; of two networks' it is far below.
_SAME = 0.999
_AGAIN = "Make one with: aver train recipes/population.toml, and put it beside the network"


def probe_face(embedder: FaceEmbedder) -> NDArray[np.float64]:
    """(512,) the network's answer to a fixed picture, of length 1."""
    steps = np.arange(FACE_SIDE * FACE_SIDE, dtype=np.float64)
    picture = (0.5 + 0.5 * np.sin(steps * 0.37)).reshape(1, 1, FACE_SIDE, FACE_SIDE)
    return _unit(embedder.run(picture.astype(np.float32))[0][0])


def probe_voice(embedder: VoiceEmbedder) -> NDArray[np.float64]:
    """(512,) the network's answer to a fixed sound, of length 1."""
    steps = np.arange(FRAMES * BANDS, dtype=np.float64)
    sound = (2 * np.sin(steps * 0.37)).reshape(1, FRAMES, BANDS)
    return _unit(embedder.run(sound.astype(np.float32))[0])


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float64]:
    return vector.astype(np.float64) / max(float(np.linalg.norm(vector)), 1e-12)


def population_beside(network: Path, kind: str, probe: NDArray[np.float64]) -> Statistics:
    """Statistics of *network*'s embeddings over its training population.

    Args:
        network: the ONNX file; ``population.json`` lies beside it.
        kind: ``face`` or ``voice``.
        probe: the network's answer, :func:`probe_face` or :func:`probe_voice`.

    Raises:
        ModelError: if the file is missing or damaged, or was made for another network.
    """
    file = network.parent / FILE
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            network, f"there is no {FILE} beside it, which calibration needs", _AGAIN
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(file, f"cannot be read ({error})", _AGAIN) from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ModelError(file, f"is not of the schema {SCHEMA}", _AGAIN)
    try:
        found = content[kind]
        statistics = Statistics(
            np.array(found["mean"], np.float64),
            np.array(found["spread"], np.float64),
            int(found["windows"]),
        )
        answer = np.array(found["probe"], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(file, f"is damaged ({kind}: {error})", _AGAIN) from error
    numbers = np.concatenate([statistics.mean, statistics.spread])
    if statistics.mean.shape != statistics.spread.shape or not np.isfinite(numbers).all():
        raise ModelError(file, f"is damaged ({kind}: mean and spread do not fit)", _AGAIN)
    if answer.shape != probe.shape or float(answer @ probe) < _SAME:
        raise ModelError(network, f"{file} was made for another {kind} network", _AGAIN)
    return statistics


def write_population(file: Path, entries: dict[str, dict[str, Any]]) -> None:
    """Write ``population.json``: beside its final name, then renamed.

    Args:
        file: where to.
        entries: ``face`` and ``voice``, each as :func:`entry` makes it.

    Raises:
        OutputError: if it cannot be written.
    """
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_text(json.dumps({"schema": SCHEMA, **entries}) + "\n", encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OutputError(file, f"cannot be written ({error.strerror})", "Free space") from error


def entry(
    network: Path, statistics: Statistics, probe: NDArray[np.float64], data: str
) -> dict[str, Any]:
    """One network's part of the file; *data* says in words what it comes from."""
    return {
        "network": network.stem,
        "data": data,
        "windows": statistics.windows,
        "mean": [round(float(x), 6) for x in statistics.mean],
        "spread": [round(float(x), 6) for x in statistics.spread],
        "probe": [round(float(x), 5) for x in probe],
    }
