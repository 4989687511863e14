"""The recording as a row of windows of picture and sound."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from aver.errors import MediaError, SettingError
from aver.media.decode import Damage, PictureTrack, SoundTrack, Track
from aver.media.demux import Decoding
from aver.media.kinds import SAMPLE_RATE, MediaLimits, Window
from aver.media.picture import FrameSampler
from aver.media.sniff import is_animated_webp, why_unreadable
from aver.media.source import Recording, open_recording

_SLIVER_SECONDS = 1e-3
_LOST_SECONDS = 0.5


def read_windows(
    path: str | os.PathLike[str],
    *,
    window_seconds: float = 0.5,
    frames_per_second: float = 10.0,
    max_side: int = 640,
    picture: bool = True,
    sound: bool = True,
    limits: MediaLimits | None = None,
    warn: Callable[[str], None] | None = None,
) -> Iterator[Window]:
    """Read a recording once, in order and in bounded memory, window by window.

    Window k covers ``[k, k + 1) * window_seconds`` on the recording's own clock, whose zero is
    the earliest start of the streams that are read. The file is opened, and refused if it must
    be, before this returns; it is decoded as the windows are taken. A still image is one window.

    Args:
        path: video, sound or picture file, in any container and codec that FFmpeg reads.
        window_seconds: length of a window, rounded to whole samples of 16 kHz.
        frames_per_second: at most so many pictures a second are converted, the first at or after
            each tick.
        max_side: pixels; larger pictures are scaled down so that no side is longer.
        picture: whether to read the picture.
        sound: whether to read the sound.
        limits: what the recording may at most be.
        warn: called with one line (without the file's name) for each thing that is wrong with
            the recording but did not keep it from being read.

    Raises:
        MediaError: the recording cannot be read, at once or once decoding finds out.
        SettingError: a setting is out of range.
    """
    window_samples = round(window_seconds * SAMPLE_RATE)
    if window_samples < 1:
        raise SettingError("window_seconds", f"{window_seconds} is too short", "use 0.25 or 0.5")
    if not frames_per_second > 0:
        raise SettingError("frames_per_second", f"{frames_per_second} is not positive", "use 10")
    if max_side < 1:
        raise SettingError("max_side", f"{max_side} is not positive", "use 640")
    limits = limits or MediaLimits()
    recording = open_recording(path, limits, picture=picture, sound=sound)
    sampler = FrameSampler(frames_per_second, max_side, window_samples / SAMPLE_RATE)
    reader = _Reader(recording, sampler, window_samples, limits, warn or (lambda _: None))
    return reader.windows()


class _Reader:
    def __init__(
        self,
        recording: Recording,
        sampler: FrameSampler,
        window_samples: int,
        limits: MediaLimits,
        warn: Callable[[str], None],
    ) -> None:
        self._recording, self._limits, self._warn = recording, limits, warn
        self._samples = window_samples
        self._seconds = window_samples / SAMPLE_RATE
        self._picture: PictureTrack | None = None
        self._sound: SoundTrack | None = None
        tracks: list[Track] = []
        if recording.audio is not None:
            self._sound = SoundTrack(recording.audio)
            tracks.append(self._sound)
        if recording.video is not None:
            self._picture = PictureTrack(recording, sampler, limits)
            tracks.append(self._picture)
        self._decoding = Decoding(recording, tracks, limits)

    def windows(self) -> Iterator[Window]:
        try:
            yield from self._windows()
        finally:
            self._decoding.close()

    def _windows(self) -> Iterator[Window]:
        origin = self._decoding.start()
        if origin is None:
            raise MediaError(self._recording.path, *self._why_nothing())
        if self._picture is not None:
            self._picture.begin(origin)
        index = 0
        while True:
            start, end = index * self._seconds, (index + 1) * self._seconds
            self._decoding.until(origin + end)
            stop = self._end(origin)
            if index and stop is not None and stop - start <= _SLIVER_SECONDS:
                break
            if self._is_beyond(start):
                break
            yield self._cut(index, origin, end if stop is None else min(end, stop))
            index += 1
        self._report(origin)

    def _why_nothing(self) -> tuple[str, str]:
        if is_animated_webp(self._recording.head):
            return why_unreadable(self._recording.head)
        largest = f" or be larger than the limit of {self._limits.max_pixels} pixels"
        return (
            "nothing in it could be decoded",
            "Check that it plays in a media player; it may be damaged"
            + (largest if self._picture is not None else ""),
        )

    def _cut(self, index: int, origin: float, end: float) -> Window:
        start = index * self._seconds
        frames = () if self._picture is None else self._picture.sampler.take(start + self._seconds)
        samples = None
        if self._sound is not None:
            first = round(origin * SAMPLE_RATE) + index * self._samples
            samples = self._sound.sound.take(first, self._samples)
        return Window(index, start, end, frames, samples)

    def _end(self, origin: float) -> float | None:
        """Where the recording ends on its own clock; None while it is not known."""
        if not all(track.done for track in self._decoding.tracks):
            return None
        if self._recording.may_be_still and self._picture and self._picture.received == 1:
            return self._seconds
        ends = []
        if self._picture is not None:
            ends.append(self._picture.end)
        if self._sound is not None:
            ends.append(self._sound.clock)
        return max(ends) - origin

    def _is_beyond(self, start: float) -> bool:
        longest = self._limits.max_duration_seconds
        if longest is None or start < longest:
            return False
        self._warn(f"reading stopped at the limit of {longest:.0f} s; the rest is left out")
        return True

    def _report(self, origin: float) -> None:
        for track, what, other in (
            (self._picture, "picture", "sound"),
            (self._sound, "sound", "picture"),
        ):
            if track is None:
                continue
            self._report_damage(track.damage, what, origin)
            if track.first is None and len(self._decoding.tracks) > 1:
                self._warn(f"no part of the {what} could be decoded; only the {other} is used")
        if self._sound is not None and self._sound.sound.gap_seconds > _LOST_SECONDS:
            gap, at = self._sound.sound.gap_seconds, self._sound.sound.gap_start - origin
            self._warn(f"the sound has gaps of {gap:.1f} s in all, the first at {at:.1f} s")
        if self._recording.is_cut_off:
            self._warn("the picture is cut off; its missing part is grey")
        elif (lost := self._lost_seconds(origin)) > _LOST_SECONDS:
            self._warn(
                f"the recording breaks off at {self._end(origin) or 0:.1f} s: its last "
                f"{lost:.1f} s are missing"
            )

    def _lost_seconds(self, origin: float) -> float:
        """How much longer the header says the recording is than what there was to decode."""
        end, stated = self._end(origin) or 0.0, self._recording.stated_end
        share = self._recording.lost_share
        by_size = end * share / (1.0 - share) if share < 1.0 else 0.0
        return max(by_size, 0.0 if stated is None else stated - max(end, end + origin))

    def _report_damage(self, damage: Damage, what: str, origin: float) -> None:
        if not damage.count:
            return
        packets = "1 damaged packet" if damage.count == 1 else f"{damage.count} damaged packets"
        where = ""
        if damage.first is not None and damage.last is not None:
            first, last = max(0.0, damage.first - origin), max(0.0, damage.last - origin)
            where = f" at {first:.1f} s"
            if f"{first:.1f}" != f"{last:.1f}":
                where = f" between {first:.1f} and {last:.1f} s"
        self._warn(f"the {what} is damaged{where}: {packets} left out")
