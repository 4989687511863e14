"""Windows tile the recording's clock, and known events come out at their known times."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import av
import numpy as np
import pytest
import soxr
from bad_inputs.make_files import MAKERS
from bad_inputs.recordings import beeps, flashes, tone, write
from hypothesis import given, settings
from hypothesis import strategies as st
from media_clock import EVENTS, all_sound, flash_times, onsets, read

from aver.errors import MediaError, SettingError
from aver.media import SAMPLE_RATE, MediaLimits, read_windows


@pytest.mark.parametrize(
    ("name", "settings_"),
    [
        ("aac.mp4", {}),
        ("aac.mov", {"sample_rate": 48_000}),
        ("aac.mkv", {}),
        ("opus.webm", {"video_codec": "libvpx", "audio_codec": "libopus", "sample_rate": 48_000}),
        ("ac3.mkv", {"audio_codec": "ac3", "layout": "5.1", "sample_rate": 48_000}),
        ("pcm.mkv", {"audio_codec": "pcm_s16le", "sample_rate": 16_000}),
        ("low.mp4", {"sample_rate": 8_000}),
        ("high.mp4", {"sample_rate": 96_000}),
        ("mp3.mkv", {"audio_codec": "libmp3lame"}),
        ("flac.mkv", {"audio_codec": "flac", "video_codec": "ffv1"}),
        ("empty packet at the end.nut", {"audio_codec": "flac", "video_codec": "ffv1"}),
    ],
)
def test_beeps_and_flashes_come_out_at_their_times(
    tmp_path: Path, name: str, settings_: dict[str, object]
) -> None:
    path = write(
        tmp_path / name, seconds=4, picture=flashes(64, 48, EVENTS), sound=beeps(EVENTS),
        **settings_,  # type: ignore[arg-type]
    )  # fmt: skip
    windows = read(path, frames_per_second=100.0)
    assert flash_times(windows) == pytest.approx(EVENTS, abs=0.001)
    assert onsets(windows) == pytest.approx(EVENTS, abs=0.003)


@pytest.mark.parametrize("name", ["priming.ts", "priming.flv", "frames.avi"])
def test_sound_and_picture_stay_within_a_frame_where_the_container_is_coarse(
    tmp_path: Path, name: str
) -> None:
    path = write(
        tmp_path / name, seconds=4, picture=flashes(64, 48, EVENTS), sound=beeps(EVENTS),
        video_codec="mpeg4" if name.endswith("avi") else "libx264",
        audio_codec="libmp3lame" if name.endswith("avi") else "aac",
    )  # fmt: skip
    windows = read(path, frames_per_second=100.0)
    assert len(flash_times(windows)) == len(EVENTS)
    assert onsets(windows) == pytest.approx(flash_times(windows), abs=1 / 30)
    assert np.diff(onsets(windows)) == pytest.approx([1.5], abs=0.002)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.wav", "pcm_s16le", 44_100), ("a.flac", "flac", 96_000), ("a.m4a", "aac", 44_100),
        ("a.mp3", "libmp3lame", 44_100), ("a.ogg", "libopus", 48_000),
    ],
)  # fmt: skip
def test_sound_alone(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    path = write(
        tmp_path / name, seconds=4, picture=None, sound=beeps(EVENTS), audio_codec=codec,
        sample_rate=rate,
    )  # fmt: skip
    windows = read(path)
    assert onsets(windows) == pytest.approx(EVENTS, abs=0.003)
    assert all(window.frames == () for window in windows)


def test_sound_equals_the_whole_resampled_at_once(tmp_path: Path) -> None:
    """No seam at frame or window borders: soxr on the whole signal is the oracle."""
    clock = np.arange(44_100 * 3) / 44_100
    sweep = 0.5 * np.sin(2 * np.pi * (100 + 600 * clock) * clock)
    path = write(
        tmp_path / "sweep.wav", seconds=3, picture=None, audio_codec="pcm_f32le",
        sound=lambda times: 0.5 * np.sin(2 * np.pi * (100 + 600 * times) * times),
    )  # fmt: skip
    expected = soxr.resample(sweep.astype(np.float32), 44_100, SAMPLE_RATE, quality="HQ")
    sound = all_sound(read(path))
    assert len(sound) == len(expected) == 3 * SAMPLE_RATE
    np.testing.assert_allclose(sound, expected, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(100, 100_000),
    rate=st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]),
    window=st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 1.0]),
)
def test_windows_tile_the_clock(length: int, rate: int, window: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(
            Path(folder) / "a.wav", seconds=length / rate, picture=None, sample_rate=rate,
            sound=lambda times: np.full(len(times), 0.5), audio_codec="pcm_f32le",
        )  # fmt: skip
        windows = read(path, window_seconds=window)
    count = round(window * SAMPLE_RATE)
    assert [w.index for w in windows] == list(range(len(windows)))
    assert [w.start for w in windows] == [k * (count / SAMPLE_RATE) for k in range(len(windows))]
    assert [w.end for w in windows[:-1]] == [w.start for w in windows[1:]]
    assert windows[-1].end == pytest.approx(length / rate, abs=0.0011)
    assert windows[-1].start < windows[-1].end <= windows[-1].start + count / SAMPLE_RATE
    assert all(w.samples is not None and w.samples.shape == (count,) for w in windows)
    assert all(w.samples is not None and w.samples.dtype == np.float32 for w in windows)
    # A constant stays constant up to the end, and nothing is added after it.
    heard = np.sum(np.abs(all_sound(windows)) > 0.25) / SAMPLE_RATE
    assert heard == pytest.approx(length / rate, abs=0.002)


@settings(max_examples=8, deadline=None)
@given(
    rate=st.sampled_from([5, 12, 25, 30, 50]),
    ticks=st.sampled_from([2.0, 5.0, 10.0, 15.0]),
    seconds=st.floats(0.1, 2.0),
)
def test_pictures_are_the_first_at_or_after_each_tick(
    rate: int, ticks: float, seconds: float
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "a.mp4", seconds=seconds, rate=rate)
        windows = read(path, frames_per_second=ticks)
    shown = [n / rate for n in range(max(1, round(seconds * rate)))]
    expected = {}
    for time in shown:
        expected.setdefault(math.floor(time * ticks + 1e-6), time)
    times = [f.time for w in windows for f in w.frames if f.time != w.start or f.time in shown]
    assert times == pytest.approx(list(expected.values()), abs=1e-4)
    for window in windows:
        assert all(window.start <= frame.time < window.end + 1e-9 for frame in window.frames)


def test_late_sound_has_windows_without_sound_first(tmp_path: Path) -> None:
    windows = read(MAKERS["late_sound"](tmp_path))
    assert [w.samples is not None for w in windows] == [False] * 3 + [True] * (len(windows) - 3)
    heard = np.flatnonzero(np.abs(all_sound(windows)) > 0.1)
    assert heard[0] / SAMPLE_RATE == pytest.approx(1.5, abs=0.025)
    assert len(windows[0].frames) == 5
    assert windows[0].frames[0].time == 0.0


def test_late_picture_has_windows_without_picture_first(tmp_path: Path) -> None:
    windows = read(MAKERS["late_picture"](tmp_path))
    assert [len(w.frames) for w in windows] == [0, 0, 0, 5, 5, 5, 5, 5, 5]
    assert windows[3].frames[0].time == pytest.approx(1.5, abs=0.001)
    assert all(w.samples is not None for w in windows[:6])
    assert windows[-1].samples is None
    assert windows[-1].end == pytest.approx(4.5, abs=0.01)


def test_sound_that_ends_early(tmp_path: Path) -> None:
    windows = read(MAKERS["short_sound"](tmp_path))
    assert [w.samples is not None for w in windows[:2]] == [True, True]
    assert [w.samples for w in windows[3:]] == [None] * 5
    assert all(len(w.frames) == 5 for w in windows)


def test_variable_frame_rate_keeps_the_times_of_its_pictures(tmp_path: Path) -> None:
    windows = read(MAKERS["variable_frame_rate"](tmp_path), frames_per_second=100.0)
    assert flash_times(windows) == pytest.approx(EVENTS, abs=0.001)
    assert onsets(windows) == pytest.approx(EVENTS, abs=0.003)
    times = [frame.time for frame in windows[0].frames]
    assert times == pytest.approx([0, 0.033, 0.05, 0.2, 0.21], abs=0.001)
    # The picture of 1.3 s stays on show until 2.5 s: the windows between get it at their start.
    assert [frame.time for frame in windows[3].frames] == [1.5]
    assert [frame.time for frame in windows[4].frames] == [2.0]


def test_one_picture_a_second_is_on_show_in_every_window(tmp_path: Path) -> None:
    windows = read(MAKERS["one_frame_a_second"](tmp_path))
    assert [[frame.time for frame in w.frames] for w in windows[:8]] == [[k / 2] for k in range(8)]
    assert windows[0].frames[0].image is not windows[2].frames[0].image
    np.testing.assert_array_equal(windows[2].frames[0].image, windows[3].frames[0].image)


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "both.mp4", sound=tone())
    assert all(w.frames == () and w.samples is not None for w in read(path, picture=False))
    assert all(w.frames and w.samples is None for w in read(path, sound=False))
    silent_film = write(tmp_path / "film.mp4")
    with pytest.raises(MediaError, match="holds no sound"):
        read_windows(silent_film, picture=False)


def test_a_recording_longer_than_the_limit_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "long.mp4", seconds=3)
    with pytest.raises(MediaError, match="lasts 3 s, more than the limit of 2 s"):
        read_windows(path, limits=MediaLimits(max_duration_seconds=2.0))
    assert len(read(path, limits=MediaLimits(max_duration_seconds=None))) == 6


def test_a_recording_that_hides_its_length_stops_at_the_limit(tmp_path: Path) -> None:
    path = MAKERS["zero_duration_mkv"](tmp_path)
    warnings: list[str] = []
    limits = MediaLimits(max_duration_seconds=1.0)
    assert len(list(read_windows(path, limits=limits, warn=warnings.append))) == 2
    assert warnings == ["reading stopped at the limit of 1 s; the rest is left out"]


@pytest.mark.parametrize(
    "wrong", [{"window_seconds": 0.0}, {"frames_per_second": 0.0}, {"max_side": 0}]
)
def test_settings_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    path = write(tmp_path / "a.mp4", seconds=0.2)
    with pytest.raises(SettingError, match=next(iter(wrong))):
        read_windows(path, **wrong)  # type: ignore[arg-type]


def test_stopping_early_closes_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", sound=tone())
    windows = read_windows(path)
    next(windows)
    windows.close()  # type: ignore[attr-defined]
    assert next(windows, None) is None


def test_crema_d_clips(shared: Path) -> None:
    """Three spoken sentences, 480 x 360 at 29.97 pictures a second with 44.1 kHz mono sound."""
    clips = sorted((shared / "data" / "crema_d_sample").glob("*.flv"))
    assert len(clips) == 3
    for clip, length in zip(clips, [2.27, 1.91, 2.06], strict=True):
        windows = read(clip)
        assert windows[-1].end == pytest.approx(length, abs=0.01)
        assert [len(w.frames) for w in windows[:-1]] == [5] * (len(windows) - 1)
        assert {f.image.shape for w in windows for f in w.frames} == {(360, 480, 3)}
        assert windows[0].frames[0].time == pytest.approx(0.027)
        sound = all_sound(windows)
        with av.open(str(clip)) as recording:
            whole = np.concatenate([f.to_ndarray()[0] for f in recording.decode(audio=0)])
        expected = soxr.resample(whole, 44_100, SAMPLE_RATE, quality="HQ")
        np.testing.assert_allclose(sound[: len(expected)], expected, atol=1e-3)
        assert not sound[len(expected) :].any()
