"""The summary sentences, runs and times that all formats share."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from timelines import empty, scores, timelines, worked

from aver.labels import RAVDESS
from aver.report import describe
from aver.report.runs import (
    clock,
    duration_of,
    event_lanes,
    file_name,
    is_still,
    person_name,
    printable,
    runs_of,
    tracks,
)
from aver.timeline import Event, Person, Segment, Timeline

HAPPY = RAVDESS.index("happy")


def test_sentences_of_the_worked_timeline():
    assert describe(worked()) == [
        # Mean of happy: (0.6 + 0.5 * 0.8 + 0.5 / 7) / 2.5; the stronger window is weak.
        "Person 1 mostly shows happy (mean 0.43), strongest at 0:00.0.",
        "Person 2 shows neutral (0.90).",
        "A voice that belongs to nobody in view sounds happy (0.50); the evidence is mostly weak.",
    ]


def test_nothing_to_say():
    assert describe(empty()) == ["No face and no voice was found, so there is nothing to score."]


def test_no_clear_lead():
    timeline = empty()
    timeline.segments = [Segment(k, k + 1, 1, "fused", scores(HAPPY, 0.15)) for k in range(3)]
    assert describe(timeline) == ["Person 1 shows no clear expression; happy leads (mean 0.15)."]


def test_a_label_that_leads_by_its_mean_but_rarely_wins():
    angry = RAVDESS.index("angry")
    timeline = empty()
    timeline.segments = [
        Segment(0.0, 1.0, 1, "fused", scores(HAPPY, 0.9)),
        Segment(1.0, 2.0, 1, "fused", scores(angry, 0.3)),
        Segment(2.0, 3.0, 1, "fused", scores(0, 0.3)),
    ]
    assert describe(timeline) == [
        "Person 1 shows happy more than anything else (mean 0.37), strongest at 0:00.0."
    ]


def test_somebody_without_a_window():
    timeline = empty()
    timeline.people = [Person(1, 0.0, 0.2, 0.2, 0.5)]
    assert describe(timeline) == ["Person 1 was seen too briefly for a score."]


def test_sound_alone_has_no_view():
    timeline = worked()
    timeline.media["has_video"] = False
    timeline.people = []
    timeline.segments = timeline.select(person=None)
    assert describe(timeline)[0].startswith("The voice sounds happy")
    assert person_name(None, timeline) == "Voice"
    assert person_name(None, worked()) == "Voice, nobody in view"


def test_face_alone_stands_in_for_fused():
    timeline = empty()
    timeline.segments = [Segment(0.0, 1.0, 1, "face", scores(HAPPY, 0.7))]
    assert describe(timeline) == ["Person 1 shows happy (0.70)."]


@given(timelines())
@settings(max_examples=30, deadline=None)
def test_sentences_never_speak_of_feelings(timeline):
    said = describe(timeline)
    assert len(said) == max(1, len(tracks(timeline)))
    for sentence in said:
        assert sentence.endswith(".")
        assert not re.search(r"\b(feel|feels|is|are) (happy|sad|angry|calm)", sentence)


def test_runs_join_equal_labels_and_split_at_gaps():
    runs = runs_of(worked().select(person=1, modality="fused"))
    assert [(r.start, r.end, RAVDESS[r.label], r.weak) for r in runs] == [
        (0.0, 2.0, "happy", True),
        (3.0, 4.0, "sad", False),
    ]
    assert runs[0].score == pytest.approx(0.7)
    assert (runs[0].peak, runs[0].peak_time) == (0.8, 1.0)


def test_runs_join_windows_whose_times_touch_but_for_rounding():
    row = scores(HAPPY, 0.5)
    segments = [Segment(k * 0.3, (k + 1) * 0.3, 1, "face", row) for k in range(50)]
    assert len(runs_of(segments)) == 1


def test_windows_that_overlap_are_cut():
    first = Segment(0.0, 2.0, 1, "face", scores(HAPPY, 0.9))
    runs = runs_of([replace(first, start=1.0, end=3.0, scores=scores(0, 0.9)), first])
    assert [(r.start, r.end) for r in runs] == [(0.0, 2.0), (2.0, 3.0)]


@given(timelines())
@settings(max_examples=30, deadline=None)
def test_runs_cover_the_windows_exactly(timeline):
    for by_modality in tracks(timeline).values():
        for segments in by_modality.values():
            runs = runs_of(segments)
            assert sum(r.end - r.start for r in runs) == pytest.approx(
                sum(s.end - s.start for s in segments)
            )
            assert all(a.end <= b.start for a, b in pairwise(runs))
            assert all(a.label != b.label or b.start - a.end > 1e-3 for a, b in pairwise(runs))


def test_tracks_keep_people_without_windows_and_put_nobody_last():
    timeline = worked()
    timeline.segments.insert(0, timeline.select(person=None)[0])
    timeline.people.append(Person(3, 0.0, 0.1, 0.1, 0.1))
    assert list(tracks(timeline)) == [1, 2, 3, None]
    assert list(tracks(timeline)[1]) == ["face", "voice", "fused"]


def test_events_that_overlap_get_lanes_of_their_own():
    a, b, c = Event(0, 2, "a", 1), Event(1, 3, "b", 1), Event(2, 4, "c", 1)
    assert event_lanes([c, b, a, Event(5, 5, "no length", 1)]) == [[a, c], [b]]


@pytest.mark.parametrize(
    ("seconds", "decimals", "text"),
    [
        (0, 0, "0:00"),
        (7.96, 0, "0:07"),
        (7.96, 1, "0:07.9"),
        (59.999, 0, "0:59"),
        (60, 0, "1:00"),
        (3599.5, 1, "59:59.5"),
        (3723, 0, "1:02:03"),
        (0.3 * 10, 1, "0:03.0"),
        (-1, 0, "0:00"),
    ],
)
def test_clock(seconds, decimals, text):
    assert clock(seconds, decimals) == text


def test_duration_is_the_later_of_what_is_stated_and_what_is_there():
    assert duration_of(worked()) == 4.0
    timeline = worked()
    for stated in (None, 0, float("nan"), 1.5, "long"):
        timeline.media["duration"] = stated
        assert duration_of(timeline) == 4.0
    timeline.media["duration"] = 9
    assert duration_of(timeline) == 9.0
    assert duration_of(Timeline(media={}, labels=("a",))) == 0.0


def test_file_name():
    named = Timeline(media={"name": "a/b.mp4", "path": "/x/y.mp4"}, labels=("a",))
    assert file_name(named) == "a/b.mp4"
    for path, name in (("/x/y.mp4", "y.mp4"), ("C:\\x\\y.mp4", "y.mp4"), ("", "recording")):
        assert file_name(Timeline(media={"path": path}, labels=("a",))) == name


def test_printable_is_one_encodable_line():
    assert printable("a\n b\t\tc\x07\u202e\udcff") == "a b c��\\udcff"


def test_a_still_has_one_window():
    assert not is_still(worked())
    assert not is_still(empty())
    timeline = empty()
    timeline.segments = [Segment(0, 0.5, 1, m, scores(0, 0.5)) for m in ("face", "fused")]
    assert is_still(timeline)
