"""Training the joint audio-image CNNs: losses by hand, runs that resume, tables, bad input."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from training import joint_cnn_project as project  # noqa: E402

from aver.errors import CorpusError, RecipeError, TrainingError  # noqa: E402
from aver.models.joint_cnn_settings import NETWORKS, find_network  # noqa: E402
from aver.models.registry import ModelOutput  # noqa: E402
from aver.training.fit_data import TensorBatches  # noqa: E402
from aver.training.joint_cnn import run_all  # noqa: E402
from aver.training.joint_cnn_data import standardised  # noqa: E402
from aver.training.joint_cnn_loss import JointCnnLoss, LossSettings  # noqa: E402
from aver.training.joint_cnn_picture import draw_curves  # noqa: E402
from aver.training.joint_cnn_run import Place, Runner, accuracies, single_class_batches  # noqa: E402
from aver.training.joint_cnn_table import cell_rows, comparison_rows, curve_rows  # noqa: E402
from aver.training.recipe import load_recipe  # noqa: E402

# Two classes; logits (log 3, 0) give probabilities 3/4 and 1/4.
LOGIT = math.log(3.0)
RIGHT, WRONG = -math.log(0.75), -math.log(0.25)


class Says(torch.nn.Module):
    """A network that says what it is told."""

    def __init__(self, pair, audio=None, image=None):
        super().__init__()
        heads = {"audio": audio, "image": image}
        self.out = ModelOutput(pair, {k: v for k, v in heads.items() if v is not None}, {})

    def forward(self, streams, masks):
        return self.out


def rows(labels, **extra):
    return TensorBatches({}, {}, torch.tensor(labels), extra)


def logits(*first):
    """Logits whose first class has log 3 (1), or whose second has (0)."""
    return torch.tensor([[LOGIT, 0.0] if one else [0.0, LOGIT] for one in first])


def test_joint_loss_by_hand():
    """Cross entropy of the audio plus beta times that of the image; the pair does not count."""
    network = Says(logits(0, 0), audio=logits(1, 1), image=logits(1, 0))
    loss = JointCnnLoss("joint", LossSettings(beta=0.5))(network, rows([0, 0]))
    assert loss.item() == pytest.approx(RIGHT + 0.5 * (RIGHT + WRONG) / 2, abs=1e-6)
    alone = JointCnnLoss("joint", LossSettings(beta=0.0))(network, rows([0, 0]))
    assert alone.item() == pytest.approx(RIGHT, abs=1e-6)


def test_probes_loss_is_the_sum_of_three_by_hand():
    network = Says(logits(1, 1), audio=logits(0, 0), image=logits(1, 0))
    loss = JointCnnLoss("probes")(network, rows([0, 0]))
    assert loss.item() == pytest.approx(RIGHT + WRONG + (RIGHT + WRONG) / 2, abs=1e-6)
    weighted = JointCnnLoss("probes", LossSettings(probe_weight=2.0))(network, rows([0, 0]))
    assert weighted.item() == pytest.approx(RIGHT + 2 * WRONG + (RIGHT + WRONG), abs=1e-6)


def test_plain_loss_is_the_cross_entropy_by_hand():
    assert JointCnnLoss("cross_entropy")(Says(logits(1, 0)), rows([0, 0])).item() == pytest.approx(
        (RIGHT + WRONG) / 2, abs=1e-6
    )


def test_distilled_loss_by_hand():
    network = Says(logits(1), audio=torch.tensor([[1.0, 3.0]]), image=torch.tensor([[0.0, 2.0]]))
    teachers = {
        "audio_teacher": torch.tensor([[2.0, 0.0]]),
        "image_teacher": torch.tensor([[0.0, 2.0]]),
    }
    settings = LossSettings(distillation_weight=0.1)
    loss = JointCnnLoss("distilled", settings)(network, rows([0], **teachers))
    # The audio probe is off by 1 and 3: a mean square of 5. The image probe matches.
    assert loss.item() == pytest.approx(RIGHT + 0.1 * 5.0, abs=1e-6)

    soft = LossSettings(distillation_weight=1.0, distance="divergence", temperature=2.0)
    network = Says(logits(1), audio=torch.zeros(1, 2), image=torch.tensor([[0.0, 2.0]]))
    teachers["audio_teacher"] = torch.tensor([[2 * LOGIT, 0.0]])
    loss = JointCnnLoss("distilled", soft)(network, rows([0], **teachers))
    # At temperature 2 the teacher says 3/4, 1/4 and the probe 1/2, 1/2.
    divergence = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert loss.item() == pytest.approx(RIGHT + 4 * divergence, abs=1e-6)
    with pytest.raises(TrainingError, match="no logits of the audio teacher"):
        JointCnnLoss("distilled")(network, rows([0]))


def test_standardised_by_the_training_rows_by_hand():
    values = np.array([[[1.0], [9.0]], [[3.0], [5.0]], [[7.0], [0.0]]], np.float32)
    present = np.array([[True, False], [True, True], [True, True]])
    # The training rows' stretches that are there: 1, 3, 5 (mean 3, spread sqrt(8/3)).
    found = standardised(values, present, np.array([0, 1]))
    spread = math.sqrt(8 / 3)
    expected = [[-2 / spread, 0], [0, 2 / spread], [4 / spread, -3 / spread]]
    assert np.allclose(found[:, :, 0], expected)
    # A copied recording counts as often as it stands there: 1, 1, 3, 5, mean 2.5.
    assert standardised(values, present, np.array([0, 0, 1]))[1, 0, 0] > 0


TABLED = ["audio_cnn", "image_cnn", "probes", "joint_loss"]


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Some networks on two splits with two seeds, and all on one; a few epochs."""
    chosen = project.recipe(
        networks=TABLED,
        splits=["subjects", "text"],
        seeds=[0, 1],
        training={"epochs": 8, "batch": 8, "learning_rate": 0.03},
    )
    data = project.data(chosen)
    home = tmp_path_factory.mktemp("runs")
    cells, failed = run_all(data, home)
    once = {"networks": tuple(NETWORKS), "splits": ("subjects",), "seeds": (0,)}
    more, more_failed = run_all(replace(data, recipe=chosen.model_copy(update=once)), home)
    assert not failed
    assert not more_failed
    assert len(list(home.iterdir())) == 2 * 2 * len(TABLED) + len(NETWORKS) - len(TABLED)
    return data, home, {(c.network, c.split): c for c in (*more, *cells)}


