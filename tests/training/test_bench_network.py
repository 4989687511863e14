"""Networks of the bench: the same again by seed, disturbances, a run folder that is kept."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.bench_project import FACE, MATER, make_project, write_recipe  # noqa: E402

from aver.errors import ModelError, RecipeError  # noqa: E402
from aver.evaluation.predictions import read_predictions  # noqa: E402
from aver.training.bench import Bench  # noqa: E402
from aver.training.bench_data import load_rows  # noqa: E402
from aver.training.bench_keep import load_kept  # noqa: E402
from aver.training.bench_network import AugmentedCrossEntropy, scores_of  # noqa: E402
from aver.training.bench_system import Augment  # noqa: E402
from aver.training.fit import TensorBatches  # noqa: E402
from aver.training.recipe import load_recipe  # noqa: E402

DISTURBED = MATER + "augment = { noise = 0.1, drop_window = 0.2, drop_stream = 0.3, mix = 0.3 }\n"

pytestmark = pytest.mark.usefixtures("few_draws")


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "data", people=4, takes=2)


def bench_of(project, *systems, **changes):
    recipe, _ = load_recipe(write_recipe(project, *systems, **changes))
    out = project / "out"
    out.mkdir(exist_ok=True)
    return Bench(recipe, load_rows(recipe, project, out, out / "features", tell=lambda _: None))


def test_the_same_seed_is_the_same_network(project):
    found = []
    for seed in (0, 0, 1):
        bench = bench_of(project, DISTURBED)
        fold = bench.data.split.folds[0]
        found.append(bench.test_scores(bench.recipe.system("mater"), fold, seed))
    assert np.array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])
    assert np.allclose(found[0].sum(axis=1), 1)


def test_members_are_averaged_in_the_logarithm(project):
    class Fixed(torch.nn.Module):
        classes = 2

        def __init__(self, logits):
            super().__init__()
            self.fixed = torch.tensor([logits])

        def forward(self, streams, masks):
            from aver.models.registry import ModelOutput

            count = len(next(iter(masks.values())))
            return ModelOutput(self.fixed.expand(count, -1), {}, {})

    bench = bench_of(project, MATER)
    streams = bench.prepared(bench.recipe.system("mater"), np.arange(12))
    scores = scores_of([Fixed([2.0, 0.0]), Fixed([0.0, 1.0])], streams, np.arange(3))
    # Mean logits 1 and 0.5: e^0.5 to 1.
    assert scores[:, 0].tolist() == pytest.approx([np.exp(0.5) / (1 + np.exp(0.5))] * 3)


def batch(rows=64):
    generator = torch.Generator().manual_seed(0)
    return TensorBatches(
        {"voice": torch.randn(rows, 4, 2, generator=generator), "face": torch.ones(rows, 1, 3)},
        {"voice": torch.ones(rows, 4, dtype=torch.bool), "face": torch.ones(rows, 1) > 0},
        torch.arange(rows) % 3,
    )


def test_dropping_leaves_every_clip_something():
    loss = AugmentedCrossEntropy(augment=Augment(drop_window=0.9, drop_stream=1.0))
    torch.manual_seed(0)
    masks = loss.disturbed(batch()).masks
    there = torch.stack([mask.any(dim=1) for mask in masks.values()])
    assert (there.sum(dim=0) == 1).all()
    # Either stream is taken away at times.
    assert there.any(dim=1).all()
    assert masks["voice"].float().mean() < 0.3


def test_noise_is_relative_and_only_where_windows_are():
    loss = AugmentedCrossEntropy(augment=Augment(noise=0.5), size={"voice": 4.0, "face": 0.0})
    clean = batch(512)
    clean.masks["voice"][:, 0] = False
    torch.manual_seed(0)
    moved = loss.disturbed(clean)
    difference = moved.streams["voice"] - clean.streams["voice"]
    assert torch.count_nonzero(difference[:, 0]) == 0
    assert difference[:, 1:].std() == pytest.approx(2.0, rel=0.05)
    assert torch.equal(moved.streams["face"], clean.streams["face"])


def test_nothing_is_disturbed_outside_training():
    class Network(torch.nn.Module):
        def forward(self, streams, masks):
            from aver.models.registry import ModelOutput

            logits = streams["voice"].sum(dim=1) @ torch.ones(2, 3)
            return ModelOutput(logits * torch.arange(3.0), {}, {})

    harsh = Augment(noise=3, drop_window=0.5, drop_stream=0.5, mix=0.5)
    loss = AugmentedCrossEntropy(augment=harsh)
    network = Network().eval()
    assert loss(network, batch()) == AugmentedCrossEntropy()(network, batch())
    torch.manual_seed(0)
    assert loss(network.train(), batch()) != AugmentedCrossEntropy()(network, batch())


def test_train_leaves_a_run_that_can_be_loaded(project):
    changes = {'baseline = "guess"': 'baseline = "guess"\ntrain = "mater"\ntrain_on = "split"'}
    changes |= {'extractor = "clip_table"': 'extractor = "clip_table"\ntransform = "sqrt"'}
    changes |= {"[training]": "[normalise]\nclip = 2\n[training]"}
    recipe, train = load_recipe(write_recipe(project, FACE, MATER, changes=changes))
    out = project / "run"
    train(recipe, project, out)
    about = json.loads((out / "run.json").read_text())
    assert about["model"] == "mater"
    assert about["labels"] == ["calm", "happy", "sad"]
    assert about["dimensions"] == {"face": 3, "voice": 2}
    assert about["windows"] == {"face": 1, "voice": 4}
    assert not set(about["seen_subjects"]) & set(about["test_subjects"])
    assert about["epochs_run"] == 3
    assert about["extractors"]["face"]["name"] == "clip_table"

    network, kept = load_kept(out)
    assert kept["labels"] == about["labels"]
    data = load_rows(recipe, project, out, out / "features", tell=lambda _: None)
    rows = data.split.folds[0].test
    raw = {n: torch.from_numpy(s.values[rows]) for n, s in data.streams.items()}
    # Rows come with the recipe's root taken, which the kept network takes by itself.
    raw["face"] = raw["face"].sign() * raw["face"].square()
    masks = {n: torch.from_numpy(s.present[rows]) for n, s in data.streams.items()}
    with torch.no_grad():
        scores = network(raw, masks).logits.softmax(dim=1).numpy()
    predictions = read_predictions(out / "predictions.parquet")
    assert np.allclose(scores, predictions.scores, atol=1e-5)


def test_what_cannot_be_kept(project, tmp_path):
    recipe, train = load_recipe(write_recipe(project, FACE))
    with pytest.raises(RecipeError, match="has no network"):
        train(recipe, project, project / "run")
    changes = {'baseline = "guess"': 'baseline = "guess"\ntrain = "face"'}
    recipe, train = load_recipe(write_recipe(project, FACE, MATER, changes=changes))
    with pytest.raises(RecipeError, match="is no network but logistic_regression"):
        train(recipe, project, project / "run")
    with pytest.raises(ModelError, match="is not there"):
        load_kept(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(ModelError, match="is no run of the bench"):
        load_kept(tmp_path)
