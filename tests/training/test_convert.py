"""From published weights to ONNX: names, shapes, hashes, hostile files, and one real network."""

from __future__ import annotations

import hashlib
import pickle
import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from safetensors.torch import load_file, save_file  # noqa: E402
from torch import nn  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from aver.cli.models import app  # noqa: E402
from aver.errors import ModelError, OutputError  # noqa: E402
from aver.models.vggish import VGGish  # noqa: E402
from aver.pretrained import CATALOGUE  # noqa: E402
from aver.training import convert as conversion  # noqa: E402
from aver.training.convert import CONVERSIONS, Conversion, build, check_hash, convert, to_onnx  # noqa: E402
from aver.training.weight_files import read_weights, write_safetensors  # noqa: E402


def published(network: str) -> dict:
    """Weights of the published names and shapes that take no memory."""
    with torch.device("meta"):
        net = CONVERSIONS[network].build()
    return {name: torch.zeros(()).expand(value.shape) for name, value in net.state_dict().items()}


# Torchvision states the sizes of its two; names and shapes are those of the makers' files.
@pytest.mark.parametrize(
    ("network", "parameters", "names"),
    [
        (
            "resnet50",
            25_557_032,
            {
                "conv1.weight": (64, 3, 7, 7),
                "layer1.0.downsample.0.weight": (256, 64, 1, 1),
                "layer2.0.conv2.weight": (128, 128, 3, 3),
                "layer3.5.bn3.running_var": (1024,),
                "layer4.2.conv3.weight": (2048, 512, 1, 1),
                "fc.weight": (1000, 2048),
            },
        ),
        (
            "r2plus1d_18",
            31_505_325,
            {
                "stem.0.weight": (45, 3, 1, 7, 7),
                "stem.3.weight": (64, 45, 3, 1, 1),
                "layer1.0.conv1.0.0.weight": (144, 64, 1, 3, 3),
                "layer1.0.conv2.0.3.weight": (64, 144, 3, 1, 1),
                "layer2.0.conv1.0.0.weight": (230, 64, 1, 3, 3),
                "layer2.0.conv2.1.running_mean": (128,),
                "layer3.0.downsample.0.weight": (256, 128, 1, 1, 1),
                "fc.weight": (400, 512),
            },
        ),
        (
            "vggish",
            72_141_184,
            {
                "features.0.weight": (64, 1, 3, 3),
                "features.13.bias": (512,),
                "embeddings.0.weight": (4096, 12288),
                "embeddings.4.bias": (128,),
            },
        ),
        (
            "vgg_m_face",
            109_574_014,
            {
                "conv1.weight": (96, 3, 7, 7),
                "bn49.running_mean": (96,),
                "conv5.weight": (512, 512, 3, 3),
                "fc6.weight": (4096, 512, 6, 6),
                "bn55.weight": (4096,),
                "fc8.weight": (2622, 4096),
            },
        ),
    ],
)
def test_networks_have_the_published_names_and_shapes(network, parameters, names):
    net = build(network, published(network), "file")
    assert sum(p.numel() for p in net.parameters()) == parameters
    found = net.state_dict()
    assert {name: tuple(found[name].shape) for name in names} == names


def test_counters_may_be_missing_and_the_last_layer_may_be_another():
    weights = {n: v for n, v in published("resnet50").items() if "num_batches" not in n}
    assert len(weights) == 267  # as the published file holds
    weights["fc.weight"] = torch.zeros(()).expand(7, 2048)
    weights["fc.bias"] = torch.zeros(()).expand(7)
    net = build("resnet50", weights, "file")
    assert net.fc.out_features == 7


def test_what_does_not_fit_is_refused_by_its_name():
    weights = published("vgg_m_face")
    for change, message in (
        ({"conv3.bias": None}, "lacks conv3.bias"),
        ({"conv9.bias": torch.zeros(1)}, "has conv9.bias too much"),
        ({"conv3.bias": torch.zeros(5)}, r"has conv3.bias of shape (5,), not (512,)"),
    ):
        given = {n: v for n, v in {**weights, **change}.items() if v is not None}
        with pytest.raises(ModelError, match=re.escape(message) + r".*vgg_m_face_bn_dag\.pth from"):
            build("vgg_m_face", given, "file")


def test_vggish_as_a_file_gives_what_the_network_gives():
    torch.manual_seed(0)
    net = VGGish().eval()
    net.embeddings = nn.Identity()
    part = conversion.Part(net, "convolve").eval()
    session = onnxruntime.InferenceSession(to_onnx("vggish", part, {"weights": "some.pth"}))
    facts = session.get_modelmeta().custom_metadata_map
    assert facts == {"network": "vggish", "weights": "some.pth"}
    for frames, cells in ((24, 1), (48, 3), (96, 6)):
        log_mel = np.random.default_rng(0).normal(size=(3, frames, 64)).astype(np.float32)
        (found,) = session.run(None, {"log_mel": log_mel})
        assert found.shape == (3, 512, cells, 4)
        with torch.no_grad():
            np.testing.assert_allclose(found, net.convolve(torch.from_numpy(log_mel)), atol=1e-5)


