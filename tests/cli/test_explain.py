"""`aver explain` as a user meets it: a real clip, and one line for everything that is wrong."""

from __future__ import annotations

import csv
import json
import wave

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from aver.cli.main import app
from aver.errors import AverError


def run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def happy(shared):
    return shared / "data" / "crema_d_sample" / "1001_DFA_HAP_XX.flv"


def test_a_clip_gives_a_page_pictures_and_numbers(happy, tmp_path):
    result = run("explain", happy, "--out", tmp_path, "--emotion", "sad", "--at", "1.2")
    assert result.exit_code == 0
    assert "Person 1: sad" in result.output
    names = sorted(path.name for path in tmp_path.iterdir())
    stem = "1001_DFA_HAP_XX"
    endings = ("explain.csv", "explain.html", "explain.json", "person-1.1.png", "sound.png")
    assert names == [f"{stem}.{ending}" for ending in endings]
    found = json.loads((tmp_path / f"{stem}.explain.json").read_text("utf-8"))
    (moment,) = found["people"][0]["moments"]
    assert moment["start"] <= 1.2 < moment["end"]
    assert {face["map"]["label"] for face in moment["faces"] if face} == {"sad"}
    with (tmp_path / f"{stem}.explain.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    for kind in ("face", "voice"):
        weights = [float(r["attention_mean"]) for r in rows if r["modality"] == kind]
        assert sum(weights) == pytest.approx(1, abs=1e-3)
    picture = cv2.imread(str(tmp_path / f"{stem}.sound.png"))
    assert picture is not None
    assert picture.shape[1] > 400


def refused(*arguments):
    with pytest.raises(AverError) as caught:
        run("explain", *arguments)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_an_unknown_emotion_names_the_nearest_and_leaves_nothing(happy, tmp_path):
    out = tmp_path / "out"
    text = refused(happy, "--out", out, "--emotion", "fear")
    assert text.startswith("emotion: there is no 'fear'. Did you mean fearful?")
    assert not out.exists()


def test_neither_face_nor_voice(tmp_path):
    path = tmp_path / "silence.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16000, 0, "NONE", ""))
        out.writeframes(bytes(32000))
    text = refused(path, "--out", tmp_path / "out")
    assert text == f"{path}: shows no face and lets hear no voice. There is nothing to draw."
    picture = tmp_path / "grey.png"
    cv2.imwrite(str(picture), np.full((200, 200, 3), 128, np.uint8))
    assert "shows no face" in refused(picture, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_recording(tmp_path):
    assert "is no recording" in refused(tmp_path, "--out", tmp_path / "out")
    text = tmp_path / "notes.txt"
    text.write_text("no recording", encoding="utf-8")
    assert "notes.txt" in refused(text, "--out", tmp_path / "out")
    assert "missing.mp4" in refused(tmp_path / "missing.mp4", "--out", tmp_path / "out")


def test_a_still_face_is_one_window(happy, tmp_path):
    import av

    with av.open(str(happy)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="bgr24")
    picture = tmp_path / "face.png"
    cv2.imwrite(str(picture), frame)
    result = run("explain", picture, "--out", tmp_path / "out")
    assert "A still picture is one window" in result.output
    found = json.loads((tmp_path / "out" / "face.explain.json").read_text("utf-8"))
    (moment,) = found["people"][0]["moments"]
    (window,) = [w for w in moment["windows"]["face"] if w["present"]]
    assert window["mean"] == pytest.approx(1)
    assert window["change"] is None
    assert found["sounds"] == []


def test_analysis_keeps_it_for_the_report(happy, tmp_path):
    result = run("analyze", happy, "--out", tmp_path, "--explain", "--quiet")
    assert result.exit_code == 0
    timeline = json.loads((tmp_path / "1001_DFA_HAP_XX.json").read_text("utf-8"))
    (person,) = timeline["explanation"]["people"]
    assert person["emotion"] == "happy"
    assert set(person["shares"]) == {"face", "voice"}
    page = (tmp_path / "1001_DFA_HAP_XX.html").read_text("utf-8")
    assert "What the networks looked at" in page
