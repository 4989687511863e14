"""What a file sounds like, whatever it is called and however it is packed.

Two files are the same sound if their decoded samples are the same, not their bytes: a WAV file and
the FLAC made of it, a clip with and without digital silence around it. Sound that went through a
lossy codec, a resampler or a change of level is found by :mod:`aver.corpora.identity_alike`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aver.media import SAMPLE_RATE, read_windows

if TYPE_CHECKING:
    from aver.corpora.identity_alike import Fingerprint

_FULL_SCALE = 2.0**15


@dataclass(frozen=True, eq=False)
class Content:
    """What a file was found to hold when it was decoded from its first to its last packet.

    Args:
        seconds: length on the recording's own clock.
        pictures: number of pictures seen (at most two a second are looked at).
        sound_hash: see :func:`sound_hash`.
        picture_hash: SHA-256 of the pixels of a still image; empty for anything else.
        fingerprint: see :mod:`aver.corpora.identity_alike`; None if not asked for, or no sound.
        has_sound: whether there is a sound stream; one of nothing but zeros counts.
        peak: largest absolute sample, 0 to 1; 0 without sound.
        warnings: one line for each thing that is damaged though the file could be read.
    """

    seconds: float
    pictures: int
    sound_hash: str
    picture_hash: str
    fingerprint: Fingerprint | None
    has_sound: bool
    peak: float
    warnings: tuple[str, ...]


def sound_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's decoded sound: the same for the same sound, however it is stored.

    The sound is read as the analysis reads it (one channel, 16 kHz), rounded to 16 bits, and
    digital silence before and after it is left out.

    Returns:
        64 hexadecimal digits; empty if there is nothing to hear (no sound, or zeros only).

    Raises:
        MediaError: the file cannot be read.
    """
    return read_content(path, picture=False).sound_hash


def read_content(
    path: str | os.PathLike[str], *, picture: bool = True, fingerprint: bool = False
) -> Content:
    """Decode a file whole, in bounded memory, and tell what is in it.

    Args:
        path: video, sound or picture file.
        picture: whether to decode the picture too.
        fingerprint: whether to take the fingerprint of its sound.

    Raises:
        MediaError: the file cannot be read, or nothing of it decoded.
    """
    from aver.corpora.identity_alike import Fingerprinter

    warnings: list[str] = []
    hasher = _SilenceTrimmedHash()
    printer = Fingerprinter() if fingerprint else None
    pictures, seconds, peak, has_sound = 0, 0.0, 0.0, False
    picture_hasher = hashlib.sha256()
    for window in read_windows(
        path, picture=picture, frames_per_second=2.0, max_side=320, warn=warnings.append
    ):
        seconds = window.end
        pictures += len(window.frames)
        if not has_sound and len(window.frames) and pictures == 1:
            picture_hasher.update(np.ascontiguousarray(window.frames[0].image).tobytes())
        if window.samples is None:
            continue
        has_sound = True
        peak = max(peak, float(np.abs(window.samples).max(initial=0.0)))
        hasher.update(window.samples)
        if printer is not None:
            printer.update(window.samples)
    is_still = pictures == 1 and not has_sound
    return Content(
        seconds=seconds,
        pictures=pictures,
        sound_hash=hasher.hexdigest() if has_sound else "",
        picture_hash=picture_hasher.hexdigest() if is_still else "",
        fingerprint=printer.finish() if printer is not None and has_sound else None,
        has_sound=has_sound,
        peak=peak,
        warnings=tuple(warnings),
    )


class _SilenceTrimmedHash:
    """SHA-256 of 16-bit samples, without the zeros before the first and after the last other."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(f"{SAMPLE_RATE}\n".encode())
        self._zeros = 0
        self._begun = False

    def update(self, samples: NDArray[np.float32]) -> None:
        coded = np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
        coded = coded.astype("<i2")
        heard = np.flatnonzero(coded)
        if not len(heard):
            self._zeros += len(coded)
            return
        first, last = int(heard[0]), int(heard[-1]) + 1
        if self._begun:
            self._hash.update(b"\0\0" * (self._zeros + first))
        self._begun = True
        self._hash.update(coded[first:last].tobytes())
        self._zeros = len(coded) - last

    def hexdigest(self) -> str:
        return self._hash.hexdigest() if self._begun else ""
