"""Systems over folds: nothing of a test fold is learned from, nothing is run twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

from training.bench_project import (
    CLASSES,
    FACE,
    MATER,
    STACKED,
    VOICE,
    make_project,
    write_recipe,
)

from aver.errors import AverError, RecipeError
from aver.evaluation.predictions import read_predictions
from aver.fusion import make_fusion
from aver.training import bench as bench_module
from aver.training.bench import Bench
from aver.training.bench_data import load_rows
from aver.training.bench_run import Wanted, reproduce, trainings
from aver.training.estimators import LogisticRegressionEstimator
from aver.training.recipe import load_recipe

pytestmark = pytest.mark.usefixtures("few_draws")


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "data")


def recipe_of(project, *systems, **changes):
    return load_recipe(write_recipe(project, *systems, **changes))[0]


def bench_of(project, *systems, cache=None, **changes):
    recipe = recipe_of(project, *systems, **changes)
    out = project / "out"
    out.mkdir(exist_ok=True)
    data = load_rows(recipe, project, out, out / "features", tell=lambda _: None)
    return Bench(recipe, data, cache)


def run(project, *systems, lines=None, **options):
    lines = [] if lines is None else lines
    changes = {k: options.pop(k) for k in ("changes", "seeds") if k in options}
    return reproduce(
        recipe_of(project, *systems, **changes), project, project / "out",
        tell=lines.append, **options,
    )  # fmt: skip


@pytest.fixture
def fitted(monkeypatch):
    """Which people each logistic regression learned from."""
    seen = []
    fit = LogisticRegressionEstimator.fit

    def spy(self, rows, labels, subjects, seed):
        seen.append(frozenset(subjects.tolist()))
        return fit(self, rows, labels, subjects, seed)

    monkeypatch.setattr(LogisticRegressionEstimator, "fit", spy)
    return seen


def test_it_learns(project):
    found = run(project, FACE, VOICE)
    right = {name: (p.decided() == p.label).mean() for name, p in found.items()}
    assert right["face"] > 0.6
    assert right["guess"] == pytest.approx(1 / 3)
    for predictions in found.values():
        assert sorted(predictions.item) == sorted(found["face"].item)
        assert len(predictions) == 72


def test_no_system_learns_from_a_tested_person(project, fitted):
    bench = bench_of(project, FACE, VOICE, STACKED)
    stacked = bench.recipe.system("stacked")
    for fold in bench.data.split.folds:
        fitted.clear()
        bench.test_scores(stacked, fold, 0)
        tested = set(bench.data.subjects[fold.test])
        # Two inner parts and the whole training set, for each of the two systems.
        assert len(fitted) == 6
        assert all(not people & tested for people in fitted)


def test_a_fitted_fusion_learns_from_scores_of_strangers(project, fitted):
    """Every training clip is scored by a system that had not seen its speaker."""
    bench = bench_of(project, FACE)
    fold = bench.data.split.folds[0]
    bench.held_out_scores(bench.recipe.system("face"), fold.train, 0)
    everybody = set(bench.data.subjects[fold.train])
    assert len(fitted) == 2
    assert fitted[0] | fitted[1] == everybody
    assert not fitted[0] & fitted[1]


def test_stacking_is_the_fusion_of_held_out_scores(project):
    bench = bench_of(project, FACE, VOICE, STACKED)
    fold = bench.data.split.folds[0]
    parts = [bench.recipe.system(name) for name in ("face", "voice")]
    fusion = make_fusion("stacking")
    held_out = np.stack([bench.held_out_scores(part, fold.train, 0) for part in parts])
    fusion.fit(held_out, bench.data.labels[fold.train])
    tested = [bench.scores(p, fold.train, fold.validation, fold.test, 0) for p in parts]
    found = bench.test_scores(bench.recipe.system("stacked"), fold, 0)
    assert np.allclose(found, fusion.predict(np.stack(tested)))


def test_normalisation_is_of_training_rows_alone(project):
    bench = bench_of(project, FACE)
    train = bench.data.split.folds[0].train
    prepared = bench.prepared(bench.recipe.system("face"), train)["face"]
    of_training = prepared.values[train][prepared.present[train]]
    assert np.allclose(of_training.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(of_training.std(axis=0), 1, atol=1e-4)
    assert not np.allclose(prepared.values.mean(axis=(0, 1)), 0, atol=1e-5)


def test_per_person_calibration_helps_where_people_differ(project):
    plain = run(project, FACE)["face"]
    changes = {"[training]": '[normalise]\nperson = "mean"\n[training]'}
    lines = []
    calibrated = run(project, FACE, changes=changes, lines=lines)["face"]
    assert (calibrated.decided() == calibrated.label).mean() > (
        plain.decided() == plain.label
    ).mean()
    table = (project / "out" / "tiny" / "tiny.csv").read_text()
    assert "per-person calibration (mean) on unlabelled clips" in table


def test_a_second_run_trains_nothing(project, monkeypatch):
    first = run(project, FACE, VOICE, STACKED, MATER)

    def refuse(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(bench_module, "make_estimator", refuse)
    monkeypatch.setattr("aver.training.bench_network.fit", refuse)
    second = run(project, FACE, VOICE, STACKED, MATER)
    for name, predictions in first.items():
        assert np.array_equal(predictions.scores, second[name].scores)


def test_changed_settings_run_again_others_do_not(project, fitted):
    run(project, FACE, VOICE)
    fitted.clear()
    # A new name, figure or neighbour changes nothing; another setting does.
    renamed = FACE.replace('name = "face"', 'name = "faces"') + "paper = 50\n"
    run(project, renamed, VOICE + "regularisation = 0.5\n")
    assert len(fitted) == 3


def test_stopped_in_the_middle_it_goes_on(project, fitted, monkeypatch):
    whole = run(project, FACE)["face"]
    for file in (project / "out" / "scores").glob("*.npy"):
        file.unlink()
    fit = LogisticRegressionEstimator.fit

    def stop(self, *arguments):
        if len(fitted) >= 5:
            raise KeyboardInterrupt
        return fit(self, *arguments)

    monkeypatch.setattr(LogisticRegressionEstimator, "fit", stop)
    with pytest.raises(KeyboardInterrupt):
        run(project, FACE)
    monkeypatch.setattr(LogisticRegressionEstimator, "fit", fit)
    fitted.clear()
    again = run(project, FACE)["face"]
    assert len(fitted) == 1
    assert np.array_equal(whole.scores, again.scores)


def test_a_torn_score_file_is_computed_again(project):
    whole = run(project, FACE)["face"]
    for file in (project / "out" / "scores").glob("*.npy"):
        file.write_bytes(file.read_bytes()[:20])
    assert np.array_equal(whole.scores, run(project, FACE)["face"].scores)


def test_scores_of_another_version_are_not_used(project, fitted):
    run(project, FACE)
    (project / "out" / "scores" / "version.txt").write_text("aver 0.0.1, scores 1")
    fitted.clear()
    lines = []
    run(project, FACE, lines=lines)
    assert len(fitted) == 3
    assert any("another version" in line for line in lines)
    fitted.clear()
    run(project, FACE)
    assert fitted == []


def test_validation_people_choose_the_epoch_and_inner_parts_do_without(project):
    """Early stopping needs validation rows; a fitted fusion's inner parts have none."""
    fused = '[[systems]]\nname = "fused"\nfusion = "weighted"\nof = ["mater", "face"]\n'
    changes = {
        "folds = 3": 'folds = 3\nvalidation = "subjects"\nvalidation_subjects = 1',
        "epochs = 3": "epochs = 3\npatience = 2",
    }
    found = run(project, FACE, MATER, fused, changes=changes)
    assert np.allclose(found["fused"].scores.sum(axis=1), 1)
    table = (project / "out" / "tiny" / "tiny.csv").read_text()
    assert "epoch chosen on validation subjects" in table
    with pytest.raises(AverError, match="2 of 4 systems failed"):
        run(project, FACE, MATER, fused, changes={"epochs = 3": "epochs = 3\npatience = 2"})


