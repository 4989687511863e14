"""`aver corpus`: list, build, check; exit codes, and one line for what is wrong."""

from __future__ import annotations

import csv
import subprocess
import sys

import pytest
from corpora.sounds import voice, write_wav
from typer.testing import CliRunner

from aver.cli.corpus import app, parse_options
from aver.corpora import corpus_names
from aver.corpora.manifest import read_manifest
from aver.errors import AverError


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "160"})


@pytest.fixture
def folder(tmp_path):
    for label, seeds in {"happy": (1, 2), "sad": (3,)}.items():
        for seed in seeds:
            write_wav(tmp_path / "mine" / label / f"{seed}.wav", voice(seed, 0.6))
    return tmp_path / "mine"


def test_list_names_all_and_their_options():
    done = run("list")
    assert done.exit_code == 0
    for name in corpus_names():
        assert f"\n {name} " in done.output
    assert "channel=speech|song|any" in done.output


def test_build_writes_a_manifest(folder, tmp_path):
    done = run("build", "folder", folder, "--out", tmp_path / "m.csv", "-o", "labels=happy,sad")
    assert done.exit_code == 0, done.output
    assert "3 rows, 0 subjects" in done.output
    assert "labels: happy 2, sad 1" in done.output
    assert read_manifest(tmp_path / "m.csv")["label"].tolist() == ["happy", "happy", "sad"]


def test_check_of_a_whole_folder_and_of_its_manifest(folder, tmp_path):
    done = run("check", "folder", folder)
    assert done.exit_code == 0, done.output
    assert "nothing is wrong" in done.output
    run("build", "folder", folder, "--out", tmp_path / "m.parquet")
    assert run("check", tmp_path / "m.parquet").exit_code == 0


def test_check_tells_what_is_wrong_and_ends_with_1(folder, tmp_path):
    (folder / "happy" / "1.wav").write_bytes(b"")
    (folder / "sad" / "again.wav").write_bytes((folder / "happy" / "2.wav").read_bytes())
    done = run("check", "folder", folder, "--findings", tmp_path / "all.csv")
    assert done.exit_code == 1
    assert "happy/1.wav: is empty" in done.output
    assert "labelled happy there and sad here" in done.output
    with (tmp_path / "all.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["kind"] for row in rows} == {"unreadable", "duplicate sound"}


def test_check_of_names_only_leaves_the_files_shut(folder):
    (folder / "happy" / "1.wav").write_bytes(b"no sound")
    assert run("check", "folder", folder, "--quick").exit_code == 0
    assert run("check", "folder", folder).exit_code == 1


def test_options_are_key_and_value():
    assert parse_options(["channel=song", "sub-ject=a=b"]) == {"channel": "song", "sub_ject": "a=b"}
    assert run("build", "ravdess", ".", "-o", "song").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build", "ravdes", "."), "ravdes: is not a known corpus. Did you mean 'ravdess'?"),
        (("build", "ravdess", "."), "holds no RAVDESS speech"),
        (("build", "ravdess", ".", "-o", "chanel=song"), "Did you mean 'channel'?"),
        (("check", "ravdes"), "Did you mean 'ravdess'?"),
        (("check", "ravdess"), "its folder was not given"),
        (("check", "none.parquet"), "there is no such file"),
    ],
)
def test_what_is_wrong_is_said_with_the_way_out(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert isinstance(done.exception, AverError)
    assert words in str(done.exception)
    assert "\n" not in str(done.exception)


def test_from_the_shell_it_is_one_line(tmp_path):
    code = "from aver.cli.main import run; run()"
    done = subprocess.run(
        [sys.executable, "-c", code, "corpus", "build", "ravdes", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr == "aver: ravdes: is not a known corpus. Did you mean 'ravdess'?\n"
