"""Branches: what each representation becomes, and what cannot be read."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from aver.models.branches import (  # noqa: E402
    BranchSettings,
    branch_class,
    branch_names,
    make_branch,
)

SMALL = BranchSettings(width=6, channels=(3, 4), hidden=5)
# Name -> (dimension, settings that differ, maps' height and width).
CASES = {
    "waveform": (800, {}, (1, 1)),
    "acoustic_features": (11, {}, (1, 1)),
    "speech_embedding": (11, {}, (1, 1)),
    "action_units": (11, {}, (1, 1)),
    "projection": (11, {}, (1, 1)),
    "mfcc": (13, {}, (1, 3)),
    "spectrogram": (7 * 9, {"picture": (7, 9)}, (1, 2)),
    "log_mel": (12 * 64, {"shrink": (2, 4)}, (1, 4)),
    "frame_cnn": (81, {}, (2, 2)),
    "cnn_recurrent": (81, {}, (1, 1)),
    "cnn_3d": (81, {}, (2, 2)),
    "optical_flow": (3 * 64, {"picture": (8, 8)}, (2, 2)),
}


def small(name):
    dimension, changes, _ = CASES[name]
    torch.manual_seed(0)
    settings = BranchSettings(**{**SMALL.__dict__, **changes})
    return make_branch(name, dimension, settings).eval(), dimension


def test_every_branch_is_tried():
    assert set(CASES) == set(branch_names())


@pytest.mark.parametrize("name", branch_names())
def test_maps_of_every_branch(name):
    branch, dimension = small(name)
    present = torch.tensor([[True, True, False, True, False], [True, True, True, True, True]])
    x = torch.randn(2, 5, dimension) * present[:, :, None]
    maps, mask = branch(x, present)
    assert branch.shape == (6, *CASES[name][2])
    assert maps.shape == (2, 5, *branch.shape)
    assert torch.equal(mask, present)
    assert maps[~present].abs().max() == 0
    assert maps[present].abs().max() > 0
    # More absent windows behind the clip change nothing.
    longer, _ = branch(
        torch.nn.functional.pad(x, (0, 0, 0, 2)), torch.nn.functional.pad(present, (0, 2))
    )
    assert torch.allclose(longer[:, :5], maps, atol=1e-5)


@pytest.mark.parametrize("name", branch_names())
def test_training_never_sees_what_is_absent(name):
    """Not even the statistics of batch normalisation: twice as many absent rows, same maps."""
    branch, dimension = small(name)
    branch.train()
    for part in branch.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    x = torch.randn(2, 3, dimension)
    present = torch.ones(2, 3, dtype=torch.bool)
    maps, _ = branch(x, present)
    more = torch.cat([x, torch.zeros(3, 3, dimension)])
    mask = torch.cat([present, torch.zeros(3, 3, dtype=torch.bool)])
    assert torch.allclose(branch(more, mask)[0][:2], maps, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "reaches"),
    [
        *[(name, False) for name in ("frame_cnn", "log_mel", "waveform", "projection")],
        *[(name, True) for name in ("cnn_3d", "cnn_recurrent", "mfcc")],
    ],
)
def test_which_branches_see_neighbouring_windows(name, reaches):
    branch, dimension = small(name)
    x = torch.randn(1, 4, dimension)
    present = torch.ones(1, 4, dtype=torch.bool)
    moved = x.clone()
    moved[:, 2] += 3.0
    before, after = branch(x, present)[0][:, 1], branch(moved, present)[0][:, 1]
    assert torch.allclose(before, after, atol=1e-6) != reaches


def test_the_recurrent_branch_leaves_windows_in_their_places():
    branch, dimension = small("cnn_recurrent")
    x = torch.randn(1, 4, dimension)
    present = torch.tensor([[False, True, False, True]])
    maps, _ = branch(x * present[:, :, None], present)
    packed, _ = branch(x[:, [1, 3]], torch.ones(1, 2, dtype=torch.bool))
    assert torch.allclose(maps[:, [1, 3]], packed, atol=1e-6)


def test_a_projection_by_hand():
    branch = make_branch("projection", 2, BranchSettings(width=1)).eval()
    with torch.no_grad():
        branch.layers[1].weight.copy_(torch.tensor([[2.0, -1.0]]))
        branch.layers[1].bias.fill_(0.5)
    x = torch.tensor([[[1.0, 1.0], [0.0, 3.0]]])
    maps, _ = branch(x, torch.tensor([[True, True]]))
    assert maps.flatten().tolist() == [1.5, 0.0]


@pytest.mark.parametrize(
    ("name", "dimension", "changes", "expected"),
    [
        ("log_mels", 64, {}, "did you mean 'log_mel'"),
        ("log_mel", 65, {}, "pictures of 1 x 64 do not fill"),
        ("frame_cnn", 10, {}, "no square; set picture"),
        ("frame_cnn", 80, {"picture": (9, 9)}, "80 wide, which pictures of 9 x 9"),
        ("frame_cnn", 81, {"shrink": (10, 1)}, "cannot be shrunk by 10 x 1"),
        ("waveform", 200, {}, "too short for 3 convolutions; 544 is the least"),
        ("mfcc", 3, {}, "3 coefficients are too few"),
        ("mfcc", 40, {"picture": (4, 10)}, "'picture' says nothing to the branch 'mfcc'"),
        ("cnn_recurrent", 81, {"width": 5}, "even width"),
    ],
)
def test_what_cannot_be_read(name, dimension, changes, expected):
    with pytest.raises(ValueError, match=expected):
        make_branch(name, dimension, BranchSettings(**changes))


def test_the_least_waveform_is_enough():
    branch = make_branch("waveform", 544, BranchSettings())
    assert branch.shape == (32, 1, 1)


def test_pictures_of_a_real_clip(shared):
    """The picture branches on what the extractor sees of a filmed face."""
    from aver.features.extractor import Clip, make_extractor

    clip = Clip(sorted((shared / "data" / "crema_d_sample").glob("*.flv"))[0], end=1.2)
    flow = make_extractor("optical_flow", output="stack", size=32, stack=5, hop=5)
    found = flow.extract(clip)
    assert found.values.shape[1:] == (10, 32, 32)
    x = torch.from_numpy(found.values.reshape(1, len(found), -1)) / 128 - 1
    present = torch.from_numpy(found.present)[None]
    branch = make_branch("optical_flow", x.shape[2], BranchSettings(picture=(32, 32))).eval()
    maps, _ = branch(x, present)
    assert maps.shape == (1, len(found), 32, 8, 8)
    still, _ = branch(torch.zeros_like(x), present)
    assert not torch.allclose(maps, still)
    assert branch_class("optical_flow").picture