def test_one_fold_and_one_system(project):
    found = run(project, FACE, VOICE, wanted=Wanted(("face",), ("1",)))
    assert set(found) == {"face"}
    assert len(found["face"].folds) == 1
    assert not (project / "out" / "tiny" / "tiny.csv").exists()
    with pytest.raises(RecipeError, match="did you mean 'face'"):
        run(project, FACE, wanted=Wanted(("fase",)))
    with pytest.raises(RecipeError, match="has no fold '9'"):
        run(project, FACE, wanted=Wanted((), ("9",)))


def test_a_system_that_fails_does_not_take_the_others_with_it(project):
    """`svm` calibrates over parts of whole people, and one person has all of the sad clips."""
    clips = project / "clips.csv"
    lines = clips.read_text().splitlines()
    kept = [line for line in lines if "_sad_" not in line or line.startswith(("p0_", "p5_"))]
    clips.write_text("\n".join(kept) + "\n")
    svm = '[[systems]]\nname = "svm"\nmodel = "svm"\nstreams = ["face"]\n'
    told = []
    changes = {"folds = 3": "folds = 2\nseed = 1", "[split]": "[split]"}
    with pytest.raises(AverError, match="1 of 3 systems failed \\(svm\\)"):
        run(project, svm, FACE, lines=told, changes=changes)
    failure = next(line for line in told if line.startswith("svm:"))
    assert "fold" in failure
    assert "without one of the classes" in failure
    assert read_predictions(project / "out" / "tiny" / "face" / "predictions.parquet").system


