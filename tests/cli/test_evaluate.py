"""`aver evaluate`: figures in the terminal, JSON, CSV and a picture; one line for bad input."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from predictions_made import make_predictions

from aver.evaluation.metrics import accuracy
from aver.evaluation.predictions import write_predictions


@pytest.fixture
def files(tmp_path):
    for seed, name in enumerate(("first", "second")):
        made = make_predictions(seed=seed, system=name, recipe="tiny")
        write_predictions(made, tmp_path / f"{name}.parquet")
    return tmp_path


def test_the_table_has_every_figure(aver, files):
    code, out, _ = aver("evaluate", files / "first.parquet", "--draws", 100)
    made = make_predictions()
    assert code == 0
    assert "first: 72 items, 6 subjects, 3 folds" in out
    assert f"{accuracy(made.label, made.decided()):.4f}" in out
    for word in ("unweighted average recall", "f1 macro", "expected calibration error"):
        assert word in out


def test_json_by_subject(aver, files):
    words = ("evaluate", files / "first.parquet", files / "second.parquet", "--json")
    code, out, _ = aver(*words, "--by", "subject", "--draws", 50)
    report = json.loads(out)
    assert code == 0
    assert [entry["system"] for entry in report] == ["first", "second"]
    assert report[0]["recipe"] == "tiny"
    assert report[0]["classes"] == ["sad", "angry", "happy"]
    mean = np.mean([group["accuracy"] for group in report[0]["groups"].values()])
    assert mean == pytest.approx(report[0]["figures"][0]["value"])
    assert report[0]["figures"][0]["low"] < report[0]["figures"][0]["high"]


def test_no_interval_is_null(aver, files):
    _, out, _ = aver("evaluate", files / "first.parquet", "--json", "--draws", 0)
    assert json.loads(out)[0]["figures"][0]["low"] is None


def test_csv_and_pictures(aver, files):
    pytest.importorskip("matplotlib")
    words = ("evaluate", files / "first.parquet", files / "second.parquet", "--by", "fold")
    code, _, err = aver(
        *words, "--csv", files / "f.csv", "--confusion", files / "c.png", "--draws", 50
    )
    assert code == 0, err
    assert (files / "c_first.png").read_bytes()[:4] == b"\x89PNG"
    assert (files / "c_second.png").is_file()
    rows = list(csv.DictReader((files / "f.csv").open(encoding="utf-8")))
    assert {row["group"] for row in rows} == {"", "fold=0", "fold=1", "fold=2"}
    assert {row["system"] for row in rows} == {"first", "second"}
    assert not [p for p in files.iterdir() if p.name.startswith(".")]


def test_a_name_is_no_markup(aver, files):
    write_predictions(make_predictions(system="[/x]"), files / "odd.parquet")
    code, out, err = aver("evaluate", files / "odd.parquet", "--draws", 0)
    assert code == 0, err
    assert "[/x]: " in out


def test_every_system_gets_a_picture_of_its_own(aver, files):
    pytest.importorskip("matplotlib")
    paths = [files / "a" / "p.parquet", files / "b" / "p.parquet", files / "v1", files / "v2"]
    for path, system in zip(paths, ("same", "same", "net.1", "net.2"), strict=True):
        path.parent.mkdir(exist_ok=True)
        write_predictions(make_predictions(system=system), path)
    code, _, err = aver("evaluate", *paths, "--confusion", files / "c.png", "--draws", 0)
    assert code == 0, err
    pictures = sorted(p.name for p in files.glob("c_*.png"))
    assert pictures == ["c_net.1.png", "c_net.2.png", "c_p.png", "c_p_2.png"]


def test_two_files_of_one_system_are_told_apart(aver, files):
    make = make_predictions(system="first", seed=9)
    write_predictions(make, files / "again.parquet")
    _, out, _ = aver(
        "evaluate", files / "first.parquet", files / "again.parquet", "--json", "--draws", 0
    )
    assert [e["system"] for e in json.loads(out)] == [
        str(files / "first.parquet"),
        str(files / "again.parquet"),
    ]
    code, _, err = aver("evaluate", files / "first.parquet", files / "first.parquet")
    assert code == 1
    assert "named twice" in err


def bad(files, kind):
    path = files / f"{kind}.parquet"
    frame = make_predictions().frame()
    if kind == "columns":
        frame = frame.drop(columns="label")
    elif kind == "nan":
        frame.loc[0, "score_sad"] = np.nan
    elif kind == "sum":
        frame["score_sad"] += 1
    elif kind == "class":
        frame.loc[0, "label"] = "glad"
    frame.to_parquet(path)
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("columns", "lacks the column label"),
        ("nan", "not all finite"),
        ("sum", "do not sum to 1"),
        ("class", "'glad', which is no class"),
    ],
)
def test_bad_files_are_one_line_and_nothing_is_written(aver, files, kind, words):
    path = bad(files, kind)
    code, out, err = aver("evaluate", files / "first.parquet", path, "--csv", files / "f.csv")
    assert code == 1
    assert out == ""
    assert words in err
    assert str(path) in err
    assert len(err.strip().splitlines()) == 1
    assert not (files / "f.csv").exists()


def test_what_is_not_there(aver, files):
    code, _, err = aver("evaluate", files / "none.parquet")
    assert (code, len(err.strip().splitlines())) == (1, 1)
    assert "is not there" in err
    assert aver("evaluate", files / "first.parquet", "--by", "age")[0] == 2
    code, _, err = aver("evaluate", files / "first.parquet", "--csv", files / "first.parquet" / "x")
    assert code == 1
    assert len(err.strip().splitlines()) == 1
    assert "first.parquet" in err
