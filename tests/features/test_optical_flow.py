"""Optical flow of pictures that move by a known number of pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from features import clips

from aver.errors import AverError, MediaError
from aver.features.extractor import Clip, make_extractor
from aver.features.optical_flow import flow_statistics, to_integers

SIDE = 128


def moving(path, across, down, count=12, frames_per_second=25):
    """A cloudy texture that moves by so many pixels from picture to picture."""
    noise = np.random.default_rng(1).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    cloud = cv2.GaussianBlur(noise, (0, 0), 3)
    cloud = cv2.normalize(cloud, None, 0, 255, cv2.NORM_MINMAX)
    pictures = [
        np.ascontiguousarray(cloud[130 - down * k :, 130 - across * k :][:SIDE, :SIDE])
        for k in range(count)
    ]
    return Clip(clips.write_pictures(path, pictures, frames_per_second))


@pytest.mark.parametrize("algorithm", ["dis", "farneback"])
@pytest.mark.parametrize(
    ("across", "down", "sector"), [(3, 0, 0), (0, 2, 2), (-3, 0, 4), (0, -2, 6), (2, 2, 1)]
)
def test_movement_is_measured_in_pixels_and_its_own_direction(
    tmp_path, algorithm, across, down, sector
):
    clip = moving(tmp_path / "moving.mkv", across, down)
    extractor = make_extractor("optical_flow", algorithm=algorithm, size=SIDE)
    found = extractor.extract(clip)
    assert found.values.shape == (1, 12) == (1, *extractor.shape)
    named = dict(zip(extractor.names, found.values[0], strict=True))
    assert named["across_mean"] == pytest.approx(across, abs=0.2)
    assert named["down_mean"] == pytest.approx(down, abs=0.2)
    assert named["magnitude_mean"] == pytest.approx(np.hypot(across, down), abs=0.2)
    assert named[f"direction_{45 * sector}"] > 0.9
    assert found.values[0, 4:].sum() == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(extractor.extract(clip).values, found.values)


def test_still_pictures_do_not_move(tmp_path):
    clip = moving(tmp_path / "still.mkv", 0, 0)
    found = make_extractor("optical_flow", size=SIDE).extract(clip)
    np.testing.assert_allclose(found.values[0, :4], 0.0, atol=1e-3)
    assert found.present.all()


def test_fewer_pixels_move_when_the_picture_is_smaller(tmp_path):
    clip = moving(tmp_path / "moving.mkv", 4, 0)
    found = make_extractor("optical_flow", size=SIDE // 2).extract(clip)
    assert found.values[0, 2] == pytest.approx(2.0, abs=0.2)


def test_stacks_are_integers_of_ten_fields_across_and_down(tmp_path):
    clip = moving(tmp_path / "moving.mkv", 4, -2, count=22)
    extractor = make_extractor("optical_flow", output="stack", size=SIDE)
    found = extractor.extract(clip)
    # 22 pictures give 21 fields: two stacks of ten.
    assert found.values.shape == (2, 20, SIDE, SIDE) == (2, *extractor.shape)
    assert extractor.names is None
    np.testing.assert_allclose(found.times, [[0, 0.4], [0.4, 0.8]], atol=1e-6)
    np.testing.assert_array_equal(found.values, found.values.round())
    middle = found.values[:, :, 32:96, 32:96]
    # 4 pixels of 20: 127.5 * (1 + 0.2) = 153; 2 up: 127.5 * (1 - 0.1) = 114.75.
    assert np.median(middle[:, 0::2]) == pytest.approx(153, abs=1)
    assert np.median(middle[:, 1::2]) == pytest.approx(115, abs=1)
    # The paper's hop of one picture: stacks begin at every picture but the last ten.
    every = make_extractor("optical_flow", output="stack", size=SIDE, hop=1).extract(clip)
    assert len(every) == 12
    np.testing.assert_array_equal(every.values[10], found.values[1])
    np.testing.assert_array_equal(every.values[1, :18], every.values[0, 2:])
    first = make_extractor("optical_flow", output="stack", size=SIDE, windows=1).extract(clip)
    np.testing.assert_array_equal(first.values, found.values[:1])


def test_a_clip_too_short_for_a_stack_is_not_present(tmp_path):
    clip = moving(tmp_path / "short.mkv", 1, 0, count=5)
    found = make_extractor("optical_flow", output="stack", size=SIDE).extract(clip)
    assert found.values.shape == (1, 20, SIDE, SIDE)
    assert not found.present.any()


@pytest.mark.parametrize("output", ["statistics", "stack"])
def test_a_single_picture_is_refused(tmp_path, output):
    clip = moving(tmp_path / "one.mkv", 0, 0, count=1)
    with pytest.raises(MediaError, match="holds a single picture, and flow is between two"):
        make_extractor("optical_flow", output=output, size=SIDE).extract(clip)


def test_integers_by_hand():
    field = np.array([[[-20.0, 20.0], [0.0, 10.0], [-99.0, 99.0]]], np.float32)
    np.testing.assert_array_equal(to_integers(field, 20.0)[0], [[0, 255], [128, 191], [0, 255]])


def test_statistics_by_hand():
    # Two pixels: 3 to the right, and 4 down.
    field = np.array([[[[3.0, 0.0], [0.0, 4.0]]]], np.float32)
    np.testing.assert_allclose(
        flow_statistics(field, 4), [3.5, 0.5, 1.5, 2.0, 3 / 7, 4 / 7, 0, 0], rtol=1e-6
    )
    # A little upwards of right is still right; nothing moves nowhere.
    upwards = np.array([[[[3.0, -0.1]]]], np.float32)
    assert flow_statistics(upwards, 4)[4] == 1.0
    assert not flow_statistics(np.zeros((1, 2, 2, 2), np.float32), 4).any()


def test_unknown_algorithms_are_refused():
    with pytest.raises(AverError, match="algorithm: "):
        make_extractor("optical_flow", algorithm="raft")
