"""Frames every 40 ms: which picture each of them shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aver.features.extractor import Features
from aver.features.frame_clock import TOLERANCE, frame_count, nearest_earlier, rate_remark
from aver.features.frame_rows import at_frames


def test_each_frame_takes_the_nearest_earlier_picture():
    # Worked by hand: frames at 0, 0.04, 0.08, 0.12, 0.16, 0.20.
    times = [0.0, 0.05, 0.08, 0.19]
    np.testing.assert_array_equal(nearest_earlier(times, 6), [0, 0, 2, 2, 2, 3])


def test_before_the_first_picture_stands_the_first():
    np.testing.assert_array_equal(nearest_earlier([0.1, 0.13], 5), [0, 0, 0, 0, 1])


@given(st.lists(st.floats(0.0, 4.0), min_size=1, max_size=40), st.integers(1, 120))
def test_no_frame_shows_what_comes_later(times, frames):
    times = sorted(times)
    found = nearest_earlier(times, frames)
    assert (np.diff(found) >= 0).all()
    for frame, index in enumerate(found):
        at = frame / 25 + TOLERANCE
        assert times[index] <= at or index == 0
        assert index == len(times) - 1 or times[index + 1] > at


@pytest.mark.parametrize(
    ("seconds", "frames"), [(0.0, 0), (0.01, 1), (0.04, 1), (0.05, 2), (1.0, 25), (1800.0, 45_000)]
)
def test_half_an_hour_has_45_000_frames(seconds, frames):
    assert frame_count(seconds) == frames


def test_a_rate_that_varies_is_told_and_rounded_stamps_are_not():
    steady = np.round(np.arange(100) / 23.976, 3)
    assert rate_remark(steady) == ""
    assert rate_remark([0.0]) == rate_remark([]) == ""
    varying = np.cumsum([0.04] * 50 + [0.1] * 10)
    assert "10 of 59 steps differ from the usual 40 ms" in rate_remark(varying)


def test_single_precision_moves_no_row_in_two_hours():
    starts = np.arange(2 * 3600 * 25) / 25
    times = np.stack([starts, starts + 0.04], axis=1).astype(np.float32)
    values = np.arange(len(starts), dtype=np.float32)[:, None]
    features = Features(values, times, np.ones(len(starts), np.bool_))
    np.testing.assert_array_equal(at_frames(features), values)


def test_rows_of_any_extractor_come_to_the_frames_by_time():
    values = np.array([[1.0], [2.0], [3.0]], np.float32)
    times = np.array([[0.0, 0.1], [0.1, 0.2], [0.2, 0.25]], np.float32)
    features = Features(values, times, np.array([True, False, True]))
    # Frames at 0, 0.04, 0.08 | 0.12, 0.16 | 0.20, 0.24; the second row is not present.
    np.testing.assert_array_equal(at_frames(features)[:, 0], [1, 1, 1, 0, 0, 3, 3])
    late = at_frames(features, begins=0.1)
    np.testing.assert_array_equal(late[:, 0], [1, 1, 1, 1, 1, 0, 0, 0, 3])
