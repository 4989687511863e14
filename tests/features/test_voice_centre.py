"""The running centre: by hand, and what it must do to a stranger's voice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aver.features.voice_centre import RunningCentre


def unit(*numbers):
    x = np.array(numbers, float)
    return x / np.linalg.norm(x)


def test_first_step_by_hand():
    centre = np.array([0.5, 0.0])
    found = RunningCentre(centre, prior_windows=3).step(unit(0.0, 1.0))
    # Mean so far: (3 * (0.5, 0) + (0, 1)) / 4 = (0.375, 0.25); moved by (0.125, -0.25).
    np.testing.assert_allclose(found, unit(0.125, 0.75), rtol=1e-6)


def test_a_voice_like_those_in_training_stays_where_it_is():
    centre = np.array([0.6, 0.0, 0.0])
    running = RunningCentre(centre)
    signs = np.random.default_rng(0).permutation([1.0, -1.0] * 100)
    for sign in signs:
        x = np.array([0.6, sign * 0.8, 0.0])
        assert float(running.step(x) @ x) > 0.995


def test_a_strangers_offset_is_taken_away_in_time():
    random = np.random.default_rng(0)
    centre = unit(1, 0, 0, 0) * 0.5
    offset = np.array([0.0, 0.0, 0.0, 0.8])
    running = RunningCentre(centre, prior_windows=20)
    found = [
        running.step(unit(*(centre + offset + [0, *random.choice([-0.5, 0.5], 2), 0])))
        for _ in range(400)
    ]
    assert found[0][3] > 0.5
    assert abs(np.mean([x[3] for x in found[-50:]])) < 0.1


@given(st.integers(1, 30))
def test_later_windows_change_nothing_earlier(cut):
    x = np.random.default_rng(1).standard_normal((30, 8))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    one, other = RunningCentre(np.zeros(8)), RunningCentre(np.zeros(8))
    whole = [one.step(row) for row in x]
    part = [other.step(row) for row in x[:cut]]
    np.testing.assert_array_equal(whole[:cut], part)
    assert np.linalg.norm(part[-1]) == pytest.approx(1.0, abs=1e-6)
