"""Identity of the decoded sound of many files, each listened to once.

A hash is remembered for this process by path, size and time of change; inside
:func:`kept_sounds` in a small JSON file as well, so that the next run need not listen again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from aver._version import __version__
from aver.errors import AverError, CorpusError

TABLES: Final = frozenset({".csv", ".tsv", ".parquet"})
"""Files that hold many items: their rows share a file without sharing a stretch of it."""

Hasher = Callable[[Path], str]
Stamp = tuple[int, int]
"""Size in bytes and time of change in nanoseconds."""

_known: dict[tuple[str, Stamp, Hasher], str] = {}


def sound_keys_of(files: Iterable[str], hasher: Hasher | None = None) -> list[str]:
    """Identity of the decoded sound of each file; empty where there is none to hear.

    A file that is not there has none: features may come from tables alone.

    Args:
        files: paths, as often as rows name them.
        hasher: file to hash; :func:`aver.corpora.identity.sound_hash` if None.
    """
    from aver.corpora.identity import sound_hash

    listen: Hasher = hasher or sound_hash
    found: dict[str, str] = {}
    ordered = list(files)
    for file in ordered:
        if file not in found:
            stamp = stamp_of(file)
            tabled = Path(file).suffix.lower() in TABLES
            found[file] = "" if tabled or stamp is None else _hash(file, stamp, listen)
    return [found[file] for file in ordered]


def missing_of(files: Iterable[str]) -> int:
    """How many of the files are not there."""
    return sum(stamp_of(file) is None for file in set(files))


def stamp_of(file: str) -> Stamp | None:
    """What tells that a file has changed; None where it is not there."""
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _hash(file: str, stamp: Stamp, hasher: Hasher) -> str:
    key = (file, stamp, hasher)
    if key not in _known:
        try:
            _known[key] = hasher(Path(file))
        except CorpusError:
            raise
        except AverError:
            # Nothing can be heard in it (a silent film, a picture): no sound to have in common.
            _known[key] = ""
    return _known[key]


@contextmanager
def kept_sounds(file: Path) -> Iterator[None]:
    """Know what *file* remembers, and remember there what is heard inside.

    A file that cannot be read, or was written by another version, is as none; one that cannot be
    written costs the next run its time and nothing else.
    """
    from aver.corpora.identity import sound_hash

    before = _read(file)
    for name, (size, changed, sound) in before.items():
        _known.setdefault((name, (size, changed), sound_hash), sound)
    try:
        yield
    finally:
        heard = {
            name: (*stamp, sound)
            for (name, stamp, hasher), sound in list(_known.items())
            if hasher is sound_hash
        }
        if any(before.get(name) != entry for name, entry in heard.items()):
            _write(file, {**before, **heard})


def _read(file: Path) -> dict[str, tuple[int, int, str]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["aver"] != __version__:
            return {}
        return {
            str(name): (int(size), int(changed), str(sound))
            for name, (size, changed, sound) in content["sounds"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write(file: Path, sounds: dict[str, tuple[int, int, str]]) -> None:
    beside = file.with_name(f".{file.name}.{os.getpid()}.part")
    with suppress(OSError):
        try:
            beside.write_text(json.dumps({"aver": __version__, "sounds": sounds}), "utf-8")
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)
