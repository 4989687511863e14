"""What a bench works on: classes, missing values, the hash, people whom an extractor has seen."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

from training.bench_project import CLASSES, make_project, write_recipe

from aver.errors import CorpusError, RecipeError
from aver.features.extractor import Features
from aver.features.table import ClipTable
from aver.training.bench_data import Stream, load_rows, stack
from aver.training.bench_files import hash_of
from aver.training.bench_normalise import Normaliser
from aver.training.recipe import load_recipe


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "data")


def rows_of(project, *systems, lines=None, changes=None, **options):
    recipe, _ = load_recipe(write_recipe(project, *systems, changes=changes or {}))
    tell = (lambda line: lines.append(line)) if lines is not None else (lambda _: None)
    out = project / "out"
    out.mkdir(exist_ok=True)
    return load_rows(recipe, project, out, out / "features", tell=tell, **options)


def test_rows_streams_and_folds(project):
    data = rows_of(project)
    assert data.classes == CLASSES
    assert len(data.items) == len(set(data.items)) == 72
    assert data.streams["face"].values.shape == (72, 1, 3)
    assert data.streams["voice"].values.shape == (72, 4, 2)
    assert data.streams["voice"].present.all()
    assert len(data.split.folds) == 3
    for fold in data.split.folds:
        assert not set(data.subjects[fold.train]) & set(data.subjects[fold.test])
    assert len(data.data_sha256) == 64


def test_only_the_streams_asked_for(project):
    (project / "voice.csv").unlink()
    assert set(rows_of(project, streams=["face"]).streams) == {"face"}


def test_classes_in_the_order_asked_for_and_others_left_out(project):
    changes = {'manifest = "clips.csv"': 'manifest = "clips.csv"\nclasses = ["sad", "calm"]'}
    data = rows_of(project, changes=changes)
    assert data.classes == ("sad", "calm")
    assert len(data.items) == 48


def test_a_class_that_is_not_there(project):
    changes = {'manifest = "clips.csv"': 'manifest = "clips.csv"\nclasses = ["sad", "clam"]'}
    with pytest.raises(RecipeError, match="Did you mean 'calm'"):
        rows_of(project, changes=changes)


def test_where(project):
    where = 'manifest = "clips.csv"\nwhere = {{ {} }}'
    data = rows_of(
        project, changes={'manifest = "clips.csv"': where.format('label = ["sad", "happy"]')}
    )
    assert data.classes == ("happy", "sad")
    for wrong, message in (
        ('lable = "sad"', "Did you mean 'label'"),
        ('label = "angry"', "leaves no clip: 'label' has calm, happy, sad"),
    ):
        with pytest.raises(RecipeError, match=message):
            rows_of(project, changes={'manifest = "clips.csv"': where.format(wrong)})


def test_values_that_are_no_numbers_count_as_missing():
    lines = []
    values = np.ones((3, 2), np.float32)
    values[1, 0] = np.nan
    values[2, 1] = np.inf
    times = np.zeros((3, 2), np.float32)
    good = Features(np.ones((1, 2), np.float32), times[:1], np.ones(1, bool))
    stream = stack(
        "voice", [Features(values, times, np.ones(3, bool)), None, good], (2,), lines.append
    )
    assert stream.present.tolist() == [[True, False, False], [False] * 3, [True, False, False]]
    assert np.isfinite(stream.values).all()
    assert lines == [
        "stream 'voice': 2 windows of 1 clips hold values that are no numbers; "
        "they count as missing"
    ]


def test_a_stream_without_any_value_is_refused(project):
    face = pd.read_csv(project / "face.csv")
    face["clip"] = "other_" + face["clip"]
    face.to_csv(project / "face.csv", index=False)
    with pytest.raises(CorpusError, match="stream 'face': no clip has a value"):
        rows_of(project)


def test_clips_without_any_feature_are_left_out_and_told(project):
    for name in ("face", "voice"):
        table = pd.read_csv(project / f"{name}.csv")
        table[table["clip"] != "p0_sad_0"].to_csv(project / f"{name}.csv", index=False)
    data = rows_of(project)
    assert len(data.items) == 71
    assert "1 clips without any feature left out (p0_sad_0.wav)" in " ".join(data.remarks)


def test_an_extractor_that_has_seen_a_tested_person_is_refused(project, monkeypatch):
    monkeypatch.setattr(ClipTable, "seen_subjects", property(lambda self: frozenset({"toy/p3"})))
    manifest = project / "clips.csv"
    text = manifest.read_text()
    record = {"aver_manifest": 1, "corpus": "toy", "root": str(project), "root_from_here": "."}
    manifest.write_text(f"# {json.dumps(record)}\n{text}")
    monkeypatch.setattr(ClipTable, "extract", lambda self, clip: pytest.fail("measured first"))
    with pytest.raises(CorpusError, match="trained on toy/p3"):
        rows_of(project)


def test_hash_follows_the_content(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("one")
    first = hash_of([file], tmp_path)
    assert hash_of([file], tmp_path) == first
    # The kept hash is not used for a file of another size or date.
    file.write_text("other")
    assert hash_of([file], tmp_path) != first
    (tmp_path / "data_sha256.json").write_text("{half")
    file.write_text("one")
    assert hash_of([file], tmp_path) == first


def test_normalisation_by_hand():
    values = np.array([[[0.0], [4.0]], [[100.0], [0.0]]], np.float32)
    stream = Stream(values, np.array([[True, True], [True, False]]))
    # Row 0 alone: mean 2, spread 2. The other row's values take no part.
    normaliser = Normaliser.of(stream, np.array([0]), "train")
    assert normaliser(values, stream.present)[:, :, 0].tolist() == [[-1, 1], [49, 0]]
    bounded = Normaliser.of(stream, np.array([0]), "train", bound=5)
    assert bounded(values, stream.present)[1, 0, 0] == 5


def test_length_one_by_hand():
    stream = Stream(np.array([[[3.0, 4.0]]], np.float32), np.ones((1, 1), bool))
    found = Normaliser.of(stream, np.array([0]), "l2")(stream.values, stream.present)
    assert found[0, 0].tolist() == pytest.approx([0.6, 0.8])


def test_a_feature_that_never_moves_becomes_zero():
    stream = Stream(np.full((3, 1, 1), 0.1, np.float32), np.ones((3, 1), bool))
    found = Normaliser.of(stream, np.array([0, 1]), "train")(stream.values, stream.present)
    assert np.allclose(found, 0, atol=1e-6)
