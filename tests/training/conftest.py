"""Fixtures of the tests of the bench."""

from __future__ import annotations

import pytest


@pytest.fixture
def few_draws(monkeypatch):
    """Intervals and pictures are not what these tests are about, and they take their time."""
    monkeypatch.setattr("aver.training.bench_table.DRAWS", 20)
    monkeypatch.setattr("aver.training.bench_run.draw", lambda *_: "")
