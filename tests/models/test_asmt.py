"""The masking transformer: equations 1 to 4 on small numbers, and what the variants read."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from aver.errors import ModelError  # noqa: E402
from aver.models.asmt import Asmt, AsmtSettings, MaskPooling  # noqa: E402
from aver.models.registry import make_model  # noqa: E402

SMALL = {"width": 8, "saliency_width": 6, "feed_forward": 8}
DIMENSIONS = {"emobase2010": 7, "auditory_saliency": 4}
TIME = 6
VARIANTS = ("tfm", "sa", "asm", "asm_sa", "aas", "asmt")


def network(variant="asmt", **changes):
    streams = dict(DIMENSIONS)
    if variant in ("tfm", "sa"):
        del streams["auditory_saliency"]
    torch.manual_seed(0)
    settings = {**SMALL, "variant": variant, **changes}
    return make_model("asmt", settings, streams, dict.fromkeys(streams, TIME), 3).eval()


def inputs(model, batch=2, seed=1):
    generator = torch.Generator().manual_seed(seed)
    streams = {n: torch.randn(batch, TIME, d, generator=generator) for n, d in DIMENSIONS.items()}
    streams = {n: streams[n] for n in model.dimensions}
    return streams, {n: torch.ones(x.shape[:2], dtype=torch.bool) for n, x in streams.items()}


def pooling(weight, **settings):
    found = MaskPooling(len(weight) // 2, **settings)
    with torch.no_grad():
        found.weight.copy_(torch.tensor([weight]))
    return found


# Two segments; two reference features, three hidden descriptors.
REFERENCE = torch.tensor([[[1.0, 2.0], [3.0, 5.0]]])
HIDDEN = torch.tensor([[[1.0, 0.0, 2.0], [0.0, 4.0, 1.0]]])
# W (H_a[:, i] || H_b[:, j]): u = (0.5 * 1 + 0.1 * 3, 0.5 * 2 + 0.1 * 5) = (0.8, 1.5),
# v = (0.2 * 1, 0.3 * 4, 0.2 * 2 + 0.3 * 1) = (0.2, 1.2, 0.7).
WEIGHT = [0.5, 0.1, 0.2, 0.3]
U, V = (0.8, 1.5), (0.2, 1.2, 0.7)


def softmax(values):
    total = sum(math.exp(x) for x in values)
    return [math.exp(x) / total for x in values]


def test_equation_4_over_the_reference_features_by_hand():
    matrix = pooling(WEIGHT).matrix(REFERENCE, HIDDEN)
    assert matrix.shape == (1, 2, 3)
    for j in range(3):
        assert matrix[0, :, j].tolist() == pytest.approx(softmax([u + V[j] for u in U]))


def test_equation_4_over_the_descriptors_by_hand():
    matrix = pooling(WEIGHT, softmax_over="descriptors").matrix(REFERENCE, HIDDEN)
    for i in range(2):
        assert matrix[0, i].tolist() == pytest.approx(softmax([U[i] + v for v in V]))


def test_equation_3_is_a_weighted_mean_of_the_reference_features():
    mask = pooling(WEIGHT)(REFERENCE, HIDDEN)
    a, b = softmax(U)
    for j in range(3):
        assert mask[0, :, j].tolist() == pytest.approx([a * 1 + b * 2, a * 3 + b * 5])
        assert 1.0 < mask[0, 0, j] < 2.0
        assert 3.0 < mask[0, 1, j] < 5.0


def test_equation_3_with_the_other_reading_hands_the_sum_out_over_the_descriptors():
    mask = pooling(WEIGHT, softmax_over="descriptors")(REFERENCE, HIDDEN)
    shares = softmax(V)
    assert mask[0, 0].tolist() == pytest.approx([3 * share for share in shares])
    assert mask[0, 1].tolist() == pytest.approx([8 * share for share in shares])


def test_bent_scores_by_hand():
    """Leaky ReLU of slope 0.2 below zero, before the softmax."""
    matrix = pooling([-2.0, 0.1, 0.2, 0.3], activation="leaky_relu").matrix(REFERENCE, HIDDEN)
    u = (-2.0 + 0.3, -4.0 + 0.5)
    bent = [x + V[1] if x + V[1] > 0 else 0.2 * (x + V[1]) for x in u]
    assert matrix[0, :, 1].tolist() == pytest.approx(softmax(bent))


@pytest.mark.parametrize(("over", "axis"), [("reference", 1), ("descriptors", 2)])
@pytest.mark.parametrize("activation", ["none", "leaky_relu"])
def test_weights_sum_to_one(over, axis, activation):
    torch.manual_seed(0)
    found = MaskPooling(TIME, over, activation)
    matrix = found.matrix(torch.randn(3, TIME, 5), torch.randn(3, TIME, 4))
    assert torch.allclose(matrix.sum(dim=axis), torch.ones(()), atol=1e-6)
    assert (matrix > 0).all()


def spread_over_descriptors(**settings):
    model = network("aas", **settings)
    mask = model.front_end(*inputs(model)).masks["effective"].detach()
    return float((mask.amax(dim=2) - mask.amin(dim=2)).max() / mask.abs().max())


def test_what_follows_from_linear_pooling():
    """As written, only one reading tells hidden descriptors apart; bent scores always do."""
    assert spread_over_descriptors() < 1e-5
    assert spread_over_descriptors(softmax_over="descriptors") > 0.01
    assert spread_over_descriptors(pooling_activation="leaky_relu") > 1e-3


def test_equations_1_and_2_join_both_masks():
    model = network()
    with torch.no_grad():
        model.alpha.fill_(0.3)
    streams, masks = inputs(model)
    found = model.front_end(streams, masks)
    h_b = model.descriptors(streams["emobase2010"])
    h_a = model.saliency(streams["auditory_saliency"])
    assert torch.allclose(found.hidden, h_b)
    m_ab = model.saliency_pooling(h_a, h_b)
    m_bb = model.self_pooling(h_b, h_b)
    joined = 0.3 * (h_b * m_ab) + 0.7 * (h_b * m_bb)
    assert torch.allclose(found.hidden * found.masks["effective"], joined, atol=1e-6)
    x = joined
    for layer in model.encoder:
        x, _ = layer(x, masks["emobase2010"])
    assert torch.allclose(model(streams, masks).logits, model.predict(x), atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_differ_where_the_text_says(variant):
    model = network(variant)
    found = model.front_end(*inputs(model))
    parts = {
        "tfm": set(),
        "sa": {"self"},
        "asm": {"saliency"},
        "aas": {"saliency"},
        "asm_sa": {"self", "saliency"},
        "asmt": {"self", "saliency"},
    }[variant]
    assert set(found.masks) == parts | ({"effective"} if parts else set())
    assert (model.alpha is not None) == (variant in ("asm_sa", "asmt"))
    assert (model.self_pooling is not None) == (variant in ("sa", "asm_sa", "asmt"))
    assert (model.saliency_pooling is not None) == (variant in ("aas", "asmt"))
    if variant in ("asm", "asm_sa"):
        streams, _ = inputs(model)
        assert torch.equal(found.masks["saliency"], model.saliency(streams["auditory_saliency"]))
    if parts and variant not in ("asm_sa", "asmt"):
        assert torch.equal(found.masks["effective"], found.masks[parts.pop()])


def test_without_masks_it_is_a_transformer_encoder_of_torch():
    """TFM against torch's own encoder with the same weights."""
    model = network("tfm")
    theirs = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(8, 2, 8, batch_first=True), 2, enable_nested_tensor=False
    ).eval()
    with torch.no_grad():
        for ours, layer in zip(model.encoder, theirs.layers, strict=True):
            layer.self_attn.in_proj_weight.copy_(ours.attention.query_key_value.weight)
            layer.self_attn.in_proj_bias.copy_(ours.attention.query_key_value.bias)
            layer.self_attn.out_proj.load_state_dict(ours.attention.output.state_dict())
            layer.linear1.load_state_dict(ours.feed_forward[0].state_dict())
            layer.linear2.load_state_dict(ours.feed_forward[3].state_dict())
            layer.norm1.load_state_dict(ours.attention_norm.state_dict())
            layer.norm2.load_state_dict(ours.feed_forward_norm.state_dict())
    streams, masks = inputs(model)
    masks["emobase2010"][0, 4:] = False
    mine = model(streams, masks).logits
    x = theirs(
        model.descriptors(streams["emobase2010"]), src_key_padding_mask=~masks["emobase2010"]
    )
    there = masks["emobase2010"]
    assert torch.allclose(mine[there], model.predict(x)[there], atol=1e-5)


