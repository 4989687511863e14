"""Soundscapes in memory: log-mel frames, events, and what the detector should say of each frame."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from aver.corpora.sound_event import SoundEvent
from aver.corpora.sound_events import read_events
from aver.errors import CorpusError
from aver.features.extractor import Clip
from aver.features.sound_events import (
    NON_VERBAL,
    VERBAL,
    LogMelSettings,
    joined,
    log_mel,
)
from aver.features.windows import read_sound
from aver.report.files import write_files
from aver.training.fit_data import TensorBatches

STREAM, TARGETS = "log_mel", "targets"

SOUNDS = (".flac", ".wav", ".opus", ".ogg", ".mp3")


@dataclass(frozen=True)
class Names:
    """What is detected.

    Attributes:
        labels: of the multi-label detector.
        verbal: those that the verbal detector hears as one.
        non_verbal: those that the non-verbal detector hears as one.
    """

    labels: tuple[str, ...]
    verbal: tuple[str, ...]
    non_verbal: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """``verbal``, ``non_verbal``, then the labels: the order of the targets."""
        return (VERBAL, NON_VERBAL, *self.labels)

    def spans(self, events: Sequence[SoundEvent], name: str) -> list[tuple[float, float]]:
        """When *name* is heard: of a binary detector, the union of its labels' events."""
        groups = {VERBAL: self.verbal, NON_VERBAL: self.non_verbal}
        wanted = groups.get(name, (name,))
        spans = [(event.start, event.end) for event in events if event.label in wanted]
        return joined(spans)

    def reference(self, events: Sequence[SoundEvent], name: str) -> list[SoundEvent]:
        """The events that a detector of *name* should find."""
        return [SoundEvent(start, end, name) for start, end in self.spans(events, name)]


@dataclass(frozen=True)
class Scapes:
    """One part of the soundscapes.

    Attributes:
        files: paths, in order.
        events: file name -> what is heard.
        seconds: (scapes,) how long each is.
        frames: (scapes, frames, bands) float16 log-mel, not normalised; the shorter end in silence.
    """

    files: list[Path]
    events: dict[str, list[SoundEvent]] = field(repr=False)
    seconds: NDArray[np.float64] = field(repr=False)
    frames: NDArray[np.float16] = field(repr=False)

    def durations(self) -> dict[str, float]:
        """File name -> seconds."""
        names = [file.name for file in self.files]
        return dict(zip(names, self.seconds.tolist(), strict=True))


def list_part(root: Path, part: str) -> tuple[list[Path], dict[str, list[SoundEvent]]]:
    """The recordings of ``root/part`` and the events of ``root/part.tsv`` by file name.

    Raises:
        CorpusError: if there is no recording, or an event's is not there.
    """
    files = sorted(f for f in (root / part).glob("*") if f.suffix.lower() in SOUNDS)
    if not files:
        raise CorpusError(root / part, "holds no recording", "Make the soundscapes first")
    events: dict[str, list[SoundEvent]] = {file.name: [] for file in files}
    for event in read_events(root / f"{part}.tsv"):
        if event.recording not in events:
            raise CorpusError(
                root / f"{part}.tsv",
                f"names {event.recording}, which is not in {root / part}",
                "Is it the table of another folder?",
            )
        events[event.recording].append(event)
    return files, events


def load_part(
    root: Path,
    part: str,
    settings: LogMelSettings,
    cache: Path,
    tell: Callable[[int, int], None] | None = None,
) -> Scapes:
    """One part of the soundscapes, its frames kept in *cache*.

    Args:
        root: folder of the soundscapes.
        part: ``train``, ``validation`` or ``test``.
        settings: of the spectrogram; mean and deviation are not used.
        cache: folder.
        tell: called with recordings done and recordings in all.

    Raises:
        CorpusError: see :func:`list_part`.
    """
    files, events = list_part(root, part)
    plain = settings.model_copy(update={"mean": (), "std": ()})
    stamps = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    about = f"{root.resolve()} {part} {plain.model_dump_json()} {stamps}"
    kept = cache / f"{part}-{hashlib.sha256(about.encode()).hexdigest()[:16]}.npz"
    if kept.is_file():
        with np.load(kept) as stored:
            return Scapes(files, events, stored["seconds"], stored["frames"])
    found: list[NDArray[np.float16]] = []
    seconds = np.zeros(len(files))
    for number, file in enumerate(files):
        sound = read_sound(Clip(file))
        seconds[number] = sound.seconds
        found.append(log_mel(sound.samples, plain).astype(np.float16))
        if tell is not None:
            tell(number + 1, len(files))
    longest = max(len(frames) for frames in found)
    silence = np.float16(np.log(plain.floor))
    together = np.full((len(files), longest, plain.bands), silence, np.float16)
    for row, frames in zip(together, found, strict=True):
        row[: len(frames)] = frames
    write_files([(kept, lambda stream: np.savez(stream, frames=together, seconds=seconds))])
    return Scapes(files, events, seconds, together)


def band_statistics(frames: NDArray[np.float16]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each band over training frames (scapes, frames, bands)."""
    flat = frames.reshape(-1, frames.shape[-1])
    count, total, squares = len(flat), 0.0, 0.0
    for at in range(0, count, 1 << 16):
        some = flat[at : at + (1 << 16)].astype(np.float64)
        total = total + some.sum(axis=0)
        squares = squares + np.square(some).sum(axis=0)
    mean = np.asarray(total) / count
    std = np.sqrt(np.maximum(np.asarray(squares) / count - mean**2, 1e-6))
    return tuple(mean.round(5).tolist()), tuple(std.round(5).tolist())


def step_targets(
    spans: Sequence[tuple[float, float]], steps: int, seconds: float
) -> NDArray[np.float32]:
    """(steps,) how much of each step of *seconds* lies within *spans* (disjoint), in [0, 1]."""
    edges = np.arange(steps + 1) * seconds
    covered = np.zeros(steps)
    for start, end in spans:
        inside = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
        covered += np.maximum(inside, 0.0)
    return np.minimum(covered / seconds, 1.0).astype(np.float32)


def batches_of(
    scapes: Scapes, names: Names, settings: LogMelSettings, time_step: int
) -> TensorBatches:
    """Rows for the engine.

    Streams: ``log_mel`` (scapes, frames, bands) float16, not normalised. Extra: ``targets``
    (scapes, steps, names) float16, names in the order of :attr:`Names.all`.
    """
    frames = scapes.frames.shape[1]
    steps, seconds = -(-frames // time_step), time_step * settings.hop
    targets = np.zeros((len(scapes.files), steps, len(names.all)), np.float16)
    for row, file in enumerate(scapes.files):
        for column, name in enumerate(names.all):
            spans = names.spans(scapes.events[file.name], name)
            targets[row, :, column] = step_targets(spans, steps, seconds)
    return TensorBatches(
        {STREAM: torch.from_numpy(scapes.frames)},
        {},
        torch.zeros(len(scapes.files), dtype=torch.int64),
        {TARGETS: torch.from_numpy(targets)},
    )
