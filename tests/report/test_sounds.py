"""Human sounds on the page: lanes by label, a chart to look closer, hover words, a table."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import pytest
from timelines import empty, worked

from aver.report.html import write_html
from aver.report.sounds import MOST_LANES, MOST_ROWS, OTHERS, lanes_of, packed_sounds
from aver.report.svg import MOST_STRETCHES, bars
from aver.timeline import Event, Timeline

HEARD = [
    Event(0.5, 2.5, "speech_male", 0.9),
    Event(1.0, 1.5, "laughter", 0.4),
    Event(3.0, 3.5, "speech_male", 0.75),
    Event(2.0, 2.0, "crying", 1.0),
]
MODEL = {"events": {"labels": ["laughter", "crying", "speech_male"]}}


def page(timeline: Timeline) -> str:
    out = io.BytesIO()
    write_html(timeline, out)
    return out.getvalue().decode()


def heard() -> Timeline:
    return replace(worked(), events=HEARD, model={**worked().model, **MODEL})


def test_lanes_follow_the_detectors_labels_and_leave_out_what_has_no_length():
    lanes = lanes_of(heard())
    assert [name for name, _ in lanes] == ["laughter", "speech male"]
    assert [e.start for e in lanes[1][1]] == [0.5, 3.0]
    unknown = replace(heard(), model={})
    assert [name for name, _ in lanes_of(unknown)] == ["speech male", "laughter"]


def test_very_many_labels_share_the_last_lane():
    events = [Event(k, k + 1 + k / 100, f"sound_{k}", 0.5) for k in range(20)]
    lanes = lanes_of(replace(worked(), events=events, model={}))
    assert len(lanes) == MOST_LANES
    assert lanes[-1][0] == OTHERS
    assert [e.label for e in lanes[-1][1]] == [f"sound_{k}" for k in range(9)]
    assert [name for name, _ in lanes[:-1]] == [f"sound {k}" for k in range(9, 20)]
    packed = packed_sounds(replace(worked(), events=events, model={}))
    assert packed["spans"][0] == [[9000, 10090, 50]]
    assert packed["spans"][-1][0] == [0, 1000, 50, "sound 0"]


def test_the_page_has_lanes_chart_words_and_table():
    text = page(heard())
    names = re.findall(r'<div class="lane-name(?: sound| sound first)?">([^<]+)</div>', text)
    assert names == ["laughter", "speech male"] * 2
    assert text.count("<title>0:00.5–0:02.5 speech male 0.90</title>") == 2
    assert re.findall(r'<div class="lane-end">([\d.]+ s)</div>', text) == ["0.5 s", "2.5 s"]
    rows = re.findall(r'<tr><td class="number">([\d:.]+)</td>.*?<td>([^<]+)</td>', text)
    sounds = [(start, label) for start, label in rows if label in ("speech male", "laughter")]
    assert sounds == [
        ("0:00.5", "speech male"),
        ("0:01.0", "laughter"),
        ("0:03.0", "speech male"),
    ]
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    assert json.loads(found[1])["sounds"] == {
        "names": ["laughter", "speech male"],
        "spans": [[[1000, 1500, 40]], [[500, 2500, 90], [3000, 3500, 75]]],
    }
    assert "Human sounds belong to nobody in particular" in text


def test_sounds_without_a_face_or_a_voice_have_their_card():
    text = page(replace(empty(), events=HEARD))
    assert 'id="sounds-plot"' in text
    assert 'id="overview"' not in text


@pytest.mark.parametrize("events", [[], [Event(1.0, 1.0, "nothing", 0.5)]])
def test_no_sounds_no_card(events):
    text = page(replace(worked(), events=events))
    assert 'id="sounds-plot"' not in text
    assert "All sounds as a table" not in text


def test_a_long_recording_stays_drawable_and_its_table_short():
    events = [Event(k, k + 0.9, "speech", 0.5) for k in range(7000)]
    timeline = replace(worked(), events=events)
    text = page(timeline)
    assert f"The first {MOST_ROWS} of 7000 sounds" in text
    assert "1:45:00</div>" in text  # 6,300 seconds in all
    drawn = bars([(e.start, e.end, "x") for e in events], 7000.0)
    assert drawn.count("<rect") <= MOST_STRETCHES
    few = bars([(0.0, 1.0, "a<b"), (1.001, 2.0, "c")], 100.0)
    assert few.count("<rect") == 2
    assert "<title>a&lt;b</title>" in few
