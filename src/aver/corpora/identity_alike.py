"""Fingerprints of sound that survive a lossy codec, a resampler and a change of level.

After J. Haitsma and T. Kalker, "A highly robust audio fingerprinting system", ISMIR 2002: from
overlapping frames of 0.37 s, the energies of 33 bands between 300 and 2000 Hz give 32 bits a frame,
each the sign of a difference over bands and time (section 4.2). Two sounds are the same if few of
the bits differ where they lie on each other. Candidates are found by words that occur in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from aver.media import SAMPLE_RATE

RATE = 5_000
FRAME = 2048
"""Samples at 5 kHz: 0.41 s."""
HOP = 64
"""Samples at 5 kHz: 12.8 ms."""
BANDS = 33
MOST_SECONDS = 120.0
"""Only so much of a long recording is printed."""
MOST_ERRORS = 0.2
"""Share of differing bits up to which two sounds are one. The paper takes 0.35 for 3 s of music;
speech comes nearer: two takes of a sentence by one actor of RAVDESS differ in 0.25 and more, one
take through Opus and AAC in up to 0.18 (``benchmarks/sound_identity.py``)."""
LEAST_FRAMES = 40
LEAST_OVERLAP = 0.8
"""Share of the shorter sound that must lie on the longer."""
_QUIET = 1e-5
_MOST_OWNERS = 16


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Bits of a sound.

    Args:
        words: uint32 (frames,), 32 bits each, one frame every 12.8 ms.
        heard: bool (frames,), False where the frame is 50 dB below the loudest one.
    """

    words: NDArray[np.uint32]
    heard: NDArray[np.bool_]


@dataclass(frozen=True)
class Likeness:
    """Two sounds that are one: their numbers, and the share of bits that differ, 0 to 0.5."""

    first: int
    second: int
    errors: float


class Fingerprinter:
    """Takes a fingerprint of sound that comes in pieces of (n,) float32 samples at 16 kHz."""

    def __init__(self) -> None:
        self._resampler = soxr.ResampleStream(SAMPLE_RATE, RATE, 1, dtype="float32", quality="LQ")
        self._pieces: list[NDArray[np.float32]] = []
        self._seconds = 0.0

    def update(self, samples: NDArray[np.float32]) -> None:
        """Add samples; those beyond ``MOST_SECONDS`` are left out."""
        if self._seconds < MOST_SECONDS:
            self._pieces.append(self._resampler.resample_chunk(samples))
            self._seconds += len(samples) / SAMPLE_RATE

    def finish(self) -> Fingerprint:
        """The fingerprint of all that was added; without frames if it is shorter than 0.5 s."""
        self._pieces.append(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        return take(np.concatenate(self._pieces))


def take(sound: NDArray[np.float32]) -> Fingerprint:
    """Fingerprint of (n,) samples at 5 kHz."""
    edges = np.geomspace(300.0, 2000.0, BANDS + 1) * FRAME / RATE
    first = np.round(edges).astype(int)
    parts: list[NDArray[np.float32]] = []
    frames = (
        np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP]
        if (len(sound) >= FRAME)
        else np.zeros((0, FRAME), np.float32)
    )
    window = np.hanning(FRAME).astype(np.float32)
    for start in range(0, len(frames), 512):
        spectrum = np.fft.rfft(frames[start : start + 512] * window, axis=1)
        power = np.abs(spectrum[:, : first[-1]]).astype(np.float32) ** 2
        parts.append(np.add.reduceat(power, first[:-1], axis=1))
    energy = np.concatenate(parts) if parts else np.zeros((0, BANDS), np.float32)
    if len(energy) < 2:
        return Fingerprint(np.zeros(0, np.uint32), np.zeros(0, np.bool_))
    slope = np.diff(energy, axis=1)
    bits = np.diff(slope, axis=0) < 0
    words = (bits @ (np.uint64(1) << np.arange(BANDS - 1, dtype=np.uint64))).astype(np.uint32)
    total = energy.sum(axis=1)[1:]
    return Fingerprint(words, total > _QUIET * max(float(total.max()), 1e-12))


def compare(first: Fingerprint, second: Fingerprint, offset: int) -> float:
    """Share of differing bits where *second* lies on *first*, *offset* frames later.

    Returns:
        0 (the same) over 0.5 (chance) to 1; 1 if too little of the shorter is covered.
    """
    start, stop = max(0, offset), min(len(first.words), offset + len(second.words))
    heard = first.heard[start:stop] & second.heard[start - offset : stop - offset]
    shorter = min(int(first.heard.sum()), int(second.heard.sum()))
    count = int(heard.sum())
    if stop <= start or count < max(LEAST_FRAMES, LEAST_OVERLAP * shorter):
        return 1.0
    differ = first.words[start:stop] ^ second.words[start - offset : stop - offset]
    return float(np.unpackbits(differ[heard].view(np.uint8)).mean())


def find_alike(prints: Sequence[Fingerprint | None]) -> list[Likeness]:
    """All pairs of sounds that are one, by their numbers in *prints*."""
    candidates = find_candidates(prints)
    best: dict[tuple[int, int], float] = {}
    for one, other, offset in candidates:
        first, second = prints[one], prints[other]
        if first is None or second is None:
            continue
        errors = compare(first, second, offset)
        if errors <= MOST_ERRORS:
            pair = one, other
            best[pair] = min(best.get(pair, 1.0), errors)
    return [Likeness(one, other, errors) for (one, other), errors in sorted(best.items())]


def find_candidates(prints: Sequence[Fingerprint | None]) -> list[tuple[int, int, int]]:
    """Pairs that share a word, with how many frames the second lies after the start of the first.

    Words that hang about in many sounds say nothing and are passed over.
    """
    kept = [(n, p) for n, p in enumerate(prints) if p is not None and len(p.words)]
    if len(kept) < 2:
        return []
    words = np.concatenate([p.words for _, p in kept])
    heard = np.concatenate([p.heard for _, p in kept])
    owners = np.concatenate([np.full(len(p.words), n) for n, p in kept])
    places = np.concatenate([np.arange(len(p.words)) for _, p in kept])
    order = np.argsort(words, kind="stable")
    order = order[heard[order]]
    words, owners, places = words[order], owners[order], places[order]
    found: set[tuple[int, int, int]] = set()
    for step in range(1, _MOST_OWNERS):
        same = np.flatnonzero((words[step:] == words[:-step]) & (owners[step:] != owners[:-step]))
        a, b = owners[same], owners[same + step]
        shift = np.where(
            a < b, places[same] - places[same + step], places[same + step] - places[same]
        )
        pairs = np.stack([np.minimum(a, b), np.maximum(a, b), shift], axis=1)
        found.update(map(tuple, np.unique(pairs, axis=0).tolist()))
    return sorted(found)
