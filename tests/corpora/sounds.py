"""Small sound files with known content."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np

RATE = 16_000


def voice(seed: int, seconds: float = 1.2) -> np.ndarray:
    """A made-up voice, (n,) in [-1, 1]: harmonics of a moving pitch, syllables, a little noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    knots = np.linspace(0, seconds, 8)
    pitch = np.interp(time, knots, rng.uniform(90, 260, 8))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    shape = np.interp(time, knots, rng.uniform(0.2, 1.0, 8))
    weights = [np.interp(time, knots, rng.uniform(0, 1, 8)) / n for n in range(1, 16)]
    sound = sum(w * np.sin(n * phase) for n, w in enumerate(weights, start=1))
    sound = shape * sound + 0.02 * rng.standard_normal(len(time))
    return 0.8 * sound / np.abs(sound).max()


def write_wav(path: Path, sound: np.ndarray, rate: int = RATE) -> Path:
    """Write (n,) or (n, channels) as 16-bit WAV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = 1 if sound.ndim == 1 else sound.shape[1]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
    return path


def encode(source: Path, target: Path, codec: str, rate: int, bits: int = 0) -> Path:
    """Put the sound of a file through another codec."""
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = write.add_stream(codec, rate=rate)
        stream.layout = "mono"
        if bits:
            stream.bit_rate = bits
        resampler = av.AudioResampler(stream.codec_context.format, "mono", rate)
        frames = [g for f in [*read.decode(audio=0), None] for g in resampler.resample(f)]
        for frame in [*frames, None]:
            write.mux(stream.encode(frame))
    return target