def test_every_network_learns_what_can_be_learnt(everything):
    _, _, cells = everything
    assert {name for name, _ in cells} == set(NETWORKS)
    for (name, _), cell in cells.items():
        for predictions, report in cell.seeds[:1]:
            assert report.accuracy["train"] > 0.8, (name, report.accuracy)
            assert set(report.accuracy) == {"train", "validation", "test"}
            right = (predictions.decided() == predictions.label).mean()
            assert right == pytest.approx(report.accuracy["test"], abs=1e-6)
            assert report.epoch == 8
            heads = NETWORKS[name].heads
            assert set(report.heads) == {f"{s}/{h}" for s in report.accuracy for h in heads}
            assert list(report.curves) == ["pair", *heads]
            assert all(len(curve) == 8 for curve in report.curves.values())
            last = report.curves["pair"][-1]
            assert last == pytest.approx(report.accuracy["validation"])
            assert report.seconds_per_epoch > 0
        assert cell.cost.seconds_per_epoch > 0
        assert cell.cost.milliseconds_per_clip > 0


def test_what_is_done_is_not_done_again(everything, monkeypatch):
    data, home, cells = everything
    place = Place("probes", "subjects", "80-10-10", 0)
    runner = Runner(data, home)
    monkeypatch.setattr(Runner, "_train", lambda *_: pytest.fail("trained again"))
    predictions, report = runner.run(place)
    kept, before = cells["probes", "subjects"].seeds[0]
    assert report == before
    assert np.array_equal(predictions.scores, kept.scores)


def test_other_settings_are_another_run(everything):
    data, home, _ = everything
    place = Place("probes", "subjects", "80-10-10", 0)
    changed = data.recipe.loss.model_copy(update={"probe_weight": 0.5})
    other = replace(data, recipe=data.recipe.model_copy(update={"loss": changed}))
    assert Runner(data, home).folder(place) != Runner(other, home).folder(place)
    same = replace(data, recipe=data.recipe.model_copy(update={"networks": ("probes",)}))
    assert Runner(data, home).folder(place) == Runner(same, home).folder(place)


