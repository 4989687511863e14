"""The VGGish front end against the reference program's output and hand-worked facts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aver.features.log_mel import hertz_to_mel, log_mel, mel_magnitudes, mel_matrix, window_log_mel


def test_agrees_with_the_reference_front_end(shared):
    reference = np.load(shared / "oracles" / "vggish_logmel.npz")["sine_1khz_3s_16khz"]
    sound = np.sin(2 * np.pi * 1000 * np.arange(48_000) / 16_000)
    ours = log_mel(sound)[: 3 * 96].reshape(3, 96, 64)
    np.testing.assert_allclose(ours, reference, atol=1e-5)


def test_windows_have_the_shapes_of_the_paper():
    assert window_log_mel(np.zeros(8_000, np.float32)).shape == (48, 64)
    assert window_log_mel(np.zeros(4_000, np.float32)).shape == (24, 64)


def test_a_window_is_a_part_of_the_long_spectrogram():
    sound = np.random.default_rng(0).standard_normal(40_000).astype(np.float32)
    whole = log_mel(sound)
    third = window_log_mel(sound[16_000:24_000])
    np.testing.assert_allclose(third, whole[100:148], atol=1e-6)


def test_silence_is_the_logarithm_of_the_offset():
    np.testing.assert_allclose(log_mel(np.zeros(8_000)), np.log(0.01), rtol=1e-6)


def test_a_tone_is_loudest_in_the_band_around_it():
    edges = np.linspace(*hertz_to_mel(np.array([125.0, 7500.0])), 66)
    for hertz in (300.0, 1000.0, 3000.0, 6000.0):
        loudest = log_mel(np.sin(2 * np.pi * hertz * np.arange(8_000) / 16_000)).mean(0).argmax()
        mel = hertz_to_mel(np.array(hertz))
        assert edges[loudest] < mel < edges[loudest + 2]


def test_mel_of_1000_hertz_is_1000():
    assert hertz_to_mel(np.array(1000.0)) == pytest.approx(1000.0, abs=0.1)


def test_the_constant_part_has_no_weight():
    assert mel_matrix().shape == (257, 64)
    assert mel_matrix()[0].sum() == 0
    assert mel_matrix().max() <= 1


@given(st.integers(0, 5_000))
def test_number_of_frames(n):
    assert len(mel_magnitudes(np.zeros(n))) == max(0, 1 + (n - 400) // 160)


@given(st.floats(0.01, 100))
def test_gain_is_a_factor_on_the_sound(gain):
    sound = np.random.default_rng(1).standard_normal(2_000)
    np.testing.assert_allclose(log_mel(sound, gain=gain), log_mel(sound * gain), atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 7_999, 8_001])
def test_other_window_lengths_are_refused(n):
    with pytest.raises(ValueError, match="quarter"):
        window_log_mel(np.zeros(n))
