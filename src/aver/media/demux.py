"""One pass over the packets of a file, in bounded memory however its streams are interleaved.

Packets of a stream that runs ahead wait undecoded; only what the present window needs is decoded.
Where the streams of a file lie so far apart that too many packets would wait, the file is opened
a second time for the stream that lags behind (the file is then read twice, in constant memory).
"""

from __future__ import annotations

from typing import Any

import av.error

from aver.media.decode import Damage, Track
from aver.media.kinds import MediaLimits
from aver.media.source import Recording, open_recording

QUEUE_BYTES = 48 << 20
"""Most bytes of undecoded packets that wait for their window."""
QUEUE_PACKETS = 20_000
"""Most undecoded packets that wait for their window."""
_RETRIES = 100
_BREAKS = 0x0200  # AVFMT_TS_DISCONT: time stamps of this format may start anew within a file


class TimeBreaks:
    """Mends time stamps that start anew within a file, as in transport streams put end to end.

    A stamp that goes back by more than ``BACK`` seconds, or forward by more than ``FORWARD``, is
    taken for a new start that follows on the stream's last packet; all streams are moved by the
    same time, so that they stay together.
    """

    BACK, FORWARD = 0.5, 10.0

    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._shift: dict[int, float] = {}
        self._latest_shift = 0.0

    def mend(self, packet: Any) -> None:
        """Move the stamps of *packet*, which follows on those seen before."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None:
            return
        index, tick = packet.stream_index, float(packet.time_base)
        time = stamp * tick
        due, shift = self._due.get(index), self._shift.get(index, self._latest_shift)
        if due is not None and not self._follows(time + shift, due):
            shift = self._latest_shift
            if not self._follows(time + shift, due):
                shift = self._latest_shift = due - time
        self._shift[index] = shift
        self._due[index] = time + shift + (packet.duration or 0) * tick
        if shift:
            ticks = round(shift / tick)
            packet.dts = None if packet.dts is None else packet.dts + ticks
            packet.pts = None if packet.pts is None else packet.pts + ticks

    def _follows(self, time: float, due: float) -> bool:
        return -self.BACK <= time - due <= self.FORWARD


class Demuxer:
    """Reads the packets of a recording in the order of the file and hands them to its tracks."""

    def __init__(self, recording: Recording, tracks: list[Track], limits: MediaLimits) -> None:
        self._recording = recording
        self._limits = limits
        self._tracks = {track.index: track for track in tracks}
        self._streams = [recording.container.streams[track.index] for track in tracks]
        self._packets = recording.container.demux(self._streams)
        self._breaks = TimeBreaks() if recording.container.format.flags & _BREAKS else None
        self._skip = 0
        self.delivered = dict.fromkeys(self._tracks, 0)
        self.damage = Damage()
        self.waiting_bytes = 0
        self.waiting_packets = 0

    def read(self) -> bool:
        """Queue the next packet with its track; False at the end of the file."""
        failures = 0
        while failures < _RETRIES:
            try:
                packet = next(self._packets, None)
            except (av.error.FFmpegError, OSError, ValueError, MemoryError):
                failures += 1
                self.damage.note(None)
                self._packets = self._recording.container.demux(self._streams)
                continue
            except IndexError:  # PyAV at the end of a file in which streams appeared on the way
                return False
            if packet is None:
                return False
            if packet.size == 0:
                continue  # to a decoder it would say that the stream has ended
            track = self._tracks.get(packet.stream_index)
            if track is None:
                continue
            self.delivered[track.index] += 1
            if self._skip:
                self._skip -= 1
                continue
            if self._breaks is not None:
                self._breaks.mend(packet)
            track.pending.append(packet)
            self.waiting_packets += 1
            self.waiting_bytes += packet.size
            return True
        return False

    def pop(self, track: Track) -> Any:
        """Take the oldest waiting packet of *track*."""
        packet = track.pending.popleft()
        self.waiting_packets -= 1
        self.waiting_bytes -= packet.size
        return packet

    @property
    def is_full(self) -> bool:
        """Whether no further packets should wait."""
        return self.waiting_bytes > QUEUE_BYTES or self.waiting_packets > QUEUE_PACKETS

    def leave(self, track: Track) -> Demuxer:
        """Stop serving *track*; return a demuxer on a second opening that takes it over."""
        again = open_recording(self._recording.path, self._limits)
        successor = Demuxer(again, [track], self._limits)
        successor._skip = self.delivered.pop(track.index)
        del self._tracks[track.index]
        return successor

    def close(self) -> None:
        """Close the file."""
        self._recording.close()


class Decoding:
    """All tracks of a recording, each decoded as far as is asked for."""

    def __init__(self, recording: Recording, tracks: list[Track], limits: MediaLimits) -> None:
        self.tracks = tracks
        self._demuxers = dict.fromkeys(
            [track.index for track in tracks], Demuxer(recording, tracks, limits)
        )

    def start(self) -> float | None:
        """Decode until every track has begun, as far as that can be told in bounded memory.

        Returns:
            time in the file at which its earliest track begins; None when nothing was decoded.
        """
        for track in self.tracks:
            while track.first is None and not track.done:
                if not track.pending and self._demuxers[track.index].is_full:
                    break
                self.advance(track)
        begun = [track.first for track in self.tracks if track.first is not None]
        return min(begun, default=None)

    def advance(self, track: Track) -> None:
        """Decode one more packet of *track*, or finish it at the end of the file."""
        demuxer = self._demuxers[track.index]
        while not track.pending:
            if demuxer.is_full and len(demuxer.delivered) > 1:
                demuxer = self._demuxers[track.index] = demuxer.leave(track)
            if not demuxer.read():
                track.finish()
                return
        track.decode(demuxer.pop(track))

    def until(self, time: float) -> None:
        """Decode every track up to *time*, seconds in the file."""
        for track in self.tracks:
            while track.clock < time and not track.done:
                self.advance(track)

    @property
    def damage(self) -> Damage:
        """Damage met between packets."""
        total = Damage()
        for demuxer in set(self._demuxers.values()):
            total.count += demuxer.damage.count
        return total

    def close(self) -> None:
        """Close the file."""
        for demuxer in set(self._demuxers.values()):
            demuxer.close()