def test_resumes_to_the_same_result(tmp_path, everything):
    data, _, cells = everything
    place = Place("probes", "text", "80-10-10", 1)
    calls = []

    def interrupt(told):
        calls.append(told)
        if told.epoch == 5:
            raise KeyboardInterrupt

    often = data.recipe.training.model_copy(update={"checkpoint_every": 1})
    chosen = replace(data, recipe=data.recipe.model_copy(update={"training": often}))
    stopped = Runner(chosen, tmp_path, progress=interrupt)
    import aver.training.fit_run as engine

    with pytest.MonkeyPatch.context() as patch:
        # Told at every step, not some times a second.
        patch.setattr(engine.time, "perf_counter", iter(range(10**9)).__next__)
        with pytest.raises(KeyboardInterrupt):
            stopped.run(place)
    assert calls
    predictions, report = Runner(chosen, tmp_path).run(place)
    kept, before = cells["probes", "text"].seeds[1]
    assert np.array_equal(predictions.scores, kept.scores)
    assert report.curves == before.curves


def test_the_probes_of_the_distilled_network_come_near_their_teachers(everything):
    data, home, _ = everything
    runner, place = Runner(data, home), Place("distilled_probes", "subjects", "80-10-10", 0)
    taught = runner.teacher_logits(place)["train"]
    divided = runner.divided(place)
    train = divided.rows(find_network(place.network))["train"]
    network = runner._network(place, train)
    loss = JointCnnLoss("distilled", LossSettings(distillation_weight=1.0))
    batch = TensorBatches(train.streams, train.masks, train.labels, taught)
    untrained = loss(network, batch).item()
    from safetensors.torch import load_file

    network.load_state_dict(load_file(runner.folder(place) / "model.safetensors"))
    assert loss(network, batch).item() < 0.5 * untrained


def test_table_of_everything(everything, tmp_path):
    data, _, cells = everything
    each = [cells[name, split] for name in TABLED for split in ("subjects", "text")]
    found = [row for cell in each for row in cell_rows(data, cell, "aver reproduce x")]
    named = {(row.experiment, row.metric): row for row in found}
    assert len(named) == len(found)
    row = named["test/text 80-10-10/probes", "accuracy"]
    assert row.paper == 0.91
    assert row.low <= row.value <= row.high
    assert "LEAKS" in row.protocol
    assert (
        "nothing stands on both sides"
        in named["test/subjects 80-10-10/probes", "accuracy"].protocol
    )
    both = named["test/text 80-10-10/joint_loss", "mean_of_both_accuracy"]
    heads = [
        named["test/text 80-10-10/joint_loss", f"{h}_by_itself_accuracy"].value
        for h in ("audio", "image")
    ]
    assert both.value == pytest.approx(sum(heads) / 2, abs=1e-4)
    assert both.paper == 0.78
    for metric in ("parameters", "training_seconds_per_epoch", "inference_milliseconds_per_clip"):
        assert named["test/subjects 80-10-10/audio_cnn", metric].value > 0

    compared = {(r.experiment, r.metric): r for r in comparison_rows(data, each, "aver x")}
    one = cells["probes", "subjects"].predictions, cells["image_cnn", "subjects"].predictions
    gap = [(p.decided() == p.label).mean() for p in one]
    row = compared["test/subjects 80-10-10/probes against image_cnn", "difference_of_accuracy"]
    assert row.value == pytest.approx(gap[0] - gap[1], abs=1e-4)
    flattered = compared["test/text against subjects 80-10-10/probes", "flattered_by"]
    text = cells["probes", "text"].predictions
    expected = (text.decided() == text.label).mean() - gap[0]
    assert flattered.value == pytest.approx(expected, abs=1e-4)


def test_curves_in_figures_and_as_a_picture(everything, tmp_path):
    data, _, cells = everything
    curves = {
        "pair": [[0.2, 0.6, 0.9, 0.9], [0.2, 0.6, 0.9, 0.9]],
        "audio": [[0.1, 0.5, 0.5, 0.5]] * 2,
        "image": [[0.3, 0.3, 0.4, 0.6]] * 2,
    }
    rows = curve_rows(data, cells["probes", "subjects"], curves, "aver x")
    found = {row.metric: row.value for row in rows}
    assert found == {
        "epochs_pair_above_both": 3,
        "pair_last": 0.9,
        "pair_epoch_within_5_percent_of_its_top": 3,
        "audio_last": 0.5,
        "audio_epoch_within_5_percent_of_its_top": 2,
        "image_last": 0.6,
        "image_epoch_within_5_percent_of_its_top": 4,
    }
    picture = tmp_path / "curves.png"
    draw_curves({"one": curves, "two": curves}, picture, chance=1 / 3)
    assert picture.read_bytes()[:4] == b"\x89PNG"
    first = picture.read_bytes()
    draw_curves({"one": curves, "two": curves}, picture, chance=1 / 3)
    assert picture.read_bytes() == first


