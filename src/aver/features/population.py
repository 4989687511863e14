"""Where the training population's embeddings lie: a small JSON file beside the networks.

``population.json`` holds, for the face and the voice network, the mean and spread of embeddings
over what the fusion network was trained on, and the SHA-256 of the network that gave them: the
statistics of one network say nothing about another. It is made by ``aver train
recipes/population.toml``.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from aver.errors import ModelError, OutputError
from aver.features.person_calibration import Statistics

SCHEMA = "aver.population/1"
FILE = "population.json"
_AGAIN = "Make one with: aver train recipes/population.toml, and put it beside the network"


def population_beside(network: Path, kind: str) -> Statistics:
    """Statistics of *network*'s embeddings over its training population.

    Args:
        network: the ONNX file; ``population.json`` lies beside it.
        kind: ``face`` or ``voice``.

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
        made_for = str(found["sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(file, f"is damaged ({kind}: {error})", _AGAIN) from error
    numbers = np.concatenate([statistics.mean, statistics.spread])
    if statistics.mean.shape != statistics.spread.shape or not np.isfinite(numbers).all():
        raise ModelError(file, f"is damaged ({kind}: mean and spread do not fit)", _AGAIN)
    if made_for != sha256_of(network):
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


def entry(network: Path, statistics: Statistics, data: str) -> dict[str, Any]:
    """One network's part of the file; *data* says in words what it comes from."""
    return {
        "network": network.stem,
        "sha256": sha256_of(network),
        "data": data,
        "windows": statistics.windows,
        "mean": [round(float(x), 6) for x in statistics.mean],
        "spread": [round(float(x), 6) for x in statistics.spread],
    }


def sha256_of(file: Path) -> str:
    """Hash of a file, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
