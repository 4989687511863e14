"""Sound events: every format read and written, and everything that can be wrong with them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timelines import worked

from aver.corpora.sound_events import (
    COGNIMUSE_LABELS,
    EventSettings,
    SoundEvent,
    read_event_file,
    read_events,
    write_events,
    write_events_audacity,
    write_events_tsv,
)
from aver.errors import CorpusError, OutputError
from aver.report.elan import write_eaf
from aver.timeline import Event

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0">
 <HEADER MEDIA_FILE="" TIME_UNITS="{unit}">
  <MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/films/A%20Crash.mp4" MIME_TYPE="video/mp4"/>
 </HEADER>
 <TIME_ORDER>
  <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/>
  <TIME_SLOT TIME_SLOT_ID="ts2"/>
  <TIME_SLOT TIME_SLOT_ID="ts3"/>
  <TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="4000"/>
  <TIME_SLOT TIME_SLOT_ID="ts5" TIME_VALUE="500"/>
  <TIME_SLOT TIME_SLOT_ID="ts6" TIME_VALUE="2500"/>
 </TIME_ORDER>
 <TIER TIER_ID="voices" LINGUISTIC_TYPE_REF="t">
  {voices}
 </TIER>
 <TIER TIER_ID="music" LINGUISTIC_TYPE_REF="t">
  <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a4" TIME_SLOT_REF1="ts5" TIME_SLOT_REF2="ts6">
   <ANNOTATION_VALUE>strings</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
 </TIER>
 <TIER TIER_ID="who" LINGUISTIC_TYPE_REF="t" PARENT_REF="music">
  <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a5" ANNOTATION_REF="a4">
   <ANNOTATION_VALUE>violin</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a6" ANNOTATION_REF="a4" PREVIOUS_ANNOTATION="a5">
   <ANNOTATION_VALUE>cello</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
 </TIER>
</ANNOTATION_DOCUMENT>
"""


def note(number: int, first: str, last: str, value: str) -> str:
    return (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" TIME_SLOT_REF1="{first}" '
        f'TIME_SLOT_REF2="{last}"><ANNOTATION_VALUE>{value}</ANNOTATION_VALUE>'
        "</ALIGNABLE_ANNOTATION></ANNOTATION>"
    )


VOICES = note(1, "ts1", "ts2", "crying") + note(2, "ts2", "ts3", "cry") + note(3, "ts3", "ts4", "x")


@pytest.fixture
def eaf(tmp_path):
    def write(voices: str = VOICES, unit: str = "milliseconds") -> Path:
        path = tmp_path / "events.eaf"
        path.write_text(EAF.format(voices=voices, unit=unit), encoding="utf-8")
        return path

    return write


@pytest.fixture
def table(tmp_path):
    def write(text: str, name: str = "events.tsv") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refused(path, **given) -> CorpusError:
    with pytest.raises(CorpusError) as caught:
        read_events(path, **given)
    assert caught.value.advice
    assert "\n" not in str(caught.value)
    return caught.value


def times(events) -> list[tuple[float, float, str]]:
    return [(round(e.start, 6), round(e.end, 6), e.label) for e in events]


def test_elan_gives_open_times_evenly_and_names_the_film(eaf):
    events = read_events(eaf())
    # 1 s to 4 s with two open times between: 2 and 3.
    assert times(events) == [
        (0.5, 2.5, "strings"),
        (1.0, 2.0, "crying"),
        (2.0, 3.0, "cry"),
        (3.0, 4.0, "x"),
    ]
    assert {event.recording for event in events} == {"A Crash.mp4"}


def test_elan_tiers_by_name_take_the_times_of_what_they_refer_to(eaf):
    events = read_events(eaf(), settings=EventSettings(tiers=("who",)))
    assert times(events) == [(0.5, 1.5, "violin"), (1.5, 2.5, "cello")]
    named = EventSettings(tiers=("music",), label_from="tier")
    assert times(read_events(eaf(), settings=named)) == [(0.5, 2.5, "music")]


