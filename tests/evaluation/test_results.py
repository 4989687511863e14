"""Result tables."""

from __future__ import annotations

import csv

from aver.evaluation.results import Result, hash_files, record


def rows(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_same_row_is_replaced_and_new_ones_append(tmp_path):
    table = tmp_path / "results" / "t.csv"
    record(table, [Result("a", "accuracy", 0.5, command="x"), Result("b", "accuracy", 0.25)])
    record(table, [Result("a", "accuracy", 0.75, aim=0.7)])
    found = rows(table)
    assert [(r["experiment"], r["value"]) for r in found] == [("a", "0.75"), ("b", "0.25")]
    assert found[0]["aim"] == "0.7"
    assert all(r["date"] and "aver" in r["versions"] for r in found)
    assert [p.name for p in table.parent.iterdir()] == ["t.csv"]


def test_hash_depends_on_names_and_contents(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"1")
    b.write_bytes(b"2")
    one = hash_files([a, b], tmp_path)
    assert one == hash_files([b, a], tmp_path)
    b.write_bytes(b"3")
    assert one != hash_files([a, b], tmp_path)
