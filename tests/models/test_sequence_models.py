"""What holds for every model that labels each window of a sequence: over all registered."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from aver.errors import ModelError  # noqa: E402
from aver.models.registry import (  # noqa: E402
    find_model,
    make_model,
    model_names,
    sequence_model_names,
)
from aver.models.sequences import present_first, reorder, with_context  # noqa: E402
from aver.models.streams import Normalised, Positional  # noqa: E402

SMALL = {
    "width": 8, "saliency_width": 6, "layers": 2, "heads": 2, "feed_forward": 8, "hidden": 6,
    "reduced": 5, "context": 3,
}  # fmt: skip
DIMENSIONS = {"emobase2010": 7, "auditory_saliency": 4}
TIME, CLASSES = 5, 3


def small(name, **changes):
    known = find_model(name).Settings.model_fields
    chosen = {k: v for k, v in SMALL.items() if k in known} | changes
    torch.manual_seed(0)
    return make_model(name, chosen, DIMENSIONS, dict.fromkeys(DIMENSIONS, TIME), CLASSES).eval()


def inputs(batch=3, seed=1, time=TIME):
    generator = torch.Generator().manual_seed(seed)
    streams = {n: torch.randn(batch, time, d, generator=generator) for n, d in DIMENSIONS.items()}
    return streams, {n: torch.ones(x.shape[:2], dtype=torch.bool) for n, x in streams.items()}


every_model = pytest.mark.parametrize("name", sequence_model_names())


def test_the_models_of_the_comparison_are_here_and_apart_from_those_of_clips():
    names = {"asmt", "attendaffectnet", "sivaprasad_lstm", "thao_dnn", "thao_lstm"}
    assert names <= set(sequence_model_names())
    assert not set(sequence_model_names()) & set(model_names())
    assert all(find_model(name).labels_windows for name in sequence_model_names())
    assert not any(find_model(name).labels_windows for name in model_names())


@every_model
def test_a_label_a_window_and_determinism(name):
    network = small(name)
    out = network(*inputs())
    assert out.logits.shape == (3, TIME, CLASSES)
    assert torch.equal(out.logits, small(name)(*inputs()).logits)
    for weights in out.attention.values():
        assert torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-5)


@every_model
@settings(deadline=None, max_examples=15)
@given(data=st.data(), seed=st.integers(0, 99))
def test_masked_windows_never_matter(name, data, seed):
    """Not even NaN in a missing window changes anything, and its own logits are zeros."""
    network = small(name)
    streams, masks = inputs(batch=1, seed=seed)
    for stream in masks:
        drawn = data.draw(st.lists(st.booleans(), min_size=TIME, max_size=TIME))
        masks[stream] = torch.tensor([drawn])
    spoiled = {
        n: torch.where(masks[n][:, :, None], x, torch.full_like(x, float("nan")))
        for n, x in streams.items()
    }
    one, two = network(streams, masks).logits, network(spoiled, masks).logits
    assert torch.isfinite(one).all()
    assert torch.allclose(one, two, atol=1e-5)
    nothing = ~(masks["emobase2010"] | masks["auditory_saliency"])
    assert torch.count_nonzero(one[nothing]) == 0


@every_model
def test_every_stream_matters(name):
    network = small(name)
    streams, masks = inputs()
    for stream in DIMENSIONS:
        moved = {n: x * (3.0 if n == stream else 1.0) for n, x in streams.items()}
        assert not torch.allclose(network(streams, masks).logits, network(moved, masks).logits)


@every_model
def test_a_sequence_does_not_see_its_batch_and_may_be_short(name):
    network = small(name)
    streams, masks = inputs()
    alone = network({n: x[1:2] for n, x in streams.items()}, {n: x[1:2] for n, x in masks.items()})
    assert torch.allclose(network(streams, masks).logits[1:2], alone.logits, atol=1e-5)
    for mask in masks.values():
        mask[:, 3:] = False
    short = network(
        {n: x[:, :3] for n, x in streams.items()}, {n: x[:, :3] for n, x in masks.items()}
    )
    assert torch.allclose(network(streams, masks).logits[:, :3], short.logits, atol=1e-5)


@every_model
def test_every_weight_is_trained(name):
    network = small(name).train()
    streams, masks = inputs(batch=6)
    masks["emobase2010"][0] = False
    logits = network(streams, masks).logits
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.arange(30) % CLASSES).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


@every_model
def test_saved_and_loaded_is_the_same(name, tmp_path):
    from safetensors.torch import load_file, save_file

    network = small(name)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    torch.manual_seed(9)
    again = small(name, **network.settings.model_dump())
    for parameter in again.parameters():
        torch.nn.init.ones_(parameter)
    again.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(network(*inputs()).logits, again(*inputs()).logits)


class Together(torch.nn.Module):
    """All models on the same inputs, so that one export, which is what costs, tells of them all."""

    def __init__(self, models):
        super().__init__()
        self.models = torch.nn.ModuleList(models)

    def forward(self, *inputs):
        return tuple(model(*inputs)[0] for model in self.models)


@pytest.mark.filterwarnings("ignore")
def test_onnx_says_the_same(tmp_path):
    from aver.training.export import export_onnx, parity

    names = sequence_model_names()
    models = []
    for name in names:
        known = find_model(name).Settings.model_fields
        network = small(name, **({"layers": 1} if "layers" in known else {}))
        mean = {n: torch.full((d,), 0.25) for n, d in DIMENSIONS.items()}
        scale = {n: torch.full((d,), 2.0) for n, d in DIMENSIONS.items()}
        models.append(Positional(Normalised(network, mean, scale), DIMENSIONS))
    streams, masks = inputs(batch=2)
    masks["emobase2010"][0, 2:] = False
    example = [x for n in DIMENSIONS for x in (streams[n], masks[n])]
    file = tmp_path / "model.onnx"
    with torch.no_grad():
        together = Together(models).eval()
        exported = export_onnx(together, example, file, inputs=models[0].inputs, outputs=names)
        other, other_masks = inputs(batch=5, seed=4)
        other_masks["auditory_saliency"][2, 1] = False
        other_masks["emobase2010"][3] = False
        again = [x for n in DIMENSIONS for x in (other[n], other_masks[n])]
        assert parity(file, exported, again) < 1e-4


def test_streams_of_different_lengths_are_refused():
    with pytest.raises(ModelError, match="same windows, not emobase2010 5, auditory_saliency 1"):
        make_model("thao_dnn", {}, DIMENSIONS, {"emobase2010": 5, "auditory_saliency": 1}, 3)


def test_present_first_and_back():
    present = torch.tensor([[False, True, False, True]])
    x = torch.tensor([[[0.0], [1.0], [2.0], [3.0]]])
    order, back = present_first(present)
    assert reorder(x, order)[0, :, 0].tolist() == [1.0, 3.0, 0.0, 2.0]
    assert torch.equal(reorder(reorder(x, order), back), x)


def test_with_context_by_hand():
    x = torch.tensor([[[1.0], [2.0], [3.0]]])
    assert with_context(x, 2)[0, :, :, 0].tolist() == [[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]]
    assert torch.equal(with_context(x, 1), x[:, :, None])
    there = torch.tensor([[True, False, True]])
    assert with_context(there, 2)[0].tolist() == [[False, True], [True, False], [False, True]]


def test_a_recipe_of_whole_clips_refuses_them():
    from aver.training.bench_system import System

    System(name="clips", model="attendaffectnet_clip")
    with pytest.raises(ValueError, match="'asmt' labels every segment of a sequence"):
        System(name="films", model="asmt")
