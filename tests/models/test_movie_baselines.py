"""Earlier film models: sizes by hand, what each label depends on, torch's own LSTM."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from aver.models.registry import make_model  # noqa: E402

DIMENSIONS = {"picture": 4, "emobase2010": 3}
TIME = 7


def network(name, **settings):
    torch.manual_seed(0)
    return make_model(name, settings, DIMENSIONS, dict.fromkeys(DIMENSIONS, TIME), 7).eval()


def inputs(batch=2, seed=1):
    generator = torch.Generator().manual_seed(seed)
    streams = {n: torch.randn(batch, TIME, d, generator=generator) for n, d in DIMENSIONS.items()}
    return streams, {n: torch.ones(x.shape[:2], dtype=torch.bool) for n, x in streams.items()}


def reach(model, label):
    """Segments that the label of segment *label* depends on."""
    streams, masks = inputs()
    before = model(streams, masks).logits[:, label]
    found = []
    for at in range(TIME):
        moved = {n: x.clone() for n, x in streams.items()}
        moved["emobase2010"][:, at] += 2.0
        if not torch.equal(model(moved, masks).logits[:, label], before):
            found.append(at)
    return found


def test_dnn_is_linear_and_has_no_bias():
    model = network("thao_dnn")
    assert all("bias" not in name for name, _ in model.named_parameters())
    streams, masks = inputs()
    other, _ = inputs(seed=2)
    added = {n: streams[n] + other[n] for n in streams}
    both = model(streams, masks).logits + model(other, masks).logits
    assert torch.allclose(model(added, masks).logits, both, atol=1e-5)


def test_dnn_sizes_by_hand():
    """Each modality to 128, then 64, 64, 7; two time steps side by side before the first 64."""
    model = network("thao_dnn")
    expected = (4 + 3) * 128 + 2 * 2 * 128 * 64 + 64 * 64 + 64 * 7
    assert sum(p.numel() for p in model.parameters()) == expected
    one = network("thao_dnn", time_steps=1)
    assert sum(p.numel() for p in one.parameters()) == expected - 2 * 128 * 64


def test_dnn_by_hand():
    """(1, 2) after (5, 0): every weight 1 but the last layer's, which halves; temperature 2."""
    model = make_model(
        "thao_dnn", {"reduced": 1, "hidden": 1}, {"sound": 2}, {"sound": 2}, 2
    ).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(1.0)
        model.layers[2].weight.fill_(0.5)
    mask = torch.ones(1, 2, dtype=torch.bool)
    out = model({"sound": torch.tensor([[[5.0, 0.0], [1.0, 2.0]]])}, {"sound": mask}).logits
    assert out[0].tolist() == [[5 * 0.5 / 2] * 2, [(5 + 3) * 0.5 / 2] * 2]


def test_what_a_label_depends_on():
    assert reach(network("thao_dnn"), 4) == [3, 4]
    assert reach(network("thao_dnn", time_steps=1), 4) == [4]
    assert reach(network("thao_lstm"), 6) == [2, 3, 4, 5, 6]
    assert reach(network("thao_lstm", context=2), 4) == [3, 4]
    assert reach(network("sivaprasad_lstm"), 4) == [0, 1, 2, 3, 4]


def test_many_to_one_is_the_last_state_of_torchs_lstm_over_five_segments():
    model = network("thao_lstm")
    assert (model.lstm.num_layers, model.lstm.hidden_size, model.lstm.bidirectional) == (
        2,
        64,
        False,
    )
    streams, masks = inputs()
    reduced = torch.cat([streams[n] @ model.reduced.layers[n].weight.T for n in DIMENSIONS], dim=2)
    out = model(streams, masks).logits
    for at in range(TIME):
        states, _ = model.lstm(reduced[:, max(0, at - 4) : at + 1])
        assert torch.allclose(out[:, at], model.predict(states[:, -1]) / 2.0, atol=1e-6)


@pytest.mark.parametrize("name", ["sivaprasad_lstm", "thao_lstm"])
def test_recurrent_models_step_over_missing_segments(name):
    """A sequence with a hole is labelled as the same sequence without the segment in the hole."""
    model = network(name, **({"context": 7} if name == "thao_lstm" else {}))
    streams, masks = inputs()
    for mask in masks.values():
        mask[:, 2] = False
    kept = [0, 1, 3, 4, 5, 6]
    out = model(streams, masks).logits
    rest = model({n: x[:, kept] for n, x in streams.items()},
                 {n: x[:, kept] for n, x in masks.items()}).logits  # fmt: skip
    assert torch.allclose(out[:, kept], rest, atol=1e-6)
    assert torch.count_nonzero(out[:, 2]) == 0


def test_lstm_is_torchs():
    model = network("sivaprasad_lstm", hidden=5, layers=2)
    theirs = torch.nn.LSTM(7, 5, 2, batch_first=True)
    with torch.no_grad():
        for layer, ours in enumerate(model.lstm):
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(theirs, f"{kind}_l{layer}").copy_(getattr(ours, f"{kind}_l0"))
    streams, masks = inputs()
    states, _ = theirs(torch.cat([streams[n] for n in DIMENSIONS], dim=2))
    assert torch.allclose(model(streams, masks).logits, model.predict(states), atol=1e-6)
