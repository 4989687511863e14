"""ResNet-101 on stacks of flow: published names and shapes, and a first layer for 20 channels."""

from __future__ import annotations

import hashlib

import pytest

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from torch import nn  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from aver.cli.models import app  # noqa: E402
from aver.errors import ModelError, SettingError  # noqa: E402
from aver.models.resnet50 import ResNet, ResNet50  # noqa: E402
from aver.models.resnet101 import CHANNELS, ResNet101Flow, first_layer, for_stacks  # noqa: E402
from aver.training import convert as conversion  # noqa: E402
from aver.training.convert import Conversion, build, convert  # noqa: E402


def published():
    """Weights of the published names and shapes, for three colours, that take no memory."""
    with torch.device("meta"):
        net = ResNet((3, 4, 23, 3))
    return {name: torch.zeros(()).expand(value.shape) for name, value in net.state_dict().items()}


def test_it_has_the_published_names_and_shapes_above_the_first_layer():
    weights = published()
    # Torchvision states 44,549,160 for resnet101.
    counted = {n: v for n, v in weights.items() if "running" not in n and "num_batches" not in n}
    assert sum(v.numel() for v in counted.values()) == 44_549_160
    assert tuple(weights["layer3.22.conv3.weight"].shape) == (1024, 256, 1, 1)
    net = build("resnet101_flow", for_stacks(weights), "file")
    assert isinstance(net, ResNet101Flow)
    assert tuple(net.conv1.weight.shape) == (64, 20, 7, 7)
    assert sum(p.numel() for p in net.parameters()) == 44_549_160 + 17 * 64 * 49
    with pytest.raises(ModelError, match=r"conv1\.weight of shape \(64, 3, 7, 7\)"):
        build("resnet101_flow", weights, "file")


def test_averaged_weights_give_twenty_equal_channels_what_a_grey_picture_gave():
    torch.manual_seed(0)
    colours = torch.randn(64, 3, 7, 7)
    grey = torch.randn(1, 1, 32, 32)
    before = nn.functional.conv2d(grey.expand(1, 3, 32, 32), colours, stride=2, padding=3)
    stack = grey.expand(1, CHANNELS, 32, 32)
    averaged = first_layer(colours)
    after = nn.functional.conv2d(stack, averaged, stride=2, padding=3)
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)
    copied = first_layer(colours, "copied")
    torch.testing.assert_close(copied, averaged * CHANNELS / 3)
    torch.testing.assert_close(copied[:, 7], colours.mean(dim=1))


def test_random_weights_keep_the_variance_and_come_from_their_seed():
    colours = torch.zeros(64, 3, 7, 7)
    found = first_layer(colours, "random")
    assert torch.equal(found, first_layer(colours, "random"))
    assert not torch.equal(found, first_layer(colours, "random", seed=1))
    assert found.std().item() == pytest.approx((2 / (CHANNELS * 49)) ** 0.5, rel=0.02)
    with pytest.raises(SettingError, match="first_layer: 'mean' is none of averaged, copied"):
        first_layer(colours, "mean")  # type: ignore[arg-type]


def test_a_first_layer_that_takes_stacks_already_is_kept():
    own = {"conv1.weight": torch.randn(64, CHANNELS, 7, 7), "fc.bias": torch.zeros(3)}
    assert for_stacks(own) is own
    assert for_stacks({}) == {}


def test_features_of_the_fifty_layers_did_not_change():
    torch.manual_seed(1)
    net = ResNet50(classes=5).eval()
    pictures = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        x = net.maxpool(torch.relu(net.bn1(net.conv1(pictures))))
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = stage(x)
        torch.testing.assert_close(net.features(pictures), x.mean(dim=(2, 3)))
        assert net(pictures).shape == (1, 5)
    assert [len(s) for s in (net.layer1, net.layer2, net.layer3, net.layer4)] == [3, 4, 6, 3]


class Small(nn.Module):
    """A stand-in with the first layer of the large one."""

    def __init__(self, classes=2):
        super().__init__()
        self.conv1 = nn.Conv2d(CHANNELS, 64, 7, 2, 3, bias=False)
        self.fc = nn.Linear(64, classes)

    def features(self, stacks):
        return self.conv1(stacks).mean(dim=(2, 3))


@pytest.mark.parametrize("how", ["averaged", "copied", "random"])
def test_conversion_writes_which_first_layer_it_has(tmp_path, monkeypatch, how):
    small = Conversion(
        Small, "features", (2, CHANNELS, 16, 16), "stacks", "features", "fc.bias", takes_stacks=True
    )
    monkeypatch.setattr(conversion, "CONVERSIONS", {"resnet101_flow": small})
    torch.manual_seed(2)
    weights = {
        "conv1.weight": torch.randn(64, 3, 7, 7),
        "fc.weight": torch.zeros(2, 64),
        "fc.bias": torch.zeros(2),
    }
    file = tmp_path / "w.pth"
    torch.save(weights, file)
    made = convert("resnet101_flow", file, tmp_path, first_layer=how)
    session = onnxruntime.InferenceSession(made)
    facts = session.get_modelmeta().custom_metadata_map
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert facts == {
        "network": "resnet101_flow",
        "weights": "w.pth",
        "weights_sha256": digest,
        "first_layer": how,
    }
    stacks = torch.rand(3, CHANNELS, 16, 16)
    with torch.no_grad():
        expected = nn.functional.conv2d(
            stacks, first_layer(weights["conv1.weight"], how), stride=2, padding=3
        ).mean(dim=(2, 3))
    found = session.run(None, {"stacks": stacks.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-3, atol=1e-4)


def test_an_unknown_first_layer_is_refused_at_the_command_line(tmp_path):
    words = ["convert", "resnet101_flow", str(tmp_path / "w.pth"), "--first-layer", "mean"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "none of averaged, copied, random" in done.output.replace("\n", " ").replace("│", "")
