"""Table I by hand: durations, instances, mean valence, co-occurrence with the extreme levels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aver.corpora.cognimuse import CognimuseOptions
from aver.corpora.sound_event_statistics import (
    AnnotatedFilm,
    activity,
    cognimuse_films,
    event_statistics,
    film_of_trace,
    without_trace,
)
from aver.corpora.sound_events import EventSettings, SoundEvent
from aver.errors import CorpusError

# Two seconds at -0.9 (level 1), two at 0 (level 4), four at 0.8 (level 7): 8 s, 200 frames.
VALENCE = np.repeat([-0.9, 0.0, 0.8], [50, 50, 100])
LEVELS = np.repeat([1, 4, 7], [50, 50, 100])
EVENTS = (
    SoundEvent(1.0, 3.0, "crying"),  # 25 frames at -0.9, 25 at 0
    SoundEvent(5.0, 5.5, "crying"),  # 12 or 13 frames at 0.8
    SoundEvent(2.0, 4.0, "speech_male"),  # 50 frames at 0
)


def worked() -> AnnotatedFilm:
    return AnnotatedFilm("Crash", EVENTS, VALENCE, LEVELS)


def row(frame, label):
    return frame.set_index("label").loc[label]


def test_the_table_by_hand():
    frame = event_statistics([worked()])
    crying = row(frame, "crying")
    # 5.0 s is the start of frame 125, 5.5 s the middle of frame 137: 12 middles in between.
    assert crying["minutes"] == pytest.approx(2.5 / 60)
    assert crying["instances"] == 2
    assert crying["mean_valence"] == pytest.approx((25 * -0.9 + 25 * 0.0 + 12 * 0.8) / 62)
    assert crying["co_occurring"] == pytest.approx(100 * (25 + 12) / 62)
    male = row(frame, "speech_male")
    assert (male["instances"], male["mean_valence"], male["co_occurring"]) == (1, 0.0, 0.0)
    assert list(frame["label"]) == ["crying", "speech_male"]


def test_the_other_reading_is_of_the_extreme_frames():
    frame = event_statistics([worked()], co_occur="of_extremes", labels=("crying", "shouting"))
    # 50 frames of level 1 and 100 of level 7 are extreme.
    assert row(frame, "crying")["co_occurring"] == pytest.approx(100 * 37 / 150)
    shouting = row(frame, "shouting")
    assert (shouting["minutes"], shouting["instances"], shouting["co_occurring"]) == (0, 0, 0)
    assert math.isnan(shouting["mean_valence"])


def test_films_are_added_up_frame_by_frame():
    other = AnnotatedFilm(
        "Chicago", (SoundEvent(0, 0.4, "crying"),), np.full(10, 0.5), np.full(10, 6)
    )
    crying = row(event_statistics([worked(), other]), "crying")
    assert crying["mean_valence"] == pytest.approx((25 * -0.9 + 12 * 0.8 + 10 * 0.5) / 72)
    assert crying["co_occurring"] == pytest.approx(100 * 47 / 72)


def test_a_film_that_nobody_rated_counts_its_events_and_no_more():
    crying = row(event_statistics([without_trace("Crash", EVENTS)]), "crying")
    assert crying["minutes"] == pytest.approx(2.5 / 60)
    assert math.isnan(crying["mean_valence"])
    assert math.isnan(crying["co_occurring"])


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 100)), max_size=6))
def test_frames_are_those_whose_middle_is_in_an_event(spans):
    events = [SoundEvent(a / 50, (a + n) / 50, "crying") for a, n in spans]
    heard = activity(events, ["crying", "other"], 180)
    for frame in range(180):
        middle = (frame + 0.5) / 25
        # A middle is on a border at most: there the start counts and the end does not.
        wanted = any(e.start <= middle + 1e-9 and middle + 1e-9 < e.end for e in events)
        assert heard[frame, 0] == wanted
    assert not heard[:, 1].any()


def trace(path: Path, values) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{n / 25:g} {v:.4f} 0" for n, v in enumerate(values)]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_one_film_with_its_trace(tmp_path):
    events = tmp_path / "Crash.tsv"
    events.write_text("".join(f"{e.start}\t{e.end}\t{e.label}\n" for e in EVENTS))
    film = film_of_trace(events, trace(tmp_path / "trace.dat", VALENCE))
    assert film.levels.tolist() == LEVELS.tolist()
    assert row(event_statistics([film]), "crying")["co_occurring"] == pytest.approx(3700 / 62)


def test_events_of_several_films_are_no_match_for_one_trace(tmp_path):
    events = tmp_path / "all.tsv"
    events.write_text("a.mp4\t1\t2\tcrying\nb.mp4\t1\t2\tcrying\n")
    values = trace(tmp_path / "trace.dat", VALENCE)
    with pytest.raises(CorpusError, match="of 2 recordings"):
        film_of_trace(events, values)
    assert len(film_of_trace(events, values, recording="b").events) == 1
    long = tmp_path / "long.tsv"
    long.write_text("1\t99\tcrying\n")
    with pytest.raises(CorpusError, match=r"beyond the recording.s end at 8\.00 s"):
        film_of_trace(long, values)


@pytest.fixture
def cognimuse(tmp_path):
    """Two films with a viewer each, one with events."""
    for film, values in (("Crash", VALENCE), ("Chicago", VALENCE / 2)):
        trace(tmp_path / "Emotion Annotation" / "experienced" / f"subj1_1_{film}.dat", values)
    events = tmp_path / "Audio events" / "Crash.csv"
    events.parent.mkdir()
    rows = ["onset,offset,label", "1,3,crying", "2,4,Speech Male", "0,8,violins"]
    events.write_text("\n".join(rows))
    return tmp_path


def test_cognimuse_with_its_events(cognimuse):
    remarks: list[str] = []
    options = CognimuseOptions(emotion="experienced", segment_seconds=1)
    films = cognimuse_films(cognimuse, options, remarks=remarks)
    assert [film.film for film in films] == ["Crash"]
    # Rescaled over both films, -0.9 to 0.8: the middle is at -0.05, and 0 is level 4 still.
    assert films[0].levels.tolist() == LEVELS.tolist()
    assert films[0].valence.tolist() == VALENCE.tolist()
    assert [event.label for event in films[0].events] == ["crying", "speech_male"]
    assert any("Chicago: has no file of events" in remark for remark in remarks)
    assert any("no human sounds: violins" in remark for remark in remarks)


def test_cognimuse_without_events_says_where_they_belong(cognimuse):
    (cognimuse / "Audio events" / "Crash.csv").unlink()
    options = CognimuseOptions(emotion="experienced", segment_seconds=1)
    with pytest.raises(CorpusError, match="holds no files of events") as caught:
        cognimuse_films(cognimuse, options)
    assert "events/<Film>.eaf" in caught.value.advice


def test_on_a_real_trace_an_event_over_all_of_it_has_the_film_s_own_figures(shared, tmp_path):
    path = shared / "data/cognimuse/Emotion Annotation/intended/intended_1_Crash.dat"
    events = tmp_path / "Crash.tsv"
    events.write_text("0\t100000\tsound\n")
    with pytest.raises(CorpusError, match="beyond the recording's end"):
        film_of_trace(events, path)
    film = film_of_trace(events, path, settings=EventSettings(tolerance_seconds=1e6))
    found = row(event_statistics([film]), "sound")
    values = np.loadtxt(path)[:, 1]
    assert found["mean_valence"] == pytest.approx(values.mean())
    # Levels 1, 2, 6 and 7 of seven are what is further than 3/7 from the middle.
    assert found["co_occurring"] == pytest.approx(100 * np.mean(np.abs(values) > 3 / 7), abs=0.01)
    assert found["minutes"] == pytest.approx(len(values) / 25 / 60)
