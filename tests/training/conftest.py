"""Fixtures of the tests of the bench."""

from __future__ import annotations

import pytest


@pytest.fixture
def few_draws(monkeypatch):
    """Intervals are not what these tests are about, and a thousand draws take their time."""
    monkeypatch.setattr("aver.training.bench_table.DRAWS", 20)
