"""The sound event detector on ONNX Runtime, over recordings of any length in bounded memory.

What the file must be (the recipe of sound events exports it so):

- input ``log_mel``: float32 (1, frames, bands), any number of frames, as
  :func:`aver.features.sound_events.log_mel` gives them (normalised already);
- outputs, a row a frame each: ``scores`` (1, frames, labels), ``verbal`` and ``non_verbal``
  (1, frames), all in [0, 1]; ``semantics_verbal`` and ``semantics_non_verbal`` (1, frames, width),
  the last hidden layers of the two binary detectors;
- metadata: what :meth:`aver.features.sound_events.DetectorSettings.to_metadata` writes, text
  entries ``labels``, ``log_mel``, ``decoding``, ``seen_subjects`` and ``description``, JSON each.

A recurrent network that runs both ways must see what follows, so a long recording is run in chunks
that are read with context on both sides; only the chunk's own frames are kept. Nothing in the
network may sum up a whole input (no normalisation over its frames), or chunks would not fit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import ModelError
from aver.features.sound_events import (
    NON_VERBAL,
    VERBAL,
    DetectorSettings,
    LogMelSettings,
    log_mel_within,
)
from aver.pretrained.session import open_session

Floats = NDArray[np.float32]

SCORES = "scores"
SEMANTICS = {VERBAL: "semantics_verbal", NON_VERBAL: "semantics_non_verbal"}
"""Outputs that hold the last hidden layer of each binary detector."""

CHUNK_SECONDS = 30.0
"""Seconds of new sound in one run of the network."""

CONTEXT_SECONDS = 6.0
"""Seconds of sound on either side that a run reads along with its chunk."""

_MULTIPLE = 16
"""Chunk and context are whole multiples of so many frames, should the network pool over time."""

_ADVICE = "Export it with the recipe of sound events"


class SoundEventDetector:
    """The network of the sound event detector.

    Args:
        path: the ``.onnx`` file.
        threads: threads of one run.

    Attributes:
        path: the file.
        settings: labels, spectrogram and decoding, out of the file's metadata.
        metadata: text entries of the file.
        widths: numbers of one frame in ``semantics_verbal`` and ``semantics_non_verbal``.
        version: twelve hex digits that tell this file from every other.

    Raises:
        ModelError: if the file is missing, damaged, or another network.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        self.path = Path(path)
        self._session: Any = open_session(path, threads)
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        takes = {entry.name: entry.shape for entry in self._session.get_inputs()}
        gives = {entry.name: entry.shape for entry in self._session.get_outputs()}
        expected = [SCORES, VERBAL, NON_VERBAL, *SEMANTICS.values()]
        missing = [name for name in expected if name not in gives]
        if list(takes) != ["log_mel"] or len(takes["log_mel"]) != 3 or missing:
            raise ModelError(
                path,
                f"is not a sound event detector: it takes {takes} and gives {sorted(gives)}",
                _ADVICE,
            )
        self.settings = DetectorSettings.from_metadata(self.metadata, str(path))
        bands = takes["log_mel"][2]
        if isinstance(bands, int) and bands != self.settings.log_mel.bands:
            stated = self.settings.log_mel.bands
            raise ModelError(path, f"takes {bands} bands, its metadata say {stated}", _ADVICE)
        tried = self.run(np.zeros((_MULTIPLE, self.settings.log_mel.bands), np.float32), expected)
        self._check(tried)
        self.widths = {name: tried[name].shape[1] for name in SEMANTICS.values()}
        self.version = hashlib.sha256(self.path.read_bytes()).hexdigest()[:12]

    def _check(self, tried: dict[str, Floats]) -> None:
        for name, values in tried.items():
            if len(values) != _MULTIPLE:
                problem = f"gives {len(values)} rows of '{name}' for {_MULTIPLE} frames"
                raise ModelError(self.path, problem, _ADVICE)
        columns, labels = tried[SCORES].shape[1], self.settings.labels
        if columns != len(labels):
            problem = f"gives {columns} scores a frame, its metadata name {len(labels)} labels"
            raise ModelError(self.path, problem, _ADVICE)

    def run(self, log_mel: Floats, outputs: Sequence[str]) -> dict[str, Floats]:
        """Run the network once.

        Args:
            log_mel: (frames, bands), normalised; at least one frame.
            outputs: names of what is wanted.

        Returns:
            By name: (frames,) or (frames, columns).
        """
        found = self._session.run(list(outputs), {"log_mel": log_mel[None]})
        return {
            name: np.asarray(part[0], np.float32) for name, part in zip(outputs, found, strict=True)
        }

    def start(
        self,
        outputs: Sequence[str] = (SCORES,),
        *,
        chunk_seconds: float = CHUNK_SECONDS,
        context_seconds: float = CONTEXT_SECONDS,
    ) -> DetectorStream:
        """A new recording.

        Args:
            outputs: what is wanted of each frame.
            chunk_seconds: new sound in one run.
            context_seconds: sound on either side of it that is read along.
        """
        return DetectorStream(self, outputs, chunk_seconds, context_seconds)


