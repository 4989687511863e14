"""`aver reproduce`: a table with one command, one line for what is wrong."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pandas as pd
import pytest

pytest.importorskip("torch")

from training.bench_project import FACE, STACKED, VOICE, make_project, write_recipe

from aver.cli import main


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def few_draws(monkeypatch):
    monkeypatch.setattr("aver.training.bench_table.DRAWS", 20)


@pytest.fixture
def run(monkeypatch, capsys, few_draws):
    """The command as its entry point runs it, in this process: starting torch takes longer."""

    def run_here(*arguments):
        monkeypatch.setattr(sys, "argv", ["aver", "reproduce", *map(str, arguments)])
        code = 0
        try:
            main.run()
        except SystemExit as stop:
            code = int(stop.code or 0)
        told = capsys.readouterr()
        return Done(code, told.out, told.err)

    return run_here


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "data", takes=2)


def test_a_table_with_one_command(project, tmp_path, run):
    recipe = write_recipe(tmp_path, FACE, VOICE, STACKED)
    folders = ("--data", project, "--out", tmp_path / "out", "--results", tmp_path / "results")
    done = run(recipe, *folders)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "results" / "tiny.csv")
    assert {"tiny/guess", "tiny/face", "tiny/voice", "tiny/stacked"} <= set(table["experiment"])
    assert set(table["command"]) == {"aver reproduce recipes/tiny.toml --data DATA --out OUT"}
    assert "mean of 3 folds" in done.stdout
    assert str(tmp_path / "results" / "tiny.csv") in done.stdout.replace("\n", "")


def test_one_line_for_what_is_wrong(project, tmp_path, run):
    recipe = write_recipe(tmp_path, FACE.replace('["face"]', '["fase"]'))
    for arguments, expected in (
        ((recipe, "--data", project), "did you mean 'face'"),
        ((recipe, "--data", project / "none"), "did you mean 'face'"),
        ((tmp_path / "no.toml", "--data", project), "cannot be read"),
    ):
        done = run(*arguments, "--out", tmp_path / "out")
        assert done.returncode == 1
        assert expected in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert "Traceback" not in done.stderr


def test_a_recipe_of_another_kind(project, tmp_path, run):
    recipe = tmp_path / "mater.toml"
    recipe.write_text('task = "mater"\nname = "x"\n')
    done = run(recipe, "--data", project, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "Use aver train" in done.stderr


def test_a_missing_table_is_one_line(project, tmp_path, run):
    (project / "face.csv").unlink()
    done = run(write_recipe(tmp_path, FACE), "--data", project, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "face.csv" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