def test_linear_layers_of_vggish_read_time_then_band_then_channel():
    with torch.device("meta"):
        net = VGGish()
    features = torch.arange(512 * 24, dtype=torch.float32).reshape(1, 512, 6, 4)
    net.embeddings = nn.Identity()
    flat = net.embed(features)[0]
    assert flat[0] == features[0, 0, 0, 0]
    assert flat[1] == features[0, 1, 0, 0]
    assert flat[512] == features[0, 0, 0, 1]
    assert flat[512 * 4] == features[0, 0, 1, 0]


class Tiny(nn.Module):
    def __init__(self, classes: int = 4):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 1)
        self.norm = nn.BatchNorm2d(5)
        self.fc = nn.Linear(5, classes)

    def features(self, pictures):
        return self.norm(self.conv(pictures)).mean(dim=(2, 3))


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A small network in the place of ResNet-50, and its file of weights."""
    how = Conversion(Tiny, "features", (2, 3, 8, 8), "pictures", "features", "fc.bias")
    monkeypatch.setattr(conversion, "CONVERSIONS", {"resnet50": how})
    torch.manual_seed(0)
    net = Tiny().eval()
    torch.save({f"module.{n}": v for n, v in net.state_dict().items()}, tmp_path / "w.pth")
    return net, tmp_path / "w.pth"


def test_a_file_is_made_beside_and_named_by_the_catalogue(tiny, tmp_path):
    net, weights = tiny
    made = convert("resnet50", weights, tmp_path / "cache")
    assert made == tmp_path / "cache" / "resnet50.onnx"
    assert [f.name for f in made.parent.iterdir()] == ["resnet50.onnx"]
    session = onnxruntime.InferenceSession(str(made))
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    facts = session.get_modelmeta().custom_metadata_map
    assert facts == {"network": "resnet50", "weights": "w.pth", "weights_sha256": digest}
    pictures = torch.rand(5, 3, 8, 8)
    (found,) = session.run(None, {"pictures": pictures.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(found, net.features(pictures), atol=1e-5)


def test_the_command(tiny, tmp_path):
    _, weights = tiny
    done = CliRunner().invoke(app, ["convert", "resnet50", str(weights), "--to", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == f"resnet50: {tmp_path / 'resnet50.onnx'}"
    done = CliRunner().invoke(app, ["convert", "safetensors", str(weights)])
    assert done.stdout.strip() == str(tmp_path / "model.safetensors")
    assert set(load_file(tmp_path / "model.safetensors")) >= {"conv.weight", "fc.bias"}
    unknown = CliRunner().invoke(app, ["convert", "resnet", str(weights)])
    assert unknown.exit_code == 2
    assert "is not made from weights" in unknown.output


def test_safetensors_are_read_as_well(tiny, tmp_path):
    net, _ = tiny
    file = tmp_path / "w.safetensors"
    save_file(net.state_dict(), file)
    assert convert("resnet50", file, tmp_path).is_file()


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path):
    file = tmp_path / "resnet50-0676ba61.pth"
    file.write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"has SHA-256 \w+, which does not start with 0676ba61b67"):
        convert("resnet50", file, tmp_path)
    digest = hashlib.sha256(b"something else").hexdigest()
    own = tmp_path / f"mine-{digest[:8]}.pth"
    own.write_bytes(b"something else")
    assert check_hash("resnet50", own) == digest
    other = own.rename(tmp_path / "mine-00000000.pth")
    with pytest.raises(ModelError, match="does not start with 00000000"):
        check_hash("resnet50", other)
    assert check_hash("resnet50", other.rename(tmp_path / "mine.pth")) == digest


class Hostile:
    def __reduce__(self):
        return open, ("/nonexistent/would-be-opened", "w")


def test_a_pickle_with_code_is_not_run(tmp_path):
    file = tmp_path / "hostile.pth"
    torch.save({"conv.weight": Hostile()}, file)
    with pytest.raises(ModelError, match="cannot be read as weights"):
        read_weights(file)
    file.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ModelError, match="cannot be read as weights"):
        read_weights(file)


def test_other_files_are_refused_in_one_line(tiny, tmp_path):
    _, weights = tiny
    with pytest.raises(ModelError, match=r"does not exist. Get it from https://download"):
        convert("resnet50", tmp_path / "nowhere.pth")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"12345678")
    with pytest.raises(ModelError, match="cannot be read as weights"):
        read_weights(damaged)
    torch.save({"epoch": 3, "weights": {"a": torch.zeros(1)}}, tmp_path / "run.pth")
    with pytest.raises(ModelError, match=r"holds more than weights \(epoch\)"):
        read_weights(tmp_path / "run.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelError, match="holds no weights by name"):
        read_weights(tmp_path / "list.pth")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        convert("resnet50", weights, tmp_path / "file")


def test_weights_of_a_whole_checkpoint_are_found(tmp_path):
    torch.save({"state_dict": {"module.a": torch.ones(2)}, "epoch": 3}, tmp_path / "run.pth")
    assert list(read_weights(tmp_path / "run.pth")) == ["a"]
    assert load_file(write_safetensors(tmp_path / "run.pth"))["a"].tolist() == [1, 1]


def test_everything_that_is_converted_is_in_the_catalogue():
    assert {name for name, model in CATALOGUE.items() if model.weights_file} == set(CONVERSIONS)
