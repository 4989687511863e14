"""Small sound files for tests of extractors."""

from __future__ import annotations

import tarfile
import wave
from pathlib import Path

import numpy as np


def tone(seconds=1.0, rate=16_000, hertz=440.0):
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def chirp():
    """A second of a tone and a sweep at 16 kHz: the sound of the reference numbers."""
    time = np.arange(16_000) / 16_000
    sound = 0.3 * np.sin(2 * np.pi * 440 * time) + 0.1 * np.sin(2 * np.pi * 3000 * time * time)
    return sound.astype(np.float32)


def write_wave(path, samples, rate=16_000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(np.asarray(samples) * 32767).astype("<i2").tobytes())
    return Path(path)


def ravdess_clip(shared, stem, folder):
    """One recording of RAVDESS, out of the shared archive."""
    name = f"ravdess_speech/Actor_{stem[-2:]}/{stem}.flac"
    path = folder / f"{stem}.flac"
    with tarfile.open(shared / "data" / "ravdess_speech.tar") as tar:
        path.write_bytes(tar.extractfile(name).read())
    return path
