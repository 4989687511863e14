"""MATER over streams: the same network as the paper's two-branch one, and its ablations."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from aver.models.mater import Mater, MaterSettings  # noqa: E402
from aver.models.registry import make_model  # noqa: E402

SIZES = {"layers": 2, "heads": 2, "feed_forward": 16, "prediction_hidden": 6}
DIMENSIONS = {"face": 8, "voice": 8}
WINDOWS = {"face": 4, "voice": 4}


def streams_model(dimensions=None, windows=None, **changes):
    torch.manual_seed(0)
    settings = {**SIZES, **changes}
    return make_model("mater", settings, dimensions or DIMENSIONS, windows or WINDOWS, 3).eval()


def clips(seed=1):
    generator = torch.Generator().manual_seed(seed)
    streams = {n: torch.randn(2, 4, 8, generator=generator) for n in DIMENSIONS}
    return streams, {n: torch.ones(2, 4, dtype=torch.bool) for n in DIMENSIONS}


def test_with_face_and_voice_it_is_the_two_branch_network():
    ours = streams_model()
    theirs = Mater(
        MaterSettings(
            classes=3, dimensions=8, windows=4, layers=2, heads=2, feed_forward=16,
            prediction_hidden=6,
        )
    ).eval()  # fmt: skip
    theirs.face.load_state_dict(ours.branches["face"].state_dict())
    theirs.voice.load_state_dict(ours.branches["voice"].state_dict())
    streams, masks = clips()
    masks["face"][0, 1:] = False
    masks["voice"][1] = False
    mine = ours(streams, masks)
    other = theirs(streams["face"], masks["face"], streams["voice"], masks["voice"])
    assert torch.allclose(mine.logits, other.fused, atol=1e-6)
    assert torch.allclose(mine.branches["voice"], other.voice, atol=1e-6)


def test_a_missing_stream_takes_no_part():
    network = streams_model()
    streams, masks = clips()
    masks["voice"][:] = False
    out = network(streams, masks)
    assert torch.equal(out.logits, out.branches["face"])
    assert torch.count_nonzero(out.branches["voice"]) == 0


def test_no_stream_at_all_says_nothing():
    network = streams_model()
    streams, masks = clips()
    for mask in masks.values():
        mask[:] = False
    assert torch.count_nonzero(network(streams, masks).logits) == 0


def test_six_layers_at_the_papers_width_by_default():
    network = make_model("mater", {}, {"voice": 512}, {"voice": 8}, 8)
    assert len(network.branches["voice"].encoder) == 6
    assert network.branches["voice"].encoder[0].attention.heads == 8


def test_streams_of_any_width_and_a_single_row():
    network = streams_model({"voice": 7, "action_units": 35}, {"voice": 4, "action_units": 1},
                            width=8)  # fmt: skip
    streams = {"voice": torch.randn(2, 4, 7), "action_units": torch.randn(2, 1, 35)}
    masks = {n: torch.ones(x.shape[:2], dtype=torch.bool) for n, x in streams.items()}
    out = network(streams, masks)
    assert torch.isfinite(out.logits).all()
    assert out.attention["voice"].shape == (2, 2, 2, 4, 4)
    # A single row can only attend to itself.
    assert torch.equal(out.attention["action_units"], torch.ones(2, 2, 2, 1, 1))


def test_ablations_of_table_1():
    streams, masks = clips()
    turned = {n: x.flip(1) for n, x in streams.items()}
    no_positions = streams_model(positional_encoding=False)
    assert torch.allclose(
        no_positions(streams, masks).logits, no_positions(turned, masks).logits, atol=1e-5
    )
    with_positions = streams_model()
    assert not torch.allclose(
        with_positions(streams, masks).logits, with_positions(turned, masks).logits, atol=1e-5
    )
    no_attention = streams_model(attention=False)
    assert no_attention(streams, masks).attention == {}
    assert len(no_attention.branches["voice"].encoder) == SIZES["layers"]


def test_attention_looks_only_at_windows_that_are_there():
    streams, masks = clips()
    masks["voice"][:, 2] = False
    weights = streams_model()(streams, masks).attention["voice"]
    assert torch.count_nonzero(weights[..., 2]) == 0
