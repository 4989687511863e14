import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aver.faces import Detection
from aver.faces.match import assign, distance, distinct, grown, holds_centre, overlap

boxes = st.tuples(st.floats(-99, 99), st.floats(-99, 99), st.floats(0.1, 99), st.floats(0.1, 99))


def test_overlap_by_hand():
    assert overlap((0, 0, 2, 2), (1, 1, 2, 2)) == pytest.approx(1 / 7)
    assert overlap((0, 0, 2, 2), (2, 0, 2, 2)) == 0


@given(boxes, boxes)
def test_overlap_is_symmetric_and_bounded(a, b):
    assert overlap(a, b) == pytest.approx(overlap(b, a))
    assert 0 <= overlap(a, b) <= 1 + 1e-9
    assert overlap(a, a) == pytest.approx(1)


def test_distance_is_in_heights_of_the_smaller():
    assert distance((0, 0, 10, 10), (30, 40, 20, 20)) == pytest.approx(np.hypot(35, 45) / 10)


def test_growing_keeps_the_centre():
    assert grown((10, 10, 4, 8), 2) == (8, 6, 8, 16)


def test_a_box_about_the_other_ones_centre():
    assert holds_centre((0, 0, 10, 10), (6, 6, 100, 100)) is False
    assert holds_centre((0, 0, 10, 10), (4, 4, 4, 4)) is True
    assert holds_centre((4, 4, 4, 4), (0, 0, 10, 10)) is True


def test_the_best_pair_is_made_first():
    scores = np.array([[0.9, 0.8], [0.85, 0.1]])
    # 0.9 takes row 0 and column 0; what is left for row 1 is too poor.
    assert assign(scores, least=0.3) == [(0, 0)]
    assert assign(scores, least=0.1) == [(0, 0), (1, 1)]
    assert assign(np.empty((0, 3)), least=0) == []


def test_of_two_boxes_on_a_face_the_better_stays():
    good, poor = Detection((0, 0, 10, 10), 0.9), Detection((1, 0, 10, 10), 0.6)
    other = Detection((50, 0, 10, 10), 0.5)
    assert distinct([poor, other, good]) == [good, other]
