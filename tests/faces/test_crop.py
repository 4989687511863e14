import math

import numpy as np
import pytest
from faces import scenes
from hypothesis import given, settings
from hypothesis import strategies as st

from aver.faces import Detection, Placement, cut, place
from aver.faces.crop import between, box_of, relative_box, yaw_sign

# Where YuNet's points lie in FER-2013's pictures, in parts of the side (medians).
FER = np.array([[0.325, 0.390], [0.673, 0.388], [0.505, 0.576], [0.357, 0.740], [0.650, 0.734]])
FER_BOX = (0.124, 0.019, 0.738, 0.984)

angles = st.floats(-math.radians(40), math.radians(40))
coordinates = st.floats(-2000, 2000)
placements = st.builds(Placement, coordinates, coordinates, st.floats(2, 900), angles)


def turned(points, angle, centre):
    cos, sin = math.cos(angle), math.sin(angle)
    return (points - centre) @ np.array([[cos, sin], [-sin, cos]]) + centre


def test_without_points_the_square_follows_the_box():
    placed = place(Detection((10, 20, 80, 100), 0.9), margin=0.02)
    # side 1.02 * 100; FER-2013 has the box's centre 0.515 down: 70 - 0.015 * 102.
    assert (placed.x, placed.side, placed.roll) == (50, 102, 0)
    assert placed.y == pytest.approx(68.47)


def test_margin_widens_the_crop():
    detection = Detection((10, 20, 80, 100), 0.9)
    assert place(detection, margin=0.5).side == pytest.approx(150)


@given(angle=angles, side=st.floats(30, 400))
def test_points_come_to_lie_where_fer_2013_has_them(angle, side):
    centre = np.array([300.0, 200.0])
    points = turned((FER - 0.5) * side + centre, angle, centre)
    middle = turned(
        np.array([[FER_BOX[0] + FER_BOX[2] / 2, FER_BOX[1] + FER_BOX[3] / 2]]) * side
        - side / 2
        + centre,
        angle,
        centre,
    )[0]
    width, height = FER_BOX[2] * side, FER_BOX[3] * side
    box = (middle[0] - width / 2, middle[1] - height / 2, width, height)
    placed = place(Detection(box, 0.9, points.astype(np.float32)))
    inside = np.c_[points, np.ones(5)] @ placed.matrix(96).T
    assert np.abs(inside - FER * 96).max() < 2.0


def test_roll_is_left_alone_if_asked():
    points = turned((FER - 0.5) * 100 + 200, 0.4, np.array([200.0, 200.0]))
    detection = Detection((160, 150, 74, 98), 0.9, points.astype(np.float32))
    assert place(detection).roll == pytest.approx(0.4, abs=0.03)
    assert place(detection, align_roll=False).roll == 0.0


def test_nonsense_points_are_not_believed():
    points = np.full((5, 2), 7.0, np.float32)
    with_points = place(Detection((10, 20, 80, 100), 0.9, points))
    assert with_points == place(Detection((10, 20, 80, 100), 0.9))


def test_the_crops_eyes_are_level_in_a_turned_picture(yunet_detector, shared):
    import cv2

    portrait = scenes.actor(shared)
    for degrees in (-25, 25):
        matrix = cv2.getRotationMatrix2D((214, 138), degrees, 1)
        picture = cv2.warpAffine(portrait.image, matrix, (480, 360))
        crop = cut(picture, place(yunet_detector.detect(picture)[0]), 192)
        eyes = yunet_detector.detect(crop)[0].landmarks[:2]
        slope = math.degrees(math.atan2(eyes[1][1] - eyes[0][1], eyes[1][0] - eyes[0][0]))
        assert abs(slope) < 9


def test_cutting_the_whole_picture_gives_the_picture():
    picture = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    assert np.array_equal(cut(picture, Placement(48, 48, 96)), picture)


def test_beyond_the_edge_the_border_is_repeated():
    picture = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    crop = cut(picture, Placement(0, 50, 96))
    assert np.array_equal(crop[:, :48], np.repeat(picture[2:98, :1], 48, axis=1))
    assert np.array_equal(crop[:, 48:], picture[2:98, :48])


def test_a_large_face_is_averaged_down():
    # One-pixel chequers vanish into grey; picking every eighth pixel would keep them.
    y, x = np.mgrid[:800, :800]
    chequers = np.repeat((((x + y) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)
    crop = cut(chequers, Placement(400, 400, 768))
    assert np.abs(crop.astype(int) - 127).max() <= 1


@settings(max_examples=60)
@given(placement=placements, height=st.integers(1, 60), width=st.integers(1, 60))
def test_any_place_in_any_picture_gives_a_crop(placement, height, width):
    picture = np.full((height, width, 3), (10, 200, 90), np.uint8)
    crop = cut(picture, placement)
    assert crop.shape == (96, 96, 3)
    assert (np.abs(crop.astype(int) - (10, 200, 90)) <= 1).all()


@given(placement=placements, angle=angles, scale=st.floats(0.5, 2), x=coordinates, y=coordinates)
def test_a_moved_placement_shows_the_same_points(placement, angle, scale, x, y):
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    similarity = np.array([[cos, -sin, x], [sin, cos, y]])
    moved = placement.moved(similarity)
    corner = np.array([placement.x + 0.3 * placement.side, placement.y - 0.2 * placement.side, 1])
    before = placement.matrix(96) @ corner
    after = moved.matrix(96) @ np.append(similarity @ corner, 1)
    assert after == pytest.approx(before, abs=1e-3)


@given(
    placement=placements,
    box=st.tuples(coordinates, coordinates, st.floats(1, 500), st.floats(1, 500)),
)
def test_a_box_survives_the_way_into_the_crop_and_back(placement, box):
    assert box_of(placement, relative_box(placement, box)) == pytest.approx(box, abs=1e-6)


def test_half_way_between_two_placements():
    a, b = Placement(0, 0, 10, math.pi - 0.1), Placement(4, 8, 20, -math.pi + 0.1)
    middle = between(a, b, 0.5)
    assert (middle.x, middle.y, middle.side) == (2, 4, 15)
    assert middle.roll == pytest.approx(math.pi)


def test_yaw_of_a_nose_off_the_middle():
    points = np.array([[0, 0], [10, 0], [7, 5], [2, 9], [8, 9]], float)
    assert yaw_sign(points) == pytest.approx(0.2)
