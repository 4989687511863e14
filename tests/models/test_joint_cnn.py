"""The joint audio-image CNNs: shapes, sizes worked out by hand, what reads what, ONNX."""

from __future__ import annotations

from itertools import pairwise

import pytest
from pydantic import ValidationError

torch = pytest.importorskip("torch")

from aver.errors import ModelError  # noqa: E402
from aver.models.joint_cnn import JointCnn, Positional  # noqa: E402
from aver.models.joint_cnn_settings import NETWORKS, JointCnnSettings, find_network  # noqa: E402

CLASSES, TIME = 3, 6
SMALL = JointCnnSettings(
    audio_channels=(2, 3), image_channels=(2, 3), hidden=(8, 6), equalise_hidden=5,
    probe_hidden=(4,), lstm_units=7,
)  # fmt: skip


def shapes(name, settings=SMALL):
    by_time = NETWORKS[name].audio == "lstm" and settings.lstm_reads == "time"
    return {"audio": (TIME if by_time else 1, 40), "image": (24, 48)}


def small(name, settings=SMALL, seed=0):
    torch.manual_seed(seed)
    return JointCnn(name, settings, shapes(name, settings), CLASSES).eval()


def inputs(network, batch=4, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return {n: torch.randn(batch, *s, generator=generator) for n, s in network.shapes.items()}


every_network = pytest.mark.parametrize("name", NETWORKS)


@every_network
def test_shapes_heads_and_determinism(name):
    network = small(name)
    out = network(inputs(network))
    assert out.logits.shape == (4, CLASSES)
    assert set(out.branches) == set(NETWORKS[name].heads)
    assert all(logits.shape == (4, CLASSES) for logits in out.branches.values())
    assert torch.equal(out.logits, small(name)(inputs(network)).logits)
    alone = network({n: x[1:2] for n, x in inputs(network).items()})
    assert torch.allclose(out.logits[1:2], alone.logits, atol=1e-6)


@every_network
def test_each_modality_that_is_read_matters_and_no_other(name):
    network = small(name)
    kind, given = NETWORKS[name], inputs(network)
    read = {m for m, there in (("audio", kind.audio), ("image", kind.image)) if there}
    assert set(network.shapes) == read
    before = network(given)
    for modality in network.shapes:
        moved = {n: x + 2.0 * torch.randn_like(x) if n == modality else x for n, x in given.items()}
        after = network(moved)
        assert not torch.allclose(before.logits, after.logits)
        for head in kind.heads:
            same = torch.allclose(before.branches[head], after.branches[head])
            assert same == (head != modality), "a head reads its own modality alone"


def test_parameters_counted_by_hand():
    """Defaults, 40 coefficients, 48 x 96 pixels, 7 classes."""
    full = {"audio": (1, 40), "image": (48, 96)}
    counts = {
        name: JointCnn(name, JointCnnSettings(), full, 7).parameters_count
        for name in ("audio_cnn", "image_cnn", "concatenation", "equalised", "probes")
    }
    audio = (1 * 5 * 8 + 8) + (8 * 5 * 16 + 16)
    image = (25 * 8 + 8) + (8 * 25 * 16 + 16)
    # 40 coefficients, pooled by 4: 16 x 10. 48 x 96, stride 2, pooled by 2 twice: 16 x 6 x 12.
    audio_out, image_out = 16 * 10, 16 * 6 * 12

    def mlp(*widths):
        return sum(a * b + b for a, b in pairwise(widths))

    assert counts["audio_cnn"] == audio + mlp(audio_out, 128, 64, 7) == 30023
    assert counts["image_cnn"] == image + mlp(image_out, 128, 64, 7)
    both = audio + image + mlp(audio_out + image_out, 128, 64, 7)
    assert counts["concatenation"] == both
    equalised = audio + image + mlp(image_out, 64, audio_out) + mlp(2 * audio_out, 128, 64, 7)
    assert counts["equalised"] == equalised
    assert counts["probes"] == equalised + 2 * mlp(audio_out, 32, 7)


def test_lstm_parameters_counted_by_hand():
    network = JointCnn(
        "concatenation_lstm", JointCnnSettings(), {"audio": (12, 40), "image": (48, 96)}, 7
    )
    # Four gates, two biases each.
    lstm = 4 * 64 * (40 + 64 + 2)
    assert sum(w.numel() for w in network.audio.parameters()) == lstm
    assert network.dimensions == {"audio": 64, "image": 1152}


@pytest.mark.parametrize("equalise", ["image", "both"])
@pytest.mark.parametrize("name", ["equalised", "probes", "joint_loss", "distilled_probes"])
def test_dimensions_are_equal_where_they_should_be(name, equalise):
    network = small(name, SMALL.model_copy(update={"equalise": equalise, "latent": 9}))
    found = network.represent(inputs(network))
    assert found["audio"].shape == found["image"].shape
    assert found["audio"].shape[1] == (9 if equalise == "both" else 3 * 10)


def test_architecture_1_is_dominated_by_the_image_as_the_text_fears():
    network = small("concatenation")
    assert network.dimensions == {"audio": 3 * 10, "image": 3 * 3 * 6}
    assert network.dimensions["image"] > network.dimensions["audio"]


def test_the_joint_loss_network_has_one_classifier_and_averages_probabilities():
    network = small("joint_loss")
    given = inputs(network)
    out = network(given)
    found = network.represent(given)
    for modality, logits in out.branches.items():
        assert torch.equal(logits, network.classifier(found[modality]))
    mean = (out.branches["audio"].softmax(1) + out.branches["image"].softmax(1)) / 2
    assert torch.allclose(out.logits.exp(), mean, atol=1e-6)


def test_pooling_may_stand_elsewhere():
    settings = SMALL.model_copy(update={"audio_pools": (4, 1), "image_pools": (1, 4)})
    network = small("concatenation", settings)
    assert network.dimensions == {"audio": 3 * 10, "image": 3 * 3 * 6}
    assert network(inputs(network)).logits.shape == (4, CLASSES)


def test_the_lstm_stops_where_the_sound_ends():
    network = small("concatenation_lstm")
    given = inputs(network)
    present = torch.ones(4, TIME, dtype=torch.bool)
    present[0, 4:] = False
    spoiled = {"audio": given["audio"].clone(), "image": given["image"]}
    spoiled["audio"][0, 4:] = 99.0
    one = network(given, {"audio": present}).logits
    assert torch.equal(one, network(spoiled, {"audio": present}).logits)
    short = {"audio": given["audio"][:1, :4], "image": given["image"][:1]}
    network.shapes["audio"] = (4, 40)
    assert torch.allclose(one[:1], network(short).logits, atol=1e-6)


def test_the_lstm_may_read_the_averaged_coefficients():
    settings = SMALL.model_copy(update={"lstm_reads": "coefficients"})
    network = small("concatenation_lstm", settings)
    assert network.shapes["audio"] == (1, 40)
    assert network.audio.lstm.input_size == 1
    assert network(inputs(network)).logits.shape == (4, CLASSES)


@every_network
def test_every_weight_is_trained(name):
    from aver.training.fit_data import TensorBatches
    from aver.training.joint_cnn_loss import JointCnnLoss

    network = small(name).train()
    given, labels = inputs(network, batch=6), torch.arange(6) % CLASSES
    teachers = {f"{m}_teacher": torch.randn(6, CLASSES) for m in ("audio", "image")}
    JointCnnLoss(NETWORKS[name].loss)(
        network, TensorBatches(given, {}, labels, teachers)
    ).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []


# Between them these hold every part; an export takes seconds.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["concatenation_lstm", "probes", "joint_loss"])
def test_onnx_says_the_same(name, tmp_path):
    from aver.training.export import export_onnx, parity

    network = small(name)
    flat = Positional(network).eval()

    def example(batch, seed):
        given = inputs(network, batch, seed)
        if "audio_mask" in flat.inputs:
            mask = torch.ones(batch, TIME, dtype=torch.bool)
            mask[0, 3:] = False
            given["audio_mask"] = mask
        return [given[n] for n in flat.inputs]

    file = tmp_path / "model.onnx"
    with torch.no_grad():
        exported = export_onnx(flat, example(2, 1), file, inputs=flat.inputs, outputs=flat.outputs)
        assert parity(file, exported, example(5, 4)) < 1e-4


def test_what_does_not_fit_is_told():
    with pytest.raises(ModelError, match="Did you mean 'concatenation'"):
        find_network("concatenate")
    with pytest.raises(ModelError, match=r"audio_pools \(8, 8\) leave nothing of 40"):
        small("audio_cnn", SMALL.model_copy(update={"audio_pools": (8, 8)}))
    with pytest.raises(ModelError, match="leave nothing of a 24 x 48 image"):
        small("image_cnn", SMALL.model_copy(update={"image_pools": (8, 4)}))
    with pytest.raises(ModelError, match="not 6 steps"):
        JointCnn("audio_cnn", SMALL, {"audio": (6, 40)}, CLASSES)
    with pytest.raises(ModelError, match="reads image, of which no shape is given"):
        JointCnn("probes", SMALL, {"audio": (1, 40)}, CLASSES)
    with pytest.raises(ModelError, match="1 classes are too few"):
        JointCnn("probes", SMALL, shapes("probes"), 1)
    network = small("probes")
    given = inputs(network)
    with pytest.raises(ModelError, match="reads image, and there is none"):
        network({"audio": given["audio"]})
    with pytest.raises(ModelError, match=r"image of the shape \(24, 48\), and got \(24, 24\)"):
        network({"audio": given["audio"], "image": given["image"][:, :, :24]})
    with pytest.raises(ValidationError, match="odd"):
        JointCnnSettings(image_kernel=4)
    with pytest.raises(ValidationError, match="at least 1"):
        JointCnnSettings(audio_pools=(0, 4))
