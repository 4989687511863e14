"""The running level: worked by hand, and what it must never do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aver.features.voice_level import RunningLevel, follow, window_power

PRIOR = np.exp(-0.6)
TARGET = np.exp(0.5)


def test_power_is_the_mean_square():
    magnitudes = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    assert window_power(magnitudes) == pytest.approx([7.5])


def test_first_windows_by_hand():
    gain, present = follow(np.array([[4.0, 0.0, 1.0]]))
    assert present.tolist() == [[True, False, True]]
    after_first = (PRIOR + 4.0) / 2
    after_third = (PRIOR + 4.0 + 1.0) / 3
    expected = [TARGET / np.sqrt(after_first)] * 2 + [TARGET / np.sqrt(after_third)]
    np.testing.assert_allclose(gain[0], expected)


def test_a_long_recording_forgets_how_loud_it_was_recorded():
    power = np.tile([1.0, 0.25], 200)[None]
    loud, _ = follow(power * 30.0)
    quiet, _ = follow(power / 30.0)
    ratio = (loud[0, -1] * np.sqrt(30.0)) / (quiet[0, -1] / np.sqrt(30.0))
    assert ratio == pytest.approx(1.0, abs=0.05)


def test_what_is_30_decibels_below_the_voice_is_no_voice():
    _, present = follow(np.array([[1.0, 1.0, 1.0, 0.8e-3, 1.0e-3]]))
    assert present[0].tolist() == [True, True, True, False, True]


@given(
    st.lists(st.floats(0, 100), min_size=2, max_size=12),
    st.integers(1, 11),
)
def test_later_windows_change_nothing_earlier(power, cut):
    cut = min(cut, len(power))
    whole = follow(np.array([power]))
    part = follow(np.array([power[:cut]]))
    np.testing.assert_array_equal(whole[0][:, :cut], part[0])
    np.testing.assert_array_equal(whole[1][:, :cut], part[1])


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=12))
def test_gains_are_finite_and_positive(power):
    gain, _ = follow(np.array([power]))
    assert np.isfinite(gain).all()
    assert (gain > 0).all()


def test_recordings_of_a_batch_do_not_touch_each_other():
    power = np.array([[1.0, 5.0], [0.0, 0.2]])
    together = follow(power)
    alone = follow(power[1:])
    np.testing.assert_array_equal(together[0][1:], alone[0])


def test_no_windows_at_all():
    gain, present = follow(np.zeros((2, 0)), RunningLevel.start(2))
    assert gain.shape == present.shape == (2, 0)
