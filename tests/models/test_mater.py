"""MATER: equations by hand, masks, ablations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from aver.models.blocks import (  # noqa: E402
    EncoderLayer,
    SelfAttention,
    masked_mean,
    sinusoidal_positions,
)
from aver.models.mater import Mater, MaterSettings  # noqa: E402

SMALL = {"classes": 3, "dimensions": 8, "heads": 2, "feed_forward": 16, "layers": 2, "windows": 4}


def small(**changes):
    torch.manual_seed(0)
    return Mater(MaterSettings(**{**SMALL, **changes})).eval()


def inputs(batch=2, windows=4, width=8, seed=1):
    generator = torch.Generator().manual_seed(seed)
    face = torch.randn(batch, windows, width, generator=generator)
    voice = torch.randn(batch, windows, width, generator=generator)
    present = torch.ones(batch, windows, dtype=torch.bool)
    return face, present, voice, present.clone()


def test_positions_are_the_papers_sines_and_cosines():
    table = sinusoidal_positions(6, 4)
    for pos in range(6):
        expected = [
            math.sin(pos),
            math.cos(pos),
            math.sin(pos / 100.0),
            math.cos(pos / 100.0),
        ]
        assert table[pos].tolist() == pytest.approx(expected, abs=1e-6)


def test_attention_worked_by_hand():
    """Equation 1 with identity projections: softmax(x x^T / sqrt(2)) x."""
    attention = SelfAttention(2, 1, dropout=0.0)
    with torch.no_grad():
        attention.query_key_value.weight.copy_(torch.eye(2).repeat(3, 1))
        attention.query_key_value.bias.zero_()
        attention.output.weight.copy_(torch.eye(2))
        attention.output.bias.zero_()
    x = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])
    out, weights = attention(x, torch.ones(1, 2, dtype=torch.bool))
    # Row 0: logits (1, 0)/sqrt 2; row 1: logits (0, 4)/sqrt 2.
    a = math.exp(1 / math.sqrt(2)) / (math.exp(1 / math.sqrt(2)) + 1)
    b = 1 / (1 + math.exp(4 / math.sqrt(2)))
    assert weights[0, 0].tolist() == [pytest.approx([a, 1 - a]), pytest.approx([b, 1 - b])]
    assert out[0].tolist() == [pytest.approx([a, 2 * (1 - a)]), pytest.approx([b, 2 * (1 - b)])]


def test_heads_are_torchs_own_multi_head_attention():
    torch.manual_seed(3)
    ours = SelfAttention(8, 2, dropout=0.0).eval()
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.query_key_value.weight)
        theirs.in_proj_bias.copy_(ours.query_key_value.bias)
        theirs.out_proj.weight.copy_(ours.output.weight)
        theirs.out_proj.bias.copy_(ours.output.bias)
    x = torch.randn(3, 5, 8)
    present = torch.tensor([[True] * 5, [True, True, False, False, True], [True] + [False] * 4])
    expected, _ = theirs(x, x, x, key_padding_mask=~present)
    assert torch.allclose(ours(x, present)[0], expected, atol=1e-6)


def test_layer_is_torchs_encoder_layer():
    torch.manual_seed(4)
    for norm_first in (False, True):
        ours = EncoderLayer(8, 2, 16, 0.0, norm_first=norm_first).eval()
        theirs = torch.nn.TransformerEncoderLayer(
            8, 2, 16, 0.0, batch_first=True, norm_first=norm_first
        ).eval()
        with torch.no_grad():
            theirs.self_attn.in_proj_weight.copy_(ours.attention.query_key_value.weight)
            theirs.self_attn.in_proj_bias.copy_(ours.attention.query_key_value.bias)
            theirs.self_attn.out_proj.load_state_dict(ours.attention.output.state_dict())
            theirs.linear1.load_state_dict(ours.feed_forward[0].state_dict())
            theirs.linear2.load_state_dict(ours.feed_forward[3].state_dict())
        x = torch.randn(2, 4, 8)
        present = torch.ones(2, 4, dtype=torch.bool)
        assert torch.allclose(ours(x, present)[0], theirs(x), atol=1e-5)


def test_masked_mean_by_hand():
    x = torch.tensor([[[2.0], [4.0], [100.0]], [[1.0], [1.0], [1.0]]])
    present = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(x, present).tolist() == [[3.0], [0.0]]


def test_equation_3_averages_the_two_predictions():
    out = small()(*inputs())
    assert torch.allclose(out.fused, (out.face + out.voice) / 2, atol=1e-6)


def test_a_missing_modality_takes_no_part():
    network = small()
    face, present, voice, _ = inputs()
    nothing = torch.zeros_like(present)
    out = network(face, present, voice, nothing)
    assert torch.equal(out.fused, out.face)
    assert torch.count_nonzero(out.voice) == 0
    # And what lies in the masked windows does not matter: no zero-filling is hidden anywhere.
    again = network(face, present, voice * 1e3 + 7.0, nothing)
    assert torch.equal(out.fused, again.fused)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.booleans(), min_size=4, max_size=4), st.integers(0, 1000))
def test_masked_windows_never_matter(mask, seed):
    network = small()
    face, present, voice, _ = inputs(batch=1, seed=seed)
    mask = torch.tensor([mask])
    other = torch.where(mask[:, :, None], face, torch.randn_like(face) * 50)
    one = network(face, mask, voice, present)
    two = network(other, mask, voice, present)
    assert torch.allclose(one.fused, two.fused, atol=1e-5)
    assert torch.isfinite(one.fused).all()


def test_trailing_missing_windows_equal_a_shorter_clip():
    network = small()
    face, present, voice, _ = inputs()
    half = present.clone()
    half[:, 2:] = False
    long = network(face, half, voice, half)
    short = network(face[:, :2], present[:, :2], voice[:, :2], present[:, :2])
    assert torch.allclose(long.fused, short.fused, atol=1e-6)


def test_order_matters_only_with_positions():
    face, present, voice, _ = inputs()
    flipped = face.flip(1), present, voice.flip(1), present
    with_positions = small()
    assert not torch.allclose(
        with_positions(face, present, voice, present).fused, with_positions(*flipped).fused
    )
    without = small(positional_encoding=False)
    assert torch.allclose(
        without(face, present, voice, present).fused, without(*flipped).fused, atol=1e-5
    )


def test_without_attention_windows_do_not_see_each_other():
    network = small(attention=False)
    face, present, _, _ = inputs()
    encoded, weights = network.face.encode(face, present)
    changed = face.clone()
    changed[:, 0] += 1.0
    again, _ = network.face.encode(changed, present)
    assert weights == []
    assert torch.equal(encoded[:, 1:], again[:, 1:])
    assert not torch.allclose(encoded[:, 0], again[:, 0])
    # The feed-forward parts stay: as many layers as with attention.
    assert len(network.face.encoder) == len(small().face.encoder)


def test_one_modality_alone():
    face, present, voice, _ = inputs()
    out = small(modality="voice")(face, present, voice, present)
    assert torch.equal(out.fused, out.voice)
    assert torch.count_nonzero(out.face) == 0


def test_papers_sizes():
    network = Mater(MaterSettings())
    assert len(network.face.encoder) == 6
    assert sum(isinstance(m, torch.nn.Linear) for m in network.face.predict) == 2
    out = network.eval()(*inputs(1, 8, 512))
    assert out.fused.shape == (1, 8)
    assert np.isfinite(out.fused.detach().numpy()).all()
