"""Every hostile file: refused with one clear line, or read with one warning a thing, or read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bad_inputs.make_files import MAKERS, ODD_NAMES, REFUSED, WARNED
from bad_inputs.recordings import tone, write

from aver.errors import MediaError
from aver.media import MediaLimits, Window, probe, read_windows

READABLE = sorted(set(MAKERS) - REFUSED)


def read(path: Path) -> tuple[list[Window], list[str]]:
    warnings: list[str] = []
    return list(read_windows(path, warn=warnings.append)), warnings


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_with_one_clear_line(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = MAKERS[name](tmp_path)
    capfd.readouterr()
    with pytest.raises(MediaError) as caught:
        list(read_windows(path))
    line = str(caught.value)
    assert line.startswith(str(path))
    assert len(line.splitlines()) == 1
    assert caught.value.problem
    assert caught.value.advice[0].isupper()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", READABLE)
def test_read_to_its_end(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = MAKERS[name](tmp_path)
    capfd.readouterr()
    probe(path)
    windows, warnings = read(path)
    assert capfd.readouterr() == ("", "")
    assert bool(warnings) == (name in WARNED), warnings
    for line in warnings:
        assert line.isprintable()
        assert str(path) not in line
    assert [window.index for window in windows] == list(range(len(windows)))
    assert any(window.frames or window.samples is not None for window in windows)
    for window in windows:
        for frame in window.frames:
            assert frame.image.dtype == np.uint8
            assert frame.image.shape[2] == 3
            assert max(frame.image.shape[:2]) <= 640
            assert window.start <= frame.time < window.start + 0.5
        if window.samples is not None:
            assert window.samples.shape == (8000,)
            assert np.abs(window.samples).max() <= 1.0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing_file", "there is no such file"),
        ("a_folder", "this is a folder"),
        ("empty_file", "the file is empty"),
        ("text_named_mp4", "this is a text file"),
        ("noise_named_mp4", "damaged, or of an unknown kind"),
        ("subtitles_only", "neither a picture nor sound"),
        ("hls_playlist", "playlist that names other files"),
        ("concat_list", "playlist that names other files"),
        ("dash_manifest", "playlist that names other files"),
        ("truncated_mp4_without_index", "index of this MP4 or MOV file is missing"),
        ("huge_png", "larger than the limit of 67108864 pixels"),
        ("too_many_streams", "more than 32 streams"),
        ("animated_webp", "animated WebP"),
        ("time_stamps_jump", "more than the limit of 43200 s"),
    ],
)
def test_the_line_says_what_is_wrong(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(MediaError, match=words):
        list(read_windows(MAKERS[name](tmp_path)))


@pytest.mark.skipif("unreadable_file" not in MAKERS, reason="root may read every file")
def test_a_file_without_permission(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no permission"):
        read_windows(MAKERS["unreadable_file"](tmp_path))


@pytest.mark.parametrize("name", ["truncated_mp4", "truncated_mkv", "truncated_avi"])
def test_the_good_part_of_a_truncated_recording_is_kept(tmp_path: Path, name: str) -> None:
    windows, warnings = read(MAKERS[name](tmp_path))
    end = windows[-1].end
    assert 3.0 < end < 4.0  # about 60 % of 6 s
    assert all(len(w.frames) == 5 and w.samples is not None for w in windows[:6])
    (line,) = [line for line in warnings if "breaks off" in line]
    assert f"breaks off at {end:.1f} s" in line
    lost = float(line.split("its last ")[1].split(" s")[0])
    assert lost == pytest.approx(6.0 - end, abs=0.4)


def test_the_good_half_of_a_truncated_wav(tmp_path: Path) -> None:
    windows, warnings = read(MAKERS["truncated_wav"](tmp_path))
    assert windows[-1].end == pytest.approx(3.0, abs=0.01)
    assert warnings == ["the recording breaks off at 3.0 s: its last 3.0 s are missing"]


def test_corrupt_picture_packets_are_left_out(tmp_path: Path) -> None:
    windows, warnings = read(MAKERS["corrupt_picture"](tmp_path))
    assert warnings == ["the picture is damaged between 2.0 and 3.0 s: 30 damaged packets left out"]
    frames = [frame for window in windows for frame in window.frames]
    moving = {round(frame.time, 1) for frame in frames}
    assert {t / 10 for t in range(20)} <= moving
    assert {t / 10 for t in range(30, 60)} <= moving
    assert all(window.samples is not None for window in windows)


def test_corrupt_sound_packets_are_left_out(tmp_path: Path) -> None:
    windows, warnings = read(MAKERS["corrupt_sound"](tmp_path))
    (damage, gap) = warnings
    assert damage.startswith("the sound is damaged between 2.0 and 3.0 s: ")
    assert gap.startswith("the sound has gaps of 1.0 s in all")
    assert all(len(window.frames) == 5 for window in windows[:12])
    level = [0.0 if w.samples is None else float(np.sqrt(np.mean(w.samples**2))) for w in windows]
    assert level[1:3] == pytest.approx([0.3535] * 2, abs=0.01)  # a sine of 0.5: 0.5 / sqrt(2)
    assert level[7:11] == pytest.approx([0.3535] * 4, abs=0.02)
    assert level[5] < 0.05


def test_half_a_transport_stream_of_noise(tmp_path: Path) -> None:
    windows, warnings = read(MAKERS["corrupt_transport_stream"](tmp_path))
    assert windows[-1].end == pytest.approx(6.0, abs=0.1)
    assert len(windows[1].frames) == 5
    assert len(windows[-3].frames) == 5
    assert 1 <= len(warnings) <= 4


def test_time_that_starts_anew_goes_on(tmp_path: Path) -> None:
    windows, warnings = read(MAKERS["time_starts_anew"](tmp_path))
    assert windows[-1].end == pytest.approx(4.0, abs=0.1)
    assert all(len(w.frames) == 5 and w.samples is not None for w in windows[:8])
    assert warnings == []


def test_zero_duration_in_the_header(tmp_path: Path) -> None:
    for name in ("zero_duration_mp4", "zero_duration_mkv"):
        windows, _ = read(MAKERS[name](tmp_path))
        assert windows[-1].end == pytest.approx(2.0, abs=0.03)


def test_silence_is_sound(tmp_path: Path) -> None:
    windows, _ = read(MAKERS["silent"](tmp_path))
    assert all(w.samples is not None and np.abs(w.samples).max() < 1e-3 for w in windows)


def test_a_tone_keeps_its_level_in_every_sound_format(tmp_path: Path) -> None:
    for name in ("sound_8_khz", "sound_96_khz", "sound_5_1", "sound_8_bit"):
        windows, _ = read(MAKERS[name](tmp_path))
        samples = windows[1].samples
        assert samples is not None
        assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.3535, abs=0.015), name
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(8000)))
        assert np.argmax(spectrum) / 0.5 == pytest.approx(440.0, abs=2.0), name


def test_shorter_than_a_window(tmp_path: Path) -> None:
    windows, _ = read(MAKERS["shorter_than_a_window"](tmp_path))
    (window,) = windows
    assert window.end == pytest.approx(0.2)
    assert [frame.time for frame in window.frames] == pytest.approx([0.0, 0.1])
    assert window.samples is not None
    assert np.abs(window.samples[:3200]).max() > 0.4
    assert not window.samples[3210:].any()


def test_a_picture_is_one_window(tmp_path: Path) -> None:
    for name in ("picture_png", "picture_jpeg", "picture_webp", "still_gif", "truncated_jpeg"):
        windows, _ = read(MAKERS[name](tmp_path))
        (window,) = windows
        assert (window.start, window.end, window.samples) == (0.0, 0.5, None)
        assert [frame.time for frame in window.frames] == [0.0]


def test_an_animated_gif_is_a_film(tmp_path: Path) -> None:
    windows, _ = read(MAKERS["animated_gif"](tmp_path))
    assert windows[-1].end == pytest.approx(2.0)
    white = [f.time for w in windows for f in w.frames if f.image[20:28, 28:36].mean() > 128]
    assert white == pytest.approx([1.0])


@pytest.mark.parametrize("name", sorted(ODD_NAMES))
def test_odd_names(tmp_path: Path, name: str) -> None:
    windows, warnings = read(MAKERS[name](tmp_path))
    assert len(windows) == 4
    assert warnings == []


def test_a_name_with_a_line_break_still_gives_one_line(tmp_path: Path) -> None:
    path = tmp_path / "first\nsecond.mp4"
    path.write_text("text")
    with pytest.raises(MediaError) as caught:
        read_windows(path)
    assert len(str(caught.value).splitlines()) == 1
    assert "first\\nsecond.mp4" in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/a.mp4", "https://example.org/a.mp4", "rtsp://example.org/a",
        "concat:a.mp4|b.mp4", "pipe:0", "data:video/mp4;base64,AAAA", "file:a.mp4",
        "subfile,,start,0,end,9,,:a.mp4", "lavfi:testsrc", "/dev/video99", "-",
    ],
)  # fmt: skip
def test_addresses_and_devices_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.mp4", seconds=0.2)
    write(tmp_path / "b.mp4", seconds=0.2)
    with pytest.raises(MediaError, match=r"only local files are read|no such file"):
        read_windows(address)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices here")
def test_devices_are_refused() -> None:
    with pytest.raises(MediaError, match="a device or a pipe"):
        read_windows("/dev/zero")


def test_a_file_that_names_another_never_reaches_it(tmp_path: Path) -> None:
    """An HLS list that FFmpeg would follow by its content, whatever the file is called."""
    path = MAKERS["hls_playlist"](tmp_path).rename(tmp_path / "harmless.mp4")
    (tmp_path / "part.ts").unlink()
    os.mkfifo(tmp_path / "part.ts")  # opening this would wait for ever
    with pytest.raises(MediaError, match="names other files"):
        read_windows(path)


def test_ffmpeg_says_nothing_on_the_terminal(tmp_path: Path) -> None:
    """In a process of its own, with what FFmpeg writes to the standard streams itself."""
    paths = [MAKERS[n](tmp_path) for n in ("corrupt_picture", "truncated_mp4", "noise_named_mp4")]
    code = (
        "import sys\nfrom aver.errors import MediaError\nfrom aver.media import read_windows\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n        list(read_windows(path))\n    except MediaError:\n        pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)], capture_output=True, check=True
    )
    assert done.stdout == b""
    assert done.stderr == b""


def test_pictures_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", size=(160, 120), sound=tone())
    with pytest.raises(MediaError, match="160 x 120 pixels, more than the limit of 10000"):
        read_windows(path, limits=MediaLimits(max_pixels=10_000))