def test_elan_counts_frames_where_it_says_so(eaf):
    events = read_events(eaf(unit="PAL-frames"), settings=EventSettings(tiers=("music",)))
    assert times(events) == [(20.0, 100.0, "strings")]


def test_elan_files_that_cannot_be_used(eaf, table):
    error = refused(eaf(), settings=EventSettings(tiers=("voice",)))
    assert "has no tier 'voice'" in error.problem
    assert "'voices'" in error.advice
    assert "inches" in refused(eaf(unit="inches")).problem
    assert "is not an ELAN file" in refused(table("<html/>", "a.eaf")).problem
    assert "is not an ELAN file" in refused(table("<ANNOTATION", "a.eaf")).problem
    assert (
        "annotation a1 of the tier 'voices' has no time"
        in refused(eaf(note(1, "ts2", "ts3", "crying"))).problem
    )
    assert (
        "annotation a1 of the tier 'voices' has no label"
        in refused(eaf(note(1, "ts1", "ts4", " "))).problem
    )


def test_what_aver_writes_for_elan_is_read_again(tmp_path):
    sounds = (Event(1.0, 2.5, "laughter", 0.9), Event(2.0, 3.0, "crying", 0.5))
    made = replace(worked(), events=sounds)
    path = tmp_path / "made.eaf"
    with path.open("wb") as out:
        write_eaf(made, out)
    events = times(read_events(path, settings=EventSettings(same_label="keep")))
    assert {(1.0, 2.5, "laughter"), (2.0, 3.0, "crying")} <= set(events)
    # The tiers of people's expressions are there, those of their scores are not.
    assert (0.0, 2.0, "happy") in events
    assert not any(label.startswith("0.") for _, _, label in events)


def test_dcase_tables_with_recordings_in_which_nothing_is_heard(table):
    text = (
        "filename\tonset\toffset\tevent_label\n"
        "b.wav\t1.0\t2.0\tcrying\n"
        "a.wav\t\t\t\n"
        "c.wav\tnan\tNaN\tnan\n"
        "b.wav\t0.5\t0.9\tlaughter\n"
    )
    found = read_event_file(table(text))
    assert found.recordings == ("b.wav", "a.wav", "c.wav")
    assert times(found.events) == [(0.5, 0.9, "laughter"), (1.0, 2.0, "crying")]
    assert read_event_file(table(text), recording="/films/A.flac").events == ()
    silent = table("filename\tonset\toffset\tevent_label\na.wav\t\t\t\n")
    assert read_events(silent) == []


def test_csv_with_other_names_order_and_marks(table):
    text = "Label;End Time;Begin-Time\nmale speech;2.5;1\n"
    path = table(text, "events.csv")
    assert times(read_events(path, labels=COGNIMUSE_LABELS)) == [(1.0, 2.5, "speech_male")]


def test_tables_without_a_header(table):
    assert times(read_events(table("0.5\t1\tcrying\n"))) == [(0.5, 1.0, "crying")]
    events = read_events(table("a.wav\t0.5\t1\tcrying\n"))
    assert events == [SoundEvent(0.5, 1.0, "crying", "a.wav")]


def test_audacity_labels_without_their_frequencies(table):
    text = "1.0\t2.0\tcrying baby\n\\\t-1.000000\t6334.588867\n3.0\t3.5\tlaughter\n"
    events = read_events(table(text, "labels.txt"))
    assert times(events) == [(1.0, 2.0, "crying baby"), (3.0, 3.5, "laughter")]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("-0.5\t1\tcrying", "line 2 starts at -0.5 s, before the recording"),
        ("2\t1\tcrying", "line 2 ends at 1 s, before it starts at 2 s"),
        ("1\t1\tcrying", "line 2 is a point at 1 s that lasts no time"),
        ("1\t2\t ", "line 2 has no label"),
        ("1\t\tcrying", "line 2 holds nothing where the end in seconds belongs"),
        ("1\tinf\tcrying", "line 2 holds 'inf' where the end in seconds belongs"),
        ("00:01\t2\tcrying", "line 2 holds '00:01' where the start in seconds belongs"),
        ("1\t3\tcrying\n2\t4\tcrying", "line 3 and line 2 are both 'crying' and overlap at 2 s"),
        ("-1\t1\ta\n-2\t1\tb\n-3\t1\tc", "before the recording (and 2 more like it)"),
    ],
)
def test_events_that_make_no_sense_are_refused_with_their_line(table, rows, problem):
    assert problem in refused(table(f"onset\toffset\tevent_label\n{rows}\n")).problem


