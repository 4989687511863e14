"""From the packets of one stream to pictures or sound, whatever is damaged on the way."""

from __future__ import annotations

import math
import os
from collections import deque
from dataclasses import dataclass
from typing import Any

import av.error

from aver.media.kinds import MediaLimits
from aver.media.picture import FrameSampler
from aver.media.sound import RATES, SoundClock, mix_weights, to_mono
from aver.media.source import Recording, check_pixels

_RETRIES = 100
_SLOTS = 64
_THREADS = 4


@dataclass
class Damage:
    """What could not be decoded: how much, and between which times of the file."""

    count: int = 0
    first: float | None = None
    last: float | None = None

    def note(self, time: float | None) -> None:
        """Count one damaged packet at *time* seconds."""
        self.count += 1
        if time is not None:
            self.first = time if self.first is None else min(self.first, time)
            self.last = time if self.last is None else max(self.last, time)


class Track:
    """One stream being decoded: its waiting packets, its decoder, how far it has come.

    All times in here are seconds as the file stamps them; the recording's clock starts later, at
    the earliest of its streams.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.index: int = stream.index
        self.pending: deque[Any] = deque()
        self.damage = Damage()
        self.done = False
        self.received = 0
        self._decoder = stream.codec_context
        self._tick = stream.time_base

    def seconds(self, stamp: int | None) -> float | None:
        """Turn a time stamp of this stream into seconds."""
        if stamp is None:
            return None
        return float(stamp * self._tick.numerator / self._tick.denominator)

    def decode(self, packet: Any | None) -> None:
        """Decode *packet* (None: bring out what the decoder still holds)."""
        try:
            frames = self._decoder.decode(packet)
        except EOFError:
            return
        except (av.error.FFmpegError, ValueError, MemoryError):
            if packet is not None:
                stamp = packet.pts if packet.pts is not None else packet.dts
                self.damage.note(self.seconds(stamp))
            return
        for frame in frames:
            self.receive(frame)

    def receive(self, frame: Any) -> None:
        """Take one decoded frame."""
        raise NotImplementedError

    def finish(self) -> None:
        """The file is at its end."""
        for _ in range(_RETRIES):  # a decoder may stumble over damage more than once on its way out
            before = self.damage.count, self.received
            self.decode(None)
            if before == (self.damage.count, self.received):
                break
        self.done = True

    @property
    def first(self) -> float | None:
        """Time of the first thing decoded, None before."""
        raise NotImplementedError

    @property
    def clock(self) -> float:
        """Time up to which everything has been decoded."""
        raise NotImplementedError


class SoundTrack(Track):
    """The sound stream."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.sound = SoundClock()
        self._layout: tuple[str, Any] | None = None
        self._decoder.thread_count = 1

    def receive(self, frame: Any) -> None:
        """Mix, resample and place one frame of sound."""
        self.received += 1
        time = self.seconds(frame.pts)
        if frame.is_corrupt or not RATES[0] <= frame.sample_rate <= RATES[1]:
            self.damage.note(time)
            return
        if not frame.samples:
            return
        name = frame.layout.name
        if self._layout is None or self._layout[0] != name:
            self._layout = name, mix_weights([channel.name for channel in frame.layout.channels])
        self.sound.push(to_mono(frame, self._layout[1]), frame.sample_rate, time)

    def finish(self) -> None:
        """Decode and resample the rest."""
        super().finish()
        self.sound.finish()

    @property
    def first(self) -> float | None:
        """Time of the first sample, None before."""
        return self.sound.first

    @property
    def clock(self) -> float:
        """Time up to which sound has been placed."""
        return self.sound.end


class PictureTrack(Track):
    """The picture stream.

    Until :meth:`begin` has said where the recording's clock starts, decoded pictures wait as they
    are; there are few, since decoding stops at the first.
    """

    def __init__(self, recording: Recording, sampler: FrameSampler, limits: MediaLimits) -> None:
        super().__init__(recording.video)
        self.sampler = sampler
        self._path, self._limits = recording.path, limits
        self._keep_damaged = recording.may_be_still
        self._origin: float | None = None
        self._early: list[tuple[float, Any, float]] = []
        self._first_of_slot: dict[int, float] = {}
        self._first: float | None = None
        self._clock = -math.inf
        self.end = -math.inf
        rate = self.stream.average_rate or self.stream.guessed_rate
        self._interval = 1.0 / float(rate) if rate and 1 <= rate <= 1000 else 0.04
        self._decoder.thread_type = "AUTO"
        self._decoder.thread_count = min(_THREADS, usable_cores())
        self._decoder.options = {"max_pixels": str(limits.max_pixels)}

    @property
    def first(self) -> float | None:
        """Time of the first picture, None before."""
        return self._first

    @property
    def clock(self) -> float:
        """Time of the latest picture."""
        return self._clock

    def begin(self, origin: float) -> None:
        """Set the time in the file at which the recording's clock starts."""
        self._origin = origin
        for time, frame, until in self._early:
            self._sample(time, frame, until)
        self._early.clear()

    def decode(self, packet: Any | None) -> None:
        """Decode *packet*, or pass it over where nothing needs its picture.

        A picture that no other refers to, and that comes after another at its tick, need not be
        decoded: that saves a third of the work at 30 pictures a second.
        """
        if packet is not None:
            is_spare = self._is_spare(packet)
            self._decoder.skip_frame = "NONREF" if is_spare else "DEFAULT"
        super().decode(packet)

    def _is_spare(self, packet: Any) -> bool:
        time = self.seconds(packet.pts)
        if time is None or self._origin is None:
            return False
        self.end = max(self.end, time + (self.seconds(packet.duration or None) or self._interval))
        slot = self.sampler.slot(time - self._origin)
        first = self._first_of_slot.setdefault(slot, time)
        if time <= first:
            self._first_of_slot[slot] = time
            while len(self._first_of_slot) > _SLOTS:
                del self._first_of_slot[next(iter(self._first_of_slot))]
        return time > first

    def receive(self, frame: Any) -> None:
        """Sample one decoded picture."""
        time = self.seconds(frame.pts)
        if time is None:
            time = 0.0 if self._first is None else self._clock + self._interval
        if frame.is_corrupt:
            self.damage.note(time)
            if not self._keep_damaged:
                return
        self.received += 1
        check_pixels(self._path, frame.width, frame.height, self._limits)
        if time <= self._clock:
            return
        self._first = time if self._first is None else self._first
        self._clock = time
        until = time + (self.seconds(frame.duration or None) or self._interval)
        self.end = max(self.end, until)
        if self._origin is None:
            self._early.append((time, frame, until))
        else:
            self._sample(time, frame, until)

    def finish(self) -> None:
        """Decode and sample the rest."""
        super().finish()
        self.sampler.finish()

    def _sample(self, time: float, frame: Any, until: float) -> None:
        assert self._origin is not None
        aspect = self.stream.sample_aspect_ratio
        try:
            self.sampler.push(frame, time - self._origin, aspect, until - self._origin)
        except (av.error.FFmpegError, ValueError):
            self.damage.note(time)


def usable_cores() -> int:
    """Number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
