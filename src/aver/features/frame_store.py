"""The frame store: films measured 25 times a second, on disk, read without loading them.

Half an hour of film has 45,000 frames; with the 2,048 features of a picture, 2,048 of motion and
1,582 of sound (Fea-TF SCMA, section II.B) that is a gigabyte of single precision. So every film has
one file a stream, which is memory-mapped when it is read::

    aver-frames.json                 format of the store, frames a second
    <film>/<stream>.npy              (frames, width), float32 or float16
    <film>/<stream>.json             what they are, and of which file; written last
    <film>/.<stream>/00000.npy ...   finished shards (a minute each) while it is being measured

A stream is measured once. Shards are written whole and renamed, so a kill costs a minute of film
at most; when the film's last shard is there they are joined into the stream's file. Any number of
processes may work on one store.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from aver._version import __version__
from aver.errors import CorpusError, SettingError
from aver.features.frame_clock import FRAMES_PER_SECOND
from aver.features.frame_writer import Floats, Precision, StreamWriter, read_json
from aver.features.store_shards import write_atomically

FORMAT = 1
"""Version of the store's layout that this aver writes and reads."""

_MARKER = "aver-frames.json"
_NAME = re.compile(r"[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,149}\Z")


class FrameStore:
    """Streams of features of films, one row every 40 ms of the recording's own clock.

    Args:
        root: folder of the store; made when something is first written.
        precision: what new streams are written in. ``float16`` halves the size and keeps three
            digits; what lies beyond its range (65,504) is clipped, and counted in the stream's
            description.
        warn: called with one line where streams of a film differ in length; a Python warning
            where it is None.

    Raises:
        CorpusError: if *root* is another kind of folder, or a store of a newer aver.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        precision: Precision = "float32",
        warn: Callable[[str], None] | None = None,
    ):
        if precision not in ("float32", "float16"):
            raise SettingError("precision", f"'{precision}' is neither float32 nor float16")
        self.root, self.precision = Path(root), precision
        self._warn = warn or (lambda line: warnings.warn(line, stacklevel=3))
        _check(self.root)

    def films(self) -> list[str]:
        """Films with a finished stream."""
        if not self.root.is_dir():
            return []
        return sorted(path.name for path in self.root.iterdir() if self.streams(path.name))

    def streams(self, film: str) -> list[str]:
        """Finished streams of *film*; none where it is not known."""
        folder = self.root / film
        if film.startswith(".") or not folder.is_dir():
            return []
        return sorted(p.stem for p in folder.glob("*.json") if p.with_suffix(".npy").is_file())

    def open(self, film: str, streams: Iterable[str] | None = None) -> dict[str, np.memmap]:
        """The streams of *film*, memory-mapped and read-only, all of one length.

        Row ``k`` of each is what is true at ``k / 25`` seconds of the recording's clock. Streams
        of different lengths (sound that ends before the picture) are cut to the shortest; more
        than a second of difference is told in one line.

        Args:
            film: its name.
            streams: which; None for all that are finished.

        Returns:
            (frames, width) of each, float32 or float16.

        Raises:
            CorpusError: if the film or a stream is not there, or its file is damaged.
        """
        there = self.streams(film)
        if not there:
            raise CorpusError(
                self.root / film,
                "holds no finished stream",
                f"In the store: {', '.join(self.films()) or 'nothing yet'}",
            )
        wanted = there if streams is None else list(streams)
        for name in wanted:
            if name not in there:
                raise CorpusError(
                    self.root / film,
                    f"has no finished stream '{name}', but {', '.join(there)}",
                    "Run: aver frames",
                )
        found = {name: self._map(film, name) for name in wanted}
        lengths = {name: len(rows) for name, rows in found.items()}
        shortest = min(lengths, key=lambda name: lengths[name], default="")
        longest = max(lengths, key=lambda name: lengths[name], default="")
        if wanted and lengths[longest] - lengths[shortest] > FRAMES_PER_SECOND:
            self._warn(
                f"{film}: '{longest}' has {lengths[longest]} frames and '{shortest}' "
                f"{lengths[shortest]}; the first {lengths[shortest]} are used"
            )
        frames = lengths.get(shortest, 0)
        return {name: cast("np.memmap", rows[:frames]) for name, rows in found.items()}

    def about(self, film: str, stream: str) -> dict[str, Any]:
        """What a finished stream is: its ``identity``, ``frames``, ``width``, ``clipped``.

        Raises:
            CorpusError: if there is no such stream.
        """
        found = read_json(self.root / film / f"{stream}.json")
        if found is None:
            raise CorpusError(self.root / film, f"has no finished stream '{stream}'")
        return found

    def put(
        self,
        film: str,
        stream: str,
        rows: Iterable[Floats],
        identity: Mapping[str, Any],
        *,
        again: bool = False,
    ) -> bool:
        """Store a stream that comes in pieces (n, width), from the film's beginning.

        Returns:
            False where it was there with this *identity*; then nothing is read from *rows*.

        Raises:
            CorpusError: if the stream is there with another identity, unless *again*.
            OutputError: if it cannot be written.
        """
        writer = self.writer(film, stream, identity, again=again)
        if writer.is_finished:
            return False
        writer.begin_anew()
        for piece in rows:
            writer.add(piece)
        writer.finish()
        return True

    def writer(
        self, film: str, stream: str, identity: Mapping[str, Any], *, again: bool = False
    ) -> StreamWriter:
        """Write a stream, or go on with one that was begun with the same *identity*.

        Raises:
            SettingError: if a name cannot be a file's name.
            CorpusError: if the stream is there with another identity, unless *again*: then it is
                replaced once the new one is whole.
            OutputError: if the store cannot be written.
        """
        for kind, name in (("film", film), ("stream", stream)):
            if not _NAME.match(name):
                raise SettingError(kind, f"'{name}' cannot be the name of a file", "Rename it")
        self.begin()
        return StreamWriter(self.root / film, stream, identity, self.precision, again=again)

    def begin(self) -> None:
        """Make the folder a store, if it is none yet; before several processes write to it.

        Raises:
            OutputError: if it cannot be written.
        """
        if not (self.root / _MARKER).exists():
            mark = {"format": FORMAT, "frames_per_second": FRAMES_PER_SECOND, "aver": __version__}
            write_atomically(self.root, json.dumps(mark).encode(), _MARKER)

    def _map(self, film: str, stream: str) -> np.memmap:
        path = self.root / film / f"{stream}.npy"
        about = self.about(film, stream)
        try:
            rows = np.load(path, mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            problem = f"is damaged ({error})"
            raise CorpusError(path, problem, "Delete it, and run aver frames again") from None
        if rows.shape != (about.get("frames"), about.get("width")):
            raise CorpusError(
                path,
                f"holds {rows.shape}, its description says {about.get('frames')} x "
                f"{about.get('width')}",
                "Delete both, and run aver frames again",
            )
        return rows  # type: ignore[no-any-return]


def _check(root: Path) -> None:
    mark = read_json(root / _MARKER)
    if mark is None:
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise CorpusError(
                root, "is no frame store, and not empty", "Name another folder as the store"
            )
        return
    version = mark.get("format")
    if not isinstance(version, int) or version > FORMAT:
        raise CorpusError(
            root,
            f"was written by a newer aver (format {version}, this one reads {FORMAT})",
            "Update aver, or name another folder",
        )
