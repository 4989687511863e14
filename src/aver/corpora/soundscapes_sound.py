"""Sound of soundscapes: where a recording is active, babble, reverberation, mixing, FLAC."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aver.corpora.pseudo_films_sound import Sound, faded, root_mean_square
from aver.media import SAMPLE_RATE

Span = tuple[int, int]
"""First sample, and the one after the last."""

FRAME = SAMPLE_RATE // 100
QUIET = 0.05
"""Of the loudest hundredth of a second (-26 dB): what is below counts as silence."""
_OVER_FLOOR = 2.0
_HIGHEST_FLOOR = 0.2
_SHORTEST_FRAMES = 15
_DIRECT_TO_REVERBERANT = 5.0
_PEAK = 0.99


@dataclass(frozen=True, eq=False)
class Excerpt:
    """What is heard of a recording.

    Attributes:
        samples: (n,) mono at 16 kHz, from the first active moment to the last.
        spans: where in them it is active.
        sources: names of the recordings in it.
    """

    samples: Sound
    spans: tuple[Span, ...]
    sources: tuple[str, ...] = ()

    @property
    def active(self) -> NDArray[np.bool_]:
        """(n,) whether a sample is within a span."""
        return mask_of(self.spans, len(self.samples))


def mask_of(spans: Sequence[Span], length: int) -> NDArray[np.bool_]:
    """(length,) whether a sample is within one of *spans*."""
    mask = np.zeros(length, np.bool_)
    for start, end in spans:
        mask[start:end] = True
    return mask


def active_spans(sound: Sound, bridge_seconds: float = 0.5) -> list[Span]:
    """Where a recording of one event is active, by its energy.

    The level is the root mean square of every hundredth of a second, each replaced by the median
    of itself and its two neighbours, so that a click is nothing. Active is what exceeds both 5 %
    of the loudest (-26 dB) and twice the recording's own floor (the level that a tenth of its
    hundredths stay below; at most a fifth of the loudest is taken for a floor, as a recording
    may be active throughout). Pauses up to *bridge_seconds* belong to the event; what then lasts
    less than 150 ms is left out.

    Args:
        sound: (samples,) at 16 kHz.
        bridge_seconds: longest pause within an event.

    Returns:
        Spans in order, on borders of hundredths of a second; none in silence.
    """
    frames = len(sound) // FRAME
    if frames < 3:
        return []
    cut = sound[: frames * FRAME].reshape(frames, FRAME)
    level = np.sqrt(np.mean(np.square(cut, dtype=np.float64), axis=1))
    padded = np.pad(level, 1, mode="edge")
    level = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    loudest = float(level.max())
    floor = min(_OVER_FLOOR * float(np.quantile(level, 0.1)), _HIGHEST_FLOOR * loudest)
    loud = np.flatnonzero(level > max(QUIET * loudest, floor))
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) - 1 > round(bridge_seconds * 100)) + 1
    return [
        (int(run[0]) * FRAME, (int(run[-1]) + 1) * FRAME)
        for run in np.split(loud, breaks)
        if run[-1] + 1 - run[0] >= _SHORTEST_FRAMES
    ]


def excerpt(sound: Sound, longest: float, bridge: float, name: str = "") -> Excerpt | None:
    """A recording without its silent ends, at most *longest* seconds; None if nothing is heard.

    Its level is such that the root mean square over its active spans is 1.
    """
    spans = active_spans(sound, bridge)
    if not spans:
        return None
    first = spans[0][0]
    last = min(spans[-1][1], first + int(longest * 100) * FRAME)
    kept = tuple(
        (start - first, min(end, last) - first)
        for start, end in spans
        if min(end, last) - start >= _SHORTEST_FRAMES * FRAME
    )
    if not kept:
        return None
    # Up to the last span that is left: what follows it would be heard and not be labelled.
    samples = faded(sound[first : first + kept[-1][1]])
    level = root_mean_square(samples[mask_of(kept, len(samples))])
    if level <= 0.0:
        return None
    return Excerpt(samples / np.float32(level), kept, (name,) if name else ())


def babble(voices: int, length: int, draw: Callable[[], Excerpt]) -> Excerpt:
    """Several voices at once, all at one level, each speaking on and on.

    Args:
        voices: how many.
        length: of it, in samples.
        draw: brings the next recording of speech.
    """
    total = np.zeros(length, np.float32)
    sources: list[str] = []
    for _ in range(voices):
        filled = 0
        while filled < length:
            one = draw()
            part = one.samples[: length - filled]
            total[filled : filled + len(part)] += part
            filled += len(part)
            sources.extend(one.sources)
    total = faded(total)
    level = np.float32(max(root_mean_square(total), 1e-9))
    return Excerpt(total / level, ((0, length),), tuple(sources))


def reverberation(seconds: float, random: np.random.Generator) -> Sound:
    """A made-up room: the direct sound, then noise that dies away by 60 dB in *seconds*.

    The direct sound has 5 dB more energy than the rest of the answer. (1,), a 1, for 0 seconds.
    """
    length = int(seconds * SAMPLE_RATE)
    answer = np.zeros(length + 1, np.float64)
    answer[0] = 1.0
    if length:
        tail = random.normal(size=length) * 10 ** (-3.0 * np.arange(length) / length)
        energy = 10 ** (-_DIRECT_TO_REVERBERANT / 10)
        answer[1:] = tail * np.sqrt(energy / np.sum(tail**2))
    return answer.astype(np.float32)


def in_room(one: Excerpt, answer: Sound) -> Excerpt:
    """The excerpt as heard in a room; its spans stay those of the dry sound."""
    if len(answer) == 1:
        return one
    length = len(one.samples) + len(answer) - 1
    size = 1 << (length - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(one.samples, size) * np.fft.rfft(answer, size), size)[:length]
    level = root_mean_square(wet[: len(one.samples)][one.active].astype(np.float32))
    return Excerpt((wet / level).astype(np.float32), one.spans, one.sources)


def mix(
    background: Sound, events: Sequence[tuple[int, Excerpt]], ratio: float, level: float
) -> Sound:
    """Events over a background.

    Args:
        background: (samples,).
        events: the sample at which each begins, and its sound, of which the root mean square over
            its active spans is 1. What reaches beyond the end is cut off.
        ratio: signal to noise in decibels: level of each event over its active spans, to the level
            of the background over all its length.
        level: root mean square of the whole in decibels, full scale being 0; less where it would
            reach beyond full scale.

    Returns:
        (samples,) within full scale.
    """
    mixed = background / np.float32(max(root_mean_square(background), 1e-9))
    gain = np.float32(10 ** (ratio / 20))
    for start, one in events:
        part = one.samples[: len(mixed) - start]
        mixed[start : start + len(part)] += gain * part
    wanted = 10 ** (level / 20) / max(root_mean_square(mixed), 1e-9)
    # One factor for all keeps the ratio.
    highest = _PEAK / max(float(np.abs(mixed).max()), 1e-9)
    return np.asarray(mixed * np.float32(min(wanted, highest)), np.float32)


def flac(sound: Sound) -> bytes:
    """(samples,) at 16 kHz as a FLAC file of 16 bits."""
    import av

    numbers = np.clip(np.rint(sound * 32767), -32768, 32767).astype(np.int16)
    out = io.BytesIO()
    with av.open(out, "w", format="flac") as file:
        stream = file.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(numbers[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = 0
        for given in (frame, None):
            for packet in stream.encode(given):
                file.mux(packet)
    return out.getvalue()
