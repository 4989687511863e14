"""Fea-TF SCMA: its equations by hand, what the readings are, what each variant reads."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from aver.errors import ModelError  # noqa: E402
from aver.models.registry import make_model  # noqa: E402
from aver.models.scma_parts import (  # noqa: E402
    CrossModalAttention,
    FeatureMaps,
    FeatureSelfAttention,
    GroupTokens,
    StepTokens,
    allot,
)

DIMENSIONS = {"pictures": 9, "emobase2010": 6, "verbal": 5, "non_verbal": 4}
CONTEXT = ("pictures", "emobase2010")
TIME, CLASSES = 5, 7


def network(variant="scma", streams=tuple(DIMENSIONS), **changes):
    torch.manual_seed(0)
    chosen = {"variant": variant, "width": 8, "heads": 2, "tokens": 4, "prediction_hidden": 6}
    widths = {name: DIMENSIONS[name] for name in streams}
    windows = dict.fromkeys(widths, TIME)
    return make_model("scma", chosen | changes, widths, windows, CLASSES).eval()


def inputs(model, batch=2, seed=1):
    generator = torch.Generator().manual_seed(seed)
    streams = {
        n: torch.randn(batch, TIME, d, generator=generator) for n, d in model.dimensions.items()
    }
    return streams, {n: torch.ones(x.shape[:2], dtype=torch.bool) for n, x in streams.items()}


def maps(query, key, value):
    found = FeatureMaps(len(query[0]), len(query))
    with torch.no_grad():
        for layer, matrix in ((found.query, query), (found.key, key), (found.value, value)):
            layer.weight.copy_(torch.tensor(matrix).T)
    return found


def there(tokens):
    return torch.ones(tokens.shape[:3], dtype=torch.bool)


def softmax(values):
    total = sum(math.exp(x) for x in values)
    return [math.exp(x) / total for x in values]


# Two tokens of two numbers on each side; matrices act from the right, as Q = S W does.
ASS = torch.tensor([[[[1.0, 0.0], [0.0, 2.0]]]])
AVC = torch.tensor([[[[3.0, 1.0], [-1.0, 1.0]]]])
ONE = [[1.0, 0.0], [0.0, 1.0]]
TWICE = [[2.0, 0.0], [0.0, 2.0]]
SWAP = [[0.0, 1.0], [1.0, 0.0]]
ROOT = math.sqrt(2.0)
# Q = S, K = S swapped: Q K^T is (1 * 0 + 0 * 1, 1 * 2 + 0 * 0) and (0 * 0 + 2 * 1, 0 * 2 + 2 * 0).
MAP_ASS = [softmax([0.0, 2.0 / ROOT]), softmax([2.0 / ROOT, 0.0])]
# Q = S, K = S: (3 * 3 + 1 * 1, 3 * -1 + 1 * 1) and (-3 + 1, 1 + 1).
MAP_AVC = [softmax([10.0 / ROOT, -2.0 / ROOT]), softmax([-2.0 / ROOT, 2.0 / ROOT])]


def by_hand(weights, values):
    return [
        [sum(w * v[column] for w, v in zip(row, values, strict=True)) for column in range(2)]
        for row in weights
    ]


def test_equation_1_of_the_self_attention_module_by_hand():
    module = FeatureSelfAttention(2, 2)
    module.maps = maps(ONE, SWAP, TWICE)
    attended, weights = module(ASS, there(ASS))
    assert weights[0, 0].tolist() == [pytest.approx(row) for row in MAP_ASS]
    assert attended[0, 0].tolist() == [
        pytest.approx(row) for row in by_hand(MAP_ASS, [[2.0, 0.0], [0.0, 4.0]])
    ]


def crossed(product="matrix"):
    module = CrossModalAttention(2, 2, product)
    module.semantics, module.context = maps(ONE, SWAP, TWICE), maps(ONE, ONE, SWAP)
    return module(ASS, there(ASS), AVC, there(AVC))


def test_equations_3_and_4_by_hand():
    """The map of the sound semantics multiplies the context's values, and the other way round."""
    of_semantics, of_context, weights = crossed()
    assert weights["semantics"][0, 0].tolist() == [pytest.approx(row) for row in MAP_ASS]
    assert weights["context"][0, 0].tolist() == [pytest.approx(row) for row in MAP_AVC]
    values_avc = [[1.0, 3.0], [1.0, -1.0]]  # swapped
    values_ass = [[2.0, 0.0], [0.0, 4.0]]  # doubled
    assert of_semantics[0, 0].tolist() == [
        pytest.approx(row) for row in by_hand(MAP_ASS, values_avc)
    ]
    assert of_context[0, 0].tolist() == [pytest.approx(row) for row in by_hand(MAP_AVC, values_ass)]


def test_the_element_wise_reading_by_hand():
    of_semantics, _, _ = crossed("element")
    values_avc = [[1.0, 3.0], [1.0, -1.0]]
    expected = (np.array(MAP_ASS) * np.array(values_avc)).tolist()
    assert of_semantics[0, 0].tolist() == [pytest.approx(row) for row in expected]


