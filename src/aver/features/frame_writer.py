"""Writing one stream of one film into a frame store: shards first, joined when all are there."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aver._version import __version__
from aver.errors import CorpusError, OutputError
from aver.features.frame_clock import FRAMES_PER_SECOND
from aver.features.store_shards import write_atomically

Floats = NDArray[np.float32]
Precision = Literal["float32", "float16"]

SHARD_FRAMES = 60 * FRAMES_PER_SECOND
"""Frames in a shard: a minute."""

_LARGEST = float(np.finfo(np.float16).max)


class StreamWriter:
    """Gathers the rows of one stream of one film into shards, and joins them at the end.

    Args:
        folder: of the film.
        stream: its name.
        identity: all that its numbers depend on.
        precision: ``float32`` or ``float16``.
        again: whether a stream that is finished with another identity gives way.

    Raises:
        CorpusError: if the stream is finished with another identity.
    """

    def __init__(
        self,
        folder: Path,
        stream: str,
        identity: Mapping[str, Any],
        precision: Precision,
        *,
        again: bool = False,
    ):
        self.folder, self.stream = folder, stream
        self._precision = precision
        self._about = {"identity": dict(identity), "precision": precision}
        self._shards = folder / f".{stream}"
        self._target, self._described = folder / f"{stream}.npy", folder / f"{stream}.json"
        self._waiting: list[Floats] = []
        self._again = again
        self.is_finished = self._look()
        self.frames = 0 if self.is_finished else self._resume()

    def _look(self) -> bool:
        """Whether the stream is there; another of its name is refused."""
        found = read_json(self._described)
        if found is None or not self._target.is_file():
            return False
        if {key: found.get(key) for key in self._about} != _plain(self._about):
            if self._again:
                return False
            raise CorpusError(
                self._target,
                "was measured with other settings, precision or another file",
                "Measure it anew (--again), or give the stream another name (NAME=EXTRACTOR)",
            )
        return True

    def _resume(self) -> int:
        """Frames in finished shards of the same identity; others are removed."""
        if read_json(self._shards / "about.json") != _plain(self._about):
            self.begin_anew()
        return sum(len(np.load(path, mmap_mode="r")) for path in self._finished())

    def begin_anew(self) -> None:
        """Forget what was begun."""
        shutil.rmtree(self._shards, ignore_errors=True)
        self.frames, self._waiting = 0, []
        write_atomically(self._shards, json.dumps(self._about).encode(), "about.json")

    def add(self, rows: Floats) -> None:
        """Take the next rows (n, width); write what fills shards.

        Raises:
            ValueError: if a number is not finite.
            OutputError: if a shard cannot be written.
        """
        if not np.isfinite(rows).all():
            row, column = np.argwhere(~np.isfinite(rows))[0]
            frame = self.frames + sum(map(len, self._waiting)) + int(row)
            raise ValueError(f"feature {column} of frame {frame} is not a finite number")
        self._waiting.append(rows)
        while sum(map(len, self._waiting)) >= SHARD_FRAMES:
            joined = np.concatenate(self._waiting)
            self._waiting = [joined[SHARD_FRAMES:]]
            self._write(joined[:SHARD_FRAMES])

    def finish(self) -> int:
        """Write the rest, join the shards, describe the stream.

        Returns:
            Its frames.

        Raises:
            ValueError: if there are none.
            OutputError: if it cannot be written; finished shards stay.
        """
        rest = [piece for piece in self._waiting if len(piece)]
        if self._was_overtaken():
            return self.frames
        if rest:
            self._write(np.concatenate(rest))
        self._waiting = []
        if not self.frames:
            raise ValueError("there are no frames")
        try:
            shards = [np.load(path, mmap_mode="r") for path in self._finished()]
        except FileNotFoundError:
            shards = []
        if sum(map(len, shards)) != self.frames:
            if self._was_overtaken():
                return self.frames
            raise OutputError(
                self._shards, "lost shards while they were joined", "Run it again: it goes on"
            )
        width = shards[0].shape[1]
        clipped = sum(self._count_clipped(shard) for shard in shards)
        write_atomically(self.folder, _array_file(shards, (self.frames, width)), self._target.name)
        about = {**self._about, "frames": self.frames, "width": width, "clipped": clipped}
        about |= {"frames_per_second": FRAMES_PER_SECOND, "aver": __version__}
        write_atomically(self.folder, json.dumps(about, indent=1).encode(), self._described.name)
        shutil.rmtree(self._shards, ignore_errors=True)
        self.is_finished = True
        return self.frames

    def _was_overtaken(self) -> bool:
        """Whether another process has finished the same stream meanwhile."""
        if not self._look():
            return False
        shutil.rmtree(self._shards, ignore_errors=True)
        self._waiting, self.is_finished = [], True
        self.frames = int(read_json(self._described).get("frames", 0))  # type: ignore[union-attr]
        return True

    def _count_clipped(self, shard: NDArray[Any]) -> int:
        return int((np.abs(shard) == _LARGEST).sum()) if self._precision == "float16" else 0

    def _finished(self) -> list[Path]:
        return sorted(self._shards.glob("[0-9]*.npy"))

    def _write(self, rows: Floats) -> None:
        if self._precision == "float16":
            rows = rows.clip(-_LARGEST, _LARGEST)
        kept = rows.astype(self._precision)
        name = f"{self.frames // SHARD_FRAMES:05d}.npy"
        write_atomically(self._shards, _array_file([kept], kept.shape), name)
        self.frames += len(kept)


def _array_file(parts: list[NDArray[Any]], shape: tuple[int, ...]) -> Iterator[bytes]:
    """Bytes of an ``.npy`` file of *shape* that holds *parts* one below the other."""
    head = io.BytesIO()
    kind = np.lib.format.dtype_to_descr(parts[0].dtype)
    np.lib.format.write_array_header_1_0(
        head, {"descr": kind, "fortran_order": False, "shape": shape}
    )
    yield head.getvalue()
    for part in parts:
        yield np.ascontiguousarray(part).tobytes()


def _plain(value: Any) -> Any:
    """*value* as it comes back from JSON."""
    return json.loads(json.dumps(value))


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is none, or it is damaged."""
    with suppress(OSError, ValueError):
        found = json.loads(path.read_text("utf-8"))
        return found if isinstance(found, dict) else None
    return None
