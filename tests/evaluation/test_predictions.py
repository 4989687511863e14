"""Stored predictions: what comes back, and what is refused in one clear line."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from predictions_made import CLASSES, make_predictions

from aver.errors import OutputError, PredictionsError
from aver.evaluation import predictions as module
from aver.evaluation.predictions import concatenate, read_predictions, write_predictions


def test_what_is_written_comes_back(tmp_path):
    made = make_predictions(recipe="r", data_sha256="abc", system="tiny")
    write_predictions(made, tmp_path / "deep" / "p.parquet")
    back = read_predictions(tmp_path / "deep" / "p.parquet")
    assert (back.system, back.recipe, back.data_sha256) == ("tiny", "r", "abc")
    assert back.classes == CLASSES  # their order too, which is not that of the alphabet
    pd.testing.assert_frame_equal(back.frame(), made.frame())
    assert [f.name for f in (tmp_path / "deep").iterdir()] == ["p.parquet"]


def test_the_highest_score_decides_unless_said(tmp_path):
    made = make_predictions()
    best = np.array(CLASSES)[made.scores.argmax(axis=1)]
    assert (made.decided() == best).all()
    assert [CLASSES[n] for n in made.decided_numbers()] == made.decided().tolist()
    said = make_predictions(predicted=["sad"] * len(made))
    assert set(said.decided()) == {"sad"}


def test_a_csv_with_the_columns_will_do(tmp_path):
    made = make_predictions(subject=["01"] * 72)
    made.frame().drop(columns="predicted").to_csv(tmp_path / "other.csv", index=False)
    back = read_predictions(tmp_path / "other.csv")
    assert back.system == "other"
    assert set(back.subject) == {"01"}  # not the number 1
    assert (back.decided() == made.decided()).all()


def test_a_class_called_none_is_a_class(tmp_path):
    frame = make_predictions().frame()
    frame = frame.rename(columns={"score_sad": "score_None"}).replace({"sad": "None"})
    frame.to_csv(tmp_path / "p.csv", index=False)
    assert read_predictions(tmp_path / "p.csv").classes[0] == "None"


def test_folds_join_to_one():
    made = make_predictions()
    parts = [made.select(made.fold == fold) for fold in made.folds]
    joined = concatenate(parts)
    assert sorted(joined.item) == sorted(made.item)
    with pytest.raises(PredictionsError, match="come twice in a fold"):
        concatenate([parts[0], parts[0]])
    with pytest.raises(PredictionsError, match="there are none"):
        concatenate([])


def test_one_item_in_two_folds_is_a_repeated_split():
    twice = {"subjects": 2, "each": 2, "item": ["a", "b", "a", "b"]}
    assert make_predictions(**twice, fold=["0", "0", "1", "1"]).folds == ("0", "1")
    with pytest.raises(PredictionsError, match="come twice in a fold"):
        make_predictions(**twice, fold=["0"] * 4)


def broken(column, row, value):
    scores = make_predictions().scores.copy()
    if column == "scores":
        scores[row] = value
        return {"scores": scores}
    values = list(getattr(make_predictions(), column))
    values[row] = value
    return {column: values}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (broken("scores", 3, np.nan), "scores of 1 items are not all finite.*clip003"),
        (broken("scores", 3, [0.5, 0.6, 0.1]), "do not sum to 1.*softmax"),
        (broken("scores", 3, [1.5, -0.6, 0.1]), "below 0"),
        (broken("label", 0, "glad"), "'label' holds 'glad', which is no class.*sad, angry, happy"),
        (broken("subject", 0, None), "1 rows without a value in 'subject'"),
        (broken("item", 1, "clip000"), "1 items come twice in a fold .first: clip000 in 0"),
        ({"predicted": ["sad"]}, "1 predicted for 72"),
        ({"predicted": ["glad"] * 72}, "'predicted' holds 'glad'"),
        ({"label": ["sad"]}, "1 label for 72 items"),
        ({"scores": np.ones((72, 2)) / 2}, "shape"),
        ({"classes": ("sad",)}, "at least two classes"),
        ({"classes": ("sad", "sad", "happy")}, "each once"),
    ],
)
def test_refused(changes, words):
    with pytest.raises(PredictionsError, match=words) as error:
        make_predictions(**changes)
    assert "\n" not in str(error.value)


def test_no_items_are_refused():
    made = make_predictions()
    with pytest.raises(PredictionsError, match="holds no items"):
        made.select(np.zeros(len(made), dtype=bool))


def test_missing_columns_are_named(tmp_path):
    frame = make_predictions().frame()
    path = tmp_path / "p.parquet"
    frame.drop(columns=["subject", "fold"]).to_parquet(path)
    with pytest.raises(PredictionsError, match="lacks the columns subject, fold"):
        read_predictions(path)
    frame[["item", "subject", "fold", "label"]].to_parquet(path)
    with pytest.raises(PredictionsError, match="lacks the column score_<class>"):
        read_predictions(path)


def test_the_file_is_named_in_every_error(tmp_path):
    path = tmp_path / "p.parquet"
    frame = make_predictions(system="x").frame()
    frame.loc[2, "score_sad"] = np.nan
    frame.to_parquet(path)
    with pytest.raises(PredictionsError, match=re.escape(str(path)) + ": the scores of 1 items"):
        read_predictions(path)


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"PAR1"])
def test_what_is_no_parquet_is_one_line(tmp_path, content):
    path = tmp_path / "p.parquet"
    path.write_bytes(content)
    with pytest.raises(PredictionsError, match="cannot be read") as error:
        read_predictions(path)
    assert "\n" not in str(error.value)


def test_no_file_and_a_newer_one(tmp_path, monkeypatch):
    with pytest.raises(PredictionsError, match="is not there"):
        read_predictions(tmp_path / "none.parquet")
    monkeypatch.setattr(module, "FORMAT", 2)
    write_predictions(make_predictions(), tmp_path / "p.parquet")
    monkeypatch.undo()
    with pytest.raises(PredictionsError, match="newer version"):
        read_predictions(tmp_path / "p.parquet")


def test_a_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "p.parquet"
    write_predictions(make_predictions(system="old"), path)

    def full(table, target, **_):
        target.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(OutputError, match=r"disk is full|No space left"):
        write_predictions(make_predictions(system="new"), path)
    assert [f.name for f in tmp_path.iterdir()] == ["p.parquet"]
    assert read_predictions(path).system == "old"
