"""Measuring many films into a frame store: once, one after the other, whatever one of them is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aver.errors import AverError, MediaError, OutputError, one_line
from aver.features.extractor import Extractor
from aver.features.frame_clock import FRAMES_PER_SECOND, frame_count
from aver.features.frame_rows import frame_rows
from aver.features.frame_store import FrameStore
from aver.features.frame_writer import Precision
from aver.features.store_hash import HashCache
from aver.features.store_work import run_all
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
    jobs: int = 1,
) -> FramesDone:
    """Measure every stream of every film that is not in *store*.

    A film that cannot be measured costs its own stream only. After a stop, call it again: finished
    streams and finished minutes of others are not measured again.

    Args:
        store: where to.
        films: file of each film by its name.
        streams: extractor of each stream by its name.
        warn: called with one line, the film's file in it.
        progress: told of every minute that is finished; of every stream with several *jobs*.
        again: whether what is there with other settings, or of another file, is measured anew.
        jobs: processes; with several, a film that ends its process costs itself alone.

    Raises:
        AverError: if an extractor cannot be used at all (its package, its weights).
        OutputError: if the store cannot be written; what was finished stays.
    """
    about = {name: identity(extractor) for name, extractor in streams.items()}
    hashes = HashCache(store.root / _HASHES)
    tasks: list[_Task] = []
    outcomes: list[_Outcome] = []
    for film, file in films.items():
        expected = _expected(file)
        for name in streams:
            try:
                known = {**about[name], "file": hashes.of(file)}
            except AverError as error:
                outcomes.append(_Outcome(failed=1, lines=(str(error),), expected=expected))
            else:
                tasks.append(_Task(film, file, name, known, expected))
    every = sum(task.expected for task in tasks) + sum(found.expected for found in outcomes)
    done = sum(found.expected for found in outcomes)
    for found in outcomes:
        _tell(found, warn)
    tell = progress or (lambda what, so_far, total: None)

    def advance(task: _Task, frames: int) -> None:
        tell(f"{task.film}: {task.stream}", done + min(frames, task.expected), every)

    if jobs > 1 and tasks:
        store.begin()
    work = _Work(store.root, store.precision, streams, again, advance if jobs <= 1 else None)
    for number, found in run_all(work, list(enumerate(tasks)), jobs, _broken):
        if found.ends is not None:
            raise found.ends
        _tell(found, warn)
        outcomes.append(found)
        done += tasks[number].expected
        tell(f"{tasks[number].film}: {tasks[number].stream}", done, every)
    if store.root.is_dir():
        hashes.save()
    return FramesDone(
        *(
            sum(getattr(found, what) for found in outcomes)
            for what in ("extracted", "present", "failed", "frames")
        )
    )


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


@dataclass(frozen=True)
class _Task:
    """One stream of one film."""

    film: str
    file: Path
    stream: str
    identity: Mapping[str, object]
    expected: int


@dataclass(frozen=True)
class _Outcome:
    """How one stream of one film went."""

    extracted: int = 0
    present: int = 0
    failed: int = 0
    frames: int = 0
    lines: tuple[str, ...] = ()
    expected: int = 0
    ends: OutputError | None = None


@dataclass(frozen=True)
class _Work:
    """Measures one stream of one film; what goes wrong is in the outcome."""

    root: Path
    precision: Precision
    streams: Mapping[str, Extractor]
    again: bool
    advance: Callable[[_Task, int], None] | None

    def __call__(self, task: _Task) -> _Outcome:
        lines: list[str] = []

        def remark(line: str) -> None:
            lines.append(f"{one_line(task.file)}: {line}.")

        try:
            store = FrameStore(self.root, precision=self.precision)
            writer = store.writer(task.film, task.stream, task.identity, again=self.again)
            if writer.is_finished:
                return _Outcome(present=1)
            first = frames = writer.frames
            for rows in frame_rows(self.streams[task.stream], task.file, first, remark):
                if self.advance is not None:
                    self.advance(task, frames)
                writer.add(rows)
                frames += len(rows)
            frames = writer.finish() - first
            return _Outcome(extracted=1, frames=frames, lines=tuple(lines))
        except OutputError as error:
            return _Outcome(ends=error)
        except AverError as error:
            line = str(error)
            line = line if str(task.file) in line else f"{one_line(task.file)}: {line}"
        except Exception as error:  # a bug met by one film must not cost the others
            line = f"{one_line(task.file)}: '{task.stream}' failed ({one_line(error)})."
        return _Outcome(failed=1, lines=(*lines, line))


def _broken(task: _Task) -> _Outcome:
    line = f"{one_line(task.file)}: measuring '{task.stream}' ended the process."
    return _Outcome(failed=1, lines=(line,))


def _tell(found: _Outcome, warn: Callable[[str], None]) -> None:
    for line in found.lines:
        warn(line)


def _expected(file: Path) -> int:
    """Frames that the header lets expect, for the time left; a minute where it does not say."""
    with suppress(AverError):
        return frame_count(probe(file).duration or 60.0)
    return 60 * FRAMES_PER_SECOND
