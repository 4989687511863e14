"""Temperature scaling and the expected calibration error."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aver.evaluation.calibration import expected_calibration_error, fit_temperature, log_softmax


def sample(temperature, items=20000, classes=4, seed=0):
    """Labels drawn from softmax(logits / temperature): that temperature is the right one."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (items, classes))
    chances = np.exp(log_softmax(logits / temperature))
    labels = (random.random((items, 1)) > chances.cumsum(1)).sum(1)
    return logits, labels


@pytest.mark.parametrize("truth", [0.5, 1.0, 2.5])
def test_finds_the_temperature_the_labels_were_drawn_with(truth):
    logits, labels = sample(truth)
    assert fit_temperature(logits, labels) == pytest.approx(truth, rel=0.03)


def test_scaling_repairs_the_error():
    logits, labels = sample(2.5)
    before = expected_calibration_error(logits, labels)
    after = expected_calibration_error(logits / fit_temperature(logits, labels), labels)
    assert before > 0.1
    assert after < 0.02


def test_expected_calibration_error_by_hand():
    # Two items at confidence 0.9 of which one is right, two at 0.6 that are both right:
    # 1/2 |0.5 - 0.9| + 1/2 |1 - 0.6| = 0.4.
    logits = np.log([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]])
    assert expected_calibration_error(logits, np.array([0, 1, 0, 0])) == pytest.approx(0.4)


def test_log_softmax_by_hand():
    values = log_softmax(np.array([[0.0, math.log(3.0)]], dtype=np.float32))
    assert np.exp(values).tolist() == [pytest.approx([0.25, 0.75])]


@given(st.integers(0, 10000), st.floats(0.2, 5.0))
def test_temperature_follows_the_scale_of_the_logits(seed, factor):
    logits, labels = sample(1.0, items=400, seed=seed)
    one, scaled = fit_temperature(logits, labels), fit_temperature(logits * factor, labels)
    assert scaled == pytest.approx(one * factor, rel=1e-3)


def test_calibration_error_by_hand_with_ten_bins() -> None:
    # Confidence 0.8: right in 1 of 2; confidence 0.6: right in 2 of 2.
    scores = np.array([[0.8, 0.2], [0.8, 0.2], [0.6, 0.4], [0.4, 0.6]])
    labels = np.array([0, 1, 0, 1])
    expected = 0.5 * abs(0.5 - 0.8) + 0.5 * abs(1.0 - 0.6)
    assert expected_calibration_error(np.log(scores), labels, bins=10) == pytest.approx(expected)


def test_temperature_of_seven_classes_is_found_again() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 7)).astype(np.float32)
    powers = np.exp(logits)
    drawn = (powers / powers.sum(1, keepdims=True)).cumsum(1) > rng.random((20_000, 1))
    labels = drawn.argmax(1)
    assert fit_temperature(logits, labels) == pytest.approx(1.0, abs=0.05)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3.0, abs=0.15)