def test_tables_that_are_none(table, tmp_path):
    assert "holds no events" in refused(table("")).problem
    assert "holds no events" in refused(table("onset\toffset\tevent_label\n")).problem
    assert "has no column event_label" in refused(table("onset\toffset\n1\t2\n")).problem
    assert "is not a table of events" in refused(table("hello\n")).problem
    assert "cannot be read" in refused(tmp_path / "nothing.tsv").problem
    assert "is not a file of events" in refused(table("", "events.xml")).problem
    (tmp_path / "latin.tsv").write_bytes(b"1\t2\tl\xe4cheln\n")
    assert "is not text in UTF-8" in refused(tmp_path / "latin.tsv").problem
    assert read_events(table(""), settings=EventSettings(allow_empty=True)) == []


def test_overlaps_of_one_label_are_merged_where_that_is_wanted(table):
    path = table("0\t2\tcrying\n1\t3\tcrying\n3\t4\tcrying\n1\t2\tlaughter\n2.5\t2.8\tcrying\n")
    merged = read_events(path, settings=EventSettings(same_label="merge"))
    assert times(merged) == [(0.0, 3.0, "crying"), (1.0, 2.0, "laughter"), (3.0, 4.0, "crying")]
    assert len(read_events(path, settings=EventSettings(same_label="keep"))) == 5


def test_labels_that_are_not_in_the_map(table):
    path = table("0\t1\tCrowd_Noise\n2\t3\tspeech mail\n4\t5\tviolins\n")
    error = refused(path, labels=COGNIMUSE_LABELS)
    assert "label 'speech mail' (line 2) is not in the map of labels, and 1 more" in error.problem
    assert error.advice == "Did you mean 'speech male'?"
    left = read_events(path, labels=COGNIMUSE_LABELS, settings=EventSettings(unknown="leave_out"))
    assert times(left) == [(0.0, 1.0, "crowd")]
    kept = EventSettings(unknown="keep")
    silenced = {**COGNIMUSE_LABELS, "violins": ""}
    assert [e.label for e in read_events(path, labels=silenced, settings=kept)] == [
        "crowd",
        "speech mail",
    ]


def test_events_of_another_film(table, eaf):
    path = table("film\tonset\toffset\tlabel\nCrash.mp4\t1\t2\tcrying\n")
    assert len(read_events(path, recording="films/crash.mkv")) == 1
    error = refused(path, recording="Gladiator.mp4")
    assert "tells the events of Crash.mp4, not of Gladiator.mp4" in error.problem
    renamed = EventSettings(any_recording=True)
    assert len(read_events(path, recording="Gladiator.mp4", settings=renamed)) == 1
    assert "A Crash.mp4, not of Gladiator" in refused(eaf(), recording="Gladiator").problem


def test_events_beyond_the_recording(table):
    path = table("1\t2\tcrying\n9\t10.4\tcrying\n10.1\t10.2\tlaughter\n")
    # Within half a second they are cut; what is left of nothing is nothing.
    assert times(read_events(path, duration=10.0)) == [(1.0, 2.0, "crying"), (9.0, 10.0, "crying")]
    error = refused(path, duration=5.0)
    assert "line 2 ends at 10.40 s (and 1 more), beyond the recording's end" in error.problem
    assert "another recording" in error.advice


# Nothing that a line of text cannot hold; blanks of all kinds may come in between.
WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), include_characters="\t\n "), min_size=1
).map(lambda text: " ".join(text.split()))
NAMES = WORDS.filter(bool)
EVENTS = st.builds(
    lambda start, length, label, recording: SoundEvent(
        start / 1e6, (start + length) / 1e6, label, recording
    ),
    st.integers(0, 10**10),
    st.integers(1, 10**9),
    NAMES,
    NAMES,
)
KEEP = EventSettings(same_label="keep", allow_empty=True)


