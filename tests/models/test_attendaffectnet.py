"""AttendAffectNet: the authors' networks on their inputs, and its parts by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from aver.errors import ModelError  # noqa: E402
from aver.models.attendaffectnet import (  # noqa: E402
    PUBLISHED_MODALITIES,
    AttendAffectNet,
    AttendAffectNetSettings,
    UnbiasedLayerNorm,
    load_published,
)
from aver.models.registry import make_model  # noqa: E402

# What the six networks say of the ten segments. The same came out of a second program written
# from the authors' own, to within 2e-7.
ANSWERS = {
    "arousal_only_audio": [
        0.46020, 0.35645, 0.53389, 0.39931, 0.43305, 0.51329, 0.30308, 0.62367, 0.40630, 0.55549,
    ],
    "arousal_only_video": [
        0.00051, 0.34114, 0.31041, 0.33491, 0.29767, 0.37733, 0.35684, 0.38089, 0.39509, 0.41587,
    ],
    "arousal_video_audio": [
        0.29237, 0.58558, 0.67335, 0.68818, 0.21162, -0.04671, 0.64317, 0.69975, 0.71533, 0.72236,
    ],
    "valence_only_audio": [
        0.16089, 0.32878, 0.11865, 0.26344, 0.20055, 0.42535, -0.28277, -0.21183, 0.12526, 0.34407,
    ],
    "valence_only_video": [
        -0.53851, -0.52353, -0.53431, -0.52113, -0.53861, -0.50499, -0.53825, -0.52746, -0.50940,
        -0.51484,
    ],
    "valence_video_audio": [
        -0.82222, -0.68107, -0.80707, -0.79863, -0.82241, -0.71686, -0.75502, -0.85966, -0.85139,
        -0.69922,
    ],
}  # fmt: skip
MODALITIES = {
    "only_audio": ("vggish", "emobase2010"),
    "only_video": ("resnet50", "flownet", "i3d"),
    "video_audio": tuple(PUBLISHED_MODALITIES),
}


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "oracles" / "attendaffectnet"


@pytest.fixture(scope="module")
def samples(folder):
    with np.load(folder / "sample_inputs.npz") as file:
        found = {name: torch.from_numpy(file[name]) for name in file}
    found["emobase2010"] = found.pop("emobase")
    return found


@pytest.mark.parametrize("name", ANSWERS)
def test_published_networks_on_the_authors_samples(name, folder, samples):
    network = load_published(folder / f"{name}.safetensors")
    assert network.modalities == MODALITIES[name.split("_", 1)[1]]
    with torch.no_grad():
        found, weights = network({n: samples[n] for n in network.modalities})
    assert found[:, 0].tolist() == pytest.approx(ANSWERS[name], abs=2e-5)
    count = len(network.modalities)
    assert weights.shape == (10, 6, 2, count, count)


@pytest.mark.parametrize("name", ["arousal_only_audio", "valence_video_audio"])
def test_every_parameter_of_the_file_matters(name, folder, samples, tmp_path):
    """Strictly read: a tensor more or less, or one of another shape, is refused."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / f"{name}.safetensors")
    network = load_published(folder / f"{name}.safetensors")
    held = sum(p.numel() for p in network.parameters())
    unused = 8 * 8 + 8 if "video" in name else 0
    assert held + unused == sum(t.numel() for t in tensors.values())
    key = "encoder.layers.3.feed_forward.w.weight"
    for spoiled in (
        {n: t for n, t in tensors.items() if n != key},
        {**tensors, "encoder.layers.6.feed_forward.w.weight": tensors[key].clone()},
        {**tensors, key: tensors[key][:4].clone()},
    ):
        save_file(spoiled, tmp_path / "spoiled.safetensors")
        with pytest.raises(ModelError, match=r"spoiled.safetensors: is none of the published"):
            load_published(tmp_path / "spoiled.safetensors")
    for key in (k for k in tensors if k.startswith("encoder.layers.5.")):
        moved = {**tensors, key: tensors[key] + torch.linspace(0.1, 1.0, tensors[key].numel())
                 .reshape(tensors[key].shape)}  # fmt: skip
        if key.endswith("linears.1.bias"):
            continue  # the keys' bias shifts all of a query's scores alike, which softmax forgets
        save_file(moved, tmp_path / "moved.safetensors")
        with torch.no_grad():
            one = network(samples)[0]
            two = load_published(tmp_path / "moved.safetensors")(samples)[0]
        assert not torch.allclose(one, two), key


def test_the_layer_that_is_never_run_was_never_trained(folder):
    """Its values lie where a fresh layer's do, those of a layer that is run have left."""
    from safetensors.torch import load_file

    tensors = load_file(folder / "arousal_video_audio.safetensors")
    bound = 1 / math.sqrt(8)
    assert tensors["src_embed.0.lut.weight"].abs().max() < bound
    assert tensors["encoder.layers.0.self_attn.linears.0.weight"].abs().max() > bound


