"""`aver train`: one line for what is wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aver.cli import main


def run(*arguments):
    code = "import sys; from aver.cli.main import run; run()"
    command = [sys.executable, "-c", code, "train", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text('task = "mater"\nname = "x"\n[training]\nepoch = 3\n', encoding="utf-8")
    return path


def test_a_typo_is_one_line_with_the_nearest_key(recipe, tmp_path):
    pytest.importorskip("torch")
    done = run(recipe, "--data", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "unknown key 'training.epoch' (did you mean 'epochs'?)" in done.stderr
    assert "Traceback" not in done.stderr


def test_data_that_is_not_a_folder(recipe, tmp_path):
    pytest.importorskip("torch")
    recipe.write_text('task = "mater"\nname = "x"\n', encoding="utf-8")
    done = run(recipe, "--data", tmp_path / "none", "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "is not a folder" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_output_that_is_a_file_is_one_line(recipe, tmp_path):
    pytest.importorskip("torch")
    recipe.write_text('task = "mater"\nname = "x"\n', encoding="utf-8")
    done = run(recipe, "--data", tmp_path, "--out", recipe)
    assert done.returncode == 1
    assert "cannot be made" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_the_extra_it_says_what_to_install(recipe, tmp_path, monkeypatch, capsys):
    def missing(path):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr("aver.training.recipe.load_recipe", missing)
    arguments = ["aver", "train", str(recipe), "--data", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit):
        main.run()
    assert 'pip install "aver[train]"' in capsys.readouterr().err
