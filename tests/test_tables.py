"""The figures in the pages are those of ``results/``."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_show_the_figures_of_results(tables):
    shown = 0
    for name in tables.PAGES:
        page = ROOT / name
        if page.exists():
            text = page.read_text("utf-8")
            shown += len(tables.PLACE.findall(text))
            assert tables.filled(text) == text, f"run benchmarks/tables.py: {name} is out of date"
    assert shown


def test_every_figure_says_where_it_comes_from():
    for path in sorted((ROOT / "results").glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        assert rows, path
        for row in rows:
            assert row["value"], (path.name, row)
            assert row["command"].startswith(("aver ", "python ")), (path.name, row["command"])
            assert row["versions"], path.name
            assert row["date"], path.name
            assert row["data"], (path.name, row["experiment"])
