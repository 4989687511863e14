"""Per-person calibration of the analysis: on real clips, and by hand."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from aver import pretrained
from aver.cli.main import app
from aver.errors import ModelError, SettingError
from aver.features.face_embedding import FaceEmbedder
from aver.features.person_calibration import Statistics, statistics_of
from aver.features.population import population_beside, probe_face, probe_voice
from aver.features.voice_embedding import VoiceEmbedder
from aver.inference.analyze import Analyzer
from aver.inference.calibrate import NOBODY, Calibration, Own, learn
from aver.inference.front import FrontEnd, embed_clip
from aver.inference.settings import AnalysisSettings
from aver.report.words import own_recordings


@pytest.fixture(scope="module")
def clips(shared):
    """The angry, happy and neutral clip of CREMA-D's actor 1001."""
    folder = shared / "data" / "crema_d_sample"
    return {name: folder / f"1001_DFA_{name}_XX.flv" for name in ("ANG", "HAP", "NEU")}


@pytest.fixture(scope="module")
def calibrated(clips):
    settings = AnalysisSettings(calibrate=(clips["HAP"], clips["NEU"]), detector="dlib")
    analyzer = Analyzer(settings)
    return analyzer, analyzer.analyze(clips["ANG"])


def test_the_statistics_are_those_of_the_clips_own_embeddings(clips, calibrated):
    analyzer, _ = calibrated
    faces, voices = [], []
    for name in ("HAP", "NEU"):
        face, face_mask, voice, voice_mask = embed_clip(analyzer.front, clips[name], 40)
        faces.append(face[face_mask])
        voices.append(voice[voice_mask])
    population = population_beside(
        pretrained.path_of("voice_expression"), "voice", probe_voice(analyzer.front.voice)
    )
    truth = statistics_of(np.concatenate(voices))
    own = analyzer.calibration.voice.person
    weight = truth.windows / (truth.windows + 20.0)
    assert own.windows == truth.windows
    np.testing.assert_allclose(
        own.mean, weight * truth.mean + (1 - weight) * population.mean, atol=1e-6
    )
    assert analyzer.calibration.face.person.windows <= len(np.concatenate(faces))


def test_the_timeline_says_that_and_on_how_much(calibrated):
    _, timeline = calibrated
    facts = timeline.model["calibration"]
    assert facts["applied"] is True
    assert facts["person"] == 1
    assert facts["clips"] == ["1001_DFA_HAP_XX.flv", "1001_DFA_NEU_XX.flv"]
    # Clips of 2.3 s each: four or five half seconds.
    assert 7 <= facts["voice_windows"] <= 10
    assert 7 <= facts["face_windows"] <= 10
    words = own_recordings(timeline.model)
    assert words.startswith("Person 1's scores are calibrated on 2 other recordings")
    assert f"{facts['face_windows']} windows of the face" in words
    assert own_recordings({"name": "mater"}) == ""


def test_scores_change_for_the_person_and_not_without_clips(clips, calibrated):
    _, timeline = calibrated
    plain = Analyzer(AnalysisSettings(detector="dlib")).analyze(clips["ANG"])
    assert "calibration" not in plain.model
    assert [(s.start, s.person, s.modality) for s in plain.segments] == [
        (s.start, s.person, s.modality) for s in timeline.segments
    ]
    moved = [
        np.abs(np.subtract(a.scores, b.scores)).max()
        for a, b in zip(plain.segments, timeline.segments, strict=True)
    ]
    assert min(moved) > 1e-4
    for segment in timeline.segments:
        assert sum(segment.scores) == pytest.approx(1.0, abs=1e-5)


def test_the_stream_gives_the_calibrated_scores(clips, calibrated):
    analyzer, timeline = calibrated
    streamed = {(s.start, s.modality): s.scores for s in analyzer.stream(clips["ANG"])}
    assert streamed == {(s.start, s.modality): s.scores for s in timeline.segments}


