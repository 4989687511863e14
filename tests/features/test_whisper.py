"""Whisper's encoder: on a graph whose every number is known, and on the real one where it is."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from features import clips

from aver import pretrained
from aver.errors import AverError, MediaError, ModelError, SettingError
from aver.features.extractor import Clip, make_extractor
from aver.features.whisper import SpeechEncoder, whisper_log_mel

onnx = pytest.importorskip("onnx")

WIDTH, DEPTH = 80, 3


@pytest.fixture(scope="module")
def encoder_file(tmp_path_factory) -> Path:
    """A graph with the names of Whisper's: every second frame of log-mel, its position added,
    then 1 added by each of three blocks, and doubled by the last norm.
    """
    h = onnx.helper
    table = np.arange(1500, dtype=np.float32)[:, None].repeat(WIDTH, axis=1)
    constants = {
        "embed_positions.weight": table,
        "one": np.ones(1, np.float32),
        "two": np.full(1, 2, np.float32),
        "starts": np.array([0]),
        "ends": np.array([2**31]),
        "axes": np.array([2]),
        "steps": np.array([2]),
    }
    nodes = [
        h.make_node("Slice", ["input_features", "starts", "ends", "axes", "steps"], ["halved"]),
        h.make_node("Transpose", ["halved"], ["turned"], perm=[0, 2, 1]),
        h.make_node("Add", ["turned", "embed_positions.weight"], ["/Add_2_output_0"], "/Add_2"),
    ]
    before = "/Add_2_output_0"
    for k in range(DEPTH):
        after = f"/layers.{k}/Add_1_output_0"
        nodes.append(h.make_node("Add", [before, "one"], [after], f"/layers.{k}/Add_1"))
        before = after
    nodes.append(h.make_node("Mul", [before, "two"], ["last_hidden_state"], "/layer_norm/Add_1"))
    nodes += [
        h.make_node("Identity", [before], [f"encoder_attentions.{k}"], f"/attention{k}")
        for k in range(DEPTH)
    ]
    kind = onnx.TensorProto.FLOAT
    graph = h.make_graph(
        nodes,
        "whisper",
        [h.make_tensor_value_info("input_features", kind, ["batch", 80, "frames"])],
        [
            h.make_tensor_value_info("last_hidden_state", kind, ["batch", 1500, WIDTH]),
            *(
                h.make_tensor_value_info(f"encoder_attentions.{k}", kind, None)
                for k in range(DEPTH)
            ),
        ],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8)
    path = tmp_path_factory.mktemp("whisper") / "encoder.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture
def sound(tmp_path) -> Clip:
    return Clip(clips.write_sound(tmp_path / "tone.wav", clips.tone(440.0, 2.0)))


def test_each_layer_is_what_comes_out_of_its_block(encoder_file, sound):
    encoder = SpeechEncoder(str(encoder_file), layers=(0, 1, 2, 3, "last"))
    assert (encoder.width, encoder.depth) == (WIDTH, DEPTH)
    samples = clips.tone(440.0, 1.0).astype(np.float32)
    hidden = encoder.hidden(samples)
    assert hidden.shape == (5, 50, WIDTH)
    expected = whisper_log_mel(samples)[:, ::2].T + np.arange(50)[:, None]
    for layer in range(3):
        np.testing.assert_allclose(hidden[layer], expected + layer, rtol=1e-5)
    # The highest number is the same as the last: after the norm.
    np.testing.assert_allclose(hidden[3], 2 * (expected + 3), rtol=1e-5)
    np.testing.assert_array_equal(hidden[3], hidden[4])


def test_windows_hold_the_means_of_their_own_steps(encoder_file, sound):
    extractor = make_extractor("whisper_encoder", model=str(encoder_file), layers="0,1")
    assert extractor.shape == (2 * WIDTH,)
    found = extractor.extract(sound)
    assert found.values.shape == (4, 2 * WIDTH)
    np.testing.assert_allclose(found.times, [[0, 0.5], [0.5, 1], [1, 1.5], [1.5, 2]])
    assert found.present.all()
    first, second = found.values[:, :WIDTH], found.values[:, WIDTH:]
    np.testing.assert_allclose(second - first, 1.0, atol=1e-4)
    # A steady tone differs between windows by its positions alone: 25 steps further each.
    np.testing.assert_allclose(first[2] - first[1], 25.0, atol=0.01)


def test_pooling_combining_and_the_number_of_windows(encoder_file, sound):
    made = {"model": str(encoder_file), "layers": [0, 2]}
    both = make_extractor("whisper_encoder", **made, windows=3).extract(sound).values
    mean = make_extractor("whisper_encoder", **made, combine="mean", windows=3)
    assert mean.shape == (WIDTH,)
    np.testing.assert_allclose(
        mean.extract(sound).values, (both[:, :WIDTH] + both[:, WIDTH:]) / 2, rtol=1e-5
    )
    spread = make_extractor(
        "whisper_encoder",
        model=str(encoder_file),
        layers=0,
        pooling="mean_and_spread",
        window_seconds=0,
    )
    whole = spread.extract(sound)
    assert whole.values.shape == (1, 2 * WIDTH) == (1, *spread.shape)
    np.testing.assert_allclose(whole.times, [[0, 2]])
    # Spread of the positions 0 to 99, on top of a tone that hardly changes.
    assert whole.values[0, WIDTH:] == pytest.approx(np.arange(100).std(), abs=0.3)


def test_quarter_seconds(encoder_file, sound):
    extractor = make_extractor("whisper_encoder", model=str(encoder_file), window_seconds=0.25)
    found = extractor.extract(sound)
    assert len(found) == 8
    np.testing.assert_allclose(found.times[-1], [1.75, 2.0])


def test_thirty_seconds_of_context_continue_with_silence(encoder_file, sound, monkeypatch):
    real = importlib.import_module
    monkeypatch.setattr(
        "aver.features.whisper.import_module",
        lambda name: (_ for _ in ()).throw(ImportError(name)) if name == "onnx" else real(name),
    )
    # The unedited graph needs no further package ...
    plain = make_extractor("whisper_encoder", model=str(encoder_file), context="30s")
    assert plain.shape == (WIDTH,)
    unedited = plain.extract(sound).values
    with pytest.raises(ModelError, match=r"only with the package 'onnx'.*aver\[train\]"):
        make_extractor("whisper_encoder", model=str(encoder_file)).extract(sound)
    monkeypatch.undo()
    # ... and says the same as the edited one.
    edited = make_extractor("whisper_encoder", model=str(encoder_file), context="30s", layers="3")
    np.testing.assert_array_equal(edited.extract(sound).values, unedited)


def test_more_than_thirty_seconds_come_in_pieces(encoder_file, tmp_path):
    clip = Clip(clips.write_sound(tmp_path / "long.wav", clips.tone(440.0, 40.0)))
    found = make_extractor("whisper_encoder", model=str(encoder_file), layers=0).extract(clip)
    assert len(found) == 80
    # Positions start anew with the second piece.
    np.testing.assert_allclose(found.values[62], found.values[2], atol=0.1)
    # Windows that reach over the seam are pooled from both sides of it.
    over = make_extractor(
        "whisper_encoder", model=str(encoder_file), layers=0, window_seconds=4
    ).extract(clip)
    means = found.values[56:64].mean(axis=0)
    np.testing.assert_allclose(over.values[7], means, atol=0.01)
    few = make_extractor("whisper_encoder", model=str(encoder_file), layers=0, windows=61)
    np.testing.assert_array_equal(few.extract(clip).values, found.values[:61])


def test_a_stretch_of_a_recording_is_that_stretch_alone(encoder_file, tmp_path, sound):
    silence = np.zeros(16_000)
    both = np.concatenate([silence, clips.tone(440.0, 2.0), silence])
    whole = clips.write_sound(tmp_path / "three.wav", both)
    extractor = make_extractor("whisper_encoder", model=str(encoder_file))
    np.testing.assert_array_equal(
        extractor.extract(Clip(whole, 1.0, 3.0)).values, extractor.extract(sound).values
    )
    with pytest.raises(MediaError, match="holds no sound between 9 s"):
        extractor.extract(Clip(whole, 9.0, 10.0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layers": "5"}, r"has no layer 5\. Layers are 0 to 3"),
        ({"layers": "-1"}, "layers: has -1; layers are counted from 0"),
        ({"layers": "1,1"}, "layers: names a layer twice"),
        ({"layers": "first"}, "layers: has 'first'"),
        ({"window_seconds": 0.01}, "window_seconds: is too short"),
        ({"layer": 3}, "layer: is not a setting of the extractor 'whisper_encoder'"),
        ({"model": "whisper_huge_encoder"}, "is neither a file nor a network"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(encoder_file, sound, settings, message):
    with pytest.raises(AverError, match=message):
        make_extractor("whisper_encoder", **{"model": str(encoder_file), **settings}).extract(sound)


def test_another_network_and_a_damaged_file_are_refused(sound, tmp_path):
    with pytest.raises(ModelError, match="is not an encoder of Whisper's"):
        make_extractor("whisper_encoder", model="face_expression").extract(sound)
    with pytest.raises(ModelError, match="is not an encoder of Whisper's"):
        make_extractor("whisper_encoder", model="face_expression", context="30s").extract(sound)
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"damaged.onnx: cannot be loaded.*Fetch it again"):
        make_extractor("whisper_encoder", model=str(damaged)).extract(sound)


def test_the_numbers_depend_on_the_weights(encoder_file, tmp_path):
    other = tmp_path / "other.onnx"
    other.write_bytes(encoder_file.read_bytes() + b"\x00")
    hashes = {
        make_extractor("whisper_encoder", model=str(file)).depends_on["weights"]
        for file in (encoder_file, other)
    }
    assert len(hashes) == 2
    assert all(len(value) == 64 for value in hashes)


@pytest.mark.parametrize(("size", "width"), [("tiny", 384), ("base", 512), ("small", 768)])
def test_the_real_encoders(size, width, shared):
    name = f"whisper_{size}_encoder"
    if pretrained.find(name) is None:
        pytest.skip(f"{name} is not on this machine")
    clip = Clip(sorted((shared / "data" / "crema_d_sample").glob("*.flv"))[0])
    short = make_extractor("whisper_encoder", model=name, layers="2,last")
    found = short.extract(clip)
    assert short.shape == (2 * width,) == found.values.shape[1:]
    assert np.isfinite(found.values).all()
    np.testing.assert_array_equal(short.extract(clip).values, found.values)
    # Less context changes little.
    trained = make_extractor("whisper_encoder", model=name, context="30s").extract(clip).values
    assert np.corrcoef(found.values[:, width:].ravel(), trained.ravel())[0, 1] > 0.8


def test_a_layer_must_be_a_setting():
    with pytest.raises(SettingError):
        make_extractor("whisper_encoder", layers=[])
