"""The further outputs of exported networks: they are what torch has, and change nothing else."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from aver import pretrained  # noqa: E402
from aver.errors import ModelError  # noqa: E402
from aver.models.face_expression import FaceExpressionNet, FaceExpressionSettings  # noqa: E402
from aver.models.mater import Mater, MaterSettings  # noqa: E402
from aver.pretrained.session import open_session  # noqa: E402
from aver.training.export import export_onnx  # noqa: E402
from aver.training.export_outputs import (  # noqa: E402
    add_attention_outputs,
    add_face_outputs,
    add_voice_outputs,
    same_weights,
)
from aver.training.face_export import fold_norms  # noqa: E402


def test_attention_of_the_file_is_that_of_torch_layer_by_layer(tmp_path):
    torch.manual_seed(3)
    settings = MaterSettings(
        dimensions=16, heads=2, feed_forward=16, layers=2, windows=4, norm_first=True
    )
    mask = torch.tensor([[True, True, False, False], [True] * 4])
    example = (torch.randn(2, 4, 16), mask, torch.randn(2, 4, 16), mask.flip(0))
    inputs = ["face", "face_mask", "voice", "voice_mask"]
    outputs = ["fused", "face_logits", "voice_logits"]
    path = tmp_path / "mater.onnx"
    network = export_onnx(
        Mater(settings),
        example,
        path,
        inputs=inputs,
        outputs=outputs,
        further=add_attention_outputs,
    )
    session = open_session(path)
    feeds = {n: x.numpy() for n, x in zip(inputs, example, strict=True)}
    for branch, x, present in (("face", *example[:2]), ("voice", *example[2:])):
        with torch.no_grad():
            _, layers = getattr(network, branch).encode(x, present)
        for number, weights in enumerate(layers):
            (found,) = session.run([f"{branch}_attention_{number}"], feeds)
            np.testing.assert_allclose(found, weights.numpy(), atol=1e-5)


def test_the_face_networks_maps_make_its_logits(tmp_path):
    torch.manual_seed(4)
    net = fold_norms(FaceExpressionNet(FaceExpressionSettings(widths=(8, 12), blocks=(1, 1))))
    faces = torch.rand(3, 1, 48, 48)
    path = tmp_path / "face.onnx"
    rounded = export_onnx(
        net,
        (faces,),
        path,
        inputs=["faces"],
        outputs=["embedding", "logits"],
        further=add_face_outputs,
    )
    names = ["embedding", "logits", "maps", "class_weights"]
    found = dict(zip(names, open_session(path).run(names, {"faces": faces.numpy()}), strict=True))
    np.testing.assert_allclose(found["maps"].mean(axis=(2, 3)), found["embedding"], atol=1e-6)
    weight = rounded.classifier.weight.detach().numpy()
    np.testing.assert_array_equal(found["class_weights"], weight)


ADD = {
    "face_expression": (add_face_outputs, ["embedding", "logits"]),
    "voice_expression": (add_voice_outputs, ["embedding", "logits"]),
    "mater": (add_attention_outputs, ["fused", "face_logits", "voice_logits"]),
}


def feeds_of(session, batch):
    random = np.random.default_rng(batch)
    feeds = {}
    for entry in session.get_inputs():
        shape = [batch, *(48 if isinstance(size, str) else size for size in entry.shape[1:])]
        values = random.standard_normal(shape).astype(np.float32)
        feeds[entry.name] = values > -0.5 if "bool" in entry.type else values
    return feeds


@pytest.mark.parametrize("name", ADD)
def test_further_outputs_change_no_weight_and_no_bit_of_the_others(name, tmp_path):
    add, outputs = ADD[name]
    model = onnx.load(pretrained.path_of(name))
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    kept = [o for o in bare.graph.output if o.name in outputs]
    del bare.graph.output[:]
    bare.graph.output.extend(kept)
    assert [o.name for o in model.graph.output][: len(outputs)] == outputs
    before = onnx.ModelProto()
    before.CopyFrom(bare)
    # A file that has none is given them anew, and its own outputs stay what they were.
    for node in [n for n in bare.graph.node if n.output[0].startswith("class_weights")]:
        bare.graph.node.remove(node)
    again = rename(bare, {"maps": "m", "length": "l"})
    add(again)
    assert same_weights(before, again)
    assert same_weights(model, again)
    one, two = tmp_path / "one.onnx", tmp_path / "two.onnx"
    one.write_bytes(before.SerializeToString())
    two.write_bytes(again.SerializeToString())
    assert two.stat().st_size - one.stat().st_size < 3000
    first, second = open_session(one), open_session(two)
    assert {o.name for o in second.get_outputs()} == {o.name for o in model.graph.output}
    for batch in (1, 3):
        feeds = feeds_of(first, batch)
        for a, b in zip(first.run(outputs, feeds), second.run(outputs, feeds), strict=True):
            np.testing.assert_array_equal(a, b)


def rename(model, names):
    """The same graph with other names for values on the way."""
    names = names | {
        o: f"att_{n}"
        for n, o in enumerate(v for node in model.graph.node for v in node.output)
        if "_attention_" in o
    }
    for node in model.graph.node:
        node.input[:] = [names.get(v, v) for v in node.input]
        node.output[:] = [names.get(v, v) for v in node.output]
    return model


def test_a_head_that_has_no_map_is_refused():
    small = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("Relu", ["x"], ["logits"])],
            "other",
            [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])],
            [onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [1])],
        )
    )
    with pytest.raises(ModelError, match="logits is made by Relu where Gemm was expected"):
        add_voice_outputs(small)
    with pytest.raises(ModelError, match="has no output face_logits"):
        add_attention_outputs(small)
