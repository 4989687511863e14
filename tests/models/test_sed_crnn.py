"""The sound event detector: shapes, attention, what depends on what."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from aver.models.sed_crnn import FrameScores, SedCrnn, SedCrnnSettings  # noqa: E402

SMALL = SedCrnnSettings(classes=5, channels=(4, 6), joint=8, recurrent=4, hidden=6)


def network(**changes) -> SedCrnn:
    torch.manual_seed(0)
    return SedCrnn(SMALL.model_copy(update=changes)).eval()


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("frames", [1, 7, 30])
def test_shapes_for_any_number_of_frames(step, frames):
    net = network(time_step=step)
    x = torch.randn(2, frames, 64)
    steps = -(-frames // step)
    output = net(x)
    for detection, names in zip(output, (1, 1, 5), strict=True):
        assert detection.frames.shape == (2, steps, names)
        assert detection.clip.shape == (2, names)
        assert detection.semantics.shape == (2, steps, 6)
        assert torch.allclose(detection.attention.sum(dim=1), torch.ones(2))
    scores, verbal, non_verbal, semantics_verbal, semantics_non_verbal = FrameScores(net)(x)
    assert scores.shape == (2, frames, 5)
    assert verbal.shape == non_verbal.shape == (2, frames)
    assert semantics_verbal.shape == semantics_non_verbal.shape == (2, frames, 6)


def test_scores_are_sigmoids_of_the_frames_and_steps_are_repeated():
    net, x = network(time_step=2), torch.randn(1, 9, 64)
    scores, verbal, *_, semantics = FrameScores(net)(x)
    output = net(x)
    assert torch.allclose(scores[:, ::2], output.labels.frames.sigmoid())
    assert torch.equal(verbal[:, 0:8:2], verbal[:, 1:9:2])
    assert torch.allclose(semantics[:, ::2], output.non_verbal.semantics)
    assert (semantics >= 0).all()
    assert (scores > 0).all()
    assert (scores < 1).all()


def test_the_clip_is_the_attended_mean_of_the_last_hidden_layer():
    net, x = network(), torch.randn(2, 20, 64)
    found = net(x).verbal
    pooled = torch.einsum("bt,bth->bh", found.attention, found.semantics)
    assert torch.allclose(found.clip, net.verbal.clip(pooled), atol=1e-6)


def test_both_directions_are_read_and_the_detectors_have_states_of_their_own():
    net, x = network(), torch.randn(1, 24, 64)
    before = net(x)
    for place, far in ((0, -1), (-1, 0)):
        moved = x.clone()
        moved[:, place] += 50.0
        assert not torch.equal(net(moved).verbal.frames[:, far], before.verbal.frames[:, far])
    with torch.no_grad():
        for weight in net.non_verbal_states.parameters():
            weight.zero_()
    after = net(x)
    assert torch.equal(after.verbal.frames, before.verbal.frames)
    assert not torch.equal(after.non_verbal.frames, before.non_verbal.frames)
    assert not torch.equal(after.labels.frames, before.labels.frames)


def test_every_weight_is_learned():
    net = network().train()
    output = net(torch.randn(3, 16, 64))
    sum(part.frames.sum() + part.clip.sum() for part in output).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_clips_do_not_hear_each_other():
    net, x = network(), torch.randn(3, 16, 64)
    assert torch.allclose(net(x).labels.frames[1], net(x[1:2]).labels.frames[0], atol=1e-5)
