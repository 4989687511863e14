"""One pass, in bounded memory, with no more decoded than is needed."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
from bad_inputs.make_files import MAKERS, moving
from bad_inputs.recordings import beeps, flashes, tone, write
from media_clock import EVENTS, all_sound, flash_times, onsets, read

from aver.media import demux, read_windows


def test_pictures_that_are_passed_over_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoding every picture gives the same times and the same pixels."""
    from aver.media.decode import PictureTrack

    for name, options in [
        ("pyramid.mp4", {"bf": "3", "b-pyramid": "normal"}),
        ("open.mkv", {"x264-params": "open-gop=1:keyint=20:bframes=3"}),
    ]:
        path = write(
            tmp_path / name, seconds=3, size=(160, 120), picture=moving, video_options=options
        )
        spare = 0
        is_spare = PictureTrack._is_spare

        def counted(self: PictureTrack, packet: object, is_spare=is_spare) -> bool:  # type: ignore[no-untyped-def]
            nonlocal spare
            spare += (answer := is_spare(self, packet))
            return answer

        with monkeypatch.context() as patch:
            patch.setattr(PictureTrack, "_is_spare", counted)
            quick = read(path)
        with monkeypatch.context() as patch:
            patch.setattr(PictureTrack, "_is_spare", lambda *_: False)
            full = read(path)
        assert spare > 30
        assert [w.end for w in quick] == [w.end for w in full]
        for a, b in zip(quick, full, strict=True):
            assert [f.time for f in a.frames] == [f.time for f in b.frames]
            for x, y in zip(a.frames, b.frames, strict=True):
                np.testing.assert_array_equal(x.image, y.image)


@pytest.mark.parametrize("first", ["video", "audio"])
def test_streams_that_lie_far_apart_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """All packets of one stream before those of the other: read as well, with few waiting."""
    path = _far_apart(tmp_path, first)
    whole = read(path)
    monkeypatch.setattr(demux, "QUEUE_PACKETS", 20)
    openings = []
    open_recording = demux.open_recording
    monkeypatch.setattr(
        demux, "open_recording", lambda *a, **k: openings.append(1) or open_recording(*a, **k)
    )
    waiting = []
    read_packet = demux.Demuxer.read

    def counted(self: demux.Demuxer) -> bool:
        waiting.append(self.waiting_packets)
        return read_packet(self)

    monkeypatch.setattr(demux.Demuxer, "read", counted)
    windows = read(path, frames_per_second=100.0)
    assert len(openings) == 1
    assert max(waiting) <= 21
    assert flash_times(windows) == pytest.approx(EVENTS, abs=0.001)
    assert onsets(windows) == pytest.approx(EVENTS, abs=0.003)
    np.testing.assert_array_equal(all_sound(windows), all_sound(whole))


def _far_apart(folder: Path, first: str) -> Path:
    near = write(
        folder / "near.mkv", seconds=4, picture=flashes(64, 48, EVENTS), sound=beeps(EVENTS),
        audio_codec="libmp3lame",
    )  # fmt: skip
    path = folder / "far.mkv"
    with (
        av.open(str(near)) as source,
        av.open(str(path), "w", options={"max_interleave_delta": "1"}) as out,
    ):
        copies = {s.index: out.add_stream_from_template(s) for s in source.streams}
        packets = [packet for packet in source.demux() if packet.size]
        for packet in sorted(packets, key=lambda packet: packet.stream.type != first):
            packet.stream = copies[packet.stream.index]
            out.mux(packet)
    return path


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    peaks = []
    for seconds in (30, 300):
        path = write(
            tmp_path / f"{seconds}.mkv", seconds=seconds, rate=4, size=(32, 32), sound=tone(),
            video_codec="mpeg4", audio_codec="pcm_s16le", sample_rate=8_000,
        )  # fmt: skip
        list(read_windows(path, frames_per_second=1.0))  # what is made once and kept
        tracemalloc.start()
        windows = 0
        for window in read_windows(path):
            windows += 1
            assert len(window.frames) <= 5
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert windows == 2 * seconds
    # The sound alone would be 19 MB, the pictures 3 MB.
    assert peaks[1] - peaks[0] < 256_000
    assert peaks[1] < 2_000_000


def test_decoded_pictures_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No decoded picture waits for Python's search for circular references to be freed."""
    path = MAKERS["rotated_90"](tmp_path)
    gc.collect()
    gc.disable()

    def pictures() -> int:
        return sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())

    try:
        before = pictures()  # other tests of the same process may keep some
        alive = set()
        for window in read_windows(path):
            del window
            alive.add(pictures())
    finally:
        gc.enable()
    assert max(alive) - before <= 3