def test_other_files_are_told(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(ModelError, match="does not exist"):
        load_published(tmp_path / "nothing.safetensors")
    (tmp_path / "text.safetensors").write_text("arousal")
    with pytest.raises(ModelError, match="not a safetensors file"):
        load_published(tmp_path / "text.safetensors")
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="none of the published AttendAffectNet networks"):
        load_published(tmp_path / "other.safetensors")


def test_layer_norm_by_hand():
    """Mean 3, deviations -2, 0, 2: the unbiased deviation is 2, epsilon is added to it."""
    norm = UnbiasedLayerNorm(3)
    found = norm(torch.tensor([1.0, 3.0, 5.0]))
    assert found.tolist() == pytest.approx([-2 / 2.000001, 0.0, 2 / 2.000001])
    flat = torch.full((3,), 4.0, requires_grad=True)
    norm(flat).sum().backward()
    assert flat.grad.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("kind", ["relu", "residual_tanh"])
def test_feed_forward_kinds_by_hand(kind):
    """With silent attention, W = 1 and b = 0 it adds relu(n) or n + tanh(n), n the normalised."""
    settings = AttendAffectNetSettings(width=2, heads=1, layers=1, feed_forward_kind=kind)
    layer = AttendAffectNet(settings, {"sound": 3}).eval().layers[0]
    with torch.no_grad():
        layer.attention.output.weight.zero_()
        layer.attention.output.bias.zero_()
        layer.feed_forward.weight.copy_(torch.eye(2))
        layer.feed_forward.bias.zero_()
        out, _ = layer(torch.tensor([[[1.0, 3.0]]]), torch.tensor([[True]]))
    n = 1 / math.sqrt(2)  # deviation sqrt(2)
    added = [0.0, n] if kind == "relu" else [-n - math.tanh(n), n + math.tanh(n)]
    assert out[0, 0].tolist() == pytest.approx([1 + added[0], 3 + added[1]], abs=1e-5)


def test_output_tanh_bounds_what_the_output_layer_reads():
    torch.manual_seed(0)
    settings = AttendAffectNetSettings(output_tanh=True)
    network = AttendAffectNet(settings, {"sound": 3, "picture": 4}).eval()
    with torch.no_grad():
        network.norm.bias.fill_(50.0)
        network.norm.weight.fill_(0.0)
        out, _ = network({"sound": torch.randn(2, 3), "picture": torch.randn(2, 4)})
    expected = network.output.weight.sum() + network.output.bias
    assert torch.allclose(out, expected.expand(2, 1))


def test_modalities_have_no_order():
    torch.manual_seed(0)
    one = AttendAffectNet(AttendAffectNetSettings(), {"sound": 3, "picture": 4}, 2).eval()
    two = AttendAffectNet(AttendAffectNetSettings(), {"picture": 4, "sound": 3}, 2).eval()
    two.load_state_dict(one.state_dict())
    x = {"sound": torch.randn(5, 3), "picture": torch.randn(5, 4)}
    assert torch.allclose(one(x)[0], two(x)[0], atol=1e-5)


def test_segments_and_clips_are_judged_by_the_same_network():
    dimensions = {"sound": 3, "picture": 4}
    windows = dict.fromkeys(dimensions, 2)
    torch.manual_seed(0)
    films = make_model("attendaffectnet", {}, dimensions, windows, 3).eval()
    clips = make_model("attendaffectnet_clip", {}, dimensions, windows, 3).eval()
    clips.load_state_dict(films.state_dict())
    streams = {n: torch.randn(4, 2, d) for n, d in dimensions.items()}
    masks = {n: torch.ones(4, 2, dtype=torch.bool) for n in dimensions}
    masks["picture"][0, 1] = False
    out = films(streams, masks)
    assert out.attention["modalities"].shape == (4, 2, 6, 2, 2, 2)
    assert out.attention["modalities"][0, 1, ..., 1].max() == 0  # what is missing is not looked at
    for at in range(2):
        alone = clips(
            {n: x[:, at : at + 1] for n, x in streams.items()},
            {n: x[:, at : at + 1] for n, x in masks.items()},
        )
        assert torch.allclose(out.logits[:, at], alone.logits, atol=1e-6)
    mean = {n: x.mean(dim=1, keepdim=True) for n, x in streams.items()}
    whole = {n: torch.ones(4, 1, dtype=torch.bool) for n in streams}
    averaged = clips(mean, whole).logits[1:]
    assert torch.allclose(clips(streams, masks).logits[1:], averaged, atol=1e-5)
