"""Pictures of a face, and the networks that begin with them, on three real clips."""

from __future__ import annotations

import numpy as np
import pytest

from aver.features.extractor import Clip, make_extractor


@pytest.fixture(scope="module")
def faces(shared):
    """Features of the first second of each clip: anger, happiness, neutral."""
    extractor = make_extractor("face_pictures", frames_per_second=8, window_seconds=0.125)
    files = sorted((shared / "data" / "crema_d_sample").glob("*.flv"))
    return [extractor.extract(Clip(file, end=1.0)) for file in files]


def test_a_face_in_every_window(faces):
    assert len(faces) == 3
    for found in faces:
        assert found.values.shape == (8, 48, 48)
        assert found.present.mean() > 0.8
        there = found.values[found.present]
        assert there.min() >= 0.0
        assert there.max() <= 1.0
        # A face is no even grey, and nearly the same a moment later.
        assert there.std(axis=(1, 2)).min() > 0.08
        assert np.abs(np.diff(there, axis=0)).mean() < 0.06


def test_pictures_of_a_window_are_averaged(shared, faces):
    file = sorted((shared / "data" / "crema_d_sample").glob("*.flv"))[0]
    wide = make_extractor("face_pictures", frames_per_second=8, window_seconds=0.25)
    found = wide.extract(Clip(file, end=0.25))
    pair = faces[0].values[:2].mean(axis=0)
    assert np.allclose(found.values[0], pair, atol=1e-3)


@pytest.mark.parametrize("branch", ["frame_cnn", "cnn_recurrent", "cnn_3d"])
def test_the_picture_branches_can_tell_the_clips_apart(branch, faces):
    """They are the same person: what differs is the expression and the moment."""
    torch = pytest.importorskip("torch")
    from aver.models.registry import make_model

    torch.manual_seed(0)
    settings = {"branch": {"face": branch}, "shrink": {"face": (4, 4)}, "channels": (8,)}
    settings |= {"width": 16, "dropout": 0.0, "attention": "temporal"}
    network = make_model("av_attention", settings, {"face": 48 * 48}, {"face": 8}, 3)
    x = torch.from_numpy(np.stack([found.values.reshape(8, -1) for found in faces]))
    x = (x - x.mean()) / x.std()
    masks = {"face": torch.from_numpy(np.stack([found.present for found in faces]))}
    labels = torch.arange(3)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(40):
        optimiser.zero_grad()
        out = network({"face": x}, masks)
        torch.nn.functional.cross_entropy(out.logits, labels).backward()
        optimiser.step()
    out = network.eval()({"face": x}, masks)
    assert out.logits.argmax(dim=1).tolist() == [0, 1, 2]
    weights = out.attention["face_windows"][:, 0, 0, 0]
    assert torch.allclose(weights.sum(dim=1), torch.ones(3), atol=1e-5)
    assert weights[~masks["face"]].sum() == 0