def test_a_loss_that_is_not_finite_stops_one_run_and_keeps_the_others(tmp_path):
    chosen = project.recipe(
        networks=["audio_cnn", "probes"],
        training={"epochs": 6, "batch": 8, "learning_rate": 1e18, "checkpoint_every": 1},
    )
    data = project.data(chosen)
    kept = Runner(data, tmp_path).folder(Place("audio_cnn", "subjects", "80-10-10", 0))
    calm = project.recipe(
        networks=["audio_cnn"], training=chosen.training.model_copy(update={"learning_rate": 0.01})
    )
    cells, failed = run_all(replace(data, recipe=calm), tmp_path)
    assert len(cells) == 1
    assert not failed
    cells, failed = run_all(data, tmp_path)
    assert cells == []
    assert len(failed) == 2
    assert "audio_cnn, subjects 80-10-10, seed 0: epoch" in failed[0]
    assert "not finite" in failed[0]
    assert "\n" not in failed[0]
    assert not (kept / "report.json").exists()
    assert len(list(tmp_path.glob("audio_cnn*/report.json"))) == 1, "the calm run is there"


def test_batches_of_a_single_class():
    chosen = project.recipe(training={"epochs": 1, "batch": 1})
    train = project.data(chosen).divided("subjects", "80-10-10", 0).rows(find_network("probes"))
    with pytest.raises(TrainingError, match="all 96 batches of an epoch hold a single class"):
        single_class_batches(train["train"], chosen, 0)
    few = TensorBatches({}, {}, torch.tensor([0] * 8 + [1]))
    told = single_class_batches(few, project.recipe(training={"batch": 3}), 0)
    assert told == ["2 of 3 batches hold a single class"]
    assert single_class_batches(train["train"], project.recipe(), 0) == []


