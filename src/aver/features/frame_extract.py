"""Measuring many films into a frame store: once, one after the other, whatever one of them is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aver.errors import AverError, MediaError, OutputError, one_line
from aver.features.extractor import Extractor
from aver.features.frame_clock import FRAMES_PER_SECOND, frame_count
from aver.features.frame_rows import frame_rows
from aver.features.frame_store import FrameStore
from aver.features.store_hash import HashCache
from aver.features.store_writer import identity
from aver.media import probe

Progress = Callable[[str, int, int], None]
"""Called with what is being measured, frames so far, and frames in all (of all streams)."""

_HASHES = "hashes.jsonl"


@dataclass(frozen=True)
class FramesDone:
    """How an extraction went, in streams of films.

    Attributes:
        extracted: measured now.
        present: there before.
        failed: could not be measured; a line told why.
        frames: frames measured now.
    """

    extracted: int
    present: int
    failed: int
    frames: int


def extract_frames(
    store: FrameStore,
    films: Mapping[str, Path],
    streams: Mapping[str, Extractor],
    *,
    warn: Callable[[str], None],
    progress: Progress | None = None,
    again: bool = False,
) -> FramesDone:
    """Measure every stream of every film that is not in *store*.

    A film that cannot be measured costs its own stream only. After a stop, call it again: finished
    streams and finished minutes of others are not measured again.

    Args:
        store: where to.
        films: file of each film by its name.
        streams: extractor of each stream by its name.
        warn: called with one line, the film's file in it.
        progress: told of every minute that is finished.
        again: whether what is there with other settings, or of another file, is measured anew.

    Raises:
        AverError: if an extractor cannot be used at all (its package, its weights).
        OutputError: if the store cannot be written; what was finished stays.
    """
    about = {name: identity(extractor) for name, extractor in streams.items()}
    hashes = HashCache(store.root / _HASHES)
    expected = {film: _expected(file) for film, file in films.items()}
    every = sum(expected.values()) * len(streams)
    extracted = present = failed = measured = done = 0
    tell = progress or (lambda what, so_far, total: None)
    for film, file in films.items():
        for name, extractor in streams.items():
            begun = done
            tell(f"{film}: {name}", done, every)
            try:
                known = {**about[name], "file": hashes.of(file)}
                writer = store.writer(film, name, known, again=again)
                if writer.is_finished:
                    present += 1
                else:
                    first = writer.frames
                    done += first
                    for rows in frame_rows(extractor, file, first, partial(_remark, warn, file)):
                        writer.add(rows)
                        done += len(rows)
                        tell(f"{film}: {name}", done, every)
                    measured += writer.finish() - first
                    extracted += 1
            except OutputError:
                raise
            except AverError as error:
                failed += 1
                line = str(error)
                warn(line if str(file) in line else f"{one_line(file)}: {line}")
            except Exception as error:  # a bug met by one film must not cost the others
                failed += 1
                warn(f"{one_line(file)}: '{name}' failed ({one_line(error)}).")
            done = begun + expected[film]
    if store.root.is_dir():
        hashes.save()
    tell("", every, every)
    return FramesDone(extracted, present, failed, measured)


def _remark(warn: Callable[[str], None], file: Path, line: str) -> None:
    warn(f"{one_line(file)}: {line}.")


def film_names(files: list[Path]) -> dict[str, Path]:
    """Films by the names of their files, without suffix.

    Raises:
        MediaError: if two have one name.
    """
    found: dict[str, Path] = {}
    for file in files:
        if file.stem in found:
            raise MediaError(
                file, f"has the name of {one_line(found[file.stem])}", "Rename one of the two"
            )
        found[file.stem] = file
    return found


def _expected(file: Path) -> int:
    """Frames that the header lets expect, for the time left; a minute where it does not say."""
    with suppress(AverError):
        return frame_count(probe(file).duration or 60.0)
    return 60 * FRAMES_PER_SECOND
