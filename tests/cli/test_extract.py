"""`aver extract` as a user meets it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import wave

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from aver.cli.main import app, run
from aver.features.extractor import make_extractor
from aver.features.store import FeatureStore


def write_wave(path, seconds, hertz):
    samples = 9_000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * 16_000)) / 16_000)
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.astype("<i2").tobytes())


@pytest.fixture
def ravdess(tmp_path):
    """Three recordings, named as RAVDESS is."""
    for number in (1, 2, 3):
        stem = f"03-01-0{number}-01-01-01-01"
        write_wave(tmp_path / "ravdess" / "Actor_01" / f"{stem}.wav", 0.6, 200 * number)
    return tmp_path / "ravdess"


def aver(*arguments):
    return CliRunner().invoke(app, ["extract", *map(str, arguments)])


def test_corpus_is_extracted_once(ravdess, tmp_path):
    arguments = ("ravdess", ravdess, "--extractor", "mfcc", "--store", tmp_path / "store")
    first = aver(*arguments)
    assert first.exit_code == 0, first.output
    assert "mfcc: 3 extracted, 0 already there, 0 failed" in first.stdout
    assert "mfcc: 0 extracted, 3 already there, 0 failed" in aver(*arguments).stdout
    stored = FeatureStore(tmp_path / "store")
    manifest = pd.DataFrame({"file": sorted(map(str, ravdess.rglob("*.wav")))})
    manifest["recording"] = [f"01-0{n}-01-01-01-01" for n in (1, 2, 3)]
    features = stored.load(manifest, make_extractor("mfcc"), missing="refuse")
    assert [f.values.shape for f in features] == [(1, 40)] * 3


def test_settings_and_jobs(ravdess, tmp_path):
    done = aver(
        "ravdess", ravdess, "-e", "log_mel", "--set", "window_seconds=0.25", "-s", "windows=2",
        "--store", tmp_path / "store", "--jobs", "2", "--quiet",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    extractor = make_extractor("log_mel", window_seconds=0.25, windows=2)
    assert (FeatureStore(tmp_path / "store").folder(extractor) / "extractor.json").is_file()


def test_bad_clip_is_one_line_and_the_exit_code(ravdess, tmp_path):
    bad = ravdess / "Actor_01" / "03-01-04-01-01-01-01.wav"
    bad.write_bytes(b"no sound at all, only words")
    done = aver("ravdess", ravdess, "-e", "mfcc", "--store", tmp_path / "store")
    assert done.exit_code == 1
    assert "3 extracted, 0 already there, 1 failed" in done.stdout
    (line,) = [line for line in done.stderr.splitlines() if line.strip()]
    assert "03-01-04-01-01-01-01.wav: " in line


def test_manifest_takes_the_place_of_a_corpus(ravdess, tmp_path):
    from aver.corpora import load_corpus
    from aver.corpora.manifest import write_manifest

    manifest = write_manifest(load_corpus("ravdess", ravdess), tmp_path / "manifest.parquet")
    next(ravdess.rglob("*-02-*.wav")).unlink(missing_ok=True)
    (ravdess / "Actor_01" / "03-01-02-01-01-01-01.wav").unlink(missing_ok=True)
    done = aver(manifest, "-e", "waveform", "--store", tmp_path / "store")
    assert "waveform: 2 extracted, 0 already there, 1 failed" in done.stdout
    assert "there is no such file" in done.stderr


def test_list_shows_extractors_with_their_settings():
    done = aver("--list")
    assert done.exit_code == 0
    assert "mfcc" in done.stdout
    assert "coefficients=40" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ravdess", ".", "-e", "mffc", "--store", "s"], "mffc: is not a known extractor"),
        (["ravdess", ".", "-e", "mfcc", "-s", "coef=1", "--store", "s"], "'coefficients'"),
        (["ravdess", "-e", "mfcc", "--store", "s"], "aver extract CORPUS ROOT"),
        (["ravdes", ".", "-e", "mfcc", "--store", "s"], "'ravdess'"),
        (["ravdess", ".", "-e", "mfcc", "--store", "."], "is no feature store, and not empty"),
        (["nothing.csv", "-e", "mfcc", "--store", "s"], "nothing.csv: there is no such file"),
    ],
)
def test_mistakes_are_one_line(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "thesis.txt").write_text("mine")
    monkeypatch.setattr(sys, "argv", ["aver", "extract", *arguments])
    with pytest.raises(SystemExit) as stopped:
        run()
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    "arguments",
    [["ravdess", "."], ["ravdess", ".", "-e", "mfcc", "--store", "s", "--set", "coefficients"]],
)
def test_wrong_usage(arguments):
    assert aver(*arguments).exit_code == 2


def test_stopped_by_ctrl_c_it_goes_on_where_it_was(tmp_path):
    clips = tmp_path / "ravdess"
    for number in range(1, 9):
        for repetition in (1, 2):
            stem = f"03-01-{number:02d}-01-01-0{repetition}-01"
            write_wave(clips / f"{stem}.wav", 0.5, 100 * number + repetition)
    slow = (
        "import time, sys; from aver.features import mfcc; from aver.cli.main import run;"
        "old = mfcc.Mfcc.extract;"
        "mfcc.Mfcc.extract = lambda self, clip: (print('x', flush=True), time.sleep(0.2),"
        " old(self, clip))[2]; run()"
    )
    arguments = ["extract", "ravdess", str(clips), "-e", "mfcc", "--store", str(tmp_path / "s")]
    process = subprocess.Popen(
        [sys.executable, "-c", slow, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
    )  # fmt: skip
    for _ in range(4):
        assert process.stdout.readline() == "x\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "aver: stopped; what was measured is kept." in err
    assert "Traceback" not in err
    again = aver(*arguments[1:])
    assert "mfcc: 13 extracted, 3 already there, 0 failed" in again.stdout
