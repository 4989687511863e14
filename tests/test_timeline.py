"""The timeline: its views, its JSON form, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from timelines import empty, scores, timelines, worked

from aver.errors import TimelineError
from aver.labels import RAVDESS
from aver.timeline import SCHEMA, Segment, Timeline, order_segments


def test_best_is_the_first_of_equals():
    assert Segment(0, 1, 1, "face", (0.2, 0.4, 0.4)).best == 1


def test_select():
    timeline = worked()
    assert [s.start for s in timeline.select(person=1, modality="fused")] == [0.0, 1.0, 3.0]
    assert len(timeline.select(person=None)) == 2
    assert len(timeline.select(modality="fused")) == 5
    assert len(timeline.select()) == 8


def test_summary_weights_length_and_halves_weak_windows():
    summary = worked().summary()
    # Person 1: happy 0.6 and 0.8 (weak, so half), then sad 0.5 leaves 0.5 / 7 for happy.
    assert summary[1]["happy"] == pytest.approx((0.6 + 0.5 * 0.8 + 0.5 / 7) / 2.5)
    assert summary[2]["neutral"] == pytest.approx(0.9)
    assert summary[None]["happy"] == pytest.approx(0.5)
    assert all(sum(row.values()) == pytest.approx(1) for row in summary.values())


def test_order_is_by_start_then_modality_then_person():
    shuffled = [
        Segment(1.0, 2.0, 1, "face", (1.0,)),
        Segment(0.0, 1.0, None, "fused", (1.0,)),
        Segment(0.0, 1.0, 2, "fused", (1.0,)),
        Segment(0.0, 1.0, 1, "voice", (1.0,)),
        Segment(0.0, 1.0, 2, "face", (1.0,)),
    ]
    ordered = [(s.start, s.modality, s.person) for s in order_segments(shuffled)]
    assert ordered == [
        (0.0, "face", 2),
        (0.0, "voice", 1),
        (0.0, "fused", 2),
        (0.0, "fused", None),
        (1.0, "face", 1),
    ]


def test_frame_has_the_columns_and_types_of_audformat():
    frame = worked().to_frame()
    assert list(frame.index.names) == ["file", "start", "end"]
    assert [str(t) for t in frame.index.dtypes] == [
        "string",
        "timedelta64[ns]",
        "timedelta64[ns]",
    ]
    assert list(frame.columns) == ["person", "modality", "label", "score", "weak", *RAVDESS]
    assert str(frame["person"].dtype) == "Int64"
    assert frame["person"].isna().sum() == 2
    row = frame.loc["/films/two.mp4"].reset_index().iloc[0]
    assert (row["label"], row["score"], row["weak"]) == ("happy", 0.7, False)
    assert row["end"].total_seconds() == 1.0


def test_frame_of_nothing_keeps_its_types():
    frame = empty().to_frame()
    assert len(frame) == 0
    assert str(frame["happy"].dtype) == "float64"
    assert str(frame.index.get_level_values("start").dtype) == "timedelta64[ns]"


def _same(read: Timeline, written: Timeline, digits: float = 5.1e-6) -> None:
    assert read.labels == written.labels
    assert read.people == written.people
    assert read.events == written.events
    assert read.warnings == written.warnings
    assert read.model == written.model
    assert len(read.segments) == len(written.segments)
    for a, b in zip(read.segments, written.segments, strict=True):
        assert (a.start, a.end, a.person, a.modality, a.weak) == (
            b.start,
            b.end,
            b.person,
            b.modality,
            b.weak,
        )
        assert a.scores == pytest.approx(b.scores, abs=digits)


@given(timelines())
@settings(max_examples=30, deadline=None)
def test_json_round_trip(timeline):
    read = Timeline.from_json(timeline.to_json())
    _same(read, timeline)
    assert read.media == timeline.media


@given(timelines())
@settings(max_examples=20, deadline=None)
def test_streamed_json_says_the_same(timeline):
    assert json.loads("".join(timeline.iter_json())) == timeline.to_dict()


def test_streamed_json_has_one_line_a_segment():
    lines = "".join(worked().iter_json()).splitlines()
    assert sum('"modality"' in line for line in lines) == 8


def test_json_takes_paths_and_numpy_numbers_and_drops_what_is_not_finite():
    timeline = empty()
    timeline.media |= {
        "path": Path("a") / "b.mp4",
        "frames_per_second": math.nan,
        "width": np.int64(640),
        "size": (1, np.float32(0.5)),
    }
    media = json.loads(timeline.to_json())["media"]
    assert media["path"] == str(Path("a") / "b.mp4")
    assert media["frames_per_second"] is None
    assert media["width"] == 640
    assert media["size"] == [1, 0.5]


def test_unknown_keys_are_ignored():
    data = worked().to_dict()
    data["later"] = 1
    data["segments"][0]["later"] = 1
    data["people"][0]["later"] = 1
    _same(Timeline.from_dict(data), worked())


def _without(key):
    return lambda data: data.pop(key)


def _segment(**change):
    return lambda data: data["segments"][0].update(change)


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (_without("segments"), "segments"),
        (_without("labels"), "labels"),
        (_segment(scores=[1.0]), "1 scores for 8 labels"),
        (_segment(scores=[math.nan] * 8), "not a number"),
        (_segment(scores="abcdefgh"), "could not convert"),
        (_segment(modality="smell"), "smell"),
        (_segment(start="soon"), "soon"),
        (lambda data: data["people"][0]["thumbnails"][0].update(jpeg="%%%"), "damaged"),
        (lambda data: data.update(events=[3]), "damaged"),
    ],
)
def test_damage_is_one_clear_line(damage, word):
    data = worked().to_dict()
    damage(data)
    with pytest.raises(TimelineError) as caught:
        Timeline.from_dict(data, "x.json")
    assert str(caught.value).startswith("x.json: is damaged")
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("schema", ["aver.timeline/2", None, 7])
def test_another_schema_is_refused(schema):
    data = worked().to_dict()
    data["schema"] = schema
    with pytest.raises(TimelineError, match=SCHEMA):
        Timeline.from_dict(data)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"aver.timeline/1"', "[" * 100_000])
def test_not_a_timeline(text):
    with pytest.raises(TimelineError):
        Timeline.from_json(text, "x.json")


def test_scores_that_are_not_numbers_cannot_be_written():
    timeline = empty()
    timeline.segments.append(Segment(0, 1, None, "voice", (math.nan, *scores(0, 0.5)[1:])))
    with pytest.raises(ValueError, match="JSON"):
        timeline.to_json()
