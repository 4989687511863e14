"""How a folder is marked as a feature store, and each folder in it with its extractor."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

from aver._version import __version__
from aver.errors import CorpusError
from aver.features.extractor import Extractor
from aver.features.store_shards import PART, write_atomically
from aver.features.store_writer import identity

FORMAT = 1
"""Version of the store's layout that this aver writes and reads."""

HASHES = "hashes.jsonl"

_MARKER = "aver-store.json"
_STALE_SECONDS = 3600.0


def check_store(root: Path) -> None:
    """Raise CorpusError if *root* is another kind of folder, or a store of a newer aver."""
    marker = root / _MARKER
    if not marker.exists():
        if root.exists() and (not root.is_dir() or any(map(_is_foreign, root.iterdir()))):
            raise CorpusError(
                root, "is no feature store, and not empty", "Name another folder as the store"
            )
        return
    try:
        version = int(json.loads(marker.read_text("utf-8"))["format"])
    except (OSError, ValueError, TypeError, KeyError):
        raise CorpusError(
            marker, "cannot be read as the mark of a feature store", "Name another folder"
        ) from None
    if version > FORMAT:
        raise CorpusError(
            root,
            f"was written by a newer aver (store format {version}, this one reads {FORMAT})",
            "Update aver, or name another folder",
        )


def _is_foreign(path: Path) -> bool:
    # What another process may just be writing into a store that it begins.
    return path.name not in (_MARKER, HASHES) and path.suffix != PART


def mark_store(root: Path, folder: Path, extractor: Extractor) -> None:
    """Write the store's mark, and into *folder* what its extractor is.

    Raises:
        OutputError: if they cannot be written.
    """
    if not (root / _MARKER).exists():
        mark = {"format": FORMAT, "aver": __version__}
        write_atomically(root, json.dumps(mark).encode(), _MARKER)
    if not (folder / "extractor.json").exists():
        text = json.dumps(describe(extractor), indent=2)
        write_atomically(folder, text.encode(), "extractor.json")
    _sweep(folder)


def describe(extractor: Extractor) -> dict[str, object]:
    """What is to be known of *extractor* without aver: settings, shape, names of the numbers."""
    names = extractor.names
    return {
        **identity(extractor),
        "modality": extractor.modality,
        "shape": list(extractor.shape),
        "names": None if names is None else list(names),
        "inexact": list(getattr(extractor, "inexact", ())),
        "seen_subjects": sorted(extractor.seen_subjects),
        "aver": __version__,
    }


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed while writing have left."""
    for part in folder.glob(f".*{PART}"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                part.unlink()
