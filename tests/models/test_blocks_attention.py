"""Attention blocks: each equation worked by hand on small numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from aver.models.blocks import MaskedBatchNorm  # noqa: E402
from aver.models.blocks_attention import (  # noqa: E402
    AttentionAugmentedConvolution,
    ChannelGate,
    SpatialGate,
    SplitAttention,
    SqueezeExcitation,
    TemporalAttention,
)


def fill(module, value=0.0):
    with torch.no_grad():
        for weight in module.parameters():
            weight.fill_(value)


def maps_of(*channels):
    """(1, 1, channels, height, width) from nested lists."""
    return torch.tensor(channels, dtype=torch.float32)[None, None]


ONE = torch.tensor([[True]])


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def two_channels(layers):
    """Weights of a bottleneck of 2 channels and 1 cell: z1 + 2 z2 in, (h, -h) + (0, 1) out."""
    fill(layers)
    with torch.no_grad():
        layers[0].weight.copy_(torch.tensor([[1.0, 2.0]]))
        layers[2].weight.copy_(torch.tensor([[1.0], [-1.0]]))
        layers[2].bias.copy_(torch.tensor([0.0, 1.0]))


def test_squeeze_and_excitation():
    block = SqueezeExcitation(2, reduction=2)
    two_channels(block.layers)
    x = maps_of([[1.0, 3.0]], [[0.0, 1.0]])  # means 2 and 0.5
    found, gate = block(x, ONE)
    expected = [sigmoid(3.0), sigmoid(-2.0)]  # relu(2 + 2 * 0.5) = 3; -3 + 1
    assert gate[0].tolist() == pytest.approx(expected)
    assert found[0, 0, :, 0, 1].tolist() == pytest.approx([3 * expected[0], expected[1]])


def test_cbam_channels_add_mean_and_maximum():
    block = ChannelGate(2, reduction=2)
    two_channels(block.layers)
    _, gate = block(maps_of([[1.0, 3.0]], [[0.0, 1.0]]), ONE)
    # Of the means 3, of the maxima 3 + 2 * 1 = 5: (3 + 5, -3 - 5 + 1 + 1).
    assert gate[0].tolist() == pytest.approx([sigmoid(8.0), sigmoid(-6.0)])


def test_cbam_places():
    block = SpatialGate(3)
    fill(block)
    with torch.no_grad():
        # At the place itself 1 x mean, to its right 2 x maximum.
        block.convolution.weight[0, 0, 1, 1] = 1.0
        block.convolution.weight[0, 1, 1, 2] = 2.0
    x = maps_of([[1.0, 0.0, -1.0]], [[3.0, 2.0, 1.0]])
    found, gate = block(x)
    means, maxima = [2.0, 1.0, 0.0], [3.0, 2.0, 1.0, 0.0]
    expected = [sigmoid(means[i] + 2 * maxima[i + 1]) for i in range(3)]
    assert gate[0, 0, 0].tolist() == pytest.approx(expected)
    assert found[0, 0, 1, 0, 1].item() == pytest.approx(2.0 * expected[1])


def test_temporal_attention():
    block = TemporalAttention(1, hidden=1)
    fill(block, 1.0)
    with torch.no_grad():
        block.score.weight.fill_(2.0)
    x = torch.tensor([[[0.0], [1.0], [9.0]]])
    weights = block(x, torch.tensor([[True, True, False]]))[0]
    scores = [math.exp(2 * math.tanh(1.0)), math.exp(2 * math.tanh(2.0))]
    expected = [score / sum(scores) for score in scores]
    assert weights.tolist() == pytest.approx([*expected, 0.0])
    nothing = block(x, torch.zeros(1, 3, dtype=torch.bool))
    assert nothing.tolist() == [[0.0, 0.0, 0.0]]


def augmented(height=1, width=2, **changes):
    sizes = {"keys": 1, "values": 1, "heads": 1} | changes
    block = AttentionAugmentedConvolution(1, 3, height, width, **sizes)
    fill(block)
    return block


def test_attention_augmented_convolution():
    block = augmented()
    with torch.no_grad():
        block.convolution.bias.copy_(torch.tensor([5.0, 6.0]))
        # Query, key and value are the input itself.
        block.query_key_value.weight.fill_(1.0)
        block.output.weight.fill_(1.0)
        block.by_width.copy_(torch.tensor([[10.0], [0.5], [2.0]]))  # left, same, right
    x = torch.tensor([[[[1.0, 2.0]]]])
    out, weights = block(x)
    assert out.shape == (1, 3, 1, 2)
    assert out[0, :2].flatten().tolist() == [5.0, 5.0, 6.0, 6.0]
    # First place: 1 (1 + 0.5) and 1 (2 + 2); second: 2 (1 + 10) and 2 (2 + 0.5).
    first = [math.exp(1.5), math.exp(4.0)]
    second = [math.exp(22.0), math.exp(5.0)]
    assert weights[0, 0, 0].tolist() == pytest.approx([e / sum(first) for e in first])
    assert weights[0, 0, 1].tolist() == pytest.approx([e / sum(second) for e in second])
    expected = (first[0] * 1 + first[1] * 2) / sum(first)
    assert out[0, 2, 0, 0].item() == pytest.approx(expected)


def test_augmented_shapes_heads_and_relative_height():
    block = AttentionAugmentedConvolution(4, 10, 3, 2, keys=4, values=6, heads=2)
    out, weights = block(torch.randn(5, 4, 3, 2))
    assert out.shape == (5, 10, 3, 2)
    assert weights.shape == (5, 2, 6, 6)
    assert torch.allclose(weights.sum(-1), torch.ones(()))
    # Row by row: place 5 (row 2, column 1) seen from place 0 is 2 down and 1 across.
    assert block.down[0, 5].item() == 2 + 2
    assert block.across[0, 5].item() == 1 + 1


def test_augmented_masks_places_and_refuses_what_does_not_divide():
    block = augmented()
    x = torch.tensor([[[[1.0, 2.0]]]])
    _, weights = block(x, torch.tensor([[True, False]]))
    assert weights[0, 0].tolist() == [[1.0, 0.0], [1.0, 0.0]]
    with pytest.raises(ValueError, match="do not divide"):
        augmented(keys=3, heads=2)
    with pytest.raises(ValueError, match="3 of 3"):
        augmented(values=3)


def split_of(**changes):
    block = SplitAttention({"voice": 2, "face": 3}, 2, reduction=2, **changes).eval()
    fill(block)
    with torch.no_grad():
        block.norm.weight.fill_(1.0)
        block.joint.weight.copy_(torch.tensor([[1.0, 1.0]]))
        block.logits["voice"].weight.copy_(torch.tensor([[1.0], [0.0]]))
    return block


def test_split_attention():
    block = split_of()
    assert block.blocks == {"voice": 1, "face": 2}
    maps = {"voice": maps_of([[1.0]], [[2.0]]), "face": maps_of([[1.0]], [[0.0]], [[3.0]])}
    present = {"voice": ONE, "face": ONE}
    found, weights = block(maps, present)
    # Blocks added: voice (1, 2), face (1, 0) + (3, 0); together (5, 2), hidden 7 (normalised by
    # a variance of 1 and 1e-5). Channel 0 has the logits 7, 0, 0; channel 1 zeros.
    hidden = 7 / math.sqrt(1 + 1e-5)
    share = math.exp(hidden) / (math.exp(hidden) + 2)
    assert weights["voice"][0, 0].tolist() == pytest.approx([share, 1 / 3])
    assert found["voice"][0, 0, :, 0, 0].tolist() == pytest.approx([share, 2 / 3])
    assert found["face"][0, 0, 2, 0, 0].item() == pytest.approx(3 * (1 - share) / 2, rel=1e-4)
    half = split_of(lowest=0.5)
    found, _ = half(maps, present)
    assert found["voice"][0, 0, 1, 0, 0].item() == pytest.approx(2 * (0.5 + 0.5 / 3))


def test_split_attention_gives_a_missing_stream_nothing():
    block = split_of()
    maps = {"voice": maps_of([[1.0]], [[2.0]]), "face": maps_of([[0.0]], [[0.0]], [[0.0]])}
    _, weights = block(maps, {"voice": ONE, "face": ~ONE})
    assert weights["voice"][0, 0].tolist() == [1.0, 1.0]
    assert weights["face"].abs().max().item() == 0.0


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 999), voice=st.integers(1, 9), face=st.integers(1, 9))
def test_split_weights_sum_to_one_over_all_blocks(seed, voice, face):
    torch.manual_seed(seed)
    widths = {"voice": voice, "face": face}
    block = SplitAttention(widths, 4)
    maps = {name: torch.randn(3, 2, width, 2, 1) for name, width in widths.items()}
    present = {name: torch.ones(3, 2, dtype=torch.bool) for name in widths}
    found, weights = block(maps, present)
    total = sum(weight.sum(dim=1) for weight in weights.values())
    assert torch.allclose(total, torch.ones(3, 4), atol=1e-6)
    assert {name: x.shape for name, x in found.items()} == {n: x.shape for n, x in maps.items()}


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 999))
def test_gates_see_only_windows_that_are_there_in_any_order(seed):
    torch.manual_seed(seed)
    x = torch.randn(2, 4, 3, 2, 2)
    present = torch.tensor([[True, False, True, True], [False, True, True, False]])
    spoiled = torch.where(present[:, :, None, None, None], x, 1e3)
    order = torch.randperm(4)
    for block in (SqueezeExcitation(3), ChannelGate(3)):
        gate = block(x, present)[1]
        assert torch.allclose(gate, block(spoiled, present)[1], atol=1e-6)
        assert torch.allclose(gate, block(x[:, order], present[:, order])[1], atol=1e-6)
        assert ((gate > 0) & (gate < 1)).all()


def test_batch_normalisation_of_what_is_there():
    norm = MaskedBatchNorm(1)
    x = torch.tensor([[[1.0, 3.0]], [[100.0, 100.0]]])
    found = norm(x, torch.tensor([True, False]))
    # Mean 2, variance 1; the running ones move a tenth of the way (unbiased variance 2).
    scale = 1 / math.sqrt(1 + 1e-5)
    assert found[0, 0].tolist() == pytest.approx([-scale, scale])
    assert found[1].abs().max().item() == 0.0
    assert norm.mean.item() == pytest.approx(0.2)
    assert norm.variance.item() == pytest.approx(1.1)
    norm(x, torch.tensor([False, False]))
    assert norm.mean.item() == pytest.approx(0.2)
    plain = torch.nn.BatchNorm1d(1)
    both = torch.ones(2, dtype=torch.bool)
    again = MaskedBatchNorm(1)
    assert torch.allclose(again(x, both), plain(x), atol=1e-5)
    assert torch.allclose(again.eval()(x, both), plain.eval()(x), atol=1e-5)
