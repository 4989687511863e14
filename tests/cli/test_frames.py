"""`aver frames` from the outside."""

from __future__ import annotations

import numpy as np
import pytest
from features import clips

from aver.features.frame_store import FrameStore


@pytest.fixture
def film(tmp_path):
    return clips.write_sound(tmp_path / "Film.wav", clips.tone(440, 1))


def test_films_are_measured_once_and_bad_ones_are_told(aver, film, tmp_path):
    bad = tmp_path / "Bad.mp4"
    bad.write_text("no film")
    words = ["frames", film, bad, "-s", "mel=log_mel", "--set", "mel.window_seconds=0.25"]
    words += ["--store", tmp_path / "store", "--float16", "-q"]
    code, out, err = aver(*words)
    assert code == 1
    assert "1 measured, 0 already there, 1 failed" in out
    assert "Bad.mp4" in err
    rows = FrameStore(tmp_path / "store").open("Film")["mel"]
    assert (len(rows), rows.dtype) == (25, np.float16)
    code, out, _ = aver(*words)
    assert "0 measured, 1 already there, 1 failed" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-s", "emobase2010_frame"], "nearest is 'emobase2010_frames'"),
        (["-s", "log_mel", "--set", "mel.side=3"], "does not begin with one of the streams"),
        (["-s", "log_mel", "--set", "log_mel.windw_seconds=3"], "nearest is 'window_seconds'"),
        (["-s", "=log_mel"], "is not NAME=EXTRACTOR"),
    ],
)
def test_wrong_words_are_one_line(aver, film, tmp_path, words, message):
    code, _, err = aver("frames", film, *words, "--store", tmp_path / "store", "-q")
    assert code in (1, 2)
    assert message in " ".join(err.replace("│", " ").split())
    assert not (tmp_path / "store").exists()
