"""A check finds what is wrong with a corpus, names it, and looks at all the rest."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from corpora.sounds import RATE, encode, voice, write_wav

from aver.corpora import load_corpus
from aver.corpora.check import CheckSettings, check_corpus, check_manifest
from aver.corpora.manifest import write_manifest
from aver.corpora.ravdess import published_stems
from aver.errors import CorpusError

PART = CheckSettings(partial=True, jobs=2)
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:1f\nsize 265922\n"


def name(emotion, take, actor="01"):
    return f"Actor_{actor}/03-01-{emotion}-01-01-{take}-{actor}.wav"


@pytest.fixture
def ravdess(tmp_path):
    root = tmp_path / "ravdess"
    for seed, (emotion, take) in enumerate(
        (e, t) for e in ("02", "03", "04") for t in ("01", "02")
    ):
        write_wav(root / name(emotion, take), voice(seed, 0.9))
    return root


def kinds(report, wrong=True):
    return Counter(f.kind for f in report.findings if f.is_wrong == wrong)


def the(report, kind):
    (finding,) = [f for f in report.findings if f.kind == kind]
    return finding


def test_a_part_that_is_well_is_well(ravdess):
    report = check_corpus("ravdess", ravdess, settings=PART)
    assert report.is_sound
    assert report.files == 6
    assert kinds(report, wrong=False)["missing"] == 1440 - 6


def test_half_a_corpus_is_not_whole(ravdess):
    report = check_corpus("ravdess", ravdess, settings=CheckSettings(decode=False))
    assert not report.is_sound
    assert kinds(report)["missing"] == 1434
    numbers = {f.subject: f.problem for f in report.findings if f.kind == "number"}
    assert numbers["speech, audio: files"] == "6 of 1,440 published"
    assert numbers["speech, audio: label calm"] == "2 of 192 published"
    assert numbers["speech, audio: actor 02"] == "0 of 60 published"
    assert "speech, audio: label neutral" in numbers


def test_a_whole_corpus_by_its_names(tmp_path):
    for stem in published_stems("audio", "speech"):
        (tmp_path / f"{stem}.wav").write_bytes(b"x")
    report = check_corpus("ravdess", tmp_path, settings=CheckSettings(decode=False))
    assert report.is_sound
    assert not report.findings


def test_everything_that_is_wrong_is_found_and_the_rest_looked_at(ravdess):
    (ravdess / name("02", "01")).write_text(POINTER)
    (ravdess / name("02", "02")).write_bytes(b"")
    (ravdess / name("03", "01")).write_bytes(b"no sound at all" * 100)
    whole = (ravdess / name("03", "02")).read_bytes()
    write_wav(ravdess / name("05", "01"), voice(9, 3.0))
    long = (ravdess / name("05", "01")).read_bytes()
    (ravdess / name("05", "01")).write_bytes(long[: len(long) // 2])
    (ravdess / name("06", "01")).write_bytes(whole)
    (ravdess / "Actor_01" / "03-01-09-01-01-01-01.wav").write_bytes(whole)
    write_wav(ravdess / name("07", "01"), np.zeros(RATE))
    done = []
    report = check_corpus(
        "ravdess", ravdess, settings=PART, progress=lambda *counts: done.append(counts)
    )
    assert the(report, "Git LFS pointer").subject == name("02", "01")
    assert "git lfs pull" in the(report, "Git LFS pointer").advice
    unreadable = {f.subject for f in report.findings if f.kind == "unreadable"}
    assert unreadable == {name("02", "02"), name("03", "01")}
    assert the(report, "damaged").subject == name("05", "01")
    assert "breaks off at 1.5 s" in the(report, "damaged").problem
    twice = the(report, "duplicate sound")
    assert twice.subject == name("06", "01")
    assert name("03", "02") in twice.problem
    assert "happy there and fearful here" in twice.problem
    assert the(report, "name or table").subject == "Actor_01/03-01-09-01-01-01-01.wav"
    assert the(report, "silent").subject == name("07", "01")
    assert not the(report, "silent").is_wrong
    # Two of the nine files were told without decoding them.
    assert done == [(n, 7) for n in range(1, 8)]
    assert not report.is_sound


def test_the_known_duplicate_is_a_note(tmp_path):
    for take in ("01", "02"):
        write_wav(tmp_path / f"03-01-03-01-02-{take}-07.wav", voice(1))
    report = check_corpus("ravdess", tmp_path, settings=PART)
    assert report.is_sound
    assert "known to be one recording" in the(report, "duplicate sound").problem


def test_sound_through_another_codec_is_found(tmp_path):
    for seed in range(3):
        write_wav(tmp_path / "calm" / f"{seed}.wav", voice(seed, 2.0))
    (tmp_path / "happy").mkdir()
    source = tmp_path / "calm" / "1.wav"
    encode(source, tmp_path / "happy" / "x.m4a", "aac", 22_050, 32_000)
    report = check_corpus("folder", tmp_path)
    assert the(report, "alike sound").subject == "happy/x.m4a"
    assert "calm/1.wav" in the(report, "alike sound").problem
    assert not report.is_sound
    assert check_corpus("folder", tmp_path, settings=CheckSettings(alike=False)).is_sound


def test_copies_that_the_publishers_made_of_one_take_are_nothing(tmp_path):
    wav = write_wav(tmp_path / "AudioWAV" / "1001_DFA_ANG_XX.wav", voice(4))
    (tmp_path / "VideoFlash").mkdir()
    encode(wav, tmp_path / "VideoFlash" / "1001_DFA_ANG_XX.flv", "pcm_s16le", 22_050)
    report = check_corpus("crema_d", tmp_path, settings=PART)
    assert kinds(report, wrong=False).keys() == {"number"}
    assert report.is_sound


def test_a_label_spelled_in_two_ways_is_told_with_the_common_one(tmp_path):
    for seed in range(11):
        write_wav(tmp_path / "surprised" / f"{seed}.wav", voice(seed, 0.6))
    write_wav(tmp_path / "suprised" / "x.wav", voice(20, 0.6))
    report = check_corpus("folder", tmp_path)
    problem = the(report, "label").problem
    assert problem == "1 row is labelled 'suprised', 11 rows are 'surprised'"


def test_a_manifest_is_checked_like_a_corpus(ravdess, tmp_path):
    frame = load_corpus("ravdess", ravdess)
    frame.loc[0, "label"] = "clam"
    path = write_manifest(frame, tmp_path / "m.csv")
    (ravdess / name("04", "02")).unlink()
    report = check_manifest(path, settings=PART)
    assert the(report, "missing").subject == name("04", "02")
    assert the(report, "label").advice == "Did you mean 'calm'?"
    assert report.files == 6


def test_pictures_that_are_the_same_are_found(tmp_path):
    import cv2

    rng = np.random.default_rng(0)
    for group in ("train", "test"):
        (tmp_path / group / "happy").mkdir(parents=True)
        for n in range(2):
            face = rng.integers(0, 256, (48, 48), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / group / "happy" / f"{n}.png"), face)
    face = cv2.imread(str(tmp_path / "train" / "happy" / "1.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(tmp_path / "test" / "happy" / "x.bmp"), face)
    report = check_corpus("fer2013", tmp_path, settings=PART)
    assert {"train/happy/1.png", "test/happy/x.bmp"} == {
        the(report, "duplicate picture").subject,
        the(report, "duplicate picture").problem.split("same as ")[1],
    }


def test_tables_are_opened_not_played(tmp_path):
    frames = pd.DataFrame({"turn": ["P1_T1"] * 3})
    frames.to_parquet(tmp_path / "frames.parquet")
    coders = [f"Annot{n},1,3,{n}" for n in (1, 2, 3)]
    (tmp_path / "labels.csv").write_text(
        "Coder,Participant,Overal,Turn 1,Turn 2\n" + "".join(f"{c},5\n" for c in coders)
    )
    report = check_corpus("enjoyment", tmp_path, settings=PART)
    assert report.is_sound
    missing = {f.subject for f in report.findings if f.kind == "missing"}
    assert missing == {"egemaps.csv", "prosody.csv", "P1_T2 in frames.parquet"}


def test_a_root_without_the_corpus_is_one_line(tmp_path):
    with pytest.raises(CorpusError, match="holds no RAVDESS speech"):
        check_corpus("ravdess", tmp_path)


def test_the_three_clips_of_crema_d_are_well(shared):
    root = shared / "data" / "crema_d_sample"
    report = check_corpus("crema_d", root, settings=PART)
    assert report.is_sound
    assert report.files == 3
