"""The review's taxonomy as settings: every combination builds, runs, and learns."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from aver.errors import ModelError  # noqa: E402
from aver.models.attention_stages import STAGES, Attention  # noqa: E402
from aver.models.av_attention import Fusion, Head  # noqa: E402
from aver.models.registry import make_model  # noqa: E402

DIMENSIONS = {"voice": 4 * 64, "action_units": 5}
WINDOWS = {"voice": 3, "action_units": 1}
CLASSES = 3
FUSIONS, ATTENTIONS, HEADS = (get_args(kind) for kind in (Fusion, Attention, Head))
SMALL = {
    "branch": {"voice": "log_mel", "action_units": "action_units"},
    "shrink": {"voice": (1, 8)},
    "width": 8,
    "channels": (4,),
    "prediction_hidden": 16,
    "heads": 2,
    "blocks": 3,
}


def build(dimensions=None, windows=None, **changes):
    torch.manual_seed(0)
    dimensions = dimensions or DIMENSIONS
    return make_model("av_attention", SMALL | changes, dimensions, windows or WINDOWS, CLASSES)


def alone(**changes):
    """With the voice as the only stream."""
    branch, shrink = {"voice": "log_mel"}, {"voice": (1, 8)}
    return build({"voice": 256}, {"voice": 3}, branch=branch, shrink=shrink, **changes)


def inputs(batch=4, seed=1):
    generator = torch.Generator().manual_seed(seed)
    streams = {
        name: torch.randn(batch, WINDOWS[name], width, generator=generator)
        for name, width in DIMENSIONS.items()
    }
    return streams, {n: torch.ones(x.shape[:2], dtype=torch.bool) for n, x in streams.items()}


def sums_to_one(weights):
    return torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-5)


def test_all_attentions_have_a_stage():
    assert set(STAGES) == set(ATTENTIONS)


@pytest.mark.parametrize(
    ("fused_by", "attention", "head"), list(itertools.product(FUSIONS, ATTENTIONS, HEADS))
)
def test_every_combination_learns(fused_by, attention, head):
    network = build(fused_by=fused_by, attention=attention, head=head)
    streams, masks = inputs()
    masks["voice"][0, 2] = False
    masks["action_units"][1] = False
    masks["voice"][2] = False
    out = network.train()(streams, masks)
    loss = torch.nn.functional.cross_entropy(out.logits, torch.tensor([0, 1, 2, 0]))
    loss.backward()
    without = [n for n, p in network.named_parameters() if p.grad is None]
    assert without == []
    parts = [*network.encoders.values(), network.stage, network.time, network.fuse, *network.heads]
    for part in parts:
        gradients = [] if part is None else [p.grad.abs().max() for p in part.parameters()]
        assert not gradients or max(gradients) > 0
    out = network.eval()(streams, masks)
    assert out.logits.shape == (4, CLASSES)
    assert torch.isfinite(out.logits).all()
    assert set(out.branches) == (set(DIMENSIONS) if "decision" in fused_by else set())
    assert ("voice_class_map" in out.attention) == (head == "class_activation_map")


@pytest.mark.parametrize(
    ("attention", "names"),
    [
        ("none", set()),
        ("channel", {"voice_channel_gate", "action_units_channel_gate"}),
        ("spatial", {"voice_spatial_gate"}),
        ("cbam", {"voice_channel_gate", "action_units_channel_gate", "voice_spatial_gate"}),
        ("temporal", {"voice_windows", "action_units_windows"}),
        ("cross", {"voice_to_others", "action_units_to_others"}),
        ("augmented", {"voice_augmented", "action_units_augmented"}),
        ("split", {"voice_split", "action_units_split"}),
    ],
)
def test_what_each_attention_shows(attention, names):
    found = build(attention=attention).eval()(*inputs()).attention
    assert set(found) == names
    for name, weights in found.items():
        if name.endswith("gate"):
            assert ((weights > 0) & (weights < 1)).all()
        elif not name.endswith("split"):
            assert weights.ndim == 5
            assert sums_to_one(weights)


def test_shapes_of_what_is_shown():
    find = {
        **build(attention="cbam", head="class_activation_map").eval()(*inputs()).attention,
        **build(attention="cross", fused_by="attention").eval()(*inputs()).attention,
    }
    shapes = {name: tuple(weights.shape) for name, weights in find.items()}
    assert shapes == {
        "voice_channel_gate": (4, 8),
        "action_units_channel_gate": (4, 8),
        "voice_spatial_gate": (4, 3, 2, 4),
        "voice_class_map": (4, 3, 3, 2, 4),
        "action_units_class_map": (4, 3, 1, 1, 1),
        "voice_to_others": (4, 1, 2, 3, 1),
        "action_units_to_others": (4, 1, 2, 1, 3),
        "joint": (4, 1, 2, 4, 4),
        "streams": (4, 1, 1, 1, 2),
    }
    assert sums_to_one(find["joint"])
    assert sums_to_one(find["streams"])


@pytest.mark.parametrize("fused_by", ["early", "attention"])
@pytest.mark.parametrize("attention", ["none", "temporal"])
def test_class_maps_add_up_to_the_logits(fused_by, attention):
    network = build(fused_by=fused_by, attention=attention, head="class_activation_map").eval()
    torch.nn.init.normal_(network.heads[0].bias)
    streams, masks = inputs()
    masks["voice"][0, 1] = False
    masks["action_units"][1] = False
    out = network(streams, masks)
    total = torch.zeros(4, CLASSES)
    for name, mask in masks.items():
        maps = out.attention[f"{name}_class_map"].mean(dim=(3, 4))
        share = mask / mask.sum(dim=1, keepdim=True).clamp(min=1)
        if attention == "temporal":
            share = out.attention[f"{name}_windows"][:, 0, 0, 0]
        total += (maps * share[:, None]).sum(dim=2)
    assert torch.allclose(total, out.logits - network.heads[0].bias, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(
    attention=st.sampled_from(ATTENTIONS),
    fused_by=st.sampled_from(FUSIONS),
    head=st.sampled_from(HEADS),
    seed=st.integers(0, 99),
)
def test_windows_that_are_missing_and_their_order_do_not_matter(attention, fused_by, head, seed):
    network = build(attention=attention, fused_by=fused_by, head=head).eval()
    streams, masks = inputs(batch=2, seed=seed)
    torch.manual_seed(seed)
    masks = {name: torch.rand(mask.shape) < 0.6 for name, mask in masks.items()}
    logits = network(streams, masks).logits
    assert torch.isfinite(logits).all()
    spoiled = {
        name: torch.where(masks[name][:, :, None], x, float("nan")) for name, x in streams.items()
    }
    assert torch.allclose(logits, network(spoiled, masks).logits, atol=1e-5)
    order = torch.randperm(3)
    streams["voice"], masks["voice"] = streams["voice"][:, order], masks["voice"][:, order]
    assert torch.allclose(logits, network(streams, masks).logits, atol=1e-5)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_half_precision_is_close(attention):
    """As graphics cards train."""
    network = build(attention=attention, fused_by="attention", head="class_activation_map")
    logits = network.eval()(*inputs()).logits
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = network(*inputs()).logits
        network.train()(*inputs()).logits.float().sum().backward()
    assert torch.allclose(half.float(), logits, atol=0.05)


def test_one_stream_decides_alone():
    streams, masks = inputs()
    one = {"voice": streams["voice"]}, {"voice": masks["voice"]}
    early = alone().eval()(*one)
    assert torch.equal(early.logits, alone(fused_by="decision_mean").eval()(*one).logits)
    assert torch.equal(early.logits, alone(fused_by="attention").eval()(*one).logits)


def test_fused_decisions_are_of_the_streams():
    network = build(fused_by="decision_weighted").eval()
    with torch.no_grad():
        network.stream_weights.copy_(torch.tensor([0.0, 1.0]).log().clamp(min=-50))
    streams, masks = inputs()
    out = network(streams, masks)
    expected = out.branches["action_units"].log_softmax(dim=1)
    assert torch.allclose(out.logits, expected, atol=1e-5)
    masks["action_units"][0] = False
    out = network(streams, masks)
    expected = out.branches["voice"].log_softmax(dim=1)
    assert torch.allclose(out.logits[0], expected[0], atol=1e-5)
    assert out.branches["action_units"][0].abs().max().item() == 0.0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"attention": "cros"}, "there is no 'cros'; did you mean 'cross'"),
        ({"fused_by": "atention"}, "did you mean 'attention'"),
        ({"head": "class_activation_maps"}, "did you mean 'class_activation_map'"),
        ({"branch": {"voice": "logmel"}}, "stream 'voice': there is no branch 'logmel'; did you"),
        ({"branch": {"vocie": "log_mel"}}, "branch names the stream 'vocie'.*did you mean 'voice'"),
        ({"picture": {"voice": (5, 64)}}, "stream 'voice', branch 'log_mel': is 256 wide"),
        (
            {"shrink": {"action_units": (2, 2)}},
            "'shrink' says nothing to the branch 'action_units'",
        ),
        ({"attention": "cross", "heads": 3}, "does not divide into 3 heads"),
        ({"attention": "augmented", "heads": 8}, "does not divide into 8 heads"),
        ({"attention": "split", "blocks": 9}, "8 channels cannot be split into 9 blocks"),
        ({"channels": (0,)}, "one channel at least"),
        ({"fusion": "early"}, "did you mean 'fused_by'|unknown setting 'fusion'"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(changes, expected):
    with pytest.raises(ModelError, match=expected) as found:
        build(**changes)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("attention", ["cross", "split"])
def test_attention_between_streams_needs_two(attention):
    with pytest.raises(ModelError, match=f"'{attention}' is between streams, but 'voice'"):
        alone(attention=attention)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"attention": "spatial"}, "need places"),
        ({"attention": "cbam"}, "need places"),
        ({"attention": "temporal"}, "temporal attention needs windows"),
        ({"head": "class_activation_map"}, "needs maps"),
    ],
)
def test_a_vector_a_clip_has_neither_places_nor_time(changes, expected):
    plain = {"branch": {}, "shrink": {}} | changes
    with pytest.raises(ModelError, match=expected):
        build({"action_units": 5}, {"action_units": 1}, **plain)


def test_too_much_to_flatten():
    wide = {"branch": {"voice": "frame_cnn"}, "shrink": {}, "channels": ()}
    with pytest.raises(ModelError, match="would get 80000 values a window"):
        build({"voice": 10_000}, {"voice": 2}, **wide)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "changes",
    [
        {"attention": "augmented", "fused_by": "attention", "head": "class_activation_map"},
        {"attention": "split", "fused_by": "decision_vote"},
    ],
)
def test_onnx_says_the_same(tmp_path, changes):
    from aver.models.streams import Positional
    from aver.training.export import export_onnx, parity

    network = build(**changes).eval()
    branches = list(network(*inputs()).branches)
    flat = Positional(network, DIMENSIONS, branches)

    def example(batch, seed):
        streams, masks = inputs(batch, seed)
        masks["voice"][0, 1:] = False
        masks["action_units"][1] = False
        return [x for name in DIMENSIONS for x in (streams[name], masks[name])]

    file = tmp_path / "model.onnx"
    with torch.no_grad():
        exported = export_onnx(
            flat.eval(), example(2, 1), file, inputs=flat.inputs, outputs=flat.outputs
        )
        assert parity(file, exported, example(5, 3)) < 1e-4
