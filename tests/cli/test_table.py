"""The table in the terminal."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from aver.cli.table import clock, render, sounds, stretches
from aver.timeline import Event, Person, Segment, Timeline

LABELS = ("neutral", "happy")


def segment(start, happy, person=1, weak=False, length=0.5):
    return Segment(start, start + length, person, "fused", (1 - happy, happy), weak)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00.0"),
        (9.96, "0:10.0"),
        (59.97, "1:00.0"),
        (75.25, "1:15.2"),
        (3599.9, "59:59.9"),
        (3600, "1:00:00"),
        (7325.6, "2:02:05"),
    ],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_neighbours_with_the_same_label_are_one_stretch():
    segments = [segment(0, 0.9), segment(0.5, 0.7), segment(1.0, 0.2), segment(2.0, 0.1)]
    found = list(stretches(segments, LABELS))
    assert [(s.start, s.end, s.label) for s in found] == [
        (0, 1.0, "happy"),
        (1.0, 1.5, "neutral"),
        (2.0, 2.5, "neutral"),  # a gap lies between
    ]
    assert found[0].score == pytest.approx(0.8)


def test_a_stretch_is_weak_only_if_all_of_it_is():
    found = list(stretches([segment(0, 0.9, weak=True), segment(0.5, 0.9)], LABELS))
    assert [s.weak for s in found] == [False]


@given(st.lists(st.floats(0, 1), max_size=40))
def test_stretches_cover_the_same_time(scores):
    segments = [segment(i / 2, s) for i, s in enumerate(scores)]
    found = list(stretches(segments, LABELS))
    assert sum(s.end - s.start for s in found) == pytest.approx(len(scores) / 2)
    assert all(a.label != b.label for a, b in itertools.pairwise(found))


def shown(timeline):
    console = Console(width=100, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(render(timeline))
    return capture.get()


def test_people_voices_and_notes_are_shown():
    timeline = Timeline(
        media={"name": "a.mp4"},
        labels=LABELS,
        people=[Person(1, 0, 1, 1, 1.0)],
        segments=[segment(0, 0.9), segment(5, 0.1, person=None, weak=True)],
        warnings=["2.0 s at the end\ncould not be read"],
    )
    text = shown(timeline)
    assert "Person 1" in text
    assert "Voice without a face" in text
    assert "weak" in text
    assert "could not be read" in text


def test_nothing_found_is_said_and_long_tables_are_cut():
    assert "Neither a face nor a voice" in shown(Timeline(media={}, labels=LABELS))
    segments = [segment(i / 2, i % 2) for i in range(100)]
    person = [Person(1, 0, 50, 50, 1.0)]
    text = shown(Timeline(media={}, labels=LABELS, people=person, segments=segments))
    assert "76 more" in text


def test_human_sounds_are_one_line_the_longest_first():
    events = [
        Event(0.0, 1.0, "laughter", 0.9),
        Event(1.0, 3.5, "speech_male", 0.9),
        Event(70.0, 131.0, "speech_male", 0.5),
    ]
    timeline = Timeline(media={}, labels=LABELS, events=events)
    told = "Human sounds: speech male 1:03.5 (2 times), laughter 0:01.0"
    assert sounds(timeline) == told
    assert told in shown(timeline)
    assert "Human sounds" not in shown(Timeline(media={}, labels=LABELS))
