import pytest
import torch
from pydantic import ValidationError

from aver.models.face_expression import (
    ChannelAttention,
    FaceExpressionNet,
    FaceExpressionSettings,
    ResidualBlock,
)

SMALL = FaceExpressionSettings(detail=4, widths=(8, 16), blocks=(1, 1), embedding=32, squeeze=4)


@pytest.fixture
def net() -> FaceExpressionNet:
    torch.manual_seed(0)
    return FaceExpressionNet(SMALL).eval()


def test_the_default_network_gives_512_features_and_seven_logits() -> None:
    embedding, logits = FaceExpressionNet().eval()(torch.rand(2, 1, 48, 48))
    assert embedding.shape == (2, 512)
    assert logits.shape == (2, 7)
    assert (embedding >= 0).all()


def test_the_default_network_fits_two_megabytes_of_int8() -> None:
    assert sum(p.numel() for p in FaceExpressionNet().parameters()) < 2_000_000


@pytest.mark.parametrize("side", [36, 40, 44, 48])
def test_any_size_of_face_gives_the_same_shapes(net: FaceExpressionNet, side: int) -> None:
    embedding, logits = net(torch.rand(2, 1, side, side))
    assert embedding.shape == (2, 32)
    assert logits.shape == (2, 7)


def test_light_and_contrast_are_evened_out_before_the_first_layer(net: FaceExpressionNet) -> None:
    seen = []
    net.body[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    faces = torch.rand(3, 1, 48, 48)
    net(faces)
    net(0.3 + 0.6 * faces)
    assert seen[0].mean(dim=(1, 2, 3)).abs().max() < 1e-5
    assert torch.allclose(seen[0].std(dim=(1, 2, 3)), torch.ones(3), atol=0.1)
    assert torch.allclose(seen[0], seen[1], atol=0.1)


def test_a_black_frame_gives_a_finite_answer(net: FaceExpressionNet) -> None:
    assert torch.isfinite(net(torch.zeros(1, 1, 48, 48)).logits).all()


def test_a_face_is_scored_alone_whatever_else_is_in_the_batch(net: FaceExpressionNet) -> None:
    faces = torch.rand(4, 1, 48, 48)
    assert torch.allclose(net(faces).embedding[1:2], net(faces[1:2]).embedding, atol=1e-5)


def test_a_block_whose_branch_is_silent_is_its_shortcut() -> None:
    block = ResidualBlock(8, 8, halve=False, squeeze=0).eval()
    torch.nn.init.zeros_(block.branch[2][0].weight)
    x = torch.randn(2, 8, 6, 6)
    assert torch.equal(block(x), torch.relu(x))


def test_channel_attention_with_zero_weights_halves() -> None:
    attention = ChannelAttention(8, 4)
    for parameter in attention.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.randn(2, 8, 5, 5)
    assert torch.allclose(attention(x), x / 2)


def test_stages_must_match() -> None:
    with pytest.raises(ValidationError, match="widths and blocks"):
        FaceExpressionSettings(widths=(8, 16), blocks=(1,))
