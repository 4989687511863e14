"""What the formats for other programs hold, read back by their own rules."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from timelines import empty, timelines, worked

from aver.errors import TimelineError
from aver.labels import RAVDESS
from aver.report import FORMATS, json_schema, read_timeline, write
from aver.timeline import Timeline


def text(timeline: Timeline, name: str) -> str:
    out = io.BytesIO()
    FORMATS[name].write(timeline, out)
    return out.getvalue().decode("utf-8")


@pytest.mark.parametrize("name", list(FORMATS))
@given(timeline=timelines())
@settings(max_examples=20, deadline=None)
def test_every_format_takes_every_timeline(name, timeline):
    out = io.BytesIO()
    FORMATS[name].write(timeline, out)
    assert out.getvalue()


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_name_that_is_not_utf8(name):
    timeline = worked()
    timeline.media |= {"name": "a\udcff.mp4", "path": "/x/a\udcff.mp4"}
    out = io.BytesIO()
    FORMATS[name].write(timeline, out)
    if name == "json":
        assert json.loads(out.getvalue())["media"]["name"] == "a\udcff.mp4"
    else:
        assert b"\xed" not in out.getvalue()[:200]


# -- JSON


def test_json_schema_holds():
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.check_schema(json_schema())
    for timeline in (worked(), empty()):
        validator.validate(json.loads(text(timeline, "json")))
    broken = worked().to_dict()
    broken["segments"][0]["modality"] = "smell"
    assert not validator.is_valid(broken)


def test_json_fields():
    data = json.loads(text(worked(), "json"))
    assert data["schema"] == "aver.timeline/1"
    assert set(data) == {
        "schema",
        "media",
        "labels",
        "model",
        "people",
        "segments",
        "events",
        "warnings",
    }
    first = data["segments"][0]
    assert set(first) == {"start", "end", "person", "modality", "scores", "weak"}
    assert first["scores"][RAVDESS.index("happy")] == 0.7


# -- CSV and Parquet


def test_csv_rows():
    rows = list(csv.reader(io.StringIO(text(worked(), "csv"))))
    columns = ["file", "start", "end", "person", "modality", "label", "score", "weak"]
    assert rows[0] == [*columns, *RAVDESS]
    assert rows[1][:8] == [
        "/films/two.mp4",
        "0:00:00.000",
        "0:00:01.000",
        "1",
        "face",
        "happy",
        "0.7",
        "False",
    ]
    voice_off = [row for row in rows if row[1] == "0:00:02.000"]
    assert [row[3] for row in voice_off] == ["", ""]


def test_csv_times_are_what_pandas_calls_times():
    frame = pd.read_csv(io.StringIO(text(worked(), "csv")))
    ends = pd.to_timedelta(frame["end"]).dt.total_seconds()
    parts = [*worked().segments, *worked().events]
    assert ends.tolist() == [part.end for part in parts]


def test_csv_has_a_row_for_each_sound_of_nobody():
    rows = list(csv.reader(io.StringIO(text(worked(), "csv"))))
    file = "/films/two.mp4"
    assert rows[-2:] == [
        [file, "0:00:00.500", "0:00:02.500", "", "event", "laughter", "0.9", "False", *[""] * 8],
        [file, "0:00:01.000", "0:00:01.500", "", "event", "door", "0.4", "False", *[""] * 8],
    ]
    assert sum(row[4] == "event" for row in rows) == 2


def test_parquet_types(tmp_path):
    path = write(worked(), tmp_path / "x.parquet")
    schema = pq.read_schema(path)
    assert schema.names[:8] == [
        "file",
        "start",
        "end",
        "person",
        "modality",
        "label",
        "score",
        "weak",
    ]
    assert schema.names[8:] == list(RAVDESS)
    assert schema.field("start").type == pa.duration("ns")
    assert schema.field("end").type == pa.duration("ns")
    assert schema.field("person").type == pa.int64()
    assert schema.field("weak").type == pa.bool_()
    assert schema.field("file").type == pa.string()
    assert schema.field("sad").type == pa.float64()


def test_parquet_is_the_frame(tmp_path):
    frame = pd.read_parquet(write(worked(), tmp_path / "x.parquet"))
    pd.testing.assert_frame_equal(frame, worked().to_frame().reset_index())


@pytest.mark.parametrize("name", ["json", "parquet", "csv"])
@given(timeline=timelines())
@settings(max_examples=20, deadline=None)
def test_round_trip(name, timeline, tmp_path_factory):
    path = tmp_path_factory.mktemp("round") / f"x.{name}"
    read = read_timeline(write(timeline, path))
    assert read.labels == timeline.labels
    assert len(read.segments) == len(timeline.segments)
    for a, b in zip(read.segments, timeline.segments, strict=True):
        assert (a.person, a.modality, a.weak) == (b.person, b.modality, b.weak)
        assert (a.start, a.end) == pytest.approx((b.start, b.end), abs=1e-9)
        assert a.scores == pytest.approx(b.scores, abs=5.1e-6)
    for found, event in zip(read.events, timeline.events, strict=True):
        assert (found.label, found.score) == (event.label, event.score)
        assert (found.start, found.end) == pytest.approx((event.start, event.end), abs=1e-9)
    if name != "csv":
        assert read.events == timeline.events
        assert read.warnings == timeline.warnings
        assert [p.id for p in read.people] == [p.id for p in timeline.people]
    if name == "json":
        assert read.people == timeline.people


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.json", b"\xff\xfe\x00"),
        ("x.json", b"{}"),
        ("x.parquet", b"not parquet"),
        ("x.parquet", b""),
        ("x.csv", b"a,b\n1,2\n"),
        ("x.csv", b""),
        ("x.csv", b"\xff\xfe"),
    ],
)
def test_what_is_not_a_timeline(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TimelineError) as caught:
        read_timeline(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_csv_row(tmp_path):
    path = write(worked(), tmp_path / "x.csv")
    path.write_text(path.read_text() + "/films/two.mp4,soon\n")
    with pytest.raises(TimelineError, match="is not a timeline as CSV"):
        read_timeline(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(TimelineError, match="cannot be read"):
        read_timeline(tmp_path / "x.json")


def test_another_table_as_parquet(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(TimelineError, match="columns must be file, start, end"):
        read_timeline(tmp_path / "x.parquet")


# -- WebVTT

_CUE = re.compile(r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})")


def _cues(vtt: str) -> list[tuple[int, int, str]]:
    found = []
    for block in vtt.split("\n\n"):
        lines = block.strip().split("\n")
        if "-->" in lines[0]:
            times = []
            for side in lines[0].split(" --> "):
                match = _CUE.fullmatch(side)
                assert match, side
                h, m, s, ms = map(int, match.groups())
                times.append(((h * 60 + m) * 60 + s) * 1000 + ms)
            assert len(lines) == 2
            found.append((times[0], times[1], lines[1]))
    return found


def test_webvtt_cues():
    vtt = text(worked(), "vtt")
    assert vtt.startswith("WEBVTT - ")
    assert _cues(vtt) == [
        (0, 1000, "<v Person 2>neutral 0.90"),
        # Windows of 0.6 and 0.8 (weak) run together: half of the time is weak.
        (0, 2000, "<v Person 1>happy 0.70 (weak)"),
        (500, 2500, "[laughter 0.90]"),
        (1000, 1500, "[door 0.40]"),
        (2000, 3000, "<v Voice, nobody in view>happy 0.50 (weak)"),
        (3000, 4000, "<v Person 1>sad 0.50"),
    ]


@given(timelines())
@settings(max_examples=20, deadline=None)
def test_webvtt_is_well_formed(timeline):
    vtt = text(timeline, "vtt")
    cues = _cues(vtt)
    assert vtt.count("-->") == len(cues)
    assert [c[0] for c in cues] == sorted(c[0] for c in cues)
    for start, end, words in cues:
        assert end > start
        assert re.fullmatch(r"(<v [^<>&]+>)?([^<>&]|&amp;|&lt;|&gt;)+", words)


def test_webvtt_name_cannot_open_a_cue():
    timeline = empty()
    timeline.media["name"] = "a\n\n00:00.000 --> 00:01.000\nb"
    assert _cues(text(timeline, "vtt")) == []


# -- Praat


def _textgrid(content: str) -> tuple[float, list[tuple[str, list[tuple[float, float, str]]]]]:
    lines = [line.strip() for line in content.splitlines()]
    assert lines[:2] == ['File type = "ooTextFile"', 'Object class = "TextGrid"']

    def value(line: str, key: str) -> str:
        assert line.startswith(f"{key} = "), line
        return line.removeprefix(f"{key} = ")

    def string(quoted: str) -> str:
        assert quoted[0] == quoted[-1] == '"'
        inner = quoted[1:-1]
        assert '"' not in inner.replace('""', "")
        return inner.replace('""', '"')

    assert value(lines[3], "xmin") == "0"
    total = float(value(lines[4], "xmax"))
    count = int(value(lines[6], "size"))
    at, tiers = 8, []
    for number in range(1, count + 1):
        assert lines[at : at + 2] == [f"item [{number}]:", 'class = "IntervalTier"']
        name = string(value(lines[at + 2], "name"))
        assert float(value(lines[at + 4], "xmax")) == total
        size = int(lines[at + 5].removeprefix("intervals: size = "))
        at += 6
        intervals = []
        for index in range(1, size + 1):
            assert lines[at] == f"intervals [{index}]:"
            start, end = float(value(lines[at + 1], "xmin")), float(value(lines[at + 2], "xmax"))
            intervals.append((start, end, string(value(lines[at + 3], "text"))))
            at += 4
        tiers.append((name, intervals))
    assert at == len(lines)
    return total, tiers


def test_textgrid_of_the_worked_timeline():
    total, tiers = _textgrid(text(worked(), "textgrid"))
    assert total == 4.0
    names = [name for name, _ in tiers]
    assert names == [
        "Person 1 face",
        "Person 1 voice",
        "Person 1 fused",
        "Person 2 fused",
        "Voice, nobody in view voice",
        "Voice, nobody in view fused",
        "Sounds",
        "Sounds 2",
    ]
    assert tiers[2][1] == [(0, 2, "happy (weak)"), (2, 3, ""), (3, 4, "sad")]


@given(timelines())
@settings(max_examples=30, deadline=None)
def test_textgrid_tiles_exactly(timeline):
    total, tiers = _textgrid(text(timeline, "textgrid"))
    assert tiers
    for _, intervals in tiers:
        assert intervals[0][0] == 0
        assert intervals[-1][1] == total
        assert all(end > start for start, end, _ in intervals)
        assert all(a[1] == b[0] for a, b in pairwise(intervals))


# -- ELAN

_CHILDREN = [
    "LICENSE",
    "HEADER",
    "TIME_ORDER",
    "TIER",
    "LINGUISTIC_TYPE",
    "LOCALE",
    "LANGUAGE",
    "CONSTRAINT",
    "CONTROLLED_VOCABULARY",
]


@given(timelines())
@settings(max_examples=30, deadline=None)
def test_eaf_keeps_the_rules_of_the_schema(timeline):
    root = ET.fromstring(text(timeline, "eaf"))
    assert root.tag == "ANNOTATION_DOCUMENT"
    assert {"AUTHOR", "DATE", "VERSION"} <= set(root.attrib)
    assert root.get("FORMAT") == "3.0"
    order = [_CHILDREN.index(child.tag) for child in root]
    assert order == sorted(order)
    assert root.find("HEADER").get("TIME_UNITS") == "milliseconds"

    slots = {s.get("TIME_SLOT_ID"): int(s.get("TIME_VALUE")) for s in root.iter("TIME_SLOT")}
    assert len(slots) == len(root.findall("TIME_ORDER/TIME_SLOT"))
    assert list(slots.values()) == sorted(slots.values())
    assert all(value >= 0 for value in slots.values())

    ids = [e.get("ANNOTATION_ID") for e in root.iter() if e.get("ANNOTATION_ID")]
    cves = [e.get("CVE_ID") for e in root.iter("CV_ENTRY_ML")]
    everything = [*ids, *cves, *slots]
    assert len(everything) == len(set(everything))  # xsd:ID is unique over the document
    assert all(re.fullmatch(r"[A-Za-z_][\w.-]*", name) for name in everything)  # an NCName

    types = {t.get("LINGUISTIC_TYPE_ID"): t for t in root.iter("LINGUISTIC_TYPE")}
    constraints = {c.get("STEREOTYPE") for c in root.iter("CONSTRAINT")}
    vocabularies = {v.get("CV_ID") for v in root.iter("CONTROLLED_VOCABULARY")}
    for kind in types.values():
        assert kind.get("CONSTRAINTS", "Symbolic_Association") in constraints
        assert kind.get("CONTROLLED_VOCABULARY_REF", "expressed emotion") in vocabularies
    labels = dict(zip(cves, timeline.labels, strict=True))

    tiers = {tier.get("TIER_ID"): tier for tier in root.iter("TIER")}
    assert len(tiers) == len(root.findall("TIER"))
    for tier in tiers.values():
        kind = types[tier.get("LINGUISTIC_TYPE_REF")]
        if kind.get("TIME_ALIGNABLE") == "true":
            spans = []
            for note in tier.iter("ALIGNABLE_ANNOTATION"):
                spans.append((slots[note.get("TIME_SLOT_REF1")], slots[note.get("TIME_SLOT_REF2")]))
                if note.get("CVE_REF"):
                    label = " ".join(labels[note.get("CVE_REF")].split())
                    assert note.find("ANNOTATION_VALUE").text == label
            assert all(end > start for start, end in spans)
            assert all(a[1] <= b[0] for a, b in pairwise(spans))
        else:
            parent = tiers[tier.get("PARENT_REF")]
            above = [n.get("ANNOTATION_ID") for n in parent.iter("ALIGNABLE_ANNOTATION")]
            refs = [n.get("ANNOTATION_REF") for n in tier.iter("REF_ANNOTATION")]
            assert refs == above
    referenced = [
        note.get(key)
        for note in root.iter("ALIGNABLE_ANNOTATION")
        for key in ("TIME_SLOT_REF1", "TIME_SLOT_REF2")
    ]
    assert sorted(referenced) == sorted(slots)  # no slot unused, none shared


def test_eaf_of_the_worked_timeline():
    root = ET.fromstring(text(worked(), "eaf"))
    tier = next(t for t in root.iter("TIER") if t.get("TIER_ID") == "Person 1 fused")
    assert tier.get("PARTICIPANT") == "Person 1"
    values = [v.text for v in tier.iter("ANNOTATION_VALUE")]
    assert values == ["happy", "sad"]
    score = next(t for t in root.iter("TIER") if t.get("TIER_ID") == "Person 1 fused score")
    assert [v.text for v in score.iter("ANNOTATION_VALUE")] == ["0.70 weak", "0.50"]
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    assert media.get("RELATIVE_MEDIA_URL") == "./two.mp4"
    assert media.get("MIME_TYPE") == "video/mp4"


def test_eaf_media_name_is_a_url():
    timeline = worked()
    timeline.media["name"] = 'a b & "c"#?.wav'
    media = ET.fromstring(text(timeline, "eaf")).find("HEADER/MEDIA_DESCRIPTOR")
    assert media.get("RELATIVE_MEDIA_URL") == "./a%20b%20%26%20%22c%22%23%3F.wav"
    assert media.get("MIME_TYPE").startswith("audio/")
