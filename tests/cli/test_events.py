"""`aver events`: shown, converted, counted; one line for what cannot be used."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from corpora.sounds import write_wav

TSV = (
    "filename\tonset\toffset\tevent_label\n"
    "Crash.mp4\t1.0\t3.0\tcrying\n"
    "Crash.mp4\t0.5\t2.0\tmale speech\n"
)


@pytest.fixture
def events(tmp_path):
    path = tmp_path / "Crash.tsv"
    path.write_text(TSV)
    return path


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "trace.dat"
    rows = [f"{n / 25:g} {-0.9 if n < 50 else 0.1} 0" for n in range(100)]
    path.write_text("\n".join(rows))
    return path


def test_show_a_file(aver, events):
    code, out, _ = aver("events", "show", events)
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["start", "end", "label", "recording"],
        ["0.500", "2.000", "male", "speech", "Crash.mp4"],
        ["1.000", "3.000", "crying", "Crash.mp4"],
    ]


def test_show_a_folder_with_a_bad_file(aver, events, monkeypatch):
    (events.parent / "bad.tsv").write_text("3\t1\tcrying\n")
    monkeypatch.chdir(events.parent.parent)
    code, out, err = aver("events", "show", events.parent.name)
    assert code == 1
    assert "Crash.tsv" in out
    assert "crying, male speech" in out
    assert "bad.tsv: line 1 ends at 1 s, before it starts at 3 s" in err
    assert err.count("\n") == 1


def test_an_empty_folder(aver, tmp_path):
    code, _, err = aver("events", "show", tmp_path)
    assert code == 1
    assert "holds no files of events" in err


def test_convert_for_audacity_and_back(aver, events, tmp_path):
    out = tmp_path / "labels.txt"
    code, told, _ = aver("events", "convert", events, out, "--cognimuse")
    assert code == 0
    assert told == f"2 events written: {out}\n"
    assert out.read_text() == "0.500000\t2.000000\tspeech_male\n1.000000\t3.000000\tcrying\n"
    code, _, _ = aver("events", "convert", out, tmp_path / "back.csv")
    assert code == 0
    assert (tmp_path / "back.csv").read_text() == (
        "filename,onset,offset,event_label\n"
        ",0.500000,2.000000,speech_male\n,1.000000,3.000000,crying\n"
    )


def test_convert_a_folder_names_what_names_no_recording(aver, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "one.txt").write_text("1\t2\tcrying\n")
    (folder / "two.txt").write_text("3\t4\tcrying\n")
    code, _, _ = aver("events", "convert", folder, tmp_path / "all.tsv")
    assert code == 0
    lines = (tmp_path / "all.tsv").read_text().splitlines()
    assert lines[1:] == ["one\t1.000000\t2.000000\tcrying", "two\t3.000000\t4.000000\tcrying"]


def test_words_are_mapped_or_refused(aver, events, tmp_path):
    out = tmp_path / "out.tsv"
    code, _, err = aver("events", "convert", events, out, "--map", "crying=cry")
    assert code == 1
    assert "label 'male speech' (line 3) is not in the map of labels" in err
    assert not out.exists()
    words = ("--map", "crying=", "-m", "Male_Speech=man")
    assert aver("events", "convert", events, out, *words)[0] == 0
    assert out.read_text().splitlines()[1:] == ["Crash.mp4\t0.500000\t2.000000\tman"]
    code, _, err = aver("events", "show", events, "--map", "crying")
    assert code == 2
    assert "is not WORD=NAME" in err


def test_events_of_another_recording_or_beyond_its_end(aver, events, tmp_path):
    film = write_wav(tmp_path / "Crash.wav", np.zeros(16000 * 3))
    assert aver("events", "show", events, "--media", film)[0] == 0
    other = write_wav(tmp_path / "Gladiator.wav", np.zeros(16000 * 3))
    code, _, err = aver("events", "show", events, "--media", other)
    assert code == 1
    assert "tells the events of Crash.mp4, not of Gladiator.wav" in err
    assert aver("events", "show", events, "--media", other, "--any-recording")[0] == 0
    short = write_wav(tmp_path / "short" / "Crash.wav", np.zeros(16000))
    code, _, err = aver("events", "show", events, "--media", short)
    assert code == 1
    assert "beyond the recording's end at 1.00 s" in err
    assert aver("events", "show", events, "--media", short, "--tolerance", 2)[0] == 0


def test_statistics_by_hand(aver, events, trace, tmp_path):
    out = tmp_path / "table.csv"
    code, told, _ = aver("events", "statistics", events, "--trace", trace, "--out", out)
    assert code == 0
    # Crying: 1 s at -0.9 (level 1) and 1 s at 0.1 (level 4). Speech: 1.5 s at -0.9.
    assert "of its frames" in told
    with out.open() as stream:
        rows = {row["label"]: row for row in csv.DictReader(stream)}
    assert float(rows["crying"]["minutes"]) == pytest.approx(2 / 60)
    assert float(rows["crying"]["mean_valence"]) == pytest.approx(-0.4)
    assert float(rows["crying"]["co_occurring"]) == pytest.approx(50)
    assert float(rows["male speech"]["co_occurring"]) == pytest.approx(100)
    words = ("--trace", trace, "--co-occur", "of_extremes", "--out", out)
    code, told, _ = aver("events", "statistics", events, *words)
    assert "of extreme frames" in told
    with out.open() as stream:
        rows = {row["label"]: row for row in csv.DictReader(stream)}
    # 50 frames are extreme; crying is heard in 25 of them, speech in 38 (0.5 s, a middle, to 2 s).
    assert float(rows["crying"]["co_occurring"]) == pytest.approx(50)
    assert float(rows["male speech"]["co_occurring"]) == pytest.approx(100 * 38 / 50)


def test_statistics_without_valence_say_so(aver, events):
    code, told, _ = aver("events", "statistics", events)
    assert code == 0
    assert "no valence" in told
    assert "nan" not in told


def test_statistics_of_cognimuse(aver, events, trace, tmp_path):
    folder = tmp_path / "cognimuse" / "Emotion Annotation" / "experienced"
    folder.mkdir(parents=True)
    trace.replace(folder / "subj1_1_Crash.dat")
    (tmp_path / "cognimuse" / "events").mkdir()
    events.replace(tmp_path / "cognimuse" / "events" / "Crash.tsv")
    options = ("-o", "segment_seconds=1", "-o", "films=any", "-o", "rescale=none")
    code, told, err = aver("events", "statistics", tmp_path / "cognimuse", *options)
    assert code == 0, err
    assert "note: Crash: one annotator only" in err
    line = next(line for line in told.splitlines() if line.startswith("crying"))
    assert line.split() == ["crying", "0.03", "1", "-0.40", "50.00"]
    code, _, err = aver("events", "statistics", tmp_path / "cognimuse", "-o", "film=any")
    assert code == 1
    assert "no option 'film'" in err


def test_soundscapes_that_cannot_be_made(aver, tmp_path):
    code, _, err = aver("events", "soundscapes", tmp_path, tmp_path / "out", "-s", "sede=1")
    assert code == 1
    assert err == "aver: sede: is not a setting of soundscapes. Did you mean 'seed'?\n"
    code, _, err = aver("events", "soundscapes", tmp_path, tmp_path / "out")
    assert code == 1
    assert "Unpack the corpus 'ravdess' there" in err
    assert not (tmp_path / "out").exists()
