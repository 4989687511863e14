"""ResNet-50, R(2+1)D-18 and VGG-M: what reaches the network, and what is made of its answer."""

from __future__ import annotations

import numpy as np
import pytest
from features import clips

from aver.errors import AverError, MediaError
from aver.features.extractor import Clip, make_extractor
from aver.features.r2plus1d import spread
from aver.features.vgg_m_face import MEAN, vgg_m_input

pytest.importorskip("onnx")

from features import networks

RESNET_MEAN, RESNET_DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
VIDEO_MEAN = np.array([0.43216, 0.394666, 0.37645])
VIDEO_DEVIATION = np.array([0.22803, 0.22145, 0.216989])


def plain(colour, height=240, width=320):
    return np.full((height, width, 3), colour, np.uint8)


@pytest.fixture
def resnet(tmp_path):
    return str(networks.means_of_planes(tmp_path / "r.onnx", "resnet50", "pictures", 2, 2048))


@pytest.fixture
def r2plus1d(tmp_path):
    return str(networks.means_of_planes(tmp_path / "v.onnx", "r2plus1d_18", "frames", 3, 512))


@pytest.fixture
def red_then_blue(tmp_path):
    """One second of red, one of blue, ten pictures a second."""
    pictures = [plain((200, 0, 0))] * 10 + [plain((0, 0, 200))] * 10
    return Clip(clips.write_pictures(tmp_path / "colours.mkv", pictures))


def test_resnet_sees_each_windows_colours_normalised(resnet, red_then_blue):
    extractor = make_extractor("resnet50", network=resnet)
    found = extractor.extract(red_then_blue)
    assert found.values.shape == (4, 2048) == (4, *extractor.shape)
    assert found.present.all()
    np.testing.assert_allclose(found.times[:, 0], [0, 0.5, 1, 1.5])
    red = (np.array([200, 0, 0]) / 255 - RESNET_MEAN) / RESNET_DEVIATION
    blue = (np.array([0, 0, 200]) / 255 - RESNET_MEAN) / RESNET_DEVIATION
    np.testing.assert_allclose(found.values[:2, :3], [red, red], atol=0.02)
    np.testing.assert_allclose(found.values[2:, :3], [blue, blue], atol=0.02)
    np.testing.assert_array_equal(extractor.extract(red_then_blue).values, found.values)


def test_resnet_a_picture_a_row(resnet, red_then_blue):
    extractor = make_extractor("resnet50", network=resnet, per="picture", frames_per_second=5)
    found = extractor.extract(red_then_blue)
    np.testing.assert_allclose(found.times[:, 0], np.arange(10) / 5, atol=1e-6)
    np.testing.assert_allclose(found.times[:, 1], np.arange(1, 11) / 5, atol=1e-6)
    assert (found.values[:5, 0] > found.values[5:, 0]).all()


def test_a_stretch_of_a_recording_is_that_stretch_alone(resnet, red_then_blue):
    extractor = make_extractor("resnet50", network=resnet)
    blue = extractor.extract(Clip(red_then_blue.file, 1.0, 2.0))
    whole = extractor.extract(red_then_blue)
    np.testing.assert_array_equal(blue.values, whole.values[2:])
    np.testing.assert_allclose(blue.times, [[0, 0.5], [0.5, 1]], atol=1e-6)
    with pytest.raises(MediaError, match="holds no picture between 7 s"):
        extractor.extract(Clip(red_then_blue.file, 7.0, 8.0))


def test_resnet_takes_the_middle_of_the_picture(resnet, tmp_path):
    picture = plain((0, 0, 0), 240, 480)
    picture[:, :100] = 255  # beyond the middle square
    clip = Clip(clips.write_pictures(tmp_path / "edge.mkv", [picture] * 5))
    found = make_extractor("resnet50", network=resnet).extract(clip)
    np.testing.assert_allclose(found.values[0, :3], -RESNET_MEAN / RESNET_DEVIATION, atol=0.02)


def test_resnet_of_faces_is_not_present_without_one(resnet, red_then_blue):
    found = make_extractor("resnet50", network=resnet, region="face").extract(red_then_blue)
    assert len(found) == 4
    assert not found.present.any()
    assert not found.values.any()


