"""Sound of a clip, its windows, and the extractors that hold little more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aver.errors import MediaError, SettingError
from aver.features.extractor import Clip, make_extractor
from aver.features.log_mel import window_log_mel
from aver.features.windows import WindowSettings, read_native, read_sound, window_spans

from .sounds import tone, write_wave


@pytest.fixture
def ramp(tmp_path):
    """1.3 s whose samples say where they stand."""
    return write_wave(tmp_path / "ramp.wav", np.arange(20_800) / 32_767)


def test_sound_is_read_to_its_last_sample(ramp):
    sound = read_sound(Clip(ramp))
    assert sound.rate == 16_000
    np.testing.assert_allclose(sound.samples * 32_768, np.arange(20_800), atol=0.01)


def test_stretch_is_cut_to_the_sample(ramp):
    sound = read_sound(Clip(ramp, 0.4, 1.1))
    np.testing.assert_allclose(sound.samples * 32_768, np.arange(6_400, 17_600), atol=0.01)


def test_stretch_that_ends_after_the_file_ends_with_it(ramp):
    assert len(read_sound(Clip(ramp, 1.0, 9.0)).samples) == 4_800


def test_stretch_after_the_end_is_refused(ramp):
    with pytest.raises(MediaError, match=r"ramp.wav: holds no sound between 2 s .* ends at 1.30 s"):
        read_sound(Clip(ramp, 2.0, 3.0))
    with pytest.raises(MediaError, match="ends before 2 s"):
        read_native(Clip(ramp, 2.0, 3.0))


def test_native_sound_keeps_the_rate(tmp_path):
    path = write_wave(tmp_path / "high.wav", tone(0.5, 44_100), 44_100)
    sound = read_native(Clip(path, 0.1, None))
    assert (sound.rate, len(sound.samples)) == (44_100, 17_640)
    expected = tone(0.5, 44_100)[4_410:]
    np.testing.assert_allclose(sound.samples, expected, atol=1e-4)


def test_waveform_windows_are_the_sound_itself(ramp):
    features = make_extractor("waveform").extract(Clip(ramp))
    assert features.values.shape == (3, 8_000)
    np.testing.assert_allclose(features.times, [[0, 0.5], [0.5, 1.0], [1.0, 1.3]], atol=1e-6)
    assert features.present.all()
    flat = features.values.reshape(-1) * 32_768
    np.testing.assert_allclose(flat[:20_800], np.arange(20_800), atol=0.01)
    assert not flat[20_800:].any()


def test_waveform_windows_overlap_and_are_limited(ramp):
    extractor = make_extractor("waveform", window_seconds=0.4, hop_seconds=0.1, windows=5)
    features = extractor.extract(Clip(ramp))
    assert features.values.shape[1:] == extractor.shape == (6_400,)
    np.testing.assert_allclose(features.values[:, 0] * 32_768, np.arange(5) * 1_600, atol=0.01)


def test_waveform_needs_a_length():
    with pytest.raises(SettingError, match=r"window_seconds: .*greater than 0"):
        make_extractor("waveform", window_seconds=0)


@pytest.mark.parametrize(("seconds", "frames"), [(0.5, 48), (0.25, 24)])
def test_log_mel_windows_are_those_of_the_analysis(ramp, seconds, frames):
    extractor = make_extractor("log_mel", window_seconds=seconds)
    features = extractor.extract(Clip(ramp))
    assert features.values.shape[1:] == extractor.shape == (frames, 64)
    length = round(seconds * 16_000)
    sound = read_sound(Clip(ramp)).samples
    for at in (0, 1):
        expected = window_log_mel(sound[at * length : (at + 1) * length])
        np.testing.assert_array_equal(features.values[at], expected)


def test_log_mel_of_the_whole_clip_is_vggish(shared, tmp_path):
    """Oracle: the front end of VGGish on a 1 kHz tone, (3, 96, 64)."""
    oracle = np.load(shared / "oracles" / "vggish_logmel.npz")
    expected = oracle[oracle.files[0]].reshape(-1, 96, 64)
    path = write_wave(tmp_path / "tone.wav", np.sin(2 * np.pi * 1000 * np.arange(48_000) / 16_000))
    extractor = make_extractor("log_mel", window_seconds=0)
    features = extractor.extract(Clip(path))
    assert extractor.shape == (64,)
    np.testing.assert_allclose(features.times[10], [0.1, 0.125], atol=1e-6)
    # Compared before the logarithm, which would show the 16 bits of the file's samples.
    ours, theirs = np.exp(features.values[:96]), np.exp(expected[0])
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=2e-3)


def test_log_mel_of_a_long_clip_is_frame_by_frame_the_same(tmp_path, monkeypatch):
    path = write_wave(tmp_path / "tone.wav", tone(1.013))
    extractor = make_extractor("log_mel", window_seconds=0)
    at_once = extractor.extract(Clip(path)).values
    monkeypatch.setattr("aver.features.log_mel_extractor._BLOCK", 7)
    np.testing.assert_array_equal(extractor.extract(Clip(path)).values, at_once)
    assert len(at_once) == 1 + (round(1.013 * 16_000) - 400) // 160


def test_log_mel_refuses_other_windows():
    with pytest.raises(SettingError, match="whole number of quarter seconds"):
        make_extractor("log_mel", window_seconds=0.4)


def test_log_mel_of_a_blip_says_so(tmp_path):
    path = write_wave(tmp_path / "blip.wav", tone(0.01))
    with pytest.raises(MediaError, match="less than 25 ms"):
        make_extractor("log_mel", window_seconds=0).extract(Clip(path))


def test_windows_without_a_length_are_refused():
    with pytest.raises(ValidationError, match="need window_seconds above 0"):
        WindowSettings(windows=8)


@given(
    seconds=st.floats(0.01, 60),
    length=st.sampled_from([0.25, 0.4, 0.5, 5.0]),
    hop=st.sampled_from([0.0, 0.04, 0.1, 0.5, 7.0]),
    limit=st.integers(0, 20),
)
def test_windows_cover_the_clip(seconds, length, hop, limit):
    settings = WindowSettings(window_seconds=length, hop_seconds=hop, windows=limit)
    spans = window_spans(seconds, settings)
    step = hop or length
    assert len(spans) >= 1
    np.testing.assert_allclose(spans[:, 1] - spans[:, 0], length)
    np.testing.assert_allclose(spans[:, 0], np.arange(len(spans)) * step)
    assert spans[-1, 0] < seconds
    if limit:
        assert len(spans) <= limit
    if not limit and step <= length:
        # All but a millisecond is covered, by no more windows than it takes.
        assert spans[-1, 1] >= seconds - 1e-3 - 1e-6
        assert len(spans) == 1 or spans[-2, 1] < seconds
