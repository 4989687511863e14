"""VGGish: its input, pooling and postprocessing, on networks whose every number is known."""

from __future__ import annotations

import numpy as np
import pytest
from features import clips

from aver import pretrained
from aver.errors import AverError, ModelError
from aver.features.extractor import Clip, make_extractor
from aver.features.log_mel import log_mel, window_log_mel
from aver.features.vggish import CHANNELS, EMBEDDING, postprocess, vggish_input

pytest.importorskip("onnx")

from features import networks
from onnx import helper


@pytest.fixture
def convolutions(tmp_path):
    return str(networks.first_plane_in_cells(tmp_path / "c.onnx", "vggish", "log_mel", 1, CHANNELS))


@pytest.fixture
def linear_layers(tmp_path):
    """The sum of channel 0, in the first of 128 places."""
    weights = np.zeros((CHANNELS * 24, EMBEDDING), np.float32)
    weights[:24, 0] = 1.0
    return str(
        networks.save(
            tmp_path / "l.onnx",
            "vggish_embedding",
            ("features", ["batch", CHANNELS, 6, 4]),
            ("embedding", ["batch", EMBEDDING]),
            [
                helper.make_node("Flatten", ["features"], ["flat"]),
                helper.make_node("MatMul", ["flat", "weights"], ["embedding"]),
            ],
            weights=weights,
        )
    )


@pytest.fixture
def sound():
    noise = np.random.default_rng(0).normal(size=32_000) * np.linspace(0.01, 0.2, 32_000)
    return noise.astype(np.float32)


@pytest.fixture
def clip(tmp_path, sound):
    return Clip(clips.write_sound(tmp_path / "noise.wav", sound))


@pytest.mark.parametrize(
    ("window_seconds", "windows", "frames", "cells"),
    [(0.25, 8, 24, 1), (0.5, 4, 48, 3), (0.96, 3, 96, 6)],
)
def test_each_window_is_the_pooled_convolution_of_its_own_frames(
    clip, sound, convolutions, window_seconds, windows, frames, cells
):
    extractor = make_extractor("vggish", network=convolutions, window_seconds=window_seconds)
    found = extractor.extract(clip)
    assert found.values.shape == (windows, CHANNELS) == (windows, *extractor.shape)
    assert found.present.all()
    assert found.times[-1][1] == pytest.approx(2.0)
    if window_seconds == 0.96:
        spectrogram = log_mel(np.pad(sound, (0, 16_000)))[96:192]
    else:
        length = round(window_seconds * 16_000)
        spectrogram = window_log_mel(sound[length : 2 * length])
    assert spectrogram.shape == (frames, 64)
    # The four poolings leave out what does not fill 16 frames.
    mean = spectrogram[: 16 * cells].mean()
    assert found.values[1, 0] == pytest.approx(mean, abs=2e-3)
    assert not found.values[:, 1:].any()
    # It grows louder.
    assert (np.diff(found.values[:-1, 0]) > 0).all()
    np.testing.assert_array_equal(extractor.extract(clip).values, found.values)


def test_maximum_over_positions(clip, convolutions):
    def values(pooling):
        made = make_extractor("vggish", network=convolutions, pooling=pooling, windows=2)
        return made.extract(clip).values[:, 0]

    assert values("max").shape == (2,)
    assert (values("max") > values("mean")).all()


def test_frames_of_the_embedding_reach_into_the_next_window(sound):
    # As in the authors' code: one spectrogram of it all, cut every 96 frames.
    np.testing.assert_array_equal(vggish_input(sound, 0.96, 2)[0], log_mel(sound)[:96])
    np.testing.assert_array_equal(vggish_input(sound, 0.96, 2)[1], log_mel(sound)[96:192])


def test_embedding_and_its_principal_components(clip, convolutions, linear_layers, tmp_path):
    made = {"network": convolutions, "linear_layers": linear_layers}
    convolution = make_extractor("vggish", network=convolutions, window_seconds=0.96)
    raw = make_extractor("vggish", **made, output="embedding", window_seconds=0.96)
    assert raw.shape == (EMBEDDING,)
    values = raw.extract(clip).values
    assert values.shape == (3, EMBEDDING)
    np.testing.assert_allclose(values[:, 0], 24 * convolution.extract(clip).values[:, 0], rtol=1e-4)

    pca = tmp_path / "vggish_pca_params.npz"
    means = np.full((EMBEDDING, 1), 1.0)
    np.savez(pca, pca_eigen_vectors=np.eye(EMBEDDING)[::-1], pca_means=means)
    rotated = make_extractor(
        "vggish", **made, output="embedding", window_seconds=0.96, pca=str(pca)
    )
    found = rotated.extract(clip).values
    # 0 - 1 = -1, a quarter of the way from -2 to 2, in all but the last place.
    np.testing.assert_array_equal(found[:, :-1], 64.0)
    expected = np.round((np.clip(values[:, 0] - 1, -2, 2) + 2) * 255 / 4)
    np.testing.assert_array_equal(found[:, -1], expected)
    assert set(rotated.depends_on) == {"network", "linear_layers", "pca"}
    pca.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="holds no PCA of VGGish's"):
        make_extractor(
            "vggish", **made, output="embedding", window_seconds=0.96, pca=str(pca)
        ).extract(clip)


def test_postprocessing_by_hand():
    # Two components of the published kind: rotate (y, x), whiten by 1/2 and 2, less (1, -1).
    eigenvectors = np.zeros((2, 2))
    eigenvectors[0, 1], eigenvectors[1, 0] = 0.5, 2.0
    found = postprocess(
        np.array([[1.0, -1.0], [2.0, 1.0]], np.float32), eigenvectors, np.array([[1.0], [-1.0]])
    )
    # (0, 0) and (0.5 * 2, 2 * 1) = (1, 2): 0 is at 127.5, 1 at 191.25, 2 at 255.
    np.testing.assert_array_equal(found, [[128.0, 128.0], [191.0, 255.0]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window_seconds": 0.3}, "is neither 0.25, 0.5 nor 0.96"),
        ({"output": "embedding"}, "of windows of 0.96 s alone: set window_seconds 0.96"),
        ({"pca": "x.npz"}, "pca rotates the embedding alone"),
        ({"network": "voice_expression"}, "is not vggish: it takes .*aver models convert vggish"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(clip, settings, message):
    with pytest.raises(AverError, match=message):
        make_extractor("vggish", **settings).extract(clip)


def test_weights_that_are_not_here_say_how_to_get_them(clip, monkeypatch, tmp_path):
    monkeypatch.setenv("AVER_MODELS", str(tmp_path))
    monkeypatch.setattr("aver.pretrained.cache.user_folder", lambda: tmp_path)
    assert pretrained.find("vggish") is None
    with pytest.raises(ModelError, match=r"vggish-10086976.pth, then: aver models convert vggish"):
        make_extractor("vggish").extract(clip)
