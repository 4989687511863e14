"""The feature store: what was measured once is not measured again.

Layout of a store::

    aver-store.json                  format of the store
    hashes.jsonl                     SHA-256 of files by path, size and time of change
    mfcc-0123456789abcdef/           one folder per extractor, version and settings
        extractor.json               which they are, for people
        <checksum>.parquet           shards: key, clip, shape, values, times, present

A clip's key is the hash of its file's content, its start and end, and its recording; so files may
move, and a changed file is measured again. Shards are Parquet, because every table tool reads it
and it comes with aver's own dependencies; they are written whole and renamed, so any number of
processes may extract into one store, and a killed one loses at most its last seconds.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aver.errors import AverError, CorpusError
from aver.features.extractor import Clip, Extractor, Features
from aver.features.store_hash import HashCache
from aver.features.store_mark import HASHES, check_store, mark_store
from aver.features.store_shards import DamagedShardError, Entry, ShardIndex, read_shard, set_aside
from aver.features.store_work import run
from aver.features.store_writer import ShardWriter, identity

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]
"""Called with clips so far and clips in all."""
Warn = Callable[[str], None]
"""Called with one line."""

_ATTEMPTS = 5


@dataclass(frozen=True)
class Extracted:
    """How an extraction went, in clips (rows of the manifest).

    Attributes:
        extracted: measured and stored now.
        present: stored before.
        failed: could not be measured.
    """

    extracted: int
    present: int
    failed: int


class FeatureStore:
    """Features of clips below a folder, measured where they are missing.

    Args:
        root: folder of the store; made when something is first written.
        warn: called with one line for each clip that fails; a Python warning where it is None.

    Raises:
        CorpusError: if *root* is another kind of folder, or a store of a newer aver.
    """

    def __init__(self, root: str | Path, *, warn: Warn | None = None):
        self.root = Path(root)
        self._warn = warn or (lambda line: warnings.warn(line, stacklevel=4))
        self._failed: dict[tuple[Path, str], str] = {}
        check_store(self.root)
        self._hashes = HashCache(self.root / HASHES)

    def load(
        self,
        manifest: pd.DataFrame,
        extractor: Extractor,
        *,
        missing: Literal["extract", "refuse"] = "extract",
        jobs: int = 1,
        progress: Progress | None = None,
    ) -> list[Features | None]:
        """Features of every clip of *manifest*.

        Args:
            manifest: one row a clip, see :data:`aver.corpora.COLUMNS`.
            extractor: what to measure.
            missing: whether clips that are not stored are measured, or refused.
            jobs: processes that measure.
            progress: told of clips done and to do, stored ones included.

        Returns:
            In the manifest's order; None where a clip failed, of which one warning tells.

        Raises:
            CorpusError: if a clip is not stored and *missing* is ``refuse``.
            OutputError: if measured features cannot be stored; what was stored before stays.
            AverError: if the extractor itself cannot be used (its package, its weights).
        """
        folder = self.folder(extractor)
        clips, keys = self._identify(manifest, extractor)
        index = ShardIndex(folder)
        found: dict[str, Features] = {}
        wanted = {key for key in keys if key}
        for _ in range(_ATTEMPTS):
            self._look(index)
            lacking = {key for key in wanted if key not in index.places and key not in found}
            lacking = {key for key in lacking if (folder, key) not in self._failed}
            if lacking and missing == "refuse":
                first = clips[next(n for n, key in enumerate(keys) if key in lacking)]
                raise CorpusError(
                    self.root,
                    f"holds no features of '{extractor.name}' with these settings for "
                    f"{len(lacking)} clips, the first {first}",
                    f"Run: aver extract, with --extractor {extractor.name} and the same settings",
                )
            if lacking:
                self._extract(clips, keys, lacking, extractor, index, jobs, progress)
            self._read(index, wanted, found)
            if all(key in found or (folder, key) in self._failed for key in wanted):
                break
        else:
            raise CorpusError(
                folder, "its shards change or break while they are read", "Check the disk"
            )
        if progress is not None:
            progress(len(clips), len(clips))
        return [found.get(key) if key else None for key in keys]

    def extract(
        self,
        manifest: pd.DataFrame,
        extractor: Extractor,
        *,
        jobs: int = 1,
        progress: Progress | None = None,
    ) -> Extracted:
        """Measure and store the clips of *manifest* that are not stored, without loading any.

        Stored shards are checked: clips of a damaged one are measured again. Arguments and errors
        as of :meth:`load`.
        """
        folder = self.folder(extractor)
        clips, keys = self._identify(manifest, extractor)
        index = ShardIndex(folder)
        self._look(index)
        self._verify(index, {key for key in keys if key})
        present = {key for key in keys if key in index.places}
        lacking = {key for key in keys if key and key not in present}
        lacking = {key for key in lacking if (folder, key) not in self._failed}
        self._extract(clips, keys, lacking, extractor, index, jobs, progress)
        stored = [key for key in keys if key and key in index.places]
        before = sum(key in present for key in stored)
        return Extracted(len(stored) - before, before, len(keys) - len(stored))

    def folder(self, extractor: Extractor) -> Path:
        """Where the features of *extractor* with its settings lie."""
        digest = hashlib.sha256(json.dumps(identity(extractor), sort_keys=True).encode())
        return self.root / f"{extractor.name}-{digest.hexdigest()[:16]}"

    def _identify(
        self, manifest: pd.DataFrame, extractor: Extractor
    ) -> tuple[list[Clip], list[str]]:
        """The clips, and the key of each; empty where its file cannot be read."""
        if "file" not in manifest.columns:
            raise CorpusError("manifest", "has no column 'file'", "See aver.corpora.COLUMNS")
        clips = [Clip.of(row) for row in manifest.to_dict("records")]
        folder = self.folder(extractor)
        keys = []
        told: set[str] = set()
        for clip in clips:
            try:
                # A table's rows are found by name; the file itself is not read.
                reads_file = extractor.modality != "table"
                content = self._hashes.of(clip.file) if reads_file else f"name:{clip.file.stem}"
            except AverError as error:
                content = ""
                name = str(clip.file)
                if (folder, name) not in self._failed and name not in told:
                    self._fail(folder, name, str(error))
                told.add(name)
            keys.append(_key(content, clip) if content else "")
        if self.root.is_dir():
            self._hashes.save()
        return clips, keys

    def _look(self, index: ShardIndex) -> None:
        index.refresh()
        for path, reason in index.damaged.items():
            self._damaged(index, path, reason)
        index.damaged.clear()

    def _damaged(self, index: ShardIndex, path: Path, reason: str) -> None:
        set_aside(path)
        index.drop(path)
        self._warn(
            f"{path}: the shard is damaged ({reason}); its clips have to be extracted again."
        )

    def _verify(self, index: ShardIndex, wanted: set[str]) -> None:
        for path in {index.places[key] for key in wanted if key in index.places}:
            self._open(index, path, set())

    def _read(self, index: ShardIndex, wanted: set[str], found: dict[str, Features]) -> None:
        """Read what is stored into *found*."""
        shards: dict[Path, set[str]] = {}
        for key in wanted:
            if key in index.places and key not in found:
                shards.setdefault(index.places[key], set()).add(key)
        for path, keys in shards.items():
            found.update(self._open(index, path, keys))

    def _open(self, index: ShardIndex, path: Path, keys: set[str]) -> dict[str, Features]:
        try:
            return read_shard(path, keys)
        except FileNotFoundError:
            index.drop(path)
        except DamagedShardError as error:
            self._damaged(index, path, str(error))
        return {}

    def _extract(
        self,
        clips: list[Clip],
        keys: list[str],
        lacking: set[str],
        extractor: Extractor,
        index: ShardIndex,
        jobs: int,
        progress: Progress | None,
    ) -> None:
        tell = progress or (lambda done, total: None)
        rows: dict[str, list[int]] = {}
        for number, key in enumerate(keys):
            if key in lacking:
                rows.setdefault(key, []).append(number)
        done = len(keys) - sum(map(len, rows.values()))
        tell(done, len(keys))
        if not rows:
            return
        mark_store(self.root, index.folder, extractor)
        self._hashes.save()
        writer = ShardWriter(index, extractor)
        tasks = [(numbers[0], clips[numbers[0]]) for numbers in rows.values()]
        outcomes = run(extractor, tasks, jobs)
        try:
            for number, outcome in outcomes:
                key = keys[number]
                if isinstance(outcome, str):
                    self._fail(index.folder, key, outcome)
                else:
                    writer.add(Entry(key, str(clips[number]), outcome))
                done += len(rows[key])
                tell(done, len(keys))
        except BaseException:
            outcomes.close()  # type: ignore[attr-defined]
            writer.finish(quietly=True)
            raise
        writer.finish()

    def _fail(self, folder: Path, key: str, line: str) -> None:
        self._failed[(folder, key)] = line
        self._warn(line)


def _key(content: str, clip: Clip) -> str:
    parts = [content, repr(clip.start), repr(clip.end), clip.recording]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