def test_a_clip_that_cannot_be_used_is_told_and_left_out(clips, tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("not a film")
    settings = AnalysisSettings(calibrate=(text, clips["NEU"]), picture=False)
    calibration = learn(FrontEnd(settings))
    assert calibration.clips == (clips["NEU"],)
    assert calibration.face is None
    (warning,) = calibration.warnings
    assert warning.startswith(f"A calibration clip was left out: {text}: ")
    with pytest.raises(SettingError) as caught:
        learn(FrontEnd(replace(settings, calibrate=(text, tmp_path / "gone.wav"))))
    assert str(caught.value).startswith("calibrate: none of the 2 clip(s) can be used: ")
    assert "gone.wav: there is no such file" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_silent_clip_is_of_no_use(tmp_path):
    import wave

    path = tmp_path / "silent.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(2 * 16_000))
    with pytest.raises(SettingError, match="no clear face and no voice in it"):
        learn(FrontEnd(AnalysisSettings(calibrate=(path,))))


# --- whose it is, by hand

ONE = Statistics(np.zeros(2), np.ones(2), 3)
X, Y, BETWEEN = (np.array(v, np.float32) for v in ([1, 0], [0, 1], [0.6, 0.8]))


def made_up(views=(X,)):
    own = Own(ONE, ONE, "mean")
    return Calibration(own, own, tuple(views), 0.75, 0.45, (Path("a.mp4"),), "mean", 20.0, ())


def tracker(**views):
    known = {int(name[1:]): [view] for name, view in views.items()}
    return SimpleNamespace(views=lambda person: known[person])


def test_of_several_people_the_nearest_is_calibrated():
    people = tracker(p1=Y, p2=BETWEEN)
    assert made_up().whose(people, [1, 2]) == 2
    assert made_up([Y]).whose(people, [1, 2]) == 1
    assert made_up().remarks(people, [1, 2]) == []


def test_of_several_strangers_nobody_is():
    people = tracker(p1=Y, p2=Y)
    assert made_up().whose(people, [1, 2]) == NOBODY
    (remark,) = made_up().remarks(people, [1, 2])
    assert "nobody here looks like the person of the calibration clips" in remark
    facts = made_up().facts(None, False)
    assert "but not applied" in own_recordings({"calibration": facts})


def test_one_person_is_taken_with_a_warning_if_unlike():
    assert made_up().whose(tracker(p7=Y), [7]) == 7
    (remark,) = made_up().remarks(tracker(p7=Y), [7])
    assert "looks unlike the calibration clips" in remark
    assert made_up().remarks(tracker(p7=X), [7]) == []


def test_clips_without_a_face_cannot_tell_people_apart():
    heard = replace(made_up([]), face=None)
    assert heard.whose(tracker(p1=X), [1]) == 1
    assert heard.whose(None, []) is None
    assert heard.whose(tracker(p1=X, p2=Y), [1, 2]) == NOBODY
    (remark,) = heard.remarks(tracker(p1=X, p2=Y), [1, 2])
    assert "whose they are cannot be told" in remark


def test_embeddings_are_mapped_by_hand():
    person = Statistics(np.array([0.6, 0.0]), np.array([0.1, 0.4]), 9)
    population = Statistics(np.array([0.0, 0.6]), np.array([0.2, 0.2]), 99)
    mean = Own(person, population, "mean")(np.array([0.6, 0.2], np.float32))
    np.testing.assert_allclose(mean, [0.0, 1.0], atol=1e-6)
    both = Own(person, population, "mean_and_spread")(np.array([0.9, 0.0], np.float32))
    np.testing.assert_allclose(both, [np.sqrt(0.5), np.sqrt(0.5)], atol=1e-6)


# --- the population's file


@pytest.mark.parametrize("kind", ["face", "voice"])
def test_the_shipped_population_belongs_to_the_shipped_network(kind):
    network = pretrained.path_of(f"{kind}_expression")
    probe = (
        probe_face(FaceEmbedder(network)) if kind == "face" else probe_voice(VoiceEmbedder(network))
    )
    found = population_beside(network, kind, probe)
    assert found.mean.shape == found.spread.shape == (512,)
    assert found.windows > 10_000
    # Windows have length 1: what the mean does not hold is spread (for voices also the speakers).
    whole = float(found.mean @ found.mean + found.spread @ found.spread)
    assert 0.8 < whole < 1.01
    with pytest.raises(ModelError, match=f"was made for another {kind} network"):
        population_beside(network, kind, np.roll(probe, 1))


def test_the_population_agrees_with_the_voice_network_s_own_centre():
    network = pretrained.path_of("voice_expression")
    embedder = VoiceEmbedder(network)
    mean = population_beside(network, "voice", probe_voice(embedder)).mean
    centre = embedder.centre
    assert centre @ mean / np.linalg.norm(centre) / np.linalg.norm(mean) > 0.98


def test_a_population_that_is_missing_or_damaged_says_so(tmp_path):
    network = tmp_path / "mine.onnx"
    probe = np.ones(4) / 2
    with pytest.raises(ModelError, match=r"mine\.onnx: there is no population\.json beside it"):
        population_beside(network, "face", probe)
    file = tmp_path / "population.json"
    good = {"mean": [0.0], "spread": [1.0], "windows": 3, "probe": probe.tolist()}
    for content, problem in [
        ("{", "cannot be read"),
        ("[]", "is not of the schema"),
        (json.dumps({"schema": "aver.population/2"}), "is not of the schema"),
        (json.dumps({"schema": "aver.population/1"}), "is damaged"),
        (
            json.dumps({"schema": "aver.population/1", "face": {**good, "spread": [1.0, 2.0]}}),
            "mean and spread do not fit",
        ),
    ]:
        file.write_text(content)
        with pytest.raises(ModelError, match=problem):
            population_beside(network, "face", probe)
    file.write_text(json.dumps({"schema": "aver.population/1", "face": good}))
    assert population_beside(network, "face", probe).windows == 3


# --- the command


def test_the_command_says_what_was_used_and_writes_it(clips, tmp_path):
    bad = tmp_path / "broken.mp4"
    bad.write_bytes(b"\0" * 100)
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app,
        [
            *("analyze", str(clips["ANG"]), "--out", str(out), "--detector", "dlib"),
            *("--calibrate", str(clips["NEU"]), "--calibrate", str(bad)),
            *("--calibration", "mean_and_spread"),
        ],
    )
    assert done.exit_code == 0, done.output
    assert "Calibrated on 1 clip(s): " in done.output
    data = json.loads((out / "1001_DFA_ANG_XX.json").read_text())
    assert data["model"]["calibration"]["mode"] == "mean_and_spread"
    assert any("broken.mp4" in w for w in data["warnings"])
    page = (out / "1001_DFA_ANG_XX.html").read_text()
    assert "scores are calibrated on 1 other recording" in page
    assert "mean and spread of their embeddings" in page


def test_the_command_stops_before_any_work_if_no_clip_is_usable(clips, tmp_path):
    out = tmp_path / "out"
    copy = tmp_path / "copy.flv"
    shutil.copy(clips["ANG"], copy)
    done = CliRunner().invoke(
        app, ["analyze", str(copy), "--out", str(out), "--calibrate", str(tmp_path / "gone.mp4")]
    )
    assert isinstance(done.exception, SettingError)
    assert "gone.mp4: there is no such file" in str(done.exception)
    assert list(out.iterdir()) == []
    wrong = CliRunner().invoke(
        app, ["analyze", str(copy), "--calibrate", str(copy), "--calibration", "median"]
    )
    assert wrong.exit_code == 2
