"""Facts about files, as their headers and first pictures tell them."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_inputs.make_files import MAKERS
from bad_inputs.recordings import tone, write

from aver.errors import MediaError
from aver.media import MediaLimits, probe


def test_a_recording(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.mp4", seconds=2, rate=25, sound=tone(), sample_rate=48_000, layout="stereo"
    )
    info = probe(path)
    assert info.path == path
    assert info.duration == pytest.approx(2.0, abs=0.05)
    assert (info.has_video, info.has_audio, info.is_image) == (True, True, False)
    assert (info.width, info.height, info.rotation) == (64, 48, 0)
    assert info.frames_per_second == 25.0
    assert (info.sample_rate, info.channels) == (48_000, 2)
    assert "mp4" in info.container
    assert (info.video_codec, info.audio_codec) == ("h264", "aac")


def test_sound_alone(tmp_path: Path) -> None:
    info = probe(MAKERS["sound_8_khz"](tmp_path))
    assert (info.has_video, info.has_audio) == (False, True)
    assert (info.width, info.height, info.frames_per_second, info.video_codec) == (None,) * 4
    assert (info.sample_rate, info.channels) == (8_000, 1)


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    info = probe(MAKERS["cover_art_mp3"](tmp_path))
    assert (info.has_video, info.has_audio, info.is_image) == (False, True, False)


@pytest.mark.parametrize(
    "name",
    ["picture_png", "picture_jpeg", "picture_webp", "transparent_png", "grey_png", "still_gif"],
)
def test_images(tmp_path: Path, name: str) -> None:
    info = probe(MAKERS[name](tmp_path))
    assert info.is_image
    assert info.has_video
    assert info.duration is None
    assert info.frames_per_second is None
    assert info.width is not None


@pytest.mark.parametrize("name", ["animated_gif", "no_sound", "one_pixel"])
def test_moving_pictures_are_no_images(tmp_path: Path, name: str) -> None:
    assert not probe(MAKERS[name](tmp_path)).is_image


def test_unknown_duration(tmp_path: Path) -> None:
    assert probe(MAKERS["zero_duration_mkv"](tmp_path)).duration is None


def test_limits(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", seconds=3, size=(64, 48))
    with pytest.raises(MediaError, match="64 x 48 pixels, more than the limit of 3000"):
        probe(path, MediaLimits(max_pixels=3000))
    with pytest.raises(MediaError, match="lasts 3 s"):
        probe(path, MediaLimits(max_duration_seconds=2))
    with pytest.raises(MediaError, match="more than 0 streams"):
        probe(path, MediaLimits(max_streams=0))


def test_crema_d_clips(shared: Path) -> None:
    for clip in sorted((shared / "data" / "crema_d_sample").glob("*.flv")):
        info = probe(clip)
        assert (info.width, info.height) == (480, 360)
        assert info.frames_per_second == pytest.approx(29.97, abs=0.01)
        assert (info.sample_rate, info.channels) == (44_100, 1)
        assert info.duration is not None
        assert 1.8 < info.duration < 2.3
