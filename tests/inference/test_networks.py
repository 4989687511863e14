"""The fusion network's file: its metadata, its temperatures, its errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402

from aver.errors import ModelError  # noqa: E402
from aver.inference.networks import FusionNetwork, locate, softmax  # noqa: E402


def toy(path, metadata, names=("face", "face_mask", "voice", "voice_mask")):
    """A file whose face logits are the first window's face, and so for voice; fused their mean."""
    shapes = {"face": [None, 2, 3], "face_mask": [None, 2]}
    shapes |= {"voice": [None, 2, 3], "voice_mask": [None, 2]}
    kinds = {"face_mask": TensorProto.BOOL, "voice_mask": TensorProto.BOOL}
    inputs = [
        helper.make_tensor_value_info(
            n, kinds.get(n, TensorProto.FLOAT), shapes.get(n, [None, 2, 3])
        )
        for n in names
    ]
    outputs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, 3])
        for n in ("fused", "face_logits", "voice_logits")
    ]
    zero = helper.make_tensor("zero", TensorProto.INT64, [], [0])
    half = helper.make_tensor("half", TensorProto.FLOAT, [], [0.5])
    nodes = [
        helper.make_node("Gather", [names[0], "zero"], ["face_logits"], axis=1),
        helper.make_node("Gather", [names[2], "zero"], ["voice_logits"], axis=1),
        helper.make_node("Add", ["face_logits", "voice_logits"], ["sum"]),
        helper.make_node("Mul", ["sum", "half"], ["fused"]),
    ]
    graph = helper.make_graph(nodes, "toy", inputs, outputs, [zero, half])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    path.write_bytes(model.SerializeToString())
    return path


GOOD = {
    "labels": json.dumps(["a", "b", "c"]),
    "temperature_fused": "2.0",
    "temperature_face": "0.5",
    "temperature_voice": "4.0",
}


def test_softmax_by_hand():
    logits = np.log(np.array([[1.0, 3.0]], np.float32))
    assert softmax(logits).tolist() == [pytest.approx([0.25, 0.75])]
    # At temperature 1/2 the odds are squared: 1 to 9.
    assert softmax(logits, 0.5).tolist() == [pytest.approx([0.1, 0.9])]


def test_each_output_has_its_own_temperature(tmp_path):
    network = FusionNetwork(toy(tmp_path / "toy.onnx", GOOD))
    assert (network.windows, network.dimensions, network.labels) == (2, 3, ("a", "b", "c"))
    face = np.random.default_rng(0).normal(size=(3, 2, 3)).astype(np.float32)
    voice = np.random.default_rng(1).normal(size=(3, 2, 3)).astype(np.float32)
    face_mask = np.array([[True, False], [True, True], [False, False]])
    voice_mask = np.array([[True, True], [False, False], [False, True]])
    scores = network(face, face_mask, voice, voice_mask)
    assert np.allclose(scores["face"], softmax(face[:, 0], 0.5), atol=1e-6)
    assert np.allclose(scores["voice"], softmax(voice[:, 0], 4.0), atol=1e-6)
    mean = (face[:, 0] + voice[:, 0]) / 2
    # Row 0 has both modalities, row 1 the face alone, row 2 the voice alone.
    for row, temperature in enumerate((2.0, 0.5, 4.0)):
        assert np.allclose(scores["fused"][row], softmax(mean[row], temperature), atol=1e-6)
    assert all(np.allclose(s.sum(1), 1.0) for s in scores.values())


def test_a_file_without_labels_or_with_other_inputs_is_refused(tmp_path):
    with pytest.raises(ModelError, match="lacks its metadata"):
        FusionNetwork(toy(tmp_path / "a.onnx", {}))
    with pytest.raises(ModelError, match="a fusion network has"):
        FusionNetwork(toy(tmp_path / "b.onnx", GOOD, ("x", "face_mask", "y", "voice_mask")))


def test_damaged_and_missing_files(tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"not a network")
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        FusionNetwork(tmp_path / "bad.onnx")
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="there is no such file"):
        locate(tmp_path / "none.onnx")
