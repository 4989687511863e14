"""COGNIMUSE: real traces, made-up films, levels by hand, and one line for whatever is wrong."""

from __future__ import annotations

import shutil

import av
import numpy as np
import pytest
from corpora.sounds import RATE, write_wav
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from aver.cli.corpus import app
from aver.corpora import load_corpus
from aver.corpora.affect_traces import (
    average,
    read_trace,
    rescale,
    segment_means,
    to_levels,
    without_lag,
)
from aver.corpora.check import CheckSettings, check_corpus
from aver.corpora.cognimuse import CognimuseOptions, load_frames
from aver.corpora.cognimuse_published import SEGMENTS, TABLE_1
from aver.corpora.manifest import read_manifest, write_manifest
from aver.corpora.splits import SplitSettings, make_split
from aver.errors import CorpusError


def tone(seconds, pitch=440):
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)


def write_trace(path, seconds=20.0, valence=0.0, arousal=0.0, rows=None):
    """A trace of *seconds*; valence and arousal numbers, or functions of time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(round(seconds * 25)):
        time = number / 25
        v = valence(time) if callable(valence) else valence
        a = arousal(time) if callable(arousal) else arousal
        lines.append(f"{time:g} {v:.3f} {a:.3f}")
    for number, line in (rows or {}).items():
        lines[number - 1 : number] = [] if line is None else [line]
    path.write_text("\n".join(lines) + "\n")
    return path


def intended(root, film, annotator=1):
    return root / "Emotion Annotation" / "intended" / f"intended_{annotator}_{film}.dat"


def experienced(root, film, subject, time=1):
    folder = root / "Emotion Annotation" / "experienced"
    return folder / f"subj{subject}_{time}_{film}.dat"


@pytest.fixture
def root(tmp_path):
    """Crash (20.4 s) with two annotators and Chicago (11 s) with one, and both films."""
    root = tmp_path / "cognimuse"
    write_trace(intended(root, "Crash", 1), 20.4, valence=-0.9, arousal=lambda t: t / 25)
    write_trace(intended(root, "Crash", 2), 21.0, valence=-0.5, arousal=lambda t: t / 25)
    write_trace(intended(root, "Chicago"), 11.0, valence=0.9, arousal=-1.0)
    write_wav(root / "films" / "CRASH.wav", tone(20.4))
    write_wav(root / "films" / "Chicago (2002).wav", tone(11.0, 300))
    return root


def read_problem(path):
    with pytest.raises(CorpusError) as caught:
        read_trace(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_seven_real_traces(shared):
    root = shared / "data" / "cognimuse"
    frame = load_corpus("cognimuse", root, media="none", films=7)
    # Rows of each file // 125.
    assert frame["subject"].value_counts(sort=False).to_dict() == {
        "BeautifulMind": 375,
        "Chicago": 361,
        "Crash": 319,
        "FindingNemo": 363,
        "Gladiator": 360,
        "LOTRReturn": 450,
        "TheDeparted": 360,
    }
    trace = np.loadtxt(frame["file"][0])
    assert frame["arousal"][0] == pytest.approx(trace[:125, 2].mean())
    assert frame["valence"][374] == pytest.approx(trace[374 * 125 : 375 * 125, 1].mean())
    third = frame["arousal"] < -1 / 3
    assert (frame["label"][third] == "low").all()
    assert set(frame["label"]) == {"low", "mid", "high"}
    split = make_split(frame, SplitSettings(scheme="leave_one_movie_out"))
    assert len(split.folds) == 7
    assert not split.leaks


def test_segments_and_levels(root):
    frame = load_corpus("cognimuse", root)
    assert frame["subject"].tolist() == ["Chicago"] * 2 + ["Crash"] * 4
    crash = frame[frame["subject"] == "Crash"]
    assert crash["start"].tolist() == [0, 5, 10, 15]
    assert crash["end"].tolist() == [5, 10, 15, 20]
    # Mean time of each segment: 2.48, 7.48, 12.48, 17.48 s, over 25.
    assert crash["arousal"].tolist() == pytest.approx([0.0992, 0.2992, 0.4992, 0.6992], abs=1e-3)
    assert crash["valence"].tolist() == pytest.approx([-0.7] * 4)
    assert crash["label"].tolist() == ["mid", "mid", "high", "high"]
    assert set(crash["valence_level"]) == {"low"}
    assert crash["annotators"].tolist() == [2] * 4
    assert {file.rpartition("/")[2] for file in crash["file"]} == {"CRASH.wav"}
    assert frame.attrs["remarks"] == [
        "Chicago: one annotator only; the labels are that person's",
    ]


def test_valence_and_seven_levels(root):
    frame = load_corpus("cognimuse", root, dimension="valence", levels="7")
    assert frame["label"].tolist() == ["7"] * 2 + ["2"] * 4
    assert frame["source_label"].tolist() == ["0.9000"] * 2 + ["-0.7000"] * 4


def test_lag_moves_labels_to_where_they_belong(root):
    frame = load_corpus("cognimuse", root, lag_seconds=2)
    crash = frame[frame["subject"] == "Crash"]
    assert len(crash) == 3  # 18.4 s are left
    assert crash["arousal"].tolist() == pytest.approx([0.1792, 0.3792, 0.5792], abs=1e-3)


def test_the_middle_of_seven(root):
    frame = load_corpus("cognimuse", root, three_levels="of_seven")
    crash = frame[frame["subject"] == "Crash"]
    assert crash["label"].tolist() == ["mid", "high", "high", "high"]  # 0.0992 is below 1/7


def test_any_films(tmp_path):
    write_trace(intended(tmp_path, "Made1"), 6.0)
    write_trace(intended(tmp_path, "Made2"), 6.0)
    report = check_corpus("cognimuse", tmp_path, {"films": "any", "media": "none"})
    assert report.frame["subject"].tolist() == ["Made1", "Made2"]
    assert report.is_sound, report.findings
    assert not report.counts


def test_other_segments(root):
    assert len(load_corpus("cognimuse", root, segment_seconds="2.5")) == 4 + 8


def test_frames(root):
    frames = load_frames(root, CognimuseOptions(levels=7))
    assert len(frames) == 275 + 510
    crash = frames[frames["film"] == "Crash"].reset_index(drop=True)
    assert crash["time"][100] == 4.0
    assert crash["arousal"][100] == pytest.approx(0.16)
    # (0.16 + 1) / 2 * 7 = 4.06
    assert crash["arousal_level"][100] == "5"


def test_experienced_is_rescaled(tmp_path):
    for film, level in (("Crash", 0.2), ("MDB", 0.0)):
        for subject, offset in ((1, -0.05), (2, 0.05)):
            write_trace(
                experienced(tmp_path, film, subject),
                10,
                arousal=lambda t, o=offset, x=level: x + o + (0.1 if t >= 5 else 0),
                valence=0.3,
            )
    options = {"emotion": "experienced", "media": "none"}
    frame = load_corpus("cognimuse", tmp_path, **options)
    assert frame["arousal"].tolist() == pytest.approx([0.2, 0.3, 0.0, 0.1])
    # Over both films: 0 to 0.3; thirds at 0.1 and 0.2. What does not vary is in the middle.
    assert frame["arousal_level"].tolist() == ["high", "high", "low", "mid"]
    assert set(frame["valence_level"]) == {"mid"}
    by_film = load_corpus("cognimuse", tmp_path, rescale="film", **options)
    assert by_film["arousal_level"].tolist() == ["low", "high", "low", "high"]
    plain = load_corpus("cognimuse", tmp_path, rescale="none", **options)
    assert set(plain["arousal_level"]) == {"mid"}


def test_an_annotator_who_came_twice_counts_once(tmp_path):
    for subject, time, value in ((1, 1, 0.6), (1, 2, 0.8), (2, 1, -0.1)):
        write_trace(experienced(tmp_path, "Crash", subject, time), 6, arousal=value)
    frame = load_corpus("cognimuse", tmp_path, emotion="experienced", media="none")
    assert frame["arousal"].tolist() == pytest.approx([(0.7 - 0.1) / 2])
    assert frame["annotators"].tolist() == [2]


@given(st.floats(-1, 1), st.sampled_from([3, 7]))
def test_levels_are_equal_steps(value, levels):
    (level,) = to_levels(np.array([value]), levels)
    edges = np.linspace(-1, 1, levels + 1)
    assert edges[level] - 1e-8 <= value <= edges[level + 1] + 1e-8


def test_levels_at_their_edges():
    assert to_levels(np.array([-1, -1 / 3, 0, 1 / 3, 1]), 3).tolist() == [0, 1, 1, 2, 2]
    assert to_levels(np.array([-1, -0.2, 0, 0.2, 1]), 3, "of_seven").tolist() == [0, 0, 1, 2, 2]
    sevenths = np.linspace(-1, 1, 8)
    assert to_levels(sevenths, 7).tolist() == [0, 1, 2, 3, 4, 5, 6, 6]


def test_rescale_by_hand():
    films = {"a": np.array([[0.0, 1.0], [1.0, 1.0]]), "b": np.array([[3.0, 1.0], [4.0, 1.0]])}
    together = rescale(films, "corpus")
    assert together["a"].tolist() == [[-1.0, 0.0], [-0.5, 0.0]]
    assert together["b"].tolist() == [[0.5, 0.0], [1.0, 0.0]]
    assert rescale(films, "film")["b"].tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert rescale(films, "none")["a"] is films["a"]


def test_means_lag_and_average(tmp_path):
    values = np.arange(20.0)[:, None].repeat(2, axis=1)
    assert segment_means(values, 0.4)[:, 0].tolist() == [4.5, 14.5]
    assert segment_means(values, 0.4, 1)[:, 0].tolist() == [4.5]
    assert segment_means(values[:9], 0.4).shape == (0, 2)
    assert without_lag(values, 0.2)[0, 0] == 5
    one = read_trace(write_trace(tmp_path / "1.dat", 1.0, valence=0.2))
    two = read_trace(write_trace(tmp_path / "2.dat", 2.0, valence=0.4))
    assert average([[one], [two]])[:, 0].tolist() == pytest.approx([0.3] * 25)


def test_manifest_keeps_it_all(root, tmp_path):
    frame = load_corpus("cognimuse", root)
    again = read_manifest(write_manifest(frame, tmp_path / "films.parquet"))
    assert again["arousal_level"].tolist() == frame["arousal_level"].tolist()
    assert again.attrs["corpus"] == "cognimuse"


def test_subtitles_and_events_are_found(root):
    for folder, name in (("Subtitles", "Crash.srt"), ("Audio events", "Crash_audio.txt")):
        (root / folder).mkdir()
        (root / folder / name).write_text("1")
    frame = load_corpus("cognimuse", root)
    crash = frame[frame["subject"] == "Crash"]
    assert set(crash["subtitles"]) == {str((root / "Subtitles" / "Crash.srt").resolve())}
    assert set(crash["events"]) == {str((root / "Audio events" / "Crash_audio.txt").resolve())}
    assert set(frame["events"][:2]) == {""}


def test_table_1_is_consistent():
    assert all(sum(counts) == SEGMENTS for counts in TABLE_1.values())


def test_check_prints_table_1_beside_what_is_there(root):
    done = CliRunner().invoke(app, ["check", "cognimuse", str(root)], env={"COLUMNS": "160"})
    assert done.exit_code == 1  # films are missing
    lines = {" ".join(line.split()) for line in done.output.splitlines()}
    assert {
        "segments 4,414 6",
        "intended arousal low 1,801 2",
        "intended valence mid 874 0",
    } < lines
    partial = check_corpus("cognimuse", root, {}, CheckSettings(partial=True))
    assert partial.is_sound, partial.findings
    assert any("one annotator only" in finding.problem for finding in partial.findings)
    of_experienced = CliRunner().invoke(
        app, ["check", "cognimuse", str(root), "-o", "emotion=experienced"]
    )
    assert of_experienced.exit_code != 0


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({7: "0.24 high 0.1"}, "line 7 holds 'high' where a number belongs"),
        ({7: "0.24 nan 0.1"}, "line 7 holds 'nan' where a number belongs"),
        ({7: "0.24 0.1"}, "line 7 holds 2 values, not 3"),
        ({7: "0.24 0.1 0.1 0.1"}, "line 7 holds 4 values, not 3"),
        ({7: ""}, "line 7 holds 0 values, not 3"),
        ({7: "0.24 0.1 1.5"}, "arousal is 1.5 at 0.24 s, outside [-1, 1]"),
        ({7: "0.24 -10 0.5"}, "valence is -10 at 0.24 s, outside [-1, 1]"),
        ({7: None}, "has a gap of 0.08 s at 0.2 s"),
        ({7: "0.2 0 0"}, "time does not rise after 0.2 s (line 7)"),
        ({1: None, 2: None, 3: None}, "begins at 0.12 s"),
    ],
)
def test_traces_that_are_wrong(tmp_path, rows, told):
    path = write_trace(tmp_path / "trace.dat", 2.0)
    lines = path.read_text().splitlines()
    for number, line in rows.items():
        lines[number - 1] = line
    path.write_text("\n".join(line for line in lines if line is not None) + "\n")
    assert told in read_problem(path)


def test_traces_that_are_none(tmp_path):
    path = tmp_path / "trace.dat"
    path.write_text("")
    assert "is empty" in read_problem(path)
    path.write_bytes(b"\xff\xfe\x00\x81")
    assert "is not a trace" in read_problem(path)
    path.write_text("".join(f"{n / 10:g} 0 0\n" for n in range(50)))
    assert "begins" in read_problem(path) or "rows a second" in read_problem(path)
    path.write_text("")
    path.unlink()
    assert "cannot be read" in read_problem(path)


def test_windows_line_ends_and_a_byte_order_mark_are_fine(tmp_path):
    path = write_trace(tmp_path / "trace.dat", 1.0, valence=0.5)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_trace(path).values[:, 0].tolist() == [0.5] * 25


def problem_of(root, **options):
    with pytest.raises(CorpusError) as caught:
        load_corpus("cognimuse", root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_film_shorter_or_longer_than_its_trace(root):
    write_wav(root / "films" / "CRASH.wav", tone(12.0))
    frame = load_corpus("cognimuse", root)
    assert (frame["subject"] == "Crash").sum() == 2
    assert "CRASH.wav: is 8.4 s shorter than its trace" in " ".join(frame.attrs["remarks"])
    assert "20.4 s: 8.4 s shorter" in problem_of(root, mismatch_seconds=5)
    write_wav(root / "films" / "CRASH.wav", tone(30.0))
    frame = load_corpus("cognimuse", root)
    assert (frame["subject"] == "Crash").sum() == 4
    assert "CRASH.wav: is 9.6 s longer than its trace" in " ".join(frame.attrs["remarks"])
    assert "9.6 s longer. Bring the half-hour clip" in problem_of(root, mismatch_seconds=5)


def test_films_that_are_missing_twice_silent_or_broken(root):
    film = root / "films" / "CRASH.wav"
    shutil.copy(film, root / "films" / "crash_directors_cut.wav")
    assert len(load_corpus("cognimuse", root)) == 6  # the one named by the token goes first
    film.rename(root / "films" / "crash_2004.wav")
    assert "2 files may be the film Crash" in problem_of(root)
    (root / "films" / "crash_2004.wav").unlink()
    (root / "films" / "crash_directors_cut.wav").unlink()
    assert "holds no film named Crash. Put Crash.mp4 there" in problem_of(root)
    assert len(load_corpus("cognimuse", root, media="none")) == 6
    assert "no such folder of films" in problem_of(root, media="/nowhere")
    (root / "films" / "Crash.mp4").write_bytes(b"no film")
    assert "Crash.mp4" in problem_of(root)
    with av.open(str(root / "films" / "Crash.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        for _ in range(102):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    assert "Crash.mp4: has no sound" in problem_of(root)


def test_traces_of_unlike_length_are_remarked(root):
    write_trace(intended(root, "Crash", 3), 10.0)
    frame = load_corpus("cognimuse", root)
    assert (frame["subject"] == "Crash").sum() == 2
    assert "Crash: the traces last 10.0 to 21.0 s" in frame.attrs["remarks"][1]


def test_names_that_are_wrong(root, tmp_path):
    stray = root / "Emotion Annotation" / "intended" / "notes_Crash.dat"
    stray.write_text("x")
    assert "is not named as intended traces are" in problem_of(root)
    stray.unlink()
    write_trace(intended(root, "Gladiater"))
    assert "COGNIMUSE does not have. Did you mean 'Gladiator'?" in problem_of(root)
    (tmp_path / "empty").mkdir()
    assert "is not COGNIMUSE" in problem_of(tmp_path / "empty")
    assert "cannot be 'anger'" in problem_of(root, dimension="anger")


def test_a_trace_without_a_segment(root):
    write_trace(intended(root, "Chicago"), 3.0)
    assert "lasts 3.00 s, less than one segment" in problem_of(root)


def test_a_bad_trace_costs_its_film_only_in_a_check(root):
    intended(root, "Chicago").write_text("bad\n")
    report = check_corpus("cognimuse", root, {}, CheckSettings(partial=True, decode=False))
    assert set(report.frame["subject"]) == {"Crash"}
    assert any("line 1 holds 1 values" in finding.problem for finding in report.findings)


def test_one_film_cannot_be_left_out(root):
    intended(root, "Chicago").unlink()
    frame = load_corpus("cognimuse", root)
    with pytest.raises(CorpusError, match=r"one film alone \(Crash\): none can be left out"):
        make_split(frame, SplitSettings(scheme="leave_one_movie_out"))


def test_each_film_is_tested_once(root):
    write_trace(intended(root, "Chicago"), 20.0, arousal=lambda t: t / 25)
    write_wav(root / "films" / "Chicago (2002).wav", tone(20.0, 300))
    split = make_split(load_corpus("cognimuse", root), SplitSettings(scheme="leave_one_movie_out"))
    assert [fold.name for fold in split.folds] == ["Chicago", "Crash"]
    assert split.folds[0].test.tolist() == [0, 1, 2, 3]
    assert split.folds[0].train.tolist() == [4, 5, 6, 7]
