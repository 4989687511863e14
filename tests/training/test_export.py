"""Export: what the file computes is what torch computes with the rounded weights."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from aver.errors import ModelError  # noqa: E402
from aver.models.mater import Mater, MaterSettings  # noqa: E402
from aver.training.export import export_onnx, parity, round_weights  # noqa: E402


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(4, 32, 5)
        self.linear = torch.nn.Linear(32, 96)
        self.few = torch.nn.Linear(96, 3)

    def forward(self, x):
        x = torch.relu(self.convolution(x)).mean(dim=(2, 3))
        return self.few(torch.relu(self.linear(x)))


def test_rounding_lies_on_the_grid_and_is_half_a_step_off_at_most():
    torch.manual_seed(0)
    network = Small()
    rounded = round_weights(network)
    for name in ("convolution", "linear"):
        before = getattr(network, name).weight.detach().numpy()
        after = getattr(rounded, name).weight.detach().numpy()
        axes = tuple(range(1, before.ndim))
        step = np.abs(before).max(axis=axes, keepdims=True) / 127
        assert np.abs(after / step - np.round(after / step)).max() < 1e-3
        assert (np.abs(after - before) <= step / 2 * 1.001).all()
    assert torch.equal(rounded.few.weight, network.few.weight)


def test_file_equals_torch_and_is_small(tmp_path):
    torch.manual_seed(1)
    path = tmp_path / "small.onnx"
    x = torch.randn(3, 4, 12, 12)
    rounded = export_onnx(
        Small(), (x,), path, inputs=["x"], outputs=["y"], metadata={"labels": "[]"}
    )
    assert parity(path, rounded, (x,)) < 1e-5
    assert parity(path, rounded, (torch.randn(1, 4, 12, 12),)) < 1e-5
    stored = {t.name: t.data_type for t in onnx.load(path).graph.initializer}
    assert sum(kind == onnx.TensorProto.INT8 for kind in stored.values()) == 2
    assert {m.key: m.value for m in onnx.load(path).metadata_props}["labels"] == "[]"
    assert [p.name for p in tmp_path.iterdir()] == ["small.onnx"]
    # Nothing in the file tells where on which machine it was made.
    assert b".py" not in path.read_bytes()


def test_a_difference_is_refused(tmp_path):
    with pytest.raises(ModelError, match="differs from torch"):
        export_onnx(
            Small(),
            (torch.randn(2, 4, 12, 12),),
            tmp_path / "x.onnx",
            inputs=["x"],
            outputs=["y"],
            tolerance=-1.0,
        )
    assert not list(tmp_path.iterdir())


def test_mater_exports_with_masks(tmp_path):
    torch.manual_seed(2)
    settings = MaterSettings(dimensions=16, heads=2, feed_forward=32, layers=1, windows=4)
    mask = torch.tensor([[True, True, False, False], [False] * 4])
    example = (torch.randn(2, 4, 16), mask, torch.randn(2, 4, 16), ~mask)
    path = tmp_path / "mater.onnx"
    rounded = export_onnx(
        Mater(settings),
        example,
        path,
        inputs=["face", "face_mask", "voice", "voice_mask"],
        outputs=["fused", "face_logits", "voice_logits"],
    )
    other = (
        torch.randn(5, 4, 16),
        torch.rand(5, 4) > 0.5,
        torch.randn(5, 4, 16),
        torch.rand(5, 4) > 0.5,
    )
    assert parity(path, rounded, other) < 1e-4