def test_the_papers_sizes_counted_by_hand():
    streams = {"emobase2010": 1582, "auditory_saliency": 257}
    model = Asmt(AsmtSettings(), streams, dict.fromkeys(streams, 6), 3)
    linear = (1582 * 64 + 64) + (257 * 64 + 64)
    pooled = 2 * (1 * 2 * 6)
    attention = (64 * 192 + 192) + (64 * 64 + 64)
    layer = attention + (64 * 64 + 64) * 2 + 4 * 64
    expected = linear + pooled + 1 + 2 * layer + (64 * 3 + 3)
    assert sum(p.numel() for p in model.parameters()) == expected
    assert model.input_dropout.p == 0.5


def test_positions_are_optional():
    streams, masks = inputs(network("tfm"))
    turned = {n: x.flip(1) for n, x in streams.items()}
    for positions in (False, True):
        model = network("tfm", positional_encoding=positions)
        one, two = model(streams, masks).logits, model(turned, masks).logits.flip(1)
        assert torch.allclose(one, two, atol=1e-5) != positions


def test_a_segment_needs_both_streams():
    model = network()
    streams, masks = inputs(model)
    masks["auditory_saliency"][0, 2] = False
    out = model(streams, masks)
    assert torch.count_nonzero(out.logits[0, 2]) == 0
    assert torch.count_nonzero(out.attention["segments"][0, ..., 2]) == 0
    found = model.front_end(streams, masks)
    assert torch.count_nonzero(found.masks["effective"][0, 2]) == 0


