"""Pictures at 25 frames a second, whatever rate they come in, and ResNet-50 over them."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from features import clips

from aver.errors import MediaError, SettingError
from aver.features.extractor import make_extractor
from aver.features.frame_pictures import shown_pictures
from aver.features.frame_rows import frame_rows
from aver.media import starts

pytest.importorskip("onnx")

from features import networks


def grey(level):
    return np.full((240, 240, 3), level, np.uint8)


def write_timed(path, times, *, sound_from=None, seconds=1.0):
    """Pictures whose grey is 2 n + 1 for number n, begun at *times* (milliseconds)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width = stream.height = 240
        stream.pix_fmt = "bgr0"
        stream.codec_context.time_base = Fraction(1, 1000)
        if sound_from is not None:
            sound = container.add_stream("pcm_s16le", rate=16_000)
            sound.layout = "mono"
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(grey(2 * number + 1), format="rgb24")
            frame = frame.reformat(format="bgr0")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound_from is not None:
            tone = (3000 * np.sin(np.arange(int(16_000 * seconds)) / 4)).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            frame.sample_rate = 16_000
            frame.pts, frame.time_base = round(16_000 * sound_from), Fraction(1, 16_000)
            container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


def numbers(path, first=0, warn=lambda line: None):
    """Number of the picture at each frame."""
    found = []
    for shown in shown_pictures(path, 640, warn, first):
        assert shown.first == first + len(found)
        found += [int(shown.image.mean()) // 2] * shown.frames
    return found


@pytest.mark.parametrize("rate", [10, 25, 50, 60])
def test_a_frame_shows_the_nearest_earlier_picture_at_any_rate(tmp_path, rate):
    pictures = [grey(2 * n + 1) for n in range(rate)]
    path = clips.write_pictures(tmp_path / "one_second.mkv", pictures, rate)
    lines = []
    found = numbers(path, warn=lines.append)
    # The container rounds time stamps to milliseconds.
    stamps = np.round(np.arange(rate) / rate, 3)
    expected = [int(np.searchsorted(stamps, k / 25 + 1e-3, side="right")) - 1 for k in range(25)]
    # The last picture lasts as long as the container says, which may be a frame more.
    assert found[:25] == expected
    assert set(found[25:]) <= {rate - 1}
    assert lines == []


def test_a_rate_that_varies_goes_by_time_stamps_and_is_told(tmp_path):
    times = [0, 40, 80, 130, 300, 310, 320, 330, 400, 440]
    lines = []
    found = numbers(write_timed(tmp_path / "varying.mkv", times), warn=lines.append)
    assert found[:12] == [0, 1, 2, 2, 3, 3, 3, 3, 6, 7, 8, 9]
    assert len(lines) == 1
    assert "its picture rate varies" in lines[0]
    assert "by its time stamp" in lines[0]


def test_picture_and_sound_that_begin_apart_are_on_one_clock(tmp_path):
    path = write_timed(tmp_path / "late.mkv", [200, 240, 280, 320], sound_from=0.0)
    picture, sound = starts(path)
    assert (picture, sound) == (pytest.approx(0.2, abs=2e-3), 0.0)
    # Before the first picture stands the first; frame 5 is 0.2 s.
    assert numbers(path)[:9] == [0, 0, 0, 0, 0, 0, 1, 2, 3]
    late = write_timed(tmp_path / "sound.mkv", [0, 40, 80], sound_from=0.5)
    assert starts(late) == (0.0, pytest.approx(0.5, abs=2e-3))


def test_going_on_gives_what_was_left(tmp_path):
    path = write_timed(tmp_path / "v.mkv", [0, 40, 80, 130, 300, 310, 340, 400, 440])
    whole = numbers(path)
    for first in range(len(whole)):
        assert numbers(path, first) == whole[first:]
    assert numbers(path, len(whole)) == []


def test_resnet_rows_are_those_of_the_picture_shown(tmp_path):
    network = networks.means_of_planes(tmp_path / "r.onnx", "resnet50", "pictures", 2, 2048)
    path = clips.write_pictures(tmp_path / "v.mkv", [grey(10 * n) for n in range(20)], 20)
    extractor = make_extractor("resnet50", network=str(network))
    found = np.concatenate(list(frame_rows(extractor, path)))
    assert found.shape == (25, 2048)
    shown = np.arange(25) * 20 // 25
    expected = (10 * shown / 255 - 0.485) / 0.229
    np.testing.assert_allclose(found[:, 0], expected, atol=0.02)
    again = np.concatenate(list(frame_rows(extractor, path, 7)))
    np.testing.assert_array_equal(again, found[7:])


def test_faces_come_by_window(tmp_path):
    extractor = make_extractor("resnet50", region="face")
    path = clips.write_pictures(tmp_path / "v.mkv", [grey(0)] * 3, 25)
    with pytest.raises(SettingError, match="faces come by window, not by frame"):
        next(frame_rows(extractor, path))


def test_sound_alone_has_no_pictures(tmp_path):
    path = clips.write_sound(tmp_path / "sound.wav", clips.tone(440, 1))
    with pytest.raises(MediaError, match="no picture"):
        numbers(path)
