import math

import cv2
import numpy as np
import pytest
from faces import scenes
from hypothesis import given
from hypothesis import strategies as st

from aver.faces import Detection, Placement, cut
from aver.faces.quality import lighting, pose, quality, sharpness


@pytest.fixture(scope="module")
def crop():
    return cut(scenes.astronaut().image, Placement(224, 120, 120))


def test_a_good_face_is_good(crop):
    assert quality(crop, side=120, score=0.95, frontality=1.0) > 0.95


def test_each_defect_lowers_it(crop):
    good = quality(crop, 120, 0.95, 1.0)
    blurred = cv2.GaussianBlur(crop, (0, 0), 5)
    assert quality(blurred, 120, 0.95, 1.0) < 0.8 * good
    assert quality((crop * 0.1).astype(np.uint8), 120, 0.95, 1.0) < 0.8 * good
    assert quality(crop, 24, 0.95, 1.0) < 0.8 * good
    assert quality(crop, 120, 0.4, 1.0) < 0.95 * good
    assert quality(crop, 120, 0.95, 0.3) < 0.95 * good


def test_sharpness_falls_with_blur_and_not_with_contrast(crop):
    values = [sharpness(cv2.GaussianBlur(crop, (0, 0), s)) for s in (1, 3, 5, 8)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.9
    assert values[-1] < 0.3
    dull = (crop * 0.3 + 80).astype(np.uint8)
    assert sharpness(dull) == pytest.approx(sharpness(crop), abs=0.1)


def test_black_white_and_flat_are_worthless():
    for value in (0, 128, 255):
        flat = np.full((96, 96, 3), value, np.uint8)
        assert lighting(flat) == 0
        assert quality(flat, 120, 1.0, 1.0) == 0


def test_turning_away_lowers_frontality():
    ahead = np.array([[30, 40], [60, 40], [45, 55], [35, 70], [55, 70]], np.float32)
    away = ahead.copy()
    away[2, 0] = 62
    assert pose(Detection((20, 10, 50, 70), 1, ahead), 0.0) == 1.0
    assert pose(Detection((20, 10, 50, 70), 1, away), 0.0) < 0.5
    assert pose(Detection((20, 10, 50, 70), 1, ahead), math.radians(40)) < 0.8


@given(st.floats(-10, 5000), st.floats(-1, 2), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_always_between_nought_and_one(side, score, frontality, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    assert 0 <= quality(noise, side, score, frontality) <= 1
