"""Making one recorded voice sound like many rooms, microphones and speakers.

Two kinds of change. :func:`disturb_sound` works on samples and is dear (resampling, convolution),
so a handful of versions of each clip are made once. :func:`disturb_magnitudes` (background at a
random level, gain, equaliser) and :func:`hide_parts` (masks, Park et al. 2019) work on mel
spectrograms while training and are cheap.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aver.features.log_mel import BANDS, SAMPLE_RATE


def room_response(
    generator: np.random.Generator, reverberation_seconds: float, direct_to_reverberant_db: float
) -> NDArray[np.float32]:
    """Return a synthetic room impulse response: one direct path, then decaying noise.

    The noise falls by 60 dB within *reverberation_seconds*; its energy lies
    *direct_to_reverberant_db* below that of the direct path, which is 1 at sample 0.
    """
    n = max(2, round(reverberation_seconds * SAMPLE_RATE))
    time = np.arange(n) / SAMPLE_RATE
    tail = generator.standard_normal(n) * 10.0 ** (-3.0 * time / reverberation_seconds)
    tail[: round(0.002 * SAMPLE_RATE)] = 0.0
    energy = float(np.sum(tail**2))
    if energy > 0:
        tail *= 10.0 ** (-direct_to_reverberant_db / 20.0) / np.sqrt(energy)
    tail[0] = 1.0
    return tail.astype(np.float32)


def channel_curve(
    generator: np.random.Generator, bins: int, low_hz: float, high_hz: float
) -> NDArray[np.float32]:
    """Return amplitude factors of a microphone or telephone for *bins* bins from 0 to 8 kHz.

    A smooth random curve (about 4 dB) that passes *low_hz* to *high_hz* and falls off by 24 dB
    an octave outside.
    """
    hertz = np.linspace(0.0, SAMPLE_RATE / 2, bins)
    octave = np.log2(np.maximum(hertz, 20.0) / 1000.0)
    knots = np.linspace(-6.0, 3.0, 7)
    decibel = np.interp(octave, knots, generator.normal(0.0, 4.0, len(knots)))
    decibel -= 24.0 * np.maximum(0.0, np.log2(low_hz / np.maximum(hertz, 20.0)))
    decibel -= 24.0 * np.maximum(0.0, np.log2(np.maximum(hertz, 20.0) / high_hz))
    return np.asarray(10.0 ** (decibel / 20.0), dtype=np.float32)


def disturb_sound(
    samples: NDArray[np.float32], generator: np.random.Generator
) -> tuple[NDArray[np.float32], float]:
    """Return another version of a clip, and how much faster it is spoken.

    Always another speed (pitch and tempo together, up to 15 %) and microphone; half of the time
    a room; sometimes a telephone (300 to 3,400 Hz, mu-law of 8 bits) or an overdriven input.

    Args:
        samples: (n,) mono sound at 16 kHz.
        generator: source of the random draws.

    Returns:
        (n / speed,) sound of the same root mean square, and the speed.
    """
    import soxr

    speed = float(np.exp(generator.uniform(-0.15, 0.15)))
    sound = soxr.resample(samples, SAMPLE_RATE * speed, SAMPLE_RATE, quality="LQ")
    level = float(np.sqrt(np.mean(sound**2))) + 1e-9
    telephone = generator.random() < 0.12
    if telephone:
        low, high = 300.0, 3400.0
    else:
        low = float(generator.uniform(40.0, 160.0))
        high = float(generator.choice([8000.0, 8000.0, generator.uniform(3500.0, 7500.0)]))
    response = np.ones(1, np.float32)
    if generator.random() < 0.5:
        response = room_response(
            generator, float(generator.uniform(0.15, 0.8)), float(generator.uniform(-2.0, 12.0))
        )
    size = 1 << int(np.ceil(np.log2(len(sound) + len(response))))
    spectrum = np.fft.rfft(sound, size) * np.fft.rfft(response, size)
    spectrum *= channel_curve(generator, len(spectrum), low, high)
    sound = np.fft.irfft(spectrum, size)[: len(sound)].astype(np.float32)
    sound *= level / (float(np.sqrt(np.mean(sound**2))) + 1e-9)
    if generator.random() < 0.08:
        peak = float(np.abs(sound).max()) + 1e-9
        limit = peak * float(generator.uniform(0.2, 0.6))
        sound = limit * np.tanh(sound / limit)
    if telephone:
        sound = _mu_law(sound)
    return sound.astype(np.float32), speed


_KNOTS = 6
_CURVES = np.stack(
    [np.interp(np.linspace(0, _KNOTS - 1, BANDS), range(_KNOTS), row) for row in np.eye(_KNOTS)]
).astype(np.float32)


def disturb_magnitudes(
    magnitudes: NDArray[np.float32],
    levels: NDArray[np.float64],
    noises: list[NDArray[np.float32]],
    generator: np.random.Generator,
    *,
    strength: float = 1.0,
) -> NDArray[np.float64]:
    """Add background, equalise and amplify mel magnitudes, in place.

    At full strength half of the clips get a background, 2 to 35 dB below the voice: one of
    *noises*, or white to brown noise; half get a smooth random equaliser (3 dB), half a gain
    (7 dB), all a slight one. At less, a smaller share of them.

    Args:
        magnitudes: (batch, frames, 64), changed in place.
        levels: (batch,) log root mean square of each clip's voice.
        noises: (n, 64) mel magnitudes of backgrounds, of any length.
        generator: source of the random draws.
        strength: 0 to 1.

    Returns:
        (batch,) natural logarithm of the gain of each clip.
    """
    batch, frames = magnitudes.shape[:2]
    for row in np.flatnonzero(generator.random(batch) < 0.5 * strength):
        noise = _background(noises, frames, generator)
        level = 0.5 * np.log(np.mean(noise**2) + 1e-10)
        below = generator.uniform(2.0, 35.0) / (20.0 / np.log(10.0))
        scale = np.float32(np.exp(levels[row] - level - below))
        # Powers of independent sounds add.
        magnitudes[row] = np.sqrt(magnitudes[row] ** 2 + (noise * scale) ** 2)
    knots = generator.normal(size=(batch, _KNOTS)) * 0.35
    knots *= generator.random((batch, 1)) < 0.5 * strength
    gain = generator.normal(size=batch) * 0.8 * (generator.random(batch) < 0.5 * strength)
    gain += generator.normal(size=batch) * 0.15
    curves = np.asarray(knots) @ _CURVES
    magnitudes *= np.exp(curves + np.asarray(gain)[:, None]).astype(np.float32)[:, None]
    return np.asarray(gain)


def _background(
    noises: list[NDArray[np.float32]], frames: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    if not noises or generator.random() < 0.25:
        noise = np.abs(generator.normal(size=(frames, BANDS)))
        noise *= np.exp(-3.0 * generator.random() * np.linspace(0, 1, BANDS))
        return noise.astype(np.float32)
    noise = noises[generator.integers(len(noises))]
    noise = noise[generator.integers(max(1, len(noise) - frames)) :][:frames]
    return np.resize(noise, (frames, BANDS))


def hide_parts(
    log_mel: NDArray[np.float32], generator: np.random.Generator, strength: float = 1.0
) -> None:
    """Replace random bands (up to two stripes) and stretches of time (up to three) by the mean.

    Args:
        log_mel: (batch, windows, frames, bands), changed in place; a stripe of bands goes through
            all windows of a clip, a stretch of time lies within one.
        generator: source of the random draws.
        strength: 0 to 1, how often.
    """
    batch, windows, frames, bands = log_mel.shape
    means = log_mel.mean(axis=(1, 2, 3))
    for row in range(batch):
        for _ in range(generator.binomial(2, 0.4 * strength)):
            low = generator.integers(bands - 4)
            log_mel[row, :, :, low : low + generator.integers(1, 9)] = means[row]
        for _ in range(generator.binomial(3, 0.4 * strength)):
            start, window = generator.integers(frames - 4), generator.integers(windows)
            log_mel[row, window, start : start + generator.integers(1, 16)] = means[row]


def _mu_law(sound: NDArray[np.float32], mu: float = 255.0) -> NDArray[np.float32]:
    """Round to the 256 levels of the telephone's mu-law (ITU-T G.711)."""
    peak = float(np.abs(sound).max()) + 1e-9
    compressed = np.sign(sound) * np.log1p(mu * np.abs(sound) / peak) / np.log1p(mu)
    rounded = np.round(compressed * 127.0) / 127.0
    expanded = np.sign(rounded) * np.expm1(np.abs(rounded) * np.log1p(mu)) / mu * peak
    return np.asarray(expanded, dtype=np.float32)
