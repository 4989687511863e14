"""`aver saliency`: the picture, what it says, and one line for what is wrong."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from corpora.sounds import RATE, write_wav
from typer.testing import CliRunner

from aver.cli.main import app
from aver.errors import AverError
from aver.features.auditory_saliency import AuditorySaliencySettings
from aver.features.auditory_saliency_picture import MOST_COLUMNS, measure_picture
from aver.features.extractor import Clip


def run(*arguments):
    return CliRunner().invoke(app, ["saliency", *map(str, arguments)])


@pytest.fixture
def beep(tmp_path):
    """Noise of 4 s with a tone of 3 kHz from 2 to 2.5 s."""
    sound = np.random.default_rng(0).normal(0, 0.01, 4 * RATE)
    at = np.arange(RATE // 2) / RATE
    sound[2 * RATE : 2 * RATE + RATE // 2] += 0.3 * np.sin(2 * np.pi * 3000 * at)
    return write_wav(tmp_path / "beep.wav", sound)


def test_the_picture_shows_what_stands_out(beep, tmp_path):
    done = run(beep, "--out", tmp_path / "map.png")
    assert done.exit_code == 0, done.output
    assert "written:" in done.output
    picture = cv2.imread(str(tmp_path / "map.png")).astype(int)
    assert picture.shape == (618, 1220, 3)
    redness = picture[48:562, 80:1200, 2] - picture[48:562, 80:1200, 0]
    assert redness.max() > 150
    assert redness[:, :20].max() < 60  # the map is tapered at its edges
    saliency = measure_picture(Clip(beep), AuditorySaliencySettings()).saliency
    assert saliency[90:102].max() > 3 * np.median(saliency)
    # What is drawn at a cell is the saliency of that cell.
    row, column = np.unravel_index(saliency[100:200, 20:180].argmax(), (100, 160))
    y = 514 - round((row + 100.5) / 257 * 514)
    x = round((column + 20.5) / saliency.shape[1] * 1120)
    assert redness[y, x] > np.percentile(redness, 90)


def test_the_default_name_and_a_stretch(beep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(beep, "--start", 1.5, "--end", 3, "--pairs", "program", "--scale", "stretch")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "beep.saliency.png").is_file()
    seconds = float(done.output.split(" at ")[1].split()[0])
    assert 1.5 <= seconds <= 3.0


def test_silence(tmp_path):
    file = write_wav(tmp_path / "silence.wav", np.zeros(RATE))
    done = run(file, "--out", tmp_path / "map.png")
    assert done.exit_code == 0, done.output
    assert "nothing stands out" in done.output


def test_long_sound_is_thinned(tmp_path):
    file = write_wav(tmp_path / "long.wav", np.random.default_rng(1).normal(0, 0.01, 30 * RATE))
    found = measure_picture(Clip(file), AuditorySaliencySettings())
    assert found.saliency.shape[1] == found.spectrogram.shape[1]
    assert MOST_COLUMNS / 2 < found.saliency.shape[1] <= MOST_COLUMNS
    assert found.seconds == pytest.approx(30, abs=0.2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--out", "map.jpg"], "the picture is a PNG"),
        (["--out", "nowhere/map.png"], "there is no such folder"),
        (["--start", "3", "--end", "2"], "is not after the start"),
        (["--start", "9", "--out", "map.png"], "holds no sound between 9 s"),
        (["--pairs", "six"], "pairs: input should be 'paper' or 'program'"),
    ],
)
def test_what_is_wrong(beep, tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    done = run(beep, *arguments)
    assert isinstance(done.exception, AverError)
    assert told in str(done.exception)
    assert not list(tmp_path.glob("*.png"))


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    done = run(tmp_path / "text.wav", "--out", tmp_path / "map.png")
    assert isinstance(done.exception, AverError)
    assert "\n" not in str(done.exception)
