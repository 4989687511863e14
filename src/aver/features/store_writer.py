"""Gathering features into shards of a handy size."""

from __future__ import annotations

import json
import time

from aver.errors import AverError
from aver.features.extractor import Extractor
from aver.features.store_shards import Entry, ShardIndex, write_shard

# A shard is written once it is this large, or the time since the last exceeds both of these: so a
# kill costs seconds or a fiftieth of the run, and a long run makes a few hundred files.
SHARD_BYTES = 24 << 20
SHARD_CLIPS = 8192
SHARD_SECONDS = 10.0
SHARD_SHARE = 0.02


def identity(extractor: Extractor) -> dict[str, object]:
    """All that the numbers of *extractor* depend on, besides the clip."""
    settings = extractor.settings.model_dump(mode="json", exclude=set(extractor.ignored_settings))
    return {
        "extractor": extractor.name,
        "version": extractor.version,
        "settings": settings,
        "depends_on": dict(extractor.depends_on),
    }


class ShardWriter:
    """Gathers features and writes them as shards.

    Args:
        index: of the folder to write to; kept up to date.
        extractor: what measured them.
    """

    def __init__(self, index: ShardIndex, extractor: Extractor):
        self._index = index
        self._metadata = {"aver.features": json.dumps(identity(extractor), sort_keys=True)}
        self._entries: list[Entry] = []
        self._bytes = 0
        self._begun = self._written = time.monotonic()

    def add(self, entry: Entry) -> None:
        """Take one clip's features; write if there are enough.

        Raises:
            OutputError: if they cannot be written.
        """
        self._entries.append(entry)
        self._bytes += entry.features.values.nbytes + entry.features.times.nbytes + 256
        since = time.monotonic() - self._written
        is_late = since >= max(SHARD_SECONDS, SHARD_SHARE * (self._written - self._begun))
        if self._bytes >= SHARD_BYTES or len(self._entries) >= SHARD_CLIPS or is_late:
            self.write()

    def write(self) -> None:
        """Write what has been gathered, but for what another process has written meanwhile."""
        self._index.refresh()
        new = [entry for entry in self._entries if entry.key not in self._index.places]
        if new:
            write_shard(self._index.folder, new, self._metadata)
        self._entries, self._bytes = [], 0
        self._written = time.monotonic()

    def finish(self, *, quietly: bool = False) -> None:
        """Write the rest; *quietly* where another error is under way already."""
        try:
            self.write()
        except AverError:
            if not quietly:
                raise
        self._index.refresh()
