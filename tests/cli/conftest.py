"""Fixtures that the tests of commands share."""

from __future__ import annotations

import sys

import pytest

from aver.cli import main


@pytest.fixture
def aver(monkeypatch, capsys):
    """Run a command; gives exit code, output and errors."""

    def run(*words):
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(sys, "argv", ["aver", *map(str, words)])
        try:
            main.run()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return run