class LogMelStream:
    """Log-mel frames of sound that comes in pieces: those of the whole, silence around it."""

    def __init__(self, settings: LogMelSettings):
        self._settings = settings
        self._waiting = np.zeros(settings.margins[0], np.float32)
        self._samples = 0

    def push(self, samples: NDArray[np.floating[Any]]) -> Floats:
        """Take the next samples (n,); the frames (frames, bands) that are whole with them."""
        self._samples += len(samples)
        return self._take(samples)

    def finish(self) -> Floats:
        """The remaining frames; the last one may be only begun."""
        hop = self._settings.hop_samples
        rest = -self._samples % hop
        return self._take(np.zeros(rest + self._settings.margins[1], np.float32))

    def _take(self, samples: NDArray[np.floating[Any]]) -> Floats:
        # What is no number would spoil every frame that the recurrence reaches.
        clean = np.nan_to_num(np.asarray(samples, np.float32), posinf=0.0, neginf=0.0)
        sound = np.concatenate([self._waiting, clean])
        frames = log_mel_within(sound, self._settings)
        self._waiting = sound[len(frames) * self._settings.hop_samples :]
        return frames


class DetectorStream:
    """One recording being heard; see :meth:`SoundEventDetector.start`."""

    def __init__(
        self,
        detector: SoundEventDetector,
        outputs: Sequence[str],
        chunk_seconds: float,
        context_seconds: float,
    ):
        self._detector = detector
        self._outputs = tuple(outputs)
        self._front = LogMelStream(detector.settings.log_mel)
        hop = detector.settings.log_mel.hop
        self._chunk = max(1, round(chunk_seconds / hop / _MULTIPLE)) * _MULTIPLE
        self._context = round(context_seconds / hop / _MULTIPLE) * _MULTIPLE
        self._frames: list[Floats] = []  # from *_context* before the first that is not done
        self._held = 0  # frames in the list
        self._behind = 0  # of them, those done already, kept as context

    def push(self, samples: NDArray[np.floating[Any]]) -> Iterator[dict[str, Floats]]:
        """Take the next samples.

        Args:
            samples: (n,) mono sound at the detector's rate, full scale at 1.

        Yields:
            The outputs of frames that are settled by now, in order: by name (frames, ...).
        """
        self._keep(self._front.push(samples))
        while self._held - self._behind >= self._chunk + self._context:
            yield self._run(self._chunk)

    def finish(self) -> Iterator[dict[str, Floats]]:
        """The outputs of the remaining frames."""
        self._keep(self._front.finish())
        if self._held > self._behind:
            yield self._run(self._held - self._behind)

    def _keep(self, frames: Floats) -> None:
        if len(frames):
            self._frames.append(frames)
            self._held += len(frames)

    def _run(self, count: int) -> dict[str, Floats]:
        """Settle the next *count* frames, and drop what no context reaches any more."""
        frames = np.concatenate(self._frames)
        first, last = self._behind, self._behind + count
        found = self._detector.run(frames[: last + self._context], self._outputs)
        kept = max(0, last - self._context)
        self._frames, self._held, self._behind = [frames[kept:]], len(frames) - kept, last - kept
        return {name: values[first:last] for name, values in found.items()}