def test_accuracies_by_hand():
    network = Says(logits(1, 1, 0), audio=logits(0, 0, 0), image=logits(1, 1, 1))
    network.weight = torch.nn.Parameter(torch.zeros(1))
    found = accuracies(network, rows([0, 0, 0]))
    assert found == pytest.approx({"pair": 2 / 3, "audio": 0.0, "image": 1.0})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('networks = ["probe"]', "Did you mean 'probes'"),
        ('networks = ["probes", "probes"]', "twice"),
        ('shares = ["70-30"]', "80-10-10"),
        ('splits = ["subject"]', "subjects"),
        ('epochs = "last"', "did you mean 'epoch'"),
        ('epoch = "validation"\nshares = ["50-50"]', "needs validation rows"),
        ('curves = "concatenation"', "curves names a network"),
        ('classes = ["hapy", "sad"]', "did you mean 'happy'"),
        ("[model]\naudio_kernel = 4", "odd"),
        ('[images]\ncorpus = "fer2012"', "fer2013"),
        ("[audio.mfcc]\nwindow_seconds = 1.0", "set by the network"),
        ("[audio.mfcc]\ncoeficients = 40", "did you mean 'coefficients'"),
        ("[training]\nmomentm = 0.9", "momentum"),
    ],
)
def test_recipes_that_cannot_be(tmp_path, change, told):
    plain = 'task = "joint_cnn"\nname = "x"\n'
    plain += "" if change.startswith("networks") else 'networks = ["probes"]\n'
    file = tmp_path / "recipe.toml"
    file.write_text(plain + change + "\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(file)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_shipped_recipes_are_the_reports():
    from conftest import ROOT

    read = [load_recipe(ROOT / "recipes" / f"joint_cnn_experiment{n}.toml")[0] for n in (1, 2, 3)]
    assert set(read[0].networks) == set(NETWORKS)
    assert set(read[1].shares) == {"50-50", "25-75"}
    assert read[2].curves == "probes"
    for recipe in read:
        assert recipe.training.optimiser == "sgd"
        assert recipe.training.momentum > 0
        assert recipe.training.epochs == 25
        assert {"subjects", "text"} <= set(recipe.splits)
        assert len(recipe.seeds) >= 3


def test_classes_without_one_modality_are_told():
    from aver.training.joint_cnn_data import _classes

    with pytest.raises(CorpusError, match=r"'calm': has recordings but no images.*neutral_faces"):
        _classes(project.recipe(classes=["calm", "sad"]), {"calm", "sad"}, {"sad"})
    with pytest.raises(CorpusError, match="'sad': has images but no recordings"):
        _classes(project.recipe(classes=["happy", "sad"]), {"happy"}, {"happy", "sad"})
    with pytest.raises(CorpusError, match="recordings: are none"):
        _classes(project.recipe(), set(), {"happy"})
    with pytest.raises(CorpusError, match="images: are none"):
        _classes(project.recipe(), {"happy"}, set())
    with pytest.raises(CorpusError, match="share 1"):
        _classes(project.recipe(), {"happy", "sad"}, {"happy"})
    classes, remarks = _classes(project.recipe(), {"happy", "calm", "sad"}, {"happy", "sad"})
    assert classes == ("happy", "sad")
    assert remarks == ("calm is left out: it has recordings but no images",)


def test_clips_of_crema_d_through_the_command_line(shared, tmp_path):
    """Three clips of one actor: frames are found and joined, and a division is refused in a line,
    for there is nobody else to test on."""
    from typer.testing import CliRunner

    from aver.cli.main import app
    from aver.features.extractor import Clip, make_extractor

    clip = shared / "data" / "crema_d_sample" / "1001_DFA_HAP_XX.flv"
    found = make_extractor("joined_frames", detector="dlib").extract(Clip(clip))
    # The clip lasts 1.87 s: joined images begin at 0, 0.5 and 1 s, a fourth would outlast it.
    assert len(found) == 3
    assert found.present.all()
    assert np.allclose(found.times[1], [0.5, 1.0])
    left, right = found.values[0, :, :48], found.values[0, :, 48:]
    assert 0.1 < left.std() < 0.4
    alike = np.corrcoef(left.ravel(), right.ravel())[0, 1]
    assert 0.5 < alike < 0.999, "the same face, half a second later"

    recipe = tmp_path / "clips.toml"
    recipe.write_text(
        'task = "joint_cnn"\nname = "clips"\nnetworks = ["probes"]\n'
        '[audio]\ncorpus = "crema_d"\nfolder = "crema_d_sample"\n'
        '[images]\nsource = "clips"\ncorpus = "crema_d"\nfolder = "crema_d_sample"\n'
        'detector = "dlib"\n'
    )
    told = CliRunner().invoke(
        app,
        ["reproduce", str(recipe), "--data", str(shared / "data"), "--out", str(tmp_path / "out")],
    )
    assert told.exit_code == 1
    assert told.exception is not None
    assert "1 subjects for 3 folds" in str(told.exception)
    assert not list(tmp_path.glob("out/*.csv"))


def test_stills_through_the_command_line(shared, tmp_path):
    """Recordings of the sample clips with faces of a folder; nothing leaks, the table is there."""
    import cv2
    from typer.testing import CliRunner

    from aver.cli.main import app
    from aver.corpora.fer2013 import FER2013

    random = np.random.default_rng(0)
    for side, label in [(s, c) for s in ("train", "test") for c in FER2013]:
        folder = tmp_path / "data" / "fer2013" / side / label
        folder.mkdir(parents=True)
        for n in range(24):
            face = random.integers(0, 255, (48, 48), dtype=np.uint8)
            cv2.imwrite(str(folder / f"{side}{label}{n}.png"), face)
    source = shared / "data" / "crema_d_sample" / "1001_DFA_HAP_XX.flv"
    folder = tmp_path / "data" / "crema_d"
    folder.mkdir()
    for actor in range(1001, 1005):
        for word in ("ANG", "HAP"):
            (folder / f"{actor}_DFA_{word}_XX.flv").symlink_to(source)
    recipe = tmp_path / "stills.toml"
    recipe.write_text(
        'task = "joint_cnn"\nname = "stills"\nnetworks = ["equalised"]\nshares = ["50-50"]\n'
        'seeds = [0, 1]\nsplits = ["subjects", "text"]\n'
        '[audio]\ncorpus = "crema_d"\n[images]\nper_class = 12\n[training]\nepochs = 1\n'
    )
    out = tmp_path / "out"
    arguments = ["reproduce", str(recipe), "--data", str(tmp_path / "data"), "--out", str(out)]
    told = CliRunner().invoke(app, [*arguments, "--results", str(tmp_path / "results")])
    assert told.exit_code == 0, told.output
    assert (tmp_path / "results" / "stills.csv").exists()
    assert (out / "stills" / "equalised-text-50-50.parquet").exists()
    reports = [json.loads(f.read_text()) for f in out.glob("runs/*/report.json")]
    assert sorted(r["rows"]["train"] for r in reports) == [24, 24, 24, 24]
