"""Pseudo-films: made from recordings, disjoint, repeatable, and readable as COGNIMUSE."""

import hashlib
import json
import wave
from pathlib import Path

import numpy as np
import pytest

from aver.corpora import load_corpus
from aver.corpora.pseudo_films import (
    RECORD,
    TRACES,
    PseudoFilmsSettings,
    check_disjoint,
    make_pseudo_films,
    read_record,
)
from aver.corpora.pseudo_films_levels import LEVELS, levels_of, mood_of
from aver.corpora.pseudo_films_sound import mix_at, root_mean_square, trim
from aver.errors import CorpusError, OutputError
from aver.labels import EMOGATOR, RAVDESS

SETTINGS = PseudoFilmsSettings(
    films=2, minutes=(0.3, 0.3), noise_ratios=(10.0,), scene_recordings=(2, 4)
)


def tone(path: Path, pitch: float, seconds: float = 0.6) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(16000 * seconds)) / 16000
    sound = 0.3 * np.sin(2 * np.pi * pitch * time)
    sound[: 16000 // 10] = 0
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((sound * 32767).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> Path:
    """Two speakers of each corpus, two background sources."""
    root = tmp_path_factory.mktemp("corpora")
    for actor in (1, 2):
        for emotion in range(1, 9):
            name = f"03-01-{emotion:02d}-01-01-01-{actor:02d}.wav"
            tone(root / "ravdess" / f"Actor_{actor:02d}" / name, 200 + 10 * emotion + 5 * actor)
    rows = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    for speaker in ("WR0", "EB0"):
        for emotion in ("anger", "fear", "happiness", "neutral", "sadness", "surprised"):
            tone(root / "nemo" / "samples" / f"{speaker}_{emotion}_1.wav", 300)
            rows.append(f"{speaker}_{emotion}_1.wav\t{emotion}\tt\tt\t{speaker}\tmale\t23")
    (root / "nemo" / "data.tsv").write_text("\n".join(rows) + "\n")
    for speaker in (1, 2):
        for category in range(1, 31):
            tone(root / "emogator" / f"{speaker:06d}-{category:02d}-1.wav", 400 + category)
    for folder, source in (("002 - Rain", 11), ("003 - Sea waves", 12)):
        tone(root / "esc10" / folder / f"1-{source}-A.wav", 900)
    return root


@pytest.fixture(scope="module")
def films(corpora, tmp_path_factory) -> Path:
    return make_pseudo_films(SETTINGS, corpora, tmp_path_factory.mktemp("films"))


def digest(root: Path) -> str:
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return hashlib.sha256(b"".join(p.read_bytes() for p in files)).hexdigest()


def test_every_class_of_every_corpus_has_levels_within_the_scale():
    assert set(LEVELS["ravdess"]) == set(RAVDESS)
    assert set(LEVELS["emogator"]) == set(EMOGATOR)
    for corpus, classes in LEVELS.items():
        for label in classes:
            for intensity in ("", "normal", "strong"):
                found = levels_of(corpus, label, intensity)
                assert found is not None
                assert max(map(abs, found)) <= 1.0
    assert levels_of("ravdess", "joy", "") is None


def test_strong_intensity_moves_arousal_away_from_the_middle():
    assert levels_of("ravdess", "sad", "strong") == (-0.7, -0.75)
    assert levels_of("ravdess", "angry", "strong") == (-0.7, 0.95)
    assert [mood_of(a) for a in (-0.9, -0.34, -0.33, 0.33, 0.34, 1.0)] == [
        "low", "low", "mid", "mid", "high", "high",
    ]  # fmt: skip


def test_mixing_keeps_the_ratio():
    random = np.random.default_rng(1)
    voices = np.zeros(32000, np.float32)
    voices[8000:24000] = 0.1 * np.sin(np.arange(16000) / 5)
    noise = random.normal(size=32000).astype(np.float32)
    mixed = mix_at(voices, noise, 10.0)
    heard = root_mean_square(voices[8000:24000])
    rest = root_mean_square(mixed[:8000])
    assert 20 * np.log10(heard / rest) == pytest.approx(10.0, abs=0.2)
    loud = mix_at(voices * 20, noise, 0.0)
    assert np.abs(loud).max() <= 0.991


def test_silent_ends_are_cut():
    sound = np.zeros(16000, np.float32)
    sound[4800:9600] = 0.5
    assert len(trim(sound)) == 4800
    assert len(trim(np.zeros(1000, np.float32))) == 1000


def test_films_share_no_speaker_and_no_background(films):
    check_disjoint(films)
    record = read_record(films)
    assert "rated by nobody" in record["label"]
    speakers = [set(film["speakers"]) for film in record["films"].values()]
    assert {s.partition("/")[0] for s in speakers[0]} == {"ravdess", "nemo", "emogator"}
    first, second = record["films"].values()
    heard = [{t for scene in film["scenes"] for t in scene["takes"]} for film in (first, second)]
    assert not heard[0] & heard[1]


def test_shared_speakers_are_told(films, tmp_path):
    record = read_record(films)
    record["films"]["PseudoFilm1"]["speakers"].append(record["films"]["PseudoFilm2"]["speakers"][0])
    (tmp_path / RECORD).write_text(json.dumps(record))
    with pytest.raises(CorpusError, match="PseudoFilm1 and PseudoFilm2 share speakers"):
        check_disjoint(tmp_path)


def test_the_same_seed_makes_the_same_films(films, corpora, tmp_path):
    assert digest(make_pseudo_films(SETTINGS, corpora, tmp_path)) == digest(films)


def test_films_that_are_there_are_left_and_half_done_ones_finished(corpora, tmp_path):
    make_pseudo_films(SETTINGS, corpora, tmp_path)
    before = digest(tmp_path)
    (tmp_path / RECORD).unlink()
    (tmp_path / "films" / "PseudoFilm2.json").unlink()
    first = (tmp_path / "films" / "PseudoFilm1.wav").stat().st_mtime_ns
    make_pseudo_films(SETTINGS, corpora, tmp_path)
    assert digest(tmp_path) == before
    assert (tmp_path / "films" / "PseudoFilm1.wav").stat().st_mtime_ns == first


def test_films_of_other_settings_are_not_written_over(films, corpora):
    other = SETTINGS.model_copy(update={"seed": 1})
    with pytest.raises(OutputError, match="holds pseudo-films of other settings"):
        make_pseudo_films(other, corpora, films)


def test_too_few_speakers_are_told(corpora, tmp_path):
    many = SETTINGS.model_copy(update={"films": 3})
    with pytest.raises(CorpusError, match="has 2 different speakers or sources for 3 films"):
        make_pseudo_films(many, corpora, tmp_path)


def test_traces_hold_the_levels_of_what_is_heard(films):
    trace = np.loadtxt(films / TRACES / "intended_1_PseudoFilm1.dat")
    assert trace.shape == (450, 3)  # 18 s at 25 Hz
    assert np.diff(trace[:, 0]) == pytest.approx(0.04)
    known = {v for classes in LEVELS.values() for v in classes.values()}
    assert np.abs(trace[:, 1:]).max() <= max(max(map(abs, v)) for v in known)


def test_the_loader_of_cognimuse_reads_them(films):
    frame = load_corpus("cognimuse", films, films="any")
    assert frame["subject"].unique().tolist() == ["PseudoFilm1", "PseudoFilm2"]
    assert frame.groupby("subject").size().tolist() == [3, 3]
    assert set(frame["label"]) <= {"low", "mid", "high"}
    assert frame["file"].str.endswith(".wav").all()