def rounded(events) -> list[tuple[str, int, int, str]]:
    return sorted((e.recording, round(e.start * 1e6), round(e.end * 1e6), e.label) for e in events)


@settings(max_examples=30, deadline=None)
@given(st.lists(EVENTS, max_size=8), st.lists(NAMES, max_size=3), st.sampled_from(["tsv", "csv"]))
def test_tables_hold_what_was_written(tmp_path_factory, events, silent, kind):
    path = tmp_path_factory.mktemp("round") / f"events.{kind}"
    write_events(events, path, silent)
    found = read_event_file(path, settings=KEEP)
    assert rounded(found.events) == rounded(events)
    assert set(found.recordings) == {*silent, *(event.recording for event in events)}


@settings(max_examples=20, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=8))
def test_audacity_holds_what_was_written(tmp_path_factory, events):
    one = [SoundEvent(e.start, e.end, e.label) for e in events]
    path = write_events_audacity(one, tmp_path_factory.mktemp("round") / "labels.txt")
    assert rounded(read_events(path, settings=KEEP)) == rounded(one)


@settings(max_examples=30, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=10))
def test_merged_events_cover_the_same_time_and_never_overlap(tmp_path_factory, events):
    one = [SoundEvent(e.start, e.end, e.label[0]) for e in events]
    path = write_events_tsv(one, tmp_path_factory.mktemp("merge") / "events.tsv")
    merged = read_events(path, settings=EventSettings(same_label="merge"))
    for label in {event.label for event in one}:
        mine = [event for event in merged if event.label == label]
        assert all(a.end <= b.start + 1e-9 for a, b in pairwise(mine))
        for event in (e for e in one if e.label == label):
            holding = [
                m for m in mine if m.start - 1e-6 <= event.start and event.end <= m.end + 1e-6
            ]
            assert len(holding) == 1


BASES = {
    ".eaf": EAF.format(voices=VOICES, unit="milliseconds").encode(),
    ".tsv": b"filename\tonset\toffset\tevent_label\na.wav\t1.0\t2.0\tcrying\n",
    ".csv": b'onset,offset,event_label\n1.0,2.0,"crying"\n',
    ".txt": b"1.0\t2.0\tcrying\n\\\t-1\t2\n",
}


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(BASES)),
    st.lists(
        st.tuples(st.integers(0, 3000), st.binary(max_size=3), st.integers(0, 12)), max_size=4
    ),
)
def test_damaged_files_are_refused_or_read(tmp_path_factory, suffix, changes):
    content = BASES[suffix]
    for place, new, cut in changes:
        place %= len(content) + 1
        content = content[:place] + new + content[place + cut :]
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    path.write_bytes(content)
    events = []
    with suppress(CorpusError):  # and nothing else
        events = read_events(path)
    assert all(0 <= event.start < event.end and event.label for event in events)


def test_elan_files_in_other_encodings(tmp_path):
    text = EAF.format(voices=note(1, "ts1", "ts4", "Lächeln"), unit="milliseconds")
    path = tmp_path / "events.eaf"
    path.write_bytes(text.replace("UTF-8", "UTF-16").encode("utf-16"))
    assert "Lächeln" in {event.label for event in read_events(path)}
    path.write_bytes(text.replace("UTF-8", "EBCDIC-XX").encode())
    assert "is not an ELAN file" in refused(path).problem


def test_what_cannot_be_written(tmp_path):
    events = [SoundEvent(0, 1, "crying", "a"), SoundEvent(0, 1, "crying", "b")]
    with pytest.raises(OutputError, match="events of 2 recordings"):
        write_events(events, tmp_path / "labels.txt")
    with pytest.raises(OutputError, match="no suffix that events are written with"):
        write_events(events, tmp_path / "labels.eaf")
    assert not list(tmp_path.iterdir())
