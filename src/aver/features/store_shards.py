"""Shards of the feature store: many clips in one Parquet file whose name is its own checksum.

A shard appears in one step, by renaming, and never changes: so any number of processes may write
to one folder, and whoever reads sees whole shards only. There is no index to fall out of step:
each shard holds its clips' keys. The name holds the hash of every byte, so damage is found.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aver.errors import CorpusError, OutputError
from aver.features.extractor import Features

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX = ".parquet"
_DAMAGED = ".damaged"
PART = ".part"


class DamagedShardError(Exception):
    """A shard's bytes are not those that were written."""


@dataclass(frozen=True)
class Entry:
    """One clip of a shard."""

    key: str
    clip: str
    features: Features


def write_shard(folder: Path, entries: list[Entry], metadata: dict[str, str]) -> Path:
    """Write *entries* as one shard into *folder*.

    Raises:
        OutputError: if it cannot be written; nothing of it stays.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    # Numbers hardly repeat: a dictionary of them would only cost time.
    table = _table(entries).replace_schema_metadata(metadata)
    pq.write_table(table, sink, compression="zstd", use_dictionary=False)
    return write_atomically(folder, sink.getvalue().to_pybytes())


def write_atomically(folder: Path, content: bytes | Iterable[bytes], name: str = "") -> Path:
    """Write *content* beside, flush it to the disk, rename; without *name*, named by its hash.

    Content too large for memory may come in pieces, under a *name*.

    Raises:
        OutputError: if it cannot be written; nothing of it stays.
    """
    if isinstance(content, bytes):
        name = name or f"{_digest(content)}{SUFFIX}"
        content = [content]
    path = folder / name
    part = folder / f".{secrets.token_hex(8)}{PART}"
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.writelines(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        raise OutputError(path, *explain(error)) from None
    _flush_folder(folder)
    return path


def explain(error: OSError) -> tuple[str, str]:
    """Problem and advice for a write that failed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            "the disk is full",
            "Make room and run it again: what was stored stays, and it goes on from there",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "it may not be written", "Change the folder's rights, or name another folder"
    return f"it cannot be written ({error.strerror or error})", "Name another folder"


def read_keys(path: Path) -> list[str]:
    """Keys of the clips in a shard; its numbers are not read, nor its checksum.

    Raises:
        CorpusError: if the disk does not give it out.
        DamagedShardError: if it is no Parquet file any more.
        FileNotFoundError: if it is gone.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        # From a buffer Arrow reads without threads of its own; such a thread, just begun when the
        # program ends, aborts it.
        source = pq.ParquetFile(pa.BufferReader(pa.py_buffer(content)))
        return [str(key) for key in source.read(["key"], use_threads=False)["key"].to_pylist()]
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        # Arrow's complaints about the content come as OSError too, but without a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise _unreadable(path, error) from None
        raise DamagedShardError("it is no Parquet file any more") from None


def read_shard(path: Path, keys: set[str]) -> dict[str, Features]:
    """The features of *keys* in a shard; no keys: only its checksum is tested.

    Raises:
        CorpusError: if the disk does not give it out.
        DamagedShardError: if its bytes are not those its name was made of.
        FileNotFoundError: if it is gone.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    if _digest(content) != path.stem:
        raise DamagedShardError("its checksum differs")
    if not keys:
        return {}
    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
        return _entries(table, keys)
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise DamagedShardError(str(error)) from None


def _unreadable(path: Path, error: OSError) -> Exception:
    """What to raise where the disk, not the content, is at fault."""
    if isinstance(error, FileNotFoundError):
        return error
    return CorpusError(path, f"cannot be read ({error.strerror})", "Check the disk and its rights")


def set_aside(path: Path) -> None:
    """Rename a damaged shard so that nobody reads it any more."""
    with suppress(OSError):  # read-only, or another process was quicker
        path.rename(path.with_name(path.name + _DAMAGED))


@dataclass
class ShardIndex:
    """Which shard of a folder holds which clip.

    Attributes:
        folder: of one extractor with its settings.
        places: shard of each key.
        damaged: shards found damaged by :meth:`refresh`, with the reason.
    """

    folder: Path
    places: dict[str, Path] = field(default_factory=dict)
    damaged: dict[Path, str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def refresh(self) -> None:
        """Take in shards that have appeared since."""
        try:
            found = {path.name for path in self.folder.iterdir() if path.suffix == SUFFIX}
        except FileNotFoundError:
            return
        # In one order everywhere, so that every process takes a doubled clip from the same shard.
        for name in sorted(found - self._seen):
            path = self.folder / name
            try:
                keys = read_keys(path)
            except FileNotFoundError:
                continue
            except DamagedShardError as error:
                self.damaged[path] = str(error)
                self._seen.add(name)
                continue
            self._seen.add(name)
            for key in keys:
                self.places.setdefault(key, path)

    def drop(self, path: Path) -> None:
        """Forget a shard that is damaged or gone; the same may be written again."""
        if not path.exists():
            self._seen.discard(path.name)
        self.places = {key: place for key, place in self.places.items() if place != path}


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=20).hexdigest()


def _flush_folder(folder: Path) -> None:
    with suppress(OSError):  # not every file system lets a folder be flushed
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _table(entries: list[Entry]) -> pa.Table:
    import pyarrow as pa

    def numbers(arrays: list[np.ndarray], kind: pa.DataType) -> pa.Array:
        flat = [np.ascontiguousarray(array).reshape(-1) for array in arrays]
        ends = np.cumsum([0, *(len(array) for array in flat)])
        joined = pa.array(np.concatenate(flat), kind)
        return pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), joined)

    features = [entry.features for entry in entries]
    return pa.table(
        {
            "key": pa.array([entry.key for entry in entries], pa.string()),
            "clip": pa.array([entry.clip for entry in entries], pa.string()),
            "shape": numbers([np.array(f.values.shape, np.int64) for f in features], pa.int64()),
            "values": numbers([f.values for f in features], pa.float32()),
            "times": numbers([f.times for f in features], pa.float32()),
            "present": numbers([f.present for f in features], pa.bool_()),
        }
    )


def _entries(table: pa.Table, keys: set[str]) -> dict[str, Features]:
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    flat = {
        name: columns[name].values.to_numpy(zero_copy_only=False)
        for name in ("shape", "values", "times", "present")
    }
    ends = {name: columns[name].offsets.to_numpy() for name in flat}
    found = {}
    for row, key in enumerate(columns["key"].to_pylist()):
        if key not in keys:
            continue
        part = {name: flat[name][ends[name][row] : ends[name][row + 1]] for name in flat}
        # Copied, so that the rest of the shard need not stay in memory.
        found[key] = Features(
            part["values"].reshape(part["shape"]).astype(np.float32, copy=True),
            part["times"].reshape(-1, 2).astype(np.float32, copy=True),
            part["present"].astype(np.bool_, copy=True),
        )
    return found