def test_r2plus1d_sees_each_window_normalised(r2plus1d, red_then_blue):
    extractor = make_extractor("r2plus1d_18", network=r2plus1d, window_seconds=0.5)
    found = extractor.extract(red_then_blue)
    assert found.values.shape == (4, 512) == (4, *extractor.shape)
    red = (np.array([200, 0, 0]) / 255 - VIDEO_MEAN) / VIDEO_DEVIATION
    blue = (np.array([0, 0, 200]) / 255 - VIDEO_MEAN) / VIDEO_DEVIATION
    np.testing.assert_allclose(found.values[0, :3], red, atol=0.02)
    np.testing.assert_allclose(found.values[3, :3], blue, atol=0.02)
    # Half of a window over the change is red, half blue.
    both = make_extractor("r2plus1d_18", network=r2plus1d, window_seconds=2).extract(red_then_blue)
    np.testing.assert_allclose(both.values[0, :3], (red + blue) / 2, atol=0.02)


def test_pictures_are_spread_over_sixteen_places():
    np.testing.assert_array_equal(spread(16, 16), np.arange(16))
    np.testing.assert_array_equal(spread(1, 16), np.zeros(16))
    np.testing.assert_array_equal(spread(8, 16), np.arange(16) // 2)
    np.testing.assert_array_equal(spread(32, 16), 2 * np.arange(16) + 1)


def test_vgg_m_takes_colours_less_the_mean_of_faces():
    crops = np.stack([plain((131, 104, 91), 96, 96), plain((255, 0, 0), 96, 96)])
    found = vgg_m_input(crops, 224)
    assert found.shape == (2, 3, 224, 224)
    np.testing.assert_allclose(found[0].mean((1, 2)), [-0.45, 0.01, -0.46], atol=0.02)
    np.testing.assert_allclose(found[1].mean((1, 2)), np.array([255, 0, 0]) - MEAN, rtol=1e-5)
    np.testing.assert_array_equal(vgg_m_input(crops, 96)[1, 0], np.full((96, 96), 255 - MEAN[0]))


def test_vgg_m_averages_positions_and_pictures_of_the_main_face(shared, tmp_path):
    network = networks.first_plane_in_cells(tmp_path / "f.onnx", "vgg_m_face", "faces", 3, 512)
    clip = Clip(sorted((shared / "data" / "crema_d_sample").glob("*.flv"))[0])
    extractor = make_extractor("vgg_m_face", network=str(network), windows=3, frames_per_second=5)
    found = extractor.extract(clip)
    assert found.values.shape == (3, 512) == (3, *extractor.shape)
    assert found.present.all()
    # The mean red of a face, less that of the network's own.
    assert (np.abs(found.values[:, 0]) < 128 - 8).all()
    assert found.values[:, 0].std() < 10
    assert not found.values[:, 1:].any()
    assert set(extractor.depends_on) == {"network", "detector"}
    np.testing.assert_array_equal(extractor.extract(clip).values, found.values)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("resnet50", {"per": "picture", "region": "face"}, "faces come by window"),
        ("resnet50", {"network": "face_expression"}, "is not resnet50: it takes"),
        ("resnet50", {}, "resnet50-0676ba61.pth, then: aver models convert resnet50"),
        ("r2plus1d_18", {}, "r2plus1d_18-91a641e6.pth, then: aver models convert"),
        ("vgg_m_face", {}, "vgg_m_face_bn_dag.pth, then: aver models convert"),
        ("vgg_m_face", {"side": 10}, "side: "),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    red_then_blue, name, settings, message, monkeypatch, tmp_path
):
    monkeypatch.setenv("AVER_MODELS", str(tmp_path))
    monkeypatch.setattr("aver.pretrained.cache.user_folder", lambda: tmp_path)
    with pytest.raises(AverError, match=message):
        make_extractor(name, **settings).extract(red_then_blue)


def test_a_file_without_a_picture(resnet, tmp_path):
    clip = Clip(clips.write_sound(tmp_path / "sound.wav", clips.tone(440, 1)))
    with pytest.raises(MediaError, match="holds no picture"):
        make_extractor("resnet50", network=resnet).extract(clip)
