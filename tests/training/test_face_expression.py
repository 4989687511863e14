import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from aver.features.face_embedding import FaceEmbedder
from aver.labels import FER2013
from aver.training.face_data import Faces, FaceSplit, ShuffledIndices, load_split
from aver.training.face_expression import (
    FaceExpressionRecipe,
    FaceTraining,
    class_weights,
    train_face_expression,
)
from aver.training.recipe import load_recipe

ROOT = Path(__file__).resolve().parents[2]


def _recipe(**training: object) -> FaceExpressionRecipe:
    settings = {"epochs": 2, "batch": 14, "half_precision": False}
    return FaceExpressionRecipe.model_validate(
        {
            "task": "face_expression",
            "name": "face_expression",
            "data": {"validation_part": 0.25},
            "model": {"detail": 4, "widths": [8], "blocks": [1], "embedding": 512, "squeeze": 4},
            "training": {**settings, "sizes": [[0, 32], [1, 40]], **training},
        }
    )


@pytest.fixture
def split() -> FaceSplit:
    generator = torch.Generator().manual_seed(0)

    def faces(count: int) -> Faces:
        images = torch.randint(0, 256, (count, 1, 48, 48), generator=generator, dtype=torch.uint8)
        return Faces(images, torch.arange(count) % 7)

    return FaceSplit(faces(28), faces(14), faces(14))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Seven expressions that are easy to tell: stripes across or along, wide to narrow, or none."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:48, 0:48]
    for group, each in (("train", 24), ("test", 4)):
        for place, label in enumerate(FER2013):
            folder = tmp_path / "data" / "fer2013" / group / label
            folder.mkdir(parents=True)
            for n in range(each):
                along = (rows, columns)[place % 2]
                wave = np.sin(along * (0.3, 0.7, 1.5, 0.0)[place // 2] + rng.random() * 6)
                face = (120 + 60 * wave + rng.normal(0, 8, (48, 48))).astype(np.uint8)
                cv2.imwrite(str(folder / f"{group}{label}{n}.png"), face)
    return tmp_path / "data"


def test_the_target_is_the_smoothed_label_at_first(split: FaceSplit) -> None:
    training = FaceTraining(_recipe(label_smoothing=0.14, own_shares=[[1, 0], [2, 1]]), split)
    training.own[:] = torch.eye(7)[3]
    target = training._targets(torch.tensor([0]), torch.tensor([5]))
    assert target[0].tolist() == pytest.approx([0.02, 0.02, 0.02, 0.02, 0.02, 0.88, 0.02])


def test_the_target_moves_towards_what_the_network_said(
    split: FaceSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = _recipe(label_smoothing=0.0, own_shares=[[2, 0], [6, 0.4]])
    training = FaceTraining(recipe, split)
    training.own[1] = 0.3 * torch.eye(7)[3]
    rows, labels = torch.tensor([0, 1]), torch.tensor([5, 5])
    for epoch, share in ((2, 0.0), (4, 0.2), (6, 0.4), (50, 0.4)):
        monkeypatch.setattr(FaceTraining, "current_epoch", epoch)
        target = training._targets(rows, labels)
        assert target[0].tolist() == pytest.approx([0, 0, 0, 0, 0, 1, 0])
        assert target[1].tolist() == pytest.approx([0, 0, 0, share, 0, 1 - share, 0])


def test_the_learning_rate_rises_stays_and_falls(split: FaceSplit) -> None:
    plan = [[0, 0], [2, 1], [6, 1], [10, 0]]
    recipe = _recipe(epochs=10, batch=14, rates=plan, learning_rate=0.2)
    schedule = FaceTraining(recipe, split).configure_optimizers()["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(20):
        rates.append(schedule.get_last_lr()[0])
        schedule.optimizer.step()
        schedule.step()
    assert rates[:5] == pytest.approx([0.025, 0.075, 0.125, 0.175, 0.2])
    assert rates[11:] == pytest.approx(
        [0.2, 0.1875, 0.1625, 0.1375, 0.1125, 0.0875, 0.0625, 0.0375, 0.0125]
    )


def test_class_weights_between_alike_faces_and_alike_classes() -> None:
    sizes = torch.tensor([400, 100])
    assert class_weights(sizes, 0.0).tolist() == pytest.approx([1, 1])
    assert class_weights(sizes, 1.0).tolist() == pytest.approx([0.625, 2.5])
    half = class_weights(sizes, 0.5)
    assert float(half[1] / half[0]) == pytest.approx(2)
    assert float((half * sizes).sum()) == pytest.approx(500)


def test_norms_and_biases_do_not_decay(split: FaceSplit) -> None:
    optimizer = FaceTraining(_recipe(), split).configure_optimizers()["optimizer"]
    decaying, rest = optimizer.param_groups
    assert decaying["weight_decay"] > 0
    assert rest["weight_decay"] == 0
    assert all(p.ndim > 1 for p in decaying["params"])
    assert all(p.ndim == 1 for p in rest["params"])


def test_each_epoch_is_its_own_shuffle_of_all_rows() -> None:
    first = torch.cat(list(ShuffledIndices(20, 5, seed=1, epoch=0)))
    assert sorted(first.tolist()) == list(range(20))
    assert first.tolist() == torch.cat(list(ShuffledIndices(20, 5, 1, 0))).tolist()
    assert first.tolist() != torch.cat(list(ShuffledIndices(20, 5, 1, 1))).tolist()


def test_the_split_holds_each_face_once(data: Path) -> None:
    split = load_split(data / "fer2013", 0.25)
    assert len(split.train) + len(split.validation) == 7 * 24
    assert len(split.test) == 7 * 4
    train, validation = ({bytes(i.numpy()) for i in p.images} for p in split[:2])
    assert not train & validation
    assert len(train | validation) == 7 * 24


def test_it_learns_exports_and_measures(data: Path, tmp_path: Path) -> None:
    plan = [[0, 0], [1, 1], [4, 1], [8, 0]]
    recipe = _recipe(epochs=8, batch=16, rates=plan, own_shares=[[2, 0], [8, 0.3]], average=0.8)
    out = tmp_path / "run"
    train_face_expression(recipe, data, out)
    report = json.loads((out / "report.json").read_text())
    assert report["test_accuracy"] > 0.6
    assert sum(map(sum, report["test_confusion"])) == 28
    assert "test,accuracy" in (out / "results.csv").read_text()
    assert "| surprise |" in (out / "card.md").read_text()
    faces = load_split(data / "fer2013", 0.25).test
    embedder = FaceEmbedder(out / "face_expression.onnx")
    said = embedder.run(faces.images.numpy().astype(np.float32) / 255)[1].argmax(axis=1)
    assert (said == faces.labels.numpy()).mean() == pytest.approx(report["test_accuracy"])
    assert float(embedder.metadata["temperature"]) == pytest.approx(report["temperature"], rel=0.02)
    assert json.loads(embedder.metadata["labels"]) == list(FER2013)


def test_stopped_and_prolonged_it_is_the_same_run(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    monkeypatch.setattr(
        "aver.training.face_expression._finish",
        lambda training, corpus, out: ends.append(training.average.state_dict()),
    )
    plan = [[0, 0], [1, 1], [2.4, 1], [3, 0]]
    recipe = _recipe(epochs=3, batch=32, rates=plan, own_shares=[[1, 0], [3, 0.5]])
    short = recipe.model_copy(
        update={
            "training": recipe.training.model_copy(update={"epochs": 2, "rates": ((0, 0), (1, 1))})
        }
    )
    train_face_expression(recipe, data, tmp_path / "through")
    train_face_expression(short, data, tmp_path / "halved")
    train_face_expression(recipe, data, tmp_path / "halved")
    through, halved = (tmp_path / name / "progress.csv" for name in ("through", "halved"))
    assert len(through.read_text().splitlines()) == 1 + 3
    assert halved.read_text() == through.read_text()
    assert all(torch.allclose(ends[0][k], ends[2][k], atol=1e-5) for k in ends[0])
    assert not all(torch.allclose(ends[0][k], ends[1][k], atol=1e-5) for k in ends[0])


def test_the_shipped_recipe_is_one() -> None:
    recipe, function = load_recipe(ROOT / "recipes" / "face_expression.toml")
    assert isinstance(recipe, FaceExpressionRecipe)
    assert function is train_face_expression
    assert recipe.model.embedding == 512
