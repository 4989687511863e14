"""Stacks of flow through a network of twenty channels: what reaches it, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
from features import clips, test_optical_flow
from features.test_optical_flow import moving

from aver.errors import MediaError, ModelError
from aver.features.extractor import make_extractor
from aver.features.flow_resnet101 import CHANNELS, prepare
from aver.features.frame_rows import frame_rows

pytest.importorskip("onnx")

from features import networks


def plane_means(path):
    """(batch, 20, h, w) to the means of the planes, then zeros up to 2,048."""
    from onnx import helper

    spread = np.eye(CHANNELS, 2048, dtype=np.float32)
    return str(
        networks.save(
            path,
            "resnet101_flow",
            ("stacks", ["batch", CHANNELS, "h", "w"]),
            ("features", ["batch", 2048]),
            [
                helper.make_node("ReduceMean", ["stacks"], ["m"], axes=[2, 3], keepdims=0),
                helper.make_node("MatMul", ["m", "spread"], ["features"]),
            ],
            spread=spread,
        )
    )


@pytest.fixture
def network(tmp_path):
    return plane_means(tmp_path / "flow.onnx")


@pytest.fixture(autouse=True)
def as_large_as_the_network_takes_them(monkeypatch):
    monkeypatch.setattr(test_optical_flow, "SIDE", 224)


def pixels(rows, bound=20.0):
    """Back from what the network was given to pixels."""
    return (rows * 255 * 0.226 + 0.5) * bound / 127.5


def test_no_movement_is_zero_and_the_ends_are_the_bounds():
    found = prepare(np.array([0, 128, 255], np.uint8))
    np.testing.assert_allclose(found, [-128 / 57.63, 0.0, 127 / 57.63], rtol=1e-5)


@pytest.mark.parametrize("algorithm", ["farneback", "dis"])
def test_every_frame_sees_the_ten_fields_that_begin_at_it(tmp_path, network, algorithm):
    clip = moving(tmp_path / "moving.mkv", 2, -1, count=15)
    extractor = make_extractor("flow_resnet101", network=network, algorithm=algorithm)
    found = np.concatenate(list(frame_rows(extractor, clip.file)))
    assert found.shape == (15, 2048)
    across, down = pixels(found[:, 0:20:2]), pixels(found[:, 1:20:2])
    np.testing.assert_allclose(across[:5], 2, atol=0.2)
    np.testing.assert_allclose(down[:5], -1, atol=0.2)
    # Frame 14 is the last picture: nothing moves after it; frame 10 has four fields left.
    np.testing.assert_allclose(found[14, :20], 0.0)
    np.testing.assert_allclose(found[10, 8:20], 0.0)
    assert (across[10, :4] > 1.5).all()
    assert not found[:, 20:].any()


def test_going_on_gives_what_was_left(tmp_path, network):
    clip = moving(tmp_path / "moving.mkv", 1, 1, count=14)
    extractor = make_extractor("flow_resnet101", network=network)
    whole = np.concatenate(list(frame_rows(extractor, clip.file)))
    assert len(whole) == 14
    for first in (2, 13):
        np.testing.assert_array_equal(
            np.concatenate(list(frame_rows(extractor, clip.file, first))), whole[first:]
        )
    assert list(frame_rows(extractor, clip.file, 14)) == []


def test_a_clip_has_one_row_a_stack(tmp_path, network):
    clip = moving(tmp_path / "moving.mkv", 3, 0, count=22)
    found = make_extractor("flow_resnet101", network=network, hop=10).extract(clip)
    assert found.values.shape == (2, 2048)
    np.testing.assert_allclose(found.times, [[0, 0.4], [0.4, 0.8]], atol=1e-6)
    np.testing.assert_allclose(pixels(found.values[:, 0]), 3, atol=0.2)
    short = moving(tmp_path / "short.mkv", 3, 0, count=5)
    missing = make_extractor("flow_resnet101", network=network).extract(short)
    assert missing.values.shape == (1, 2048)
    assert not missing.present.any()


def test_flow_of_a_single_picture_is_refused_in_one_line(tmp_path, network):
    picture = np.zeros((64, 64, 3), np.uint8)
    path = clips.write_pictures(tmp_path / "one.mkv", [picture])
    extractor = make_extractor("flow_resnet101", network=network)
    with pytest.raises(MediaError, match=r"one\.mkv: holds a single picture, and flow is between"):
        list(frame_rows(extractor, path))


def test_without_its_weights_it_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("AVER_MODELS", str(tmp_path))
    monkeypatch.setattr("aver.pretrained.cache.user_folder", lambda: tmp_path)
    clip = moving(tmp_path / "moving.mkv", 3, 0)
    with pytest.raises(
        ModelError, match=r"resnet101-63fe2227\.pth, then: aver models convert resnet101_flow"
    ):
        make_extractor("flow_resnet101").extract(clip)
    other = networks.means_of_planes(tmp_path / "r.onnx", "resnet50", "pictures", 2, 2048)
    with pytest.raises(ModelError, match="is not resnet101_flow"):
        make_extractor("flow_resnet101", network=str(other)).extract(clip)
