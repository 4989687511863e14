from pathlib import Path

import numpy as np
import pytest
import torch

from aver.features.face_embedding import FaceEmbedder
from aver.models.face_expression import FaceExpressionNet, FaceExpressionSettings
from aver.training.face_conditions import CONDITIONS
from aver.training.face_data import Faces
from aver.training.face_export import export_face, fold_norms, twins


@pytest.fixture
def net() -> FaceExpressionNet:
    torch.manual_seed(0)
    net = FaceExpressionNet(FaceExpressionSettings(detail=8, widths=(16, 32), blocks=(1, 1)))
    net.train()
    for _ in range(3):  # norms with statistics that matter
        net(torch.rand(8, 1, 48, 48))
    return net.eval()


def test_folding_the_norms_changes_no_answer(net: FaceExpressionNet) -> None:
    faces = torch.rand(4, 1, 48, 48)
    folded = fold_norms(net)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in folded.modules())
    for ours, theirs in zip(net(faces), folded(faces), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)


def test_the_file_gives_what_torch_gives(net: FaceExpressionNet, tmp_path: Path) -> None:
    file = tmp_path / "face.onnx"
    rounded = export_face(net, file, {"name": "test"})
    faces = torch.rand(33, 1, 48, 48)
    with torch.no_grad():
        embedding, logits = rounded(faces)
    embedder = FaceEmbedder(file)
    theirs = embedder.run(faces.numpy())
    assert np.abs(embedding.numpy() - theirs[0]).max() < 1e-4
    assert np.abs(logits.numpy() - theirs[1]).max() < 1e-4
    assert embedder.metadata["name"] == "test"
    floats = 4 * sum(p.numel() for p in net.parameters())
    assert file.stat().st_size < 100_000 + floats / 4


def test_a_near_copy_is_found() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (6, 1, 48, 48), generator=generator, dtype=torch.uint8)
    # Blocks of one grey value, so that the faces differ at 12 x 12 pixels too.
    images = images[:, :, ::4, ::4].repeat_interleave(4, 2).repeat_interleave(4, 3)
    darker = (images[2:3].float() * 0.8 + 10).to(torch.uint8)
    of = Faces(torch.cat([darker, images[:1]]), torch.tensor([0, 0]))
    among = Faces(images[1:], torch.zeros(5, dtype=torch.long))
    assert twins(of, among).tolist() == [True, False]


@pytest.mark.parametrize("name", CONDITIONS)
def test_each_condition_changes_a_face_the_same_way_each_time(name: str) -> None:
    rows, columns = np.mgrid[0:48, 0:48]
    face = (120 + 60 * np.sin(rows / 3.0) + 40 * np.cos(columns / 2.0)).astype(np.uint8)
    before = face.copy()
    changed = CONDITIONS[name](face)
    assert changed.shape == (48, 48)
    assert changed.dtype == np.uint8
    assert (face == before).all()
    assert (changed != face).any()
    assert (changed == CONDITIONS[name](face)).all()


def test_a_quarter_of_the_light() -> None:
    face = np.full((48, 48), 200, np.uint8)
    assert (CONDITIONS["dark (a quarter of the light)"](face) == 50).all()
