import math

import cv2
import numpy as np
import pytest
from faces import scenes

from aver.faces import Placement
from aver.faces.flow import appearance, correlation, follow, is_cut, shrink

FACE = Placement(224, 120, 120)


def warped(degrees=0.0, scale=1.0, dx=0.0, dy=0.0):
    matrix = cv2.getRotationMatrix2D((FACE.x, FACE.y), degrees, scale)
    matrix[:, 2] += dx, dy
    picture = scenes.astronaut().image
    return cv2.warpAffine(picture, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize(
    ("degrees", "scale", "dx", "dy"),
    [(0, 1, 6, -4), (0, 1.1, 0, 0), (8, 1, 0, 0), (-5, 0.93, 20, 12), (0, 1, 45, 0)],
)
def test_a_known_motion_is_found(degrees, scale, dx, dy):
    found = follow(shrink(scenes.astronaut().image), shrink(warped(degrees, scale, dx, dy)), [FACE])
    moved = found[0]
    assert math.hypot(moved.x - FACE.x - dx, moved.y - FACE.y - dy) < 3
    assert moved.side / FACE.side == pytest.approx(scale, abs=0.03)
    # Pictures count angles anticlockwise, placements clockwise.
    assert math.degrees(moved.roll) == pytest.approx(-degrees, abs=2)


def test_two_faces_are_followed_each_on_its_own():
    a, b = Placement(100, 200, 100), Placement(420, 200, 100)
    picture, _ = scenes.draw(scenes.empty(), scenes.astronaut(), 100, 200, 100)
    picture, _ = scenes.draw(picture, scenes.astronaut(), 420, 200, 100)
    later, _ = scenes.draw(scenes.empty(), scenes.astronaut(), 110, 200, 100)
    later, _ = scenes.draw(later, scenes.astronaut(), 408, 206, 100)
    found = follow(shrink(picture), shrink(later), [a, b])
    assert (found[0].x, found[0].y) == pytest.approx((110, 200), abs=2)
    assert (found[1].x, found[1].y) == pytest.approx((408, 206), abs=2)


def test_what_is_gone_cannot_be_followed():
    flat = np.full((512, 512, 3), 120, np.uint8)
    assert follow(shrink(scenes.astronaut().image), shrink(flat), [FACE]) == [None]
    assert follow(shrink(flat), shrink(flat), []) == []
    tiny = np.zeros((3, 5, 3), np.uint8)
    assert follow(shrink(tiny), shrink(tiny), [FACE]) == [None]


def test_a_cut_is_told_from_motion_and_from_light():
    here = shrink(scenes.astronaut().image)
    assert is_cut(here, shrink(cv2.resize(scenes.empty(), (512, 512))))
    assert is_cut(here, shrink(scenes.empty()))  # another shape
    assert not is_cut(here, shrink(warped(dx=12, dy=5, scale=1.05)))
    brighter = np.clip(scenes.astronaut().image.astype(int) + 60, 0, 255).astype(np.uint8)
    assert not is_cut(here, shrink(brighter))


def test_correlation_by_hand():
    a = np.array([1, 2, 3], np.float32)
    assert correlation(a, 2 * a + 5) == pytest.approx(1)
    assert correlation(a, -a) == pytest.approx(-1)
    assert correlation(a, np.array([1, 2, 1], np.float32)) == pytest.approx(0)
    assert correlation(a, np.full(3, 4, np.float32)) == 0


def test_small_copies_keep_their_bounds():
    picture = shrink(np.zeros((3000, 4000, 3), np.uint8))
    assert picture.grey.shape == (240, 320)
    assert picture.factor == pytest.approx(0.08)
    assert shrink(np.zeros((3, 4000, 3), np.uint8)).grey.shape == (1, 320)
    assert shrink(np.zeros((20, 30, 3), np.uint8)).factor == 1.0
    assert appearance(np.zeros((48, 48, 3), np.uint8)).shape == (32, 32)