def test_clips_without_the_systems_stream_get_the_shares(project):
    table = project / "face.csv"
    kept = [line for line in table.read_text().splitlines() if not line.startswith("p1_happy")]
    table.write_text("\n".join(kept) + "\n")
    found = run(project, FACE, VOICE, STACKED)
    lost = np.char.startswith(found["face"].item.astype(str), "p1_happy")
    assert np.allclose(found["face"].scores[lost], 1 / 3)
    # A fusion leaves the face out there and goes by the voice.
    assert not np.allclose(found["stacked"].scores[lost], 1 / 3, atol=0.02)
    assert "4 clips without a value" in (project / "out" / "tiny" / "tiny.csv").read_text()


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(project, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bench_module.np, "save", full)
    told = []
    with pytest.raises(AverError):
        run(project, FACE, lines=told)
    assert any("cannot be written (No space left on device)" in line for line in told)
    left = sorted(f.name for f in (project / "out" / "scores").iterdir())
    assert [name.partition("-")[0] for name in left] == ["labels", "version.txt"]
    monkeypatch.undo()
    assert len(run(project, FACE)["face"]) == 72


def test_trainings_are_counted_once(project):
    recipe = recipe_of(project, FACE, VOICE, STACKED)
    # guess, face, voice; and two inner parts for face and voice each.
    assert trainings(recipe, recipe.systems) == 3 + 4
    assert trainings(recipe, [recipe.system("stacked")]) == 2 + 4


def in_folder(project, order):
    """The project as somebody's own folder, whose labels stand in a table beside the clips."""
    lines = ["file,label,subject"]
    for person in range(6):
        for label, told in zip(CLASSES, order, strict=True):
            for take in range(4):
                name = f"p{person}_{label}_{take}.wav"
                (project / name).touch()
                lines.append(f"{name},{told},p{person}")
    (project / "labels.csv").write_text("\n".join(lines) + "\n")
    return {'manifest = "clips.csv"': 'corpus = "folder"\nfolder = "."'}


def test_other_labels_of_the_same_files_train_anew(project, fitted):
    lines = []
    changes = in_folder(project, CLASSES)
    first = run(project, FACE, changes=changes)["face"]
    in_folder(project, CLASSES[::-1])
    fitted.clear()
    other = run(project, FACE, changes=changes, lines=lines)["face"]
    assert len(fitted) == 3
    assert np.allclose(other.scores, first.scores[:, ::-1], atol=1e-6)
    assert any("labels are not those" in line for line in lines)
    in_folder(project, CLASSES)
    fitted.clear()
    again = run(project, FACE, changes=changes)["face"]
    assert not fitted
    assert np.array_equal(again.scores, first.scores)


def test_clips_of_nobody_are_measured_without_intervals(project):
    changes = in_folder(project, CLASSES)
    text = (project / "labels.csv").read_text()
    named = [line.rsplit(",", 1) for line in text.splitlines()[1:]]
    bare = "".join(f"{line},,{who}\n" for line, who in named)
    (project / "labels.csv").write_text("file,label,subject,fold\n" + bare)
    changes |= {'scheme = "subjects"\nfolds = 3': 'scheme = "column"\ncolumn = "fold"'}
    found = run(project, FACE, changes=changes)["face"]
    assert set(found.subject.tolist()) == {"unnamed"}
    table = pd.read_csv(project / "out" / "tiny" / "tiny.csv")
    row = table[table["metric"] == "accuracy"].iloc[0]
    assert np.isnan(row["low"])
    assert "0 subjects" in row["data"]
    assert "name nobody" in row["protocol"]
    assert "nobody on both sides" not in row["protocol"]
