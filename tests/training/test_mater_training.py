"""Training MATER: learns what can be learnt, resumes to the same result, takes true clips."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from aver.inference.networks import FusionNetwork  # noqa: E402
from aver.labels import RAVDESS  # noqa: E402
from aver.models.mater import MaterSettings  # noqa: E402
from aver.training.mater import ClipBatches, MaterRecipe, MaterTraining, fit, predict  # noqa: E402
from aver.training.recipe import load_recipe  # noqa: E402
from aver.training.sequences import Sequences  # noqa: E402


def clips(count=96, classes=3, width=16, windows=4, seed=0):
    """Clips whose class is an axis of the voice and another of the face."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    faces = random.normal(0, 0.3, (count, windows, width)).astype(np.float32)
    voices = random.normal(0, 0.3, (count, windows, width)).astype(np.float32)
    faces[np.arange(count), :, labels] += 1.0
    voices[np.arange(count), :, classes + labels] += 1.0
    for x in (faces, voices):
        x /= np.linalg.norm(x, axis=-1, keepdims=True)
    mask = np.ones((count, windows), bool)
    mask[::5, 2:] = False
    subjects = np.array([f"s{i % 8}" for i in range(count)])
    return Sequences(voices, mask, labels.astype(np.int64), subjects, faces, mask.copy())


def recipe(epochs=6):
    return MaterRecipe(
        task="mater",
        name="test",
        seed=3,
        model=MaterSettings(
            classes=3, dimensions=16, windows=4, layers=1, heads=2, feed_forward=16
        ),
        training=MaterTraining(
            epochs=epochs, batch=16, learning_rate=3e-3, precision="32-true", noise=0.1
        ),
    )


@pytest.mark.filterwarnings("ignore")
def test_learns_both_branches_and_resumes_to_the_same_weights(tmp_path):
    straight = fit(recipe(), clips(), None, tmp_path / "straight")
    held_out = clips(seed=1)
    for name, logits in predict(straight, held_out).items():
        assert (logits.argmax(1) == held_out.labels).mean() > 0.9, name

    # Killed in its fifth epoch (of six), then started again.
    stopped = tmp_path / "stopped"

    class Killed(BaseException):
        pass

    def kill(trainer):
        if trainer.current_epoch == 4:
            raise Killed

    with pytest.raises(Killed):
        fit(recipe(), clips(), None, stopped, after_epoch=kill)
    assert [p.name for p in stopped.glob("*.ckpt")] == ["last.ckpt"]
    resumed = fit(recipe(), clips(), None, stopped)
    for one, two in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, two)


def test_batches_depend_on_seed_and_epoch_alone():
    settings = recipe().training

    def first_batch(epoch, seed=3):
        data = ClipBatches(clips(), None, settings, None, seed, epoch)
        return next(iter(data))

    one, two = first_batch(1), first_batch(1)
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not torch.equal(one["face"], first_batch(2)["face"])
    assert not torch.equal(one["face"], first_batch(1, seed=4)["face"])


def test_a_batch_never_loses_both_modalities():
    settings = recipe().training.model_copy(update={"drop_modality": 1.0, "drop_window": 0.5})
    data = ClipBatches(clips(), None, settings, None, 0)
    for batch in data:
        face, voice = batch["face_mask"].any(1), batch["voice_mask"].any(1)
        assert (face | voice).all()
        assert (face ^ voice).all()
        length = batch["face"].norm(dim=-1)
        assert torch.allclose(length, torch.ones_like(length), atol=1e-5)


CLIPS_RECIPE = """
task = "mater"
name = "three_clips"
[data]
source = "clips"
corpora = ["crema_d"]
[model]
layers = 1
feed_forward = 16
windows = 6
[training]
epochs = 1
batch = 2
precision = "32-true"
"""


@pytest.mark.filterwarnings("ignore")
def test_true_clips_run_through_end_to_end(shared, tmp_path):
    root = tmp_path / "data" / "crema_d" / "VideoFlash"
    shutil.copytree(shared / "data" / "crema_d_sample", root)
    path = tmp_path / "recipe.toml"
    path.write_text(CLIPS_RECIPE, encoding="utf-8")
    settings, train = load_recipe(path)
    out = tmp_path / "out"
    out.mkdir()
    train(settings, tmp_path / "data", out)
    network = FusionNetwork(out / "mater.onnx")
    assert (network.windows, network.labels) == (6, RAVDESS)
    assert json.loads((out / "report.json").read_text())["clips"] == 3

    from aver.inference.analyze import Analyzer
    from aver.inference.settings import AnalysisSettings

    analyzer = Analyzer(AnalysisSettings(fusion_network=str(out / "mater.onnx")))
    timeline = analyzer.analyze(next(root.glob("*.flv")))
    assert len(timeline.people) == 1
    assert timeline.select(modality="fused")
