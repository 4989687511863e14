"""`aver compare`: the difference, the tests, and a verdict; one line for what does not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from predictions_made import make_predictions

from aver.evaluation.predictions import write_predictions

pytest.importorskip("scipy")


def store(folder, name, **changes):
    made = make_predictions(system=name, subjects=12, each=30, **changes)
    write_predictions(made, folder / f"{name}.parquet")
    return folder / f"{name}.parquet"


def test_a_clear_difference(aver, tmp_path):
    good, bad = store(tmp_path, "good", right=0.95), store(tmp_path, "bad", right=0.4, seed=1)
    code, out, _ = aver("compare", bad, good, "--draws", 200)
    assert code == 0
    assert "360 items of 12 subjects" in out
    for word in ("McNemar", "Wilcoxon", "corrected t", "unweighted average recall"):
        assert word in out
    assert "good is right on" in out
    assert "more than chance" in out


def test_json_of_one_fold_has_nulls_for_what_is_not_there(aver, tmp_path):
    one = {"fold": ["0"] * 360, "subject": ["1"] * 360}
    first, second = store(tmp_path, "a", **one), store(tmp_path, "b", seed=1, **one)
    code, out, _ = aver("compare", first, second, "--json")
    report = json.loads(out)
    assert code == 0
    assert report["differences"][0]["low"] is None
    assert report["differences"][0]["difference"] == pytest.approx(
        report["differences"][0]["first"] - report["differences"][0]["second"]
    )
    assert [test["name"] for test in report["tests"]] == ["McNemar"]
    assert len(report["notes"]) == 2
    assert report["verdict"]


def test_notes_are_shown(aver, tmp_path):
    one = {"fold": ["0"] * 360}
    first, second = store(tmp_path, "a", **one), store(tmp_path, "b", seed=1, **one)
    assert "one fold only" in aver("compare", first, second)[1]


def test_files_of_one_name_are_told_apart(aver, tmp_path):
    (tmp_path / "x").mkdir()
    first, second = store(tmp_path, "a"), store(tmp_path / "x", "a", seed=1)
    report = json.loads(aver("compare", first, second, "--json", "--draws", 20)[1])
    assert (report["first"], report["second"]) == (str(first), str(second))


def test_other_items_are_one_line(aver, tmp_path):
    first = store(tmp_path, "a")
    part = make_predictions(system="b", subjects=12, each=30).select(np.arange(357))
    write_predictions(part, tmp_path / "b.parquet")
    code, out, err = aver("compare", first, tmp_path / "b.parquet")
    assert (code, out) == (1, "")
    assert "3 are missing in b (clip357, clip358, clip359)" in err
    assert len(err.strip().splitlines()) == 1
