"""Cross-attention: the equation by hand, and who sees whom."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from aver.models.cross_attention import CrossAttention  # noqa: E402
from aver.models.registry import make_model  # noqa: E402

SIZES = {"width": 8, "layers": 2, "heads": 2, "feed_forward": 8, "prediction_hidden": 6}


def network(streams):
    torch.manual_seed(0)
    return make_model("cross_attention", SIZES, streams, dict.fromkeys(streams, 3), 3).eval()


def test_attention_to_others_by_hand():
    """Identity projections: softmax(x y^T / sqrt(2)) y over the windows there."""
    attention = CrossAttention(2, 1, 0.0)
    with torch.no_grad():
        attention.query.weight.copy_(torch.eye(2))
        attention.key_value.weight.copy_(torch.eye(2).repeat(2, 1))
        attention.output.weight.copy_(torch.eye(2))
        for part in (attention.query, attention.key_value, attention.output):
            part.bias.zero_()
    x = torch.tensor([[[1.0, 0.0]]])
    others = torch.tensor([[[2.0, 0.0], [0.0, 4.0], [9.0, 9.0]]])
    out, weights = attention(x, others, torch.tensor([[True, True, False]]))
    a = math.exp(2 / math.sqrt(2)) / (math.exp(2 / math.sqrt(2)) + 1)
    assert weights[0, 0, 0].tolist() == pytest.approx([a, 1 - a, 0.0])
    assert out[0, 0].tolist() == pytest.approx([2 * a, 4 * (1 - a)])


def test_nobody_there_is_zeros_not_a_mean_of_rubbish():
    torch.manual_seed(0)
    attention = CrossAttention(4, 2, 0.0)
    out, _ = attention(torch.randn(1, 2, 4), torch.randn(1, 3, 4), torch.zeros(1, 3) > 0)
    assert torch.count_nonzero(out) == 0


def test_attention_is_named_by_stream():
    streams = {"voice": 5, "face": 4}
    x = {n: torch.randn(2, 3, d) for n, d in streams.items()}
    masks = {n: torch.ones(2, 3, dtype=torch.bool) for n in streams}
    out = network(streams)(x, masks)
    assert set(out.attention) == {"voice", "face", "voice_to_others", "face_to_others"}
    assert out.attention["voice_to_others"].shape == (2, 2, 2, 3, 3)


def test_without_others_a_stream_attends_to_itself_alone():
    model = network({"voice": 5})
    x, masks = {"voice": torch.randn(2, 3, 5)}, {"voice": torch.ones(2, 3, dtype=torch.bool)}
    assert set(model(x, masks).attention) == {"voice"}