def test_a_token_that_is_not_there_is_not_attended_to_and_gives_nothing():
    module = FeatureSelfAttention(2, 2)
    module.maps = maps(ONE, SWAP, TWICE)
    present = torch.tensor([[[True, False]]])
    attended, weights = module(ASS, present)
    assert weights[0, 0].tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert attended[0, 0].tolist() == [[2.0, 0.0], [2.0, 0.0]]


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(6)), seed=st.integers(0, 50))
def test_attention_over_features_follows_their_order(order, seed):
    """Tokens in another order: the same tokens come out, in that order."""
    torch.manual_seed(seed)
    module, cross = FeatureSelfAttention(4, 4), CrossModalAttention(4, 4)
    tokens, other = torch.randn(2, 3, 6, 4), torch.randn(2, 3, 6, 4)
    there_all = there(tokens)
    plain, weights = module(tokens, there_all)
    moved, moved_weights = module(tokens[:, :, order], there_all)
    assert torch.allclose(moved, plain[:, :, order], atol=1e-5)
    assert torch.allclose(moved_weights, weights[:, :, order][:, :, :, order], atol=1e-5)
    # Both sides in another order together; a map of one counts the other's positions.
    first = cross(tokens, there_all, other, there_all)[:2]
    again = cross(tokens[:, :, order], there_all, other[:, :, order], there_all)[:2]
    for one, two in zip(first, again, strict=True):
        assert torch.allclose(two, one[:, :, order], atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(range(4)), variant=st.sampled_from(["fea_tf", "scma"]))
def test_without_identity_the_order_of_hidden_features_means_nothing(order, variant):
    model = network(variant, tokens_are="courses", token_identity=False)
    streams, masks = inputs(model)
    before = model(streams, masks).logits
    with torch.no_grad():
        for side in model.tokens.values():
            side.hidden.weight.copy_(side.hidden.weight[list(order)])
            side.hidden.bias.copy_(side.hidden.bias[list(order)])
    assert torch.allclose(model(streams, masks).logits, before, atol=1e-5)


def test_identity_tells_hidden_features_apart():
    model = network("fea_tf", tokens_are="courses", tokens=4)
    streams, masks = inputs(model)
    before = model(streams, masks).logits
    with torch.no_grad():
        for side in model.tokens.values():
            side.hidden.weight.copy_(side.hidden.weight.flip(0))
    assert not torch.allclose(model(streams, masks).logits, before, atol=1e-4)


def test_groups_by_hand():
    """Five features in two groups: three and two, each with a layer of its own."""
    tokens = GroupTokens({"a": 5}, 2, 1)
    with torch.no_grad():
        tokens.weights["a"].copy_(torch.tensor([[[1.0], [10.0], [100.0]], [[1.0], [2.0], [9.0]]]))
        tokens.biases["a"].copy_(torch.tensor([[0.5], [0.0]]))
    x = torch.tensor([[[1.0, 2.0, 3.0, 4.0, 5.0]]])
    found, present = tokens({"a": x}, {"a": torch.tensor([[True]])})
    assert found[0, 0, :, 0].tolist() == [321.5, 14.0]
    assert present.tolist() == [[[True, True]]]


def test_streams_get_tokens_by_their_width():
    assert allot({"wide": 90, "narrow": 10}, 10) == {"wide": 9, "narrow": 1}
    assert allot({"a": 2, "b": 2048, "c": 1582}, 8) == {"a": 1, "b": 4, "c": 3}
    with pytest.raises(ValueError, match="2 tokens for 3 streams"):
        allot({"a": 4, "b": 4, "c": 4}, 2)
    with pytest.raises(ValueError, match="none without a feature"):
        allot({"a": 2, "b": 2}, 5)


@given(st.dictionaries(st.text("ab", min_size=1, max_size=4), st.integers(1, 300), min_size=1))
def test_every_stream_gets_tokens_and_none_is_empty(widths):
    for tokens in {len(widths), min(sum(widths.values()), 16 + len(widths))}:
        found = allot(widths, tokens)
        assert sum(found.values()) == tokens
        assert all(1 <= found[name] <= widths[name] for name in widths)


def test_courses_by_hand():
    """The hidden feature 2 x over two steps, older first, weighed 1 and 10."""
    tokens = StepTokens({"a": 1}, 1, 1, context=2, identity=False)
    with torch.no_grad():
        tokens.hidden.weight.fill_(2.0)
        tokens.hidden.bias.zero_()
        tokens.course.weight.copy_(torch.tensor([[1.0, 10.0]]))
        tokens.course.bias.zero_()
    x = torch.tensor([[[1.0], [2.0], [3.0]]])
    found, _ = tokens({"a": x}, {"a": torch.ones(1, 3, dtype=torch.bool)})
    assert found[0, :, 0, 0].tolist() == [20.0, 42.0, 64.0]


def reach(model, label, stream):
    """Frames whose *stream* the label of the frame *label* depends on."""
    streams, masks = inputs(model)
    before = model(streams, masks).logits[:, label]
    found = []
    for at in range(TIME):
        moved = {n: x.clone() for n, x in streams.items()}
        moved[stream][:, at] += 2.0
        if not torch.equal(model(moved, masks).logits[:, label], before):
            found.append(at)
    return found


