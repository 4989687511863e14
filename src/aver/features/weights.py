"""Which file a setting names as a network's weights, and what identifies it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from aver import pretrained
from aver.errors import ModelError
from aver.pretrained import CATALOGUE


def weights_path(name: str) -> Path:
    """The file that *name* means: a path, else a name of the model cache.

    Raises:
        ModelError: if it is neither, or the network is not on this machine (with how to get it).
    """
    if name in CATALOGUE:
        return pretrained.path_of(name)
    path = Path(name).expanduser()
    if path.is_file():
        return path
    raise ModelError(
        name, "is neither a file nor a network this version knows", "See: aver models list"
    )


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hex; read again only when the file has changed.

    Raises:
        ModelError: if it cannot be read.
    """
    try:
        facts = path.stat()
        return _hash(path, facts.st_size, facts.st_mtime_ns)
    except OSError as error:
        raise ModelError(path, f"cannot be read ({error.strerror or error})") from error


def seen_by(name: str, shipped: str, metadata: Mapping[str, str]) -> frozenset[str]:
    """The people of known corpora that a network was trained on.

    Args:
        name: of the model cache, or a path.
        shipped: name of the shipped network of the same kind.
        metadata: of the network's file; ``seen_subjects`` holds them as a JSON list.

    Returns:
        What the catalogue says of a *name* it knows; else what the file says; else, since nobody
        knows, what the shipped network has seen.
    """
    if name in CATALOGUE:
        return pretrained.seen_subjects(name)
    try:
        stated = json.loads(metadata.get("seen_subjects", ""))
    except ValueError:
        stated = None
    if isinstance(stated, list):
        return frozenset(str(subject) for subject in stated)
    return pretrained.seen_subjects(shipped)


@lru_cache(maxsize=64)
def _hash(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
