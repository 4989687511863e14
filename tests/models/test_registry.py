"""What holds for every sequence model: over everything registered."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from aver.errors import ModelError  # noqa: E402
from aver.models.registry import find_model, make_model, model_names, read_settings  # noqa: E402
from aver.models.streams import Normalised, Positional  # noqa: E402

# Small enough for tests; names that a model does not know are left out.
SMALL = {
    "width": 8,
    "layers": 2,
    "heads": 2,
    "feed_forward": 8,
    "prediction_hidden": 6,
    "hidden": (6,),
}
DIMENSIONS = {"voice": 5, "action_units": 3, "face": 8}
WINDOWS = {"voice": 4, "action_units": 1, "face": 3}
CLASSES = 4


def small(name, dimensions=None, windows=None, **changes):
    known = find_model(name).Settings.model_fields
    chosen = {k: v for k, v in SMALL.items() if k in known} | changes
    if "hidden" in known and not isinstance(known["hidden"].default, tuple):
        chosen["hidden"] = 6
    torch.manual_seed(0)
    return make_model(name, chosen, dimensions or DIMENSIONS, windows or WINDOWS, CLASSES).eval()


def inputs(batch=3, seed=1):
    generator = torch.Generator().manual_seed(seed)
    streams = {
        name: torch.randn(batch, WINDOWS[name], width, generator=generator)
        for name, width in DIMENSIONS.items()
    }
    return streams, {n: torch.ones(x.shape[:2], dtype=torch.bool) for n, x in streams.items()}


every_model = pytest.mark.parametrize("name", model_names())


@every_model
def test_shapes_and_determinism(name):
    network = small(name)
    out = network(*inputs())
    assert out.logits.shape == (3, CLASSES)
    assert all(x.shape == (3, CLASSES) for x in out.branches.values())
    assert torch.equal(out.logits, network(*inputs()).logits)
    assert torch.equal(out.logits, small(name)(*inputs()).logits)
    for weights in out.attention.values():
        assert weights.ndim == 5
        assert torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-5)


@every_model
@settings(deadline=None, max_examples=15)
@given(data=st.data(), seed=st.integers(0, 99))
def test_masked_windows_never_matter(name, data, seed):
    """Not even NaN in a missing window changes anything."""
    network = small(name)
    streams, masks = inputs(batch=1, seed=seed)
    for stream, mask in masks.items():
        length = mask.shape[1]
        drawn = data.draw(st.lists(st.booleans(), min_size=length, max_size=length))
        masks[stream] = torch.tensor([drawn])
    spoiled = {
        n: torch.where(masks[n][:, :, None], x, torch.full_like(x, float("nan")))
        for n, x in streams.items()
    }
    one, two = network(streams, masks).logits, network(spoiled, masks).logits
    assert torch.isfinite(one).all()
    assert torch.allclose(one, two, atol=1e-5)


@every_model
def test_windows_there_do_matter(name):
    """The test above would pass with a model that ignores its input."""
    network = small(name)
    streams, masks = inputs()
    for stream in DIMENSIONS:
        moved = {n: x + (3.0 if n == stream else 0.0) for n, x in streams.items()}
        assert not torch.allclose(network(streams, masks).logits, network(moved, masks).logits)


@every_model
def test_a_clip_does_not_see_its_batch(name):
    network = small(name)
    streams, masks = inputs()
    alone = network({n: x[1:2] for n, x in streams.items()}, {n: x[1:2] for n, x in masks.items()})
    assert torch.allclose(network(streams, masks).logits[1:2], alone.logits, atol=1e-5)


@every_model
def test_one_stream_is_enough(name):
    network = small(name, {"voice": 5}, {"voice": 4})
    streams, masks = inputs()
    out = network({"voice": streams["voice"]}, {"voice": masks["voice"]})
    assert torch.isfinite(out.logits).all()


@every_model
def test_every_weight_is_trained(name):
    """After one step on clips with and without each stream, every parameter has a gradient."""
    network = small(name).train()
    streams, masks = inputs(batch=6)
    for number, stream in enumerate(masks):
        masks[stream][number] = False
    out = network(streams, masks)
    torch.nn.functional.cross_entropy(out.logits, torch.arange(6) % CLASSES).backward()
    without = [n for n, p in network.named_parameters() if p.grad is None]
    # Only MATER's and cross-attention's queries over a single window have nothing to learn.
    assert without == []


@every_model
def test_saved_and_loaded_is_the_same(name, tmp_path):
    from safetensors.torch import load_file, save_file

    network = small(name)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    torch.manual_seed(9)
    again = make_model(name, network.settings.model_dump(), DIMENSIONS, WINDOWS, CLASSES).eval()
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(network(*inputs()).logits, again(*inputs()).logits)


@pytest.mark.filterwarnings("ignore")
@every_model
def test_onnx_says_the_same(name, tmp_path):
    from aver.training.export import export_onnx, parity

    dimensions = {n: DIMENSIONS[n] for n in ("voice", "action_units")}
    streams, masks = inputs(batch=2)
    masks["voice"][0, 2:] = False
    masks["action_units"][1] = False
    one_layer = {"layers": 1} if "layers" in find_model(name).Settings.model_fields else {}
    network = small(name, dimensions, {n: WINDOWS[n] for n in dimensions}, **one_layer)
    mean = {n: torch.full((d,), 0.25) for n, d in dimensions.items()}
    scale = {n: torch.full((d,), 2.0) for n, d in dimensions.items()}
    branches = list(network(streams, masks).branches)
    flat = Positional(Normalised(network, mean, scale, {"voice": True}, 1.5), dimensions, branches)
    example = [x for n in dimensions for x in (streams[n], masks[n])]
    file = tmp_path / "model.onnx"
    with torch.no_grad():
        exported = export_onnx(flat.eval(), example, file, inputs=flat.inputs, outputs=flat.outputs)
        other, other_masks = inputs(batch=5, seed=4)
        other_masks["action_units"][2] = False
        again = [x for n in dimensions for x in (other[n], other_masks[n])]
        assert parity(file, exported, again) < 1e-4


def test_normalised_by_hand():
    network = small("linear_probe", {"voice": 2}, {"voice": 2})
    normal = Normalised(
        network,
        {"voice": torch.tensor([1.0, 0.0])},
        {"voice": torch.tensor([2.0, 1.0])},
        {"voice": True},
    )
    mask = torch.tensor([[True, False]])
    # (7 - 1) / 2 = 3 and 4, of length 5; the other window is not there.
    raw = torch.tensor([[[7.0, 4.0], [100.0, float("nan")]]])
    expected = network({"voice": torch.tensor([[[0.6, 0.8], [0.0, 0.0]]])}, {"voice": mask})
    assert torch.allclose(normal({"voice": raw}, {"voice": mask}).logits, expected.logits)


def test_bounds_are_of_their_own_stream():
    network = small("linear_probe", {"voice": 1, "face": 1}, {"voice": 1, "face": 1})
    plain = (
        {n: torch.zeros(1) for n in ("voice", "face")},
        {n: torch.ones(1) for n in ("voice", "face")},
    )
    mask = {n: torch.tensor([[True]]) for n in ("voice", "face")}
    normal = Normalised(network, *plain, bound={"voice": 2.0, "face": 0.0})
    raw = {n: torch.tensor([[[9.0]]]) for n in ("voice", "face")}
    expected = network({**raw, "voice": torch.tensor([[[2.0]]])}, mask)
    assert torch.allclose(normal(raw, mask).logits, expected.logits)


def test_transforms_come_first_and_keep_the_sign():
    network = small("linear_probe", {"voice": 2}, {"voice": 1})
    plain = {"voice": torch.zeros(2)}, {"voice": torch.ones(2)}
    mask = {"voice": torch.tensor([[True]])}
    for name, raw, expected in (
        ("sqrt", [-4.0, 9.0], [-2.0, 3.0]),
        ("log1p", [float(np.e) - 1, 1 - float(np.e)], [1.0, -1.0]),
    ):
        normal = Normalised(network, *plain, transform={"voice": name})
        found = normal({"voice": torch.tensor([[raw]])}, mask).logits
        assert torch.allclose(found, network({"voice": torch.tensor([[expected]])}, mask).logits)


def test_unknown_names_are_told_the_nearest():
    with pytest.raises(ModelError, match="Did you mean 'mater'"):
        find_model("matter")
    with pytest.raises(ModelError, match="unknown setting 'layer' \\(did you mean 'layers'"):
        read_settings("mater", {"layer": 3})
    with pytest.raises(ModelError, match="'dropout'"):
        read_settings("lstm", {"dropout": 2.0})


def test_streams_that_cannot_be():
    with pytest.raises(ModelError, match="at least one"):
        small("mean_pool", {"voice": 4}, {"face": 4})
    with pytest.raises(ModelError, match="cannot be called 'values'"):
        small("mean_pool", {"values": 4}, {"values": 4})
    with pytest.raises(ModelError, match="set width"):
        make_model("mater", {}, {"action_units": 35}, {"action_units": 1}, 2)


def test_the_registry_is_light():
    code = (
        "import sys, aver.models.registry as r; r.model_names(); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_linear_probe_is_a_linear_model_of_the_mean():
    network = small("linear_probe", {"voice": 2}, {"voice": 3})
    with torch.no_grad():
        network.predict[-1].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1, 1], [0, 0]]))
        network.predict[-1].bias.zero_()
    x = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [50.0, 50.0]]])
    out = network({"voice": x}, {"voice": torch.tensor([[True, True, False]])})
    assert np.allclose(out.logits.detach().numpy(), [[2, 4, 6, 0]])