@pytest.mark.parametrize("variant", ["fea_tf", "cma", "scma"])
def test_with_groups_a_frame_is_labelled_by_itself(variant):
    model = network(variant)
    for stream in DIMENSIONS:
        assert reach(model, 3, stream) == [3]


def test_courses_look_back_and_frames_everywhere():
    assert reach(network("scma", tokens_are="courses", context=3), 3, "verbal") == [1, 2, 3]
    assert reach(network("temp_tf"), 3, "verbal") == [0, 1, 2, 3, 4]


def test_what_the_attention_of_each_variant_is():
    shapes = {
        "fea_tf": {"features": (2, TIME, 1, 2, 8, 8)},  # tokens of both sides together
        "temp_tf": {"frames": (2, 1, 2, TIME, TIME)},
        "cma": {
            "features": (2, TIME, 1, 2, 4, 4),
            "cross_semantics": (2, TIME, 4, 4),
            "cross_context": (2, TIME, 4, 4),
        },
    }
    own = {"self_semantics": (2, TIME, 4, 4), "self_context": (2, TIME, 4, 4)}
    shapes["scma"] = shapes["cma"] | own
    for variant, expected in shapes.items():
        model = network(variant)
        attention = model(*inputs(model)).attention
        assert {name: tuple(x.shape) for name, x in attention.items()} == expected
        for weights in attention.values():
            assert torch.allclose(weights.sum(-1), torch.ones(()), atol=1e-5)


def test_scma_is_cma_with_two_modules_more():
    counts = [sum(p.numel() for p in network(v).parameters()) for v in ("cma", "scma")]
    assert counts[1] - counts[0] == 2 * 3 * 8 * 8  # queries, keys and values of both sides


def test_sound_semantics_that_are_missing_leave_the_context():
    model = network("scma")
    streams, masks = inputs(model)
    masks["verbal"][:, 2] = masks["non_verbal"][:, 2] = False
    out = model(streams, masks)
    assert torch.isfinite(out.logits).all()
    moved = {n: x + (5.0 if n not in CONTEXT else 0.0) for n, x in streams.items()}
    assert torch.equal(model(moved, masks).logits[:, 2], out.logits[:, 2])
    moved = {n: x + (5.0 if n in CONTEXT else 0.0) for n, x in streams.items()}
    assert not torch.allclose(model(moved, masks).logits[:, 2], out.logits[:, 2])


def test_added_or_side_by_side():
    counts = [sum(p.numel() for p in network(fuse=f).parameters()) for f in ("sum", "side_by_side")]
    assert counts[1] - counts[0] == 8 * 6  # a second half of the first layer's inputs


def test_settings_that_do_not_fit_are_one_line():
    with pytest.raises(ModelError, match="'cma' has no stream of sound semantics among pictures"):
        network("cma", CONTEXT)
    with pytest.raises(ModelError, match="no stream of audio-visual context"):
        network("scma", ("verbal",))
    with pytest.raises(ModelError, match="as many tokens as width, not 4 and 8"):
        network(product="element")
    network(product="element", tokens=8, tokens_are="courses")
    with pytest.raises(ModelError, match="1 tokens for 2 streams"):
        network(tokens=1)
    with pytest.raises(ModelError, match="does not divide into 3 heads"):
        network(heads=3)


# ---- whole clips


def test_a_clip_is_the_mean_of_its_windows():
    widths = {"face": 3, "voice": 4}
    torch.manual_seed(0)
    chosen = {"variant": "scma", "semantics": ["voice"], "width": 8, "heads": 2, "tokens": 3}
    clip = make_model("scma_clip", chosen, widths, {"face": 3, "voice": 1}, 5).eval()
    face, voice = torch.randn(1, 3, 3), torch.randn(1, 1, 4)
    masks = {"face": torch.tensor([[True, True, False]]), "voice": torch.tensor([[True]])}
    found = clip({"face": face, "voice": voice}, masks).logits
    beside = {"face": masks["face"], "voice": masks["face"]}
    each = clip.model({"face": face, "voice": voice.expand(-1, 3, -1)}, beside).logits
    assert torch.allclose(found, each[:, :2].mean(dim=1), atol=1e-6)


def test_a_clip_without_a_face_is_told_by_its_voice_once():
    widths = {"face": 3, "voice": 4}
    torch.manual_seed(0)
    clip = make_model("thao_dnn_clip", {"time_steps": 1}, widths, {"face": 3, "voice": 1}, 5).eval()
    streams = {"face": torch.randn(1, 3, 3), "voice": torch.randn(1, 1, 4)}
    masks = {"face": torch.zeros(1, 3, dtype=torch.bool), "voice": torch.tensor([[True]])}
    alone = clip.model(
        {"face": torch.zeros(1, 1, 3), "voice": streams["voice"]},
        {"face": masks["face"][:, :1], "voice": masks["voice"]},
    ).logits[:, 0]
    assert torch.allclose(clip(streams, masks).logits, alone, atol=1e-6)
