"""Heads and the fusion of decisions, by hand."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from aver.models.blocks_heads import (  # noqa: E402
    ClassActivationHead,
    FlattenHead,
    fuse_decisions,
    mean_weights,
)


def test_mean_weights():
    weights = mean_weights(torch.tensor([[True, False, True], [False, False, False]]))
    assert weights.tolist() == [[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]


def test_class_activation_map_by_hand():
    head = ClassActivationHead({"face": (2, 1, 2)}, 2)
    with torch.no_grad():
        head.layers["face"].weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 2.0]]))
        head.bias.copy_(torch.tensor([0.25, 0.0]))
    # Two windows of 1 x 2 places; channel 0 is 1, 2 and 3, 4; channel 1 is 1, 0 and 0, 3.
    maps = torch.tensor([[[[[1.0, 2.0]], [[1.0, 0.0]]], [[[3.0, 4.0]], [[0.0, 3.0]]]]])
    logits, found = head({"face": maps}, {"face": torch.tensor([[0.5, 0.5]])})
    assert found["face"][0, 0, :, 0].tolist() == [[0.0, 2.0], [3.0, 1.0]]
    assert found["face"][0, 1, :, 0].tolist() == [[2.0, 0.0], [0.0, 6.0]]
    # Mean of the class's map, plus its bias.
    assert logits.tolist() == [[1.5 + 0.25, 2.0]]
    # All weight on the first window: only its map counts, the absent one is not drawn.
    logits, found = head({"face": maps}, {"face": torch.tensor([[1.0, 0.0]])})
    assert logits.tolist() == [[1.0 + 0.25, 1.0]]
    assert found["face"][0, :, 1].abs().max().item() == 0.0


def test_flattening_keeps_places_apart():
    head = FlattenHead({"voice": (1, 1, 2), "face": (1, 1, 1)}, 0, 2, 0.0)
    with torch.no_grad():
        head.layers[1].weight.copy_(torch.tensor([[1.0, 10.0, 100.0], [0.0, 0.0, 1.0]]))
        head.layers[1].bias.zero_()
    maps = {
        "voice": torch.tensor([[[[[1.0, 2.0]]], [[[3.0, 4.0]]]]]),
        "face": torch.tensor([[[[[7.0]]]]]),
    }
    weights = {"voice": torch.tensor([[0.5, 0.5]]), "face": torch.tensor([[1.0]])}
    logits, found = head(maps, weights)
    assert logits.tolist() == [[2.0 + 30.0 + 700.0, 7.0]]
    assert found == {}


# Streams say (0.9, 0.1), (0.4, 0.6) and (0.45, 0.55).
SAID = torch.tensor([[[0.9, 0.1]], [[0.4, 0.6]], [[0.45, 0.55]]]).log()
ALL = torch.tensor([[True], [True], [True]])


def fused(kind, there=ALL, weights=(1.0, 1.0, 1.0), training=False):
    out = fuse_decisions(kind, SAID, there, torch.tensor(weights), training=training)
    assert torch.allclose(out.exp().sum(dim=1), torch.ones(1))
    return out.exp()[0].tolist()


def test_decisions():
    assert fused("decision_mean") == pytest.approx([1.75 / 3, 1.25 / 3])
    # Two of three prefer the second class, though the mean does not.
    mean = 1.25 / 3
    assert fused("decision_vote")[1] == pytest.approx((2 / 3 + 0.01 * mean) / 1.01)
    assert fused("decision_vote", training=True) == pytest.approx([1.75 / 3, 1.25 / 3])
    weighted = fused("decision_weighted", weights=(1.0, 3.0, 0.0))
    assert weighted == pytest.approx([(0.9 + 3 * 0.4) / 4, (0.1 + 3 * 0.6) / 4])


def test_decisions_without_a_stream():
    two = torch.tensor([[True], [True], [False]])
    # One vote each: the mean of the two decides.
    assert fused("decision_vote", two)[0] == pytest.approx((0.5 + 0.01 * 0.65) / 1.01)
    assert fused("decision_mean", two) == pytest.approx([0.65, 0.35])
    assert fused("decision_weighted", two, (1.0, 3.0, 6.0)) == pytest.approx([0.525, 0.475])
    assert fused("decision_mean", ~ALL) == pytest.approx([0.5, 0.5])
