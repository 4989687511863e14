"""Files that a bench run reads, and their hash."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from aver.errors import OutputError
from aver.evaluation.results import hash_files
from aver.features.extractor import Extractor

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into one line about *path*; a half-written file beside goes.

    Raises:
        OutputError: if the disk is full or read-only, say.
    """
    try:
        yield
    except OSError as error:
        with suppress(OSError):
            path.with_name(f".{path.name}.{os.getpid()}").unlink(missing_ok=True)
        problem = f"cannot be written ({error.strerror or error})"
        raise OutputError(path, problem, "Check the folder and the disk") from error


def labelling(folder: Path, items: Iterable[str], labels: Iterable[str], data: str) -> str:
    """What keeps scores apart that were learned from other labels of the same files.

    Labels may stand in a table of their own (``labels.csv``), which is none of the hashed files.
    The first labels that are met are remembered in *folder*.

    Args:
        folder: of the scores.
        items: names of the clips.
        labels: what each is labelled, and whose it is.
        data: hash of the files.

    Returns:
        Empty for the labels that were met first, else their hash.
    """
    digest = hashlib.sha256("\n".join(labels).encode()).hexdigest()
    about = hashlib.sha256("\n".join([data, *items]).encode()).hexdigest()[:32]
    file = folder / f"labels-{about}.txt"
    if file.is_file():
        return "" if file.read_text(encoding="utf-8") == digest else digest
    write_beside(file, digest)
    return ""


def write_beside(file: Path, text: str) -> None:
    """Write a small file beside, then rename it.

    Raises:
        OutputError: if it cannot be written.
    """
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    with writing(file):
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)


def files_of(extractor: Extractor, manifest: pd.DataFrame) -> list[Path]:
    """Files whose content the extractor reads: the clips, or the tables it was given."""
    if extractor.modality != "table":
        return [Path(file) for file in set(manifest["file"])]
    values = extractor.settings.model_dump(mode="json").values()
    return [Path(v) for v in values if isinstance(v, str) and v and Path(v).is_file()]


def hash_of(files: Iterable[Path], out: Path) -> str:
    """:func:`hash_files` over *files*, kept in *out* while their sizes and dates stay the same.

    A file that is gone leaves the hash without it: its stored features can still be used.
    """
    known = sorted(file for file in files if file.is_file())
    if not known:
        return ""
    root = Path(os.path.commonpath([file.parent for file in known]))
    state = [(str(f), (s := f.stat()).st_size, s.st_mtime_ns) for f in known]
    key = hashlib.sha256(json.dumps(state).encode()).hexdigest()
    cache = out / "data_sha256.json"
    kept: dict[str, str] = {}
    if cache.exists():
        try:
            kept = json.loads(cache.read_text(encoding="utf-8"))
        except ValueError:
            kept = {}
    if key not in kept:
        kept[key] = hash_files(known, root)
        write_beside(cache, json.dumps(kept, indent=1))
    return kept[key]