def test_streams_may_have_other_names():
    settings = {**SMALL, "descriptors": "series", "saliency": "modulation"}
    streams = {"series": 7, "modulation": 4}
    model = make_model("asmt", settings, streams, dict.fromkeys(streams, TIME), 3)
    x = {n: torch.randn(2, TIME, d) for n, d in streams.items()}
    masks = {n: torch.ones(2, TIME, dtype=torch.bool) for n in streams}
    assert model(x, masks).logits.shape == (2, TIME, 3)


def test_streams_that_do_not_fit_are_told():
    windows = {"emobase2010": 6}
    with pytest.raises(ModelError, match="reads the streams emobase2010 and auditory_saliency"):
        make_model("asmt", {}, {"emobase2010": 5}, windows, 3)
    both = {"emobase2010": 5, "auditory_saliency": 4}
    with pytest.raises(ModelError, match="'tfm' does not read the stream 'auditory_saliency'"):
        make_model("asmt", {"variant": "tfm"}, both, dict.fromkeys(both, 6), 3)
    with pytest.raises(ModelError, match="33 dimensions do not divide into 2 heads"):
        make_model("asmt", {"variant": "tfm", "width": 33}, {"emobase2010": 5}, windows, 3)
    with pytest.raises(ModelError, match="'variant'"):
        make_model("asmt", {"variant": "asmtt"}, {"emobase2010": 5}, windows, 3)
