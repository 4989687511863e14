"""A large speech encoder as the teacher of the voice network.

The teacher is Whisper's encoder (:mod:`aver.features.whisper`). The voice network learns to tell
the teacher's mean vector of a window from the window alone. Teacher and clips must be split alike:
who is tested may not be taught on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aver.features.whisper import SpeechEncoder, whisper_log_mel, whisper_mel_matrix

__all__ = [
    "STEPS_A_SECOND",
    "Lessons",
    "SpeechEncoder",
    "listen",
    "whisper_log_mel",
    "whisper_mel_matrix",
]

Floats = NDArray[np.float32]

STEPS_A_SECOND = 10
"""Teacher vectors kept a second: means of five of the encoder's own."""


@dataclass(frozen=True)
class Lessons:
    """What the teacher says of clips.

    Attributes:
        values: (steps of all clips, width) float16.
        ends: (clips,) where each clip's steps end.
        mean: (width,) over the clips that may be taught on.
        deviation: (width,) standard deviation over the same.
        clip_deviation: (width,) standard deviation of the clips' means.
    """

    values: NDArray[np.float16]
    ends: NDArray[np.int64]
    mean: Floats
    deviation: Floats
    clip_deviation: Floats

    @classmethod
    def of(
        cls, values: NDArray[np.float16], ends: NDArray[np.int64], rows: NDArray[np.intp]
    ) -> Lessons:
        """Lessons scaled by the clips *rows* alone."""
        each = [_of_clip(values, ends, row) for row in rows]
        taught = np.concatenate(each)
        mean = taught.mean(axis=0, dtype=np.float64)
        deviation = np.sqrt(np.mean((taught - mean) ** 2, axis=0)) + 1e-3
        clips = np.stack([steps.mean(axis=0, dtype=np.float32) for steps in each])
        return cls(
            values,
            ends,
            mean.astype(np.float32),
            deviation.astype(np.float32),
            clips.std(axis=0) + np.float32(1e-3),
        )

    def of_windows(
        self,
        rows: NDArray[np.intp],
        starts: NDArray[np.int64],
        speeds: NDArray[np.float64],
        windows: int,
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Standardised means over windows of half a second.

        Args:
            rows: (batch,) clips.
            starts: (batch,) first frame (10 ms) of each clip's first window.
            speeds: (batch,) how much faster than recorded the windows run.
            windows: windows a clip.

        Returns:
            (batch, windows, width), clipped to 4 deviations, and (batch, windows) whether the
            window lies in the clip.
        """
        found = np.zeros((len(rows), windows, self.values.shape[1]), np.float32)
        there = np.zeros((len(rows), windows), bool)
        for i, (row, start, speed) in enumerate(zip(rows, starts, speeds, strict=True)):
            steps = _of_clip(self.values, self.ends, row)
            for k in range(windows):
                first = round(max(0.0, (start + 50 * k) * speed / 10.0))
                last = round((start + 50 * k + 50) * speed / 10.0)
                if last > first and first < len(steps) - 1:
                    found[i, k] = steps[first:last].mean(axis=0, dtype=np.float32)
                    there[i, k] = True
        return np.clip((found - self.mean) / self.deviation, -4.0, 4.0), there


def _of_clip(
    values: NDArray[np.float16], ends: NDArray[np.int64], row: np.intp | int
) -> NDArray[np.float16]:
    return values[int(ends[row - 1]) if row else 0 : int(ends[row])]


def listen(
    files: Sequence[str], encoder: str, cache: Path | None, name: str, threads: int = 1
) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """What the teacher says of *files*, kept below *cache* under *name*.

    Returns:
        (steps of all clips, width) and (clips,) where each clip's steps end.
    """
    from aver.training.voice_data import read_sound

    kept = None if cache is None else cache / f"{name}-{Path(encoder).stem}.npz"
    if kept is not None and kept.is_file():
        with np.load(kept) as stored:
            if len(stored["ends"]) == len(files):
                return stored["values"], stored["ends"]
    network = SpeechEncoder(encoder, threads)
    said = [network(read_sound(file)) for file in files]
    values, ends = np.concatenate(said), np.cumsum([len(steps) for steps in said])
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept.with_name(f".{kept.name}"), values=values, ends=ends)
        kept.with_name(f".{kept.name}").replace(kept)
    return values, ends
