"""The training engine: what it computes, against loops and figures worked out by hand."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

import torch.nn.functional as functional  # noqa: E402
from training.fitting import EVERYTHING, network, rows, run  # noqa: E402

from aver.errors import AverError, SettingError  # noqa: E402
from aver.models.registry import ModelOutput  # noqa: E402
from aver.training.fit import CrossEntropy, FitSettings, TensorBatches, fit  # noqa: E402
from aver.training.fit_data import epoch_batches  # noqa: E402
from aver.training.fit_loss import balanced_weights  # noqa: E402
from aver.training.fit_schedule import Plateau, learning_rate  # noqa: E402

PLAIN = FitSettings(
    epochs=3, batch=32, learning_rate=0.1, optimiser="sgd", momentum=0.9, weight_decay=0.01,
    schedule="constant", warm_up=0, gradient_clip=0, logger="none",
)  # fmt: skip


def same(one, two):
    pairs = zip(one.state_dict().values(), two.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def by_hand(settings, train, seed, optimiser, net):
    """The loop as one would write it; without dropout."""
    losses = []
    for epoch in range(settings.epochs):
        found = []
        for batch in epoch_batches(len(train), settings.batch, seed, epoch):
            part = train.take(torch.from_numpy(batch))
            loss = functional.cross_entropy(net(part.streams, part.masks), part.labels)
            optimiser.zero_grad()
            loss.backward()
            if settings.gradient_clip:
                torch.nn.utils.clip_grad_norm_(net.parameters(), settings.gradient_clip)
            optimiser.step()
            found.append(loss.item())
        losses.append(sum(found) / len(found))
    return losses


@pytest.mark.parametrize(
    ("change", "make"),
    [
        ({}, lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01)),
        (
            {"optimiser": "adamw", "gradient_clip": 0.05},
            lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.01),
        ),
        ({"optimiser": "adam"}, lambda p: torch.optim.Adam(p, 0.1, weight_decay=0.01)),
    ],
)
def test_is_the_loop_one_would_write(change, make):
    settings = PLAIN.model_copy(update=change)
    net, other = network(dropout=0.0), network(dropout=0.0)
    result = fit(net, None, rows(100), None, settings, 5)
    losses = by_hand(settings, rows(100), 5, make(other.parameters()), other)
    for one, two in zip(net.parameters(), other.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-6)
    assert [e["loss"] for e in result.history] == pytest.approx(losses, abs=1e-6)
    assert (result.epochs_run, result.best_epoch) == (3, 3)
    assert not net.training


def test_learns_and_depends_on_the_seed_alone():
    one, two = run(None), run(None)
    assert same(one, two)
    net = network()
    fit(net, None, rows(100), rows(30, seed=1), EVERYTHING, 8)
    assert not same(one, net)
    held = rows(60, seed=2)
    right = one(held.streams, held.masks).argmax(1) == held.labels
    assert right.float().mean() > 0.8


def test_a_random_loss_is_repeatable_too():
    def noisy(module, batch):
        if module.training:
            noise = {k: v + torch.randn_like(v) for k, v in batch.streams.items()}
            batch = TensorBatches(noise, batch.masks, batch.labels)
        return CrossEntropy()(module, batch)

    nets = []
    for state in (1, 2):
        net = network()
        torch.manual_seed(state)  # what was drawn before must not matter
        fit(net, noisy, rows(50), None, PLAIN, 0)
        nets.append(net)
    assert same(*nets)


def test_keeps_the_epoch_of_lowest_validation_loss_and_stops_after_patience():
    # Validation labels are turned round: the better the training, the worse they come out.
    wrong = rows(30, seed=1)
    wrong = TensorBatches(wrong.streams, wrong.masks, (wrong.labels + 1) % 3)
    settings = PLAIN.model_copy(update={"epochs": 30, "patience": 3, "learning_rate": 0.02})
    net = network(dropout=0.0)
    result = fit(net, None, rows(100), wrong, settings, 0)
    losses = [entry["validation_loss"] for entry in result.history]
    assert result.best_epoch == losses.index(min(losses)) + 1
    assert result.epochs_run == result.best_epoch + 3 < 30
    now = CrossEntropy()(net, wrong).item()
    assert now == pytest.approx(min(losses), abs=1e-6)


def test_average_is_the_exponential_moving_average():
    settings = PLAIN.model_copy(update={"average": 0.75, "epochs": 1, "batch": 50})
    net, other = network(dropout=0.0), network(dropout=0.0)
    fit(net, None, rows(100), None, settings, 5)
    first, second = epoch_batches(100, 50, 5, 0)
    optimiser = torch.optim.SGD(other.parameters(), 0.1, momentum=0.9, weight_decay=0.01)
    seen = []
    for batch in (first, second):
        optimiser.zero_grad()
        CrossEntropy()(other, rows(100).take(torch.from_numpy(batch))).backward()
        optimiser.step()
        seen.append([p.detach().clone() for p in other.parameters()])
    for got, one, two in zip(net.parameters(), *seen, strict=True):
        assert torch.allclose(got, 0.75 * one + 0.25 * two, atol=1e-6)


def test_bf16_on_the_processor_learns():
    settings = EVERYTHING.model_copy(update={"precision": "bf16-mixed", "epochs": 10})
    net = run(None, settings)
    held = rows(60, seed=2)
    assert (net(held.streams, held.masks).argmax(1) == held.labels).float().mean() > 0.8
    assert next(net.parameters()).dtype == torch.float32
    assert not same(net, run(None, settings.model_copy(update={"precision": "32"})))


def test_progress_is_told_up_to_the_end():
    told = []
    run(None, progress=told.append)
    assert (told[-1].done, told[-1].total) == (6 * 7, 6 * 7)  # 100 rows in 7 batches
    assert {"loss", "validation_loss"} <= told[-1].figures.keys()


# ---- loss


def test_cross_entropy_by_hand():
    # softmax of (0, ln 3) is (1/4, 3/4).
    logits = torch.tensor([[0.0, math.log(3.0)]]).expand(3, 2)
    labels = torch.tensor([0, 1, 1])
    batch = TensorBatches({"x": torch.zeros(3, 1, 1)}, {}, labels)

    def module(streams, masks):
        return logits

    two, other = math.log(4), math.log(4 / 3)
    assert CrossEntropy()(module, batch).item() == pytest.approx((two + 2 * other) / 3)
    weights = balanced_weights(labels)
    assert weights.tolist() == pytest.approx([1.5, 0.75])
    assert CrossEntropy(weights)(module, batch).item() == pytest.approx((two + other) / 2)
    smooth = CrossEntropy(label_smoothing=0.2)(module, batch).item()
    ends = 0.9 * two + 0.1 * other, 0.1 * two + 0.9 * other
    assert smooth == pytest.approx((ends[0] + 2 * ends[1]) / 3)


def test_branches_count_where_their_stream_is_there():
    good, bad = torch.tensor([[9.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    mask = torch.tensor([[True, False], [False, False]])
    batch = TensorBatches(
        {"voice": torch.zeros(2, 2, 1)}, {"voice": mask}, torch.zeros(2, dtype=torch.int64)
    )

    def module(streams, masks):
        return ModelOutput(torch.zeros(2, 2), {"voice": torch.cat([good, bad])}, {})

    alone = math.log(1 + math.exp(-9))
    assert CrossEntropy()(module, batch).item() == pytest.approx(math.log(2))
    both = CrossEntropy(branch_loss=0.5)(module, batch).item()
    assert both == pytest.approx(math.log(2) + 0.5 * alone)


def test_branch_mean_is_over_the_rows_that_are_there():
    random = torch.Generator().manual_seed(0)
    logits, weights = torch.randn(6, 3, generator=random), torch.tensor([0.5, 2.0, 1.0])
    labels = torch.tensor([0, 1, 2, 1, 0, 2])
    mask = torch.tensor([[True], [False], [True], [True], [False], [False]])
    batch = TensorBatches({"face": torch.zeros(6, 1, 1)}, {"face": mask}, labels)

    def module(streams, masks):
        return ModelOutput(torch.zeros(6, 3), {"face": logits}, {})

    alone = CrossEntropy(weights, 0.1)(module, batch).item()
    both = CrossEntropy(weights, 0.1, branch_loss=1.0)(module, batch).item()
    there = mask[:, 0]
    each = functional.cross_entropy(
        logits[there], labels[there], label_smoothing=0.1, reduction="none"
    )
    expected = (each * weights[labels[there]]).sum() / weights[labels[there]].sum()
    assert both - alone == pytest.approx(expected.item(), abs=1e-6)


def test_smoothing_favours_no_rare_class():
    # Nothing is known of the rows: with balanced weights the best answer is that all classes are
    # as likely, however rare one is.
    labels = torch.tensor([0] * 50 + [1])
    loss = CrossEntropy(balanced_weights(labels), 0.1)
    batch = TensorBatches({"x": torch.zeros(51, 1, 1)}, {}, labels)
    logits = torch.zeros(2, requires_grad=True)
    loss(lambda *_: logits.expand(51, 2), batch).backward()
    assert logits.grad.tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


def test_a_class_without_rows_has_no_weight():
    assert balanced_weights(torch.tensor([2, 2, 0])).tolist() == pytest.approx([1.5, 0.0, 0.75])
    loss = CrossEntropy.of(FitSettings(class_weights="balanced"), torch.tensor([0, 1]))
    batch = TensorBatches({"x": torch.zeros(2, 1, 1)}, {}, torch.tensor([0, 1]))
    # The network knows a third class, which no training row has.
    assert loss(lambda *_: torch.zeros(2, 3), batch).item() == pytest.approx(math.log(3))


# ---- schedule


def test_rates_by_hand():
    cosine = FitSettings(warm_up=0.2, schedule="cosine")
    rates = [learning_rate(cosine, step, 10, 1.0) for step in range(10)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[6] == pytest.approx(0.5)  # half of the fall from step 2 to 10
    assert rates[9] == pytest.approx(0.5 * (1 + math.cos(math.pi * 7 / 8)))
    constant = FitSettings(warm_up=0, schedule="constant")
    assert {learning_rate(constant, step, 10, 0.3) for step in range(10)} == {0.3}
    # As Keras' optimisers with decay=0.5: 1 / (1 + 0.5 * step).
    inverse = FitSettings(warm_up=0, schedule="inverse_time", rate_decay=0.5)
    assert [learning_rate(inverse, step, 10, 1.0) for step in (0, 1, 2, 8)] == [1, 2 / 3, 0.5, 0.2]


def test_plateau_waits_as_the_paper_does():
    """Reduced when 20 epochs brought nothing (Ghaleb et al. 2020, section 3.1)."""
    plateau = Plateau(FitSettings(learning_rate=1e-6, schedule="plateau", plateau_factor=0.5))
    rates = []
    for loss in [2.0, 1.0] + [1.0] * 21:
        plateau.step(loss)
        rates.append(plateau.rate)
    assert rates == [1e-6] * 22 + [5e-7]
    again = Plateau(FitSettings(), plateau.state())
    assert again.rate == 5e-7
    assert again.rule.num_bad_epochs == plateau.rule.num_bad_epochs


# ---- rows


@given(
    st.integers(1, 300), st.integers(1, 70), st.integers(0, 5), st.integers(0, 3), st.integers(1, 3)
)
def test_every_row_once_in_even_batches(count, batch, seed, epoch, parts):
    if min(count, batch) < parts:
        with pytest.raises(SettingError, match="devices"):
            epoch_batches(count, batch, seed, epoch, 0, parts)
        return
    shares = [epoch_batches(count, batch, seed, epoch, part, parts) for part in range(parts)]
    whole = epoch_batches(count, batch, seed, epoch)
    assert Counter(int(r) for share in shares for b in share for r in b) == Counter(range(count))
    assert len({len(share) for share in shares}) == 1
    assert all(len(b) for share in shares for b in share)
    sizes = [sum(len(share[i]) for share in shares) for i in range(len(shares[0]))]
    assert max(sizes) - min(sizes) <= 1
    assert parts > 1 or max(len(b) for b in whole) <= batch


def test_order_changes_with_epoch_and_seed():
    def first(seed, epoch):
        return epoch_batches(100, 10, seed, epoch)[0].tolist()

    assert first(0, 0) == first(0, 0)
    assert len({tuple(first(*x)) for x in ((0, 0), (0, 1), (1, 0))}) == 3


def test_rows_that_cannot_be_used_are_refused():
    good = rows(12)
    voice = good.streams["voice"].clone()
    voice[7, 3, 2] = math.nan
    with pytest.raises(AverError, match=r"stream 'voice': is not finite in 1 of 12 rows.*row 7"):
        TensorBatches({"voice": voice}, good.masks, good.labels)
    mask = good.masks["voice"].clone()
    mask[7, 3] = False  # a window that is not there may hold anything
    assert len(TensorBatches({"voice": voice}, {"voice": mask}, good.labels)) == 12
    with pytest.raises(AverError, match="has 12 rows, the labels 11"):
        TensorBatches(good.streams, good.masks, good.labels[:11])
    with pytest.raises(AverError, match=r"mask .* does not fit"):
        TensorBatches(good.streams, {"voice": mask[:, :2]}, good.labels)
    with pytest.raises(AverError, match="no rows"):
        TensorBatches({}, {}, good.labels[:0])
    with pytest.raises(AverError, match="below 0"):
        TensorBatches({}, {}, good.labels - 1)


# ---- settings that cannot be used here


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patience": 3}, "patience: needs validation rows"),
        ({"precision": "16-mixed", "accelerator": "cpu"}, "precision: '16-mixed' needs a GPU"),
    ],
)
def test_settings_refused(change, message):
    with pytest.raises(SettingError, match=message):
        fit(network(), None, rows(10), None, PLAIN.model_copy(update=change), 0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_one_line():
    settings = PLAIN.model_copy(update={"accelerator": "gpu"})
    with pytest.raises(SettingError, match="no GPU"):
        fit(network(), None, rows(10), None, settings, 0)


# ---- several devices


def test_two_processes_compute_what_one_does(tmp_path):
    """Gradients of both halves of a batch are averaged: the same steps, rounding apart."""
    settings = PLAIN.model_copy(update={"batch": 25, "accelerator": "cpu"})
    one, two = network(dropout=0.0), network(dropout=0.0)
    alone = fit(one, None, rows(100), rows(30, seed=1), settings, 5)
    told = []
    both = fit(
        two,
        None,
        rows(100),
        rows(30, seed=1),
        settings.model_copy(update={"devices": 2}),
        5,
        tmp_path,
        progress=told.append,
    )
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    for name in ("loss", "validation_loss"):
        ours, theirs = ([e[name] for e in r.history] for r in (alone, both))
        assert ours == pytest.approx(theirs, abs=1e-5)
    assert told[-1].done == told[-1].total
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
