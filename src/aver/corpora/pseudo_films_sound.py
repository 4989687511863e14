"""Sound of pseudo-films: recordings without their silent ends, backgrounds, mixing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aver.features.extractor import Clip
from aver.features.windows import read_sound
from aver.media import SAMPLE_RATE

if TYPE_CHECKING:
    from aver.corpora.pseudo_films_cast import Take

Sound = NDArray[np.float32]

_FRAME = SAMPLE_RATE // 100
_QUIET = 0.03  # of the loudest hundredth of a second: silence before and after speech
_FADE = SAMPLE_RATE // 100
_PEAK = 0.99


class Reader:
    """Reads recordings, the last ones from memory."""

    def __init__(self, remembered: int = 64):
        self._sounds: dict[Path, Sound] = {}
        self._remembered = remembered

    def read(self, file: Path) -> Sound:
        """(samples,) mono at 16 kHz."""
        if file not in self._sounds:
            if len(self._sounds) >= self._remembered:
                self._sounds.pop(next(iter(self._sounds)))
            self._sounds[file] = read_sound(Clip(file)).samples
        return self._sounds[file]

    def level(self, take: Take) -> float:
        """Root mean square of what is heard."""
        return root_mean_square(trim(self.read(take.file)))

    def voice(self, take: Take, gain: float) -> Sound:
        """The recording without its silent ends, times *gain*, faded in and out."""
        return faded(trim(self.read(take.file)) * np.float32(gain))


def root_mean_square(sound: Sound) -> float:
    """Level of (samples,); full scale is 1."""
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) if len(sound) else 0.0


def trim(sound: Sound) -> Sound:
    """Without the silence before and after; all of it if it is silent throughout."""
    frames = len(sound) // _FRAME
    if not frames:
        return sound
    cut = sound[: frames * _FRAME].reshape(frames, _FRAME)
    level = np.sqrt(np.mean(np.square(cut, dtype=np.float64), axis=1))
    loud = np.flatnonzero(level > _QUIET * level.max())
    return sound[loud[0] * _FRAME : (loud[-1] + 1) * _FRAME] if len(loud) else sound


def faded(sound: Sound) -> Sound:
    """With 10 ms of rise and fall, so that cuts do not click."""
    length = min(_FADE, len(sound) // 2)
    if not length:
        return sound
    ramp = np.linspace(0.0, 1.0, length, dtype=np.float32)
    sound = sound.copy()
    sound[:length] *= ramp
    sound[-length:] *= ramp[::-1]
    return sound


def loop_to(
    length: int,
    backgrounds: Sequence[tuple[Path, str]],
    random: np.random.Generator,
    reader: Reader,
) -> tuple[Sound, list[str]]:
    """Background of *length* samples: recordings one after the other, all at one level.

    Returns:
        (length,) with a root mean square of 1 in every recording that is not silent, and the
        recordings' names.
    """
    parts: list[Sound] = []
    names: list[str] = []
    total = 0
    while total < length:
        file, _ = backgrounds[int(random.integers(len(backgrounds)))]
        sound = trim(reader.read(file))
        level = root_mean_square(sound)
        parts.append(faded(sound / np.float32(level or 1.0)))
        names.append(file.stem)
        total += len(sound)
    return np.concatenate(parts)[:length], names


def mix_at(voices: Sound, noise: Sound, ratio: float) -> Sound:
    """Voices over noise, their levels *ratio* decibels apart; never beyond full scale.

    Args:
        voices: (samples,); silence between recordings (exact zeros) does not count for its level.
        noise: (samples,).
        ratio: signal to noise, in decibels.
    """
    heard = voices[voices != 0]
    wanted = root_mean_square(heard) / 10 ** (ratio / 20)
    mixed = voices + noise * np.float32(wanted / max(root_mean_square(noise), 1e-9))
    peak = float(np.abs(mixed).max())
    # One factor for the scene keeps its ratio.
    return np.asarray(mixed * np.float32(min(1.0, _PEAK / max(peak, 1e-9))), np.float32)
