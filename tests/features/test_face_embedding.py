import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from aver import pretrained
from aver.errors import ModelError
from aver.features.face_embedding import FaceEmbedder, preprocess, window_embedding
from aver.labels import FER2013


def test_grey_is_bt601_and_pixels_are_averaged_two_by_two() -> None:
    crop = np.zeros((1, 96, 96, 3), dtype=np.uint8)
    crop[0, :, :48, 0] = 255
    crop[0, :, 48:, 1] = 255
    crop[0, 0, 0] = (0, 0, 0)
    faces = preprocess(crop)
    assert faces.shape == (1, 1, 48, 48)
    assert faces.dtype == np.float32
    assert faces[0, 0, 10, 10] == pytest.approx(0.299)
    assert faces[0, 0, 10, 40] == pytest.approx(0.587)
    assert faces[0, 0, 0, 0] == pytest.approx(0.299 * 3 / 4)


def test_white_is_one() -> None:
    assert preprocess(np.full((1, 96, 96, 3), 255, dtype=np.uint8)).max() == pytest.approx(1.0)


@pytest.mark.parametrize("side", [48, 60, 96, 144])
def test_a_grey_crop_keeps_its_mean_at_any_size(side: int) -> None:
    rng = np.random.default_rng(0)
    crops = np.repeat(rng.integers(0, 256, (2, side, side, 1), dtype=np.uint8), 3, axis=3)
    faces = preprocess(crops)
    assert faces.shape == (2, 1, 48, 48)
    assert faces.mean() == pytest.approx(crops.mean() / 255, abs=2e-3)


def test_no_crops_give_no_faces() -> None:
    assert preprocess(np.empty((0, 96, 96, 3), dtype=np.uint8)).shape == (0, 1, 48, 48)


@pytest.mark.parametrize(
    "crops",
    [np.zeros((96, 96, 3), np.uint8), np.zeros((1, 96, 96, 3)), np.zeros((1, 96, 96, 1), np.uint8)],
)
def test_other_shapes_and_types_are_refused(crops: np.ndarray) -> None:
    with pytest.raises(ValueError, match="crops must be"):
        preprocess(crops)


def test_a_window_is_the_mean_of_its_frames_at_length_one() -> None:
    window = window_embedding(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]], dtype=np.float32))
    assert window == pytest.approx([3 / 5, 4 / 5])


@given(st.integers(1, 9), st.integers(0, 1000))
def test_a_window_has_length_one_and_does_not_depend_on_order(frames: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    embeddings = rng.random((frames, 512), dtype=np.float32) + 0.01
    window = window_embedding(embeddings)
    assert np.linalg.norm(window) == pytest.approx(1.0, abs=1e-5)
    assert window == pytest.approx(window_embedding(embeddings[::-1]), abs=1e-6)


def test_a_window_of_zeros_stays_zero() -> None:
    assert not window_embedding(np.zeros((2, 512), dtype=np.float32)).any()


def test_a_window_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="with a frame"):
        window_embedding(np.empty((0, 512), dtype=np.float32))


def _network(path: Path, outputs: tuple[str, str] = ("embedding", "logits")) -> Path:
    """A stand-in: the embedding is the face's mean 512 times, the logits 0 to 6 times it."""
    faces = helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["n", 1, 48, 48])
    results = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])
        for name, width in zip(outputs, (512, 7), strict=True)
    ]
    weights = [
        helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]),
        helper.make_tensor("ones", TensorProto.FLOAT, [1, 512], [1.0] * 512),
        helper.make_tensor("steps", TensorProto.FLOAT, [1, 7], [float(k) for k in range(7)]),
    ]
    nodes = [
        helper.make_node("ReduceMean", ["faces", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "ones"], [outputs[0]]),
        helper.make_node("MatMul", ["mean", "steps"], [outputs[1]]),
    ]
    graph = helper.make_graph(nodes, "stand-in", [faces], results, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, path)
    return path


def test_the_embedder_runs_many_crops_in_their_order(tmp_path: Path) -> None:
    embedder = FaceEmbedder(_network(tmp_path / "face.onnx"))
    levels = np.arange(70, dtype=np.uint8)
    crops = np.broadcast_to(levels[:, None, None, None], (70, 96, 96, 3))
    embedding, logits = embedder.embed(crops), embedder.logits(crops)
    assert embedding.shape == (70, 512)
    assert embedding[:, 0] == pytest.approx(levels / 255, abs=1e-6)
    assert logits[:, 6] == pytest.approx(6.0 * levels / 255, abs=1e-5)


def test_the_embedder_takes_no_crops(tmp_path: Path) -> None:
    embedder = FaceEmbedder(_network(tmp_path / "face.onnx"))
    assert embedder.embed(np.empty((0, 96, 96, 3), np.uint8)).shape == (0, 512)
    assert embedder.logits(np.empty((0, 96, 96, 3), np.uint8)).shape == (0, 7)


def test_a_damaged_file_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "face.onnx"
    file.write_bytes(b"not a network")
    with pytest.raises(ModelError, match=r"face\.onnx: cannot be loaded"):
        FaceEmbedder(file)


def test_another_network_is_refused(tmp_path: Path) -> None:
    file = _network(tmp_path / "face.onnx", outputs=("fused", "logits"))
    with pytest.raises(ModelError, match="a face network takes"):
        FaceEmbedder(file)


def test_the_shipped_network_says_what_it_is() -> None:
    embedder = FaceEmbedder()
    assert embedder.path.stat().st_size < 3_000_000
    assert json.loads(embedder.metadata["labels"]) == list(embedder.labels) == list(FER2013)
    assert 0.3 < float(embedder.metadata["temperature"]) < 1.5
    assert "Must not be used for" in pretrained.read_card("face_expression")


def test_the_shipped_network_on_real_faces_it_was_not_trained_on(shared: Path) -> None:
    crops, labels = [], []
    with tarfile.open(shared / "data" / "fer2013.tar.gz", "r|gz") as archive:
        for n, member in enumerate(archive):
            if "/train/" in member.name:
                break
            if n % 8 == 0 and member.isfile() and "/test/" in member.name:
                stream = archive.extractfile(member)
                assert stream is not None
                face = cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_COLOR_RGB)
                crops.append(cv2.resize(face, (96, 96), interpolation=cv2.INTER_NEAREST))
                labels.append(FER2013.index(member.name.split("/")[-2]))
    assert len(labels) > 350
    said = FaceEmbedder().logits(np.stack(crops)).argmax(axis=1)
    right = said == np.array(labels)
    assert right.mean() > 0.6
    assert right[np.array(labels) == FER2013.index("happy")].mean() > 0.8
