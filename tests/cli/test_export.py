"""`aver export`: the file computes what torch does, the card says what it must."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("onnx")

import onnx  # noqa: E402
import onnxruntime  # noqa: E402

from aver.cli.main import app  # noqa: E402
from aver.errors import AverError, ModelError, PredictionsError  # noqa: E402
from aver.evaluation.predictions import Predictions, write_predictions  # noqa: E402
from aver.models.registry import make_model  # noqa: E402
from aver.training import run_export  # noqa: E402
from aver.training.bench_keep import load_kept  # noqa: E402
from aver.training.fit import FitSettings, TensorBatches, fit  # noqa: E402
from aver.training.run_card import card  # noqa: E402
from aver.training.run_export import export_run, random_clips, to_onnx  # noqa: E402

LABELS = ["neutral", "happy", "sad"]
WIDTHS, WINDOWS = {"voice": 24, "face": 8}, {"voice": 6, "face": 4}
SMALL = {
    "mater": {"layers": 1, "feed_forward": 16, "heads": 2},
}
PEOPLE = [f"ravdess/{n:02d}" for n in range(1, 5)]


def trained(folder, name="mater", **more):
    """A run folder as `aver train` leaves it, of noise."""
    torch.manual_seed(0)
    model = make_model(name, SMALL.get(name, {}), WIDTHS, WINDOWS, len(LABELS))
    random = torch.Generator().manual_seed(1)
    streams = {k: torch.randn(12, WINDOWS[k], d, generator=random) for k, d in WIDTHS.items()}
    masks = {k: torch.ones(12, WINDOWS[k], dtype=torch.bool) for k in WIDTHS}
    rows = TensorBatches(streams, masks, torch.arange(12) % 3)
    about = {
        "model": name,
        "settings": SMALL.get(name, {}),
        "dimensions": WIDTHS,
        "windows": WINDOWS,
        "labels": LABELS,
        "system": f"small_{name}",
        "recipe": "noise",
        "protocol": "2 folds of two actors each",
        "data": "RAVDESS speech, 12 clips",
        "train_subjects": PEOPLE[:2],
        "seen_subjects": PEOPLE[:3],
        "test_subjects": PEOPLE[3:],
        "extractors": {"voice": {"name": "mfcc", "coefficients": 24}, "face": {"name": "table"}},
        "normalisation": {
            "voice": {
                "mean": [3.0] * 24,
                "scale": [50.0] * 24,
                "unit_length": False,
                "bound": 5.0,
                "transform": "none",
            },
            "face": {
                "mean": [0.0] * 8,
                "scale": [1.0] * 8,
                "unit_length": True,
                "bound": 0.0,
                "transform": "log1p",
            },
        },
        "leak": "",
        **more,
    }
    text = {k: v if isinstance(v, str) else json.dumps(v) for k, v in about.items()}
    fit(model, None, rows, None, FitSettings(epochs=1, logger="none"), 0, folder, about=text)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("plain"), "mean_pool")


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """The export of MATER, with predictions of a stranger."""
    folder = tmp_path_factory.mktemp("exported")
    write_predictions(predictions(), folder / "predictions.parquet")
    return export_run(run, folder / "model.onnx", predictions=folder / "predictions.parquet")


def card_of(folder, scored=None):
    _, about = load_kept(folder)
    return card(about, "model.onnx", scored, difference=1e-6, clips=42, int8=False)


def predictions(subjects=("ravdess/04",), classes=tuple(LABELS)):
    count = 6 * len(subjects)
    random = np.random.default_rng(0)
    label = np.array(classes, dtype=object)[np.arange(count) % len(classes)]
    scores = random.dirichlet(np.ones(len(classes)), count)
    return Predictions(
        classes=classes,
        item=np.array([f"clip {n}" for n in range(count)]),
        subject=np.repeat(subjects, 6),
        fold=np.full(count, "0"),
        label=label,
        scores=scores,
    )


def answer(path, clips):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    values = {name: x.numpy() for name, x in zip(names, clips, strict=True)}
    return dict(
        zip([o.name for o in session.get_outputs()], session.run(None, values), strict=True)
    )


def test_the_file_computes_what_torch_does(run, exported):
    assert exported.difference <= 1e-4
    network, _ = load_kept(run)
    clips = random_clips(network, 5, seed=99)  # not a batch size or seed of the check itself
    streams, masks = (dict(zip(WIDTHS, clips[i::2], strict=True)) for i in (0, 1))
    with torch.no_grad():
        ours = network(streams, masks)
    theirs = answer(exported.model, clips)
    assert theirs["logits"].shape == (5, 3)
    assert np.abs(ours.logits.numpy() - theirs["logits"]).max() < 1e-4
    assert np.abs(ours.branches["face"].numpy() - theirs["face_logits"]).max() < 1e-4
    # What lies in a window that is not there does not matter.
    pairs = zip(clips[0::2], clips[1::2], strict=True)
    junk = [part for x, m in pairs for part in (torch.where(m[:, :, None], x, 1e6), m)]
    other = answer(exported.model, junk)["logits"]
    assert np.abs(other - theirs["logits"]).max() < 1e-4


def test_clips_of_the_check_have_all_lengths(run):
    network, _ = load_kept(run)
    voice, voice_mask, _, face_mask = random_clips(network, 200, seed=0)
    assert set(voice_mask.sum(1).tolist()) == set(range(1, 7))
    assert set(face_mask.sum(1).tolist()) == set(range(5))  # a stream may be missing altogether
    assert (voice_mask[:, :-1] < voice_mask[:, 1:]).any()  # gaps
    assert voice.mean().item() == pytest.approx(3.0, abs=2.0)
    assert voice.std().item() == pytest.approx(50.0, rel=0.05)


def test_metadata_can_be_read_by_a_machine(run, exported):
    entries = {e.key: e.value for e in onnx.load(exported.model).metadata_props}
    assert json.loads(entries["labels"]) == LABELS
    assert json.loads(entries["seen_subjects"]) == PEOPLE[:3]
    assert json.loads(entries["extractors"])["voice"] == {"name": "mfcc", "coefficients": 24}
    assert str(run) not in str(entries)


def test_int8_is_smaller_and_agrees_with_the_rounded_network(plain, tmp_path):
    whole = export_run(plain, tmp_path / "whole.onnx").model.stat().st_size
    done = export_run(plain, tmp_path / "small.onnx", int8=True)
    assert done.difference <= 1e-4
    assert done.model.stat().st_size < 0.6 * whole
    assert "weights with 8 bits" in done.card.read_text("utf-8")


def test_card_says_all_that_a_reader_must_know(exported):
    text = exported.card.read_text("utf-8")
    seen = re.search(r"^Subjects seen in training: (.*)\.$", text, re.MULTILINE)
    assert seen is not None
    assert re.findall(r"`([^`]+)`", seen[1]) == PEOPLE[:3]
    for word in ("Hiring", "Policing", "Classrooms", "Medical", "at work and in education"):
        assert word in text
    for said in (
        "RAVDESS speech, 12 clips",
        "ravdess: CC BY-NC-SA 4.0",
        "2 folds of two actors each",
        "mfcc (coefficients 24)",
        "had seen none of them",
        "people: 1.",
    ):
        assert said in text, said
    scored = predictions()
    right = (scored.label == scored.decided()).mean()
    assert f"| accuracy | {right:.3f} |" in text


def test_card_without_predictions_claims_no_figures(run):
    text = card_of(run)
    assert "Nothing on this very network" in text
    assert "| accuracy" not in text


def test_card_says_when_the_scored_people_were_seen_and_when_a_split_leaks(tmp_path):
    folder = trained(tmp_path / "run", "mean_pool", leak="to compare with a published figure")
    text = card_of(folder, predictions(("ravdess/01", "ravdess/04")))
    assert "this one has." in text
    assert "| accuracy |" in text
    assert "This split leaks, knowingly:** to compare with a published figure" in text


def test_difference_above_the_tolerance_is_refused_and_nothing_written(plain, tmp_path):
    with pytest.raises(ModelError, match=r"differ from torch by .* more than 0; not written"):
        export_run(plain, tmp_path / "model.onnx", tolerance=0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_gives_nan_is_refused(plain, tmp_path):
    network, about = load_kept(plain)
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="differ"):
        to_onnx(network, about, tmp_path / "model.onnx", tolerance=1e-4, int8=False)


def test_what_is_no_finished_run_is_one_line(run, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "running").mkdir()
    (tmp_path / "running" / "checkpoint.safetensors").write_bytes(b"")
    (tmp_path / "damaged").mkdir()
    content = (run / "model.safetensors").read_bytes()
    (tmp_path / "damaged" / "model.safetensors").write_bytes(content[:-10])
    (tmp_path / "a.txt").write_text("x")
    cases = {
        "empty": "holds no model.safetensors",
        "running": "holds a run that is not over",
        "running/checkpoint.safetensors": "not over",
        "damaged": "damaged",
        "a.txt": "is no run",
        "nowhere": "holds no model.safetensors",
    }
    for name, message in cases.items():
        with pytest.raises(ModelError, match=message) as caught:
            export_run(tmp_path / name, tmp_path / "model.onnx")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "model.onnx").exists()
    assert run_export.find_run(run / "model.safetensors") == run


def test_predictions_of_other_classes_or_missing_are_refused(run, tmp_path):
    write_predictions(predictions(classes=("a", "b")), tmp_path / "p.parquet")
    with pytest.raises(ModelError, match="of the classes a, b"):
        export_run(run, tmp_path / "model.onnx", predictions=tmp_path / "p.parquet")
    with pytest.raises(PredictionsError, match="not there"):
        export_run(run, tmp_path / "model.onnx", predictions=tmp_path / "none.parquet")


def test_command(plain, tmp_path):
    runner = CliRunner()
    out = tmp_path / "model.onnx"
    done = runner.invoke(app, ["export", str(plain), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "differs from torch by" in done.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.md", "model.onnx"]
    wrong = runner.invoke(app, ["export", str(plain), "--out", str(tmp_path / "model.bin")])
    assert wrong.exit_code == 2
    missing = runner.invoke(app, ["export", str(tmp_path), "--out", str(out)])
    assert isinstance(missing.exception, AverError)
