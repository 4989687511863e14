"""The HTML report: safe, self-contained, true to its numbers, and not too large."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode
from html.parser import HTMLParser
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from timelines import JPEG, empty, long_recording, scores, timelines, worked

from aver.labels import EMOGATOR, RAVDESS, SETS
from aver.report import svg
from aver.report.html import MOST_ROWS, write_html
from aver.report.markdown import to_html
from aver.report.page_data import MISSING, MOST_VALUES
from aver.report.palette import looks
from aver.report.runs import printable, runs_of
from aver.timeline import Event, Person, Segment, Thumbnail, Timeline

HOSTILE = "</script><img src=x onerror=alert(1)>\"'\n&<!-- ]]> ${name} $$ {0} .mp4"
VOID = {"meta", "img", "br", "input", "link", "hr"}


class Page(HTMLParser):
    """Elements with their attributes, the text of some, and a check that all are closed."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(self._key(tag), "")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            key = self._key(self.open[-1])
            self.texts[key] = self.texts.get(key, "") + data

    def _key(self, tag: str) -> str:
        identity = next((a.get("id") for t, a in reversed(self.elements) if t == tag), None)
        return f"{tag}#{identity}" if tag == "script" and identity else tag


def page(timeline: Timeline) -> tuple[str, Page]:
    out = io.BytesIO()
    write_html(timeline, out)
    text = out.getvalue().decode("utf-8")
    return text, Page(text)


def data(parsed: Page) -> dict:
    return json.loads(parsed.texts["script#data"])


def assert_self_contained(text: str, parsed: Page) -> None:
    for tag, attributes in parsed.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form", "video", "audio"}
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in {"src", "href", "srcset", "xlink:href", "action", "poster", "data"}:
                assert (value or "").startswith(("data:image/", "#")), (tag, name, value)
            if name == "style":
                assert "url(" not in (value or "")
        if tag == "script":
            assert set(attributes) <= {"type", "id"}
    style = parsed.texts["style"]
    assert "@import" not in style
    assert "url(" not in style
    assert not re.search(r"url\((?!#)", text)
    script = parsed.texts["script"]
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|WebSocket|innerHTML|eval\(", script)


def hostile() -> Timeline:
    timeline = worked()
    timeline.media |= {"name": HOSTILE, "video_codec": HOSTILE}
    timeline.labels = tuple(f"{HOSTILE}{i}" for i in range(8))
    timeline.warnings = [HOSTILE, f"`{HOSTILE}`", f"**{HOSTILE}**", f"[{HOSTILE}](http://e)"]
    timeline.events = [Event(0.0, 2.0, HOSTILE, 0.5)]
    timeline.people[0] = Person(1, 0, 4, 3, 0.8, (Thumbnail(0.0, HOSTILE, 0.9, JPEG),))
    card = f"# {HOSTILE}\n\n{HOSTILE}\n\n## Limits\n\n- {HOSTILE}\n\n|a|b|\n|-|-|\n|{HOSTILE}|x|"
    timeline.model = {"name": HOSTILE, "version": HOSTILE, "card": card}
    return timeline


def test_hostile_text_stays_text():
    text, parsed = page(hostile())
    assert_self_contained(text, parsed)
    assert parsed.texts["h1"] == printable(HOSTILE)
    assert data(parsed)["labels"][0] == f"{HOSTILE}0"
    assert not set("<>&") & set(parsed.texts["script#data"])
    images = [a for tag, a in parsed.elements if tag == "img"]
    assert len(images) == 2  # the person's portrait and thumbnail
    assert sum(tag == "script" for tag, _ in parsed.elements) == 2


@given(timelines())
@settings(max_examples=20, deadline=None)
def test_any_timeline_makes_a_sound_page(timeline):
    text, parsed = page(timeline)
    assert_self_contained(text, parsed)
    assert data(parsed)["labels"] == list(timeline.labels)
    ids = [a["id"] for _, a in parsed.elements if "id" in a]
    assert len(ids) == len(set(ids))
    anchors = [a["href"][1:] for tag, a in parsed.elements if tag == "a"]
    assert set(anchors) <= set(ids)


def test_nothing_found_is_a_page_that_says_so():
    text, parsed = page(empty())
    assert_self_contained(text, parsed)
    assert "No face and no voice was found" in text
    assert "How to read this" in text
    assert not any("toolbar" in (a.get("class") or "") for _, a in parsed.elements)


def test_what_must_be_said_is_said():
    text, _ = page(worked())
    for words in ("hiring", "policing", "classrooms", "diagnosis", "2024/1689", "Article 5(1)(f)"):
        assert words in text
    assert "The last 0.3 s could not be read." in text
    assert "laughter 0.90" in text
    assert "Voice, nobody in view" in text
    assert "640 × 480, 25 frames per second" in text


def test_model_card_and_calibration():
    timeline = worked()
    timeline.model |= {
        "expected_calibration_error": 0.043,
        "card": "# mater\n\nText.\n\n## Limits\n\n- Few **young** speakers.\n\n## Licence\n\nFree.",
    }
    text, _ = page(timeline)
    assert "4.3 percentage points" in text
    assert "temperature 1.25" in text
    limits, whole = text.split("The whole model card")
    assert "<li>Few <strong>young</strong> speakers.</li>" in limits
    assert "Licence" not in limits
    assert "Licence" in whole


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"name": None, "card": None},
        {"temperature": {"fused": 1.5, "face": 2.0}, "expected_calibration_error": {"fused": 0.1}},
        {"temperature": (1, 2, 3), "expected_calibration_error": "low", "version": 3},
    ],
)
def test_any_model_entry_will_do(model):
    timeline = worked()
    timeline.model = model
    text, _ = page(timeline)
    if isinstance(model.get("temperature"), dict):
        assert "temperature 1.50" in text
        assert "10.0 percentage points" in text


def _unpack(packed: dict, key: str, modality: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windows (n, 2) in ms, scores (n, labels) in thousandths, and weak (n,)."""
    entry = next(p for p in packed["people"] if p["key"] == key)["curves"][modality]
    windows = np.frombuffer(b64decode(packed["windows"]), "<u4").reshape(-1, 2)
    values = np.frombuffer(b64decode(entry["scores"]), "<u2").reshape(-1, len(packed["labels"]))
    bits = np.unpackbits(np.frombuffer(b64decode(entry["weak"]), np.uint8), bitorder="little")
    first, count = entry["first"], entry["count"]
    assert len(values) == count
    return windows[first : first + count], values, bits[:count].astype(bool)


def test_the_page_holds_the_numbers():
    packed = data(page(worked())[1])
    windows, values, weak = _unpack(packed, "person-1", "fused")
    assert windows.tolist() == [[0, 1000], [1000, 2000], [2000, 3000], [3000, 4000]]
    happy = RAVDESS.index("happy")
    assert values[:, happy].tolist() == [600, 800, MISSING, 71]
    assert weak.tolist() == [False, True, False, False]
    assert packed["duration"] == 4.0
    assert packed["scale"] == 1.0


def test_a_long_recording_stays_small_and_exact():
    timeline = long_recording(3600, 3)
    text, parsed = page(timeline)
    assert len(text) < 5_000_000
    _, values, _ = _unpack(data(parsed), "person-2", "voice")
    segments = timeline.select(person=2, modality="voice")
    present = values[values[:, 0] != MISSING]
    assert len(present) == len(segments)
    expected = np.rint([[1000 * v for v in s.scores] for s in segments])
    assert np.array_equal(present, expected)
    runs = sum(len(runs_of(timeline.select(person=p, modality="fused"))) for p in (1, 2, 3))
    assert runs > MOST_ROWS
    assert f"The first {MOST_ROWS} of {runs} stretches" in text
    assert text.count("<tr>") == MOST_ROWS + 1


def test_a_very_long_recording_is_averaged_and_says_so(monkeypatch):
    monkeypatch.setattr("aver.report.page_data.MOST_VALUES", 2000)
    timeline = long_recording(120, 1)
    text, parsed = page(timeline)
    values_there = len(timeline.segments) * 8
    factor = -(-values_there // 2000)
    assert f"is the mean of {factor} windows" in text
    _, values, _ = _unpack(data(parsed), "person-1", "fused")
    assert len(values) <= 240 / factor + 1
    first = timeline.select(person=1, modality="fused")[:factor]
    mean = np.mean([s.scores for s in first], axis=0) * 1000
    assert np.abs(values[0] - mean).max() <= 0.5 + 1e-6
    assert MOST_VALUES * 8 / 3 < 4_000_000  # base64 of two bytes each


def test_one_moment_is_bars_not_curves():
    timeline = Timeline(
        media={"name": "a.png", "is_image": True, "has_video": True, "width": 9, "height": 9},
        labels=RAVDESS,
        people=[Person(1, 0.0, 0.5, 0.5, 0.9)],
        segments=[Segment(0.0, 0.5, 1, "fused", scores(2, 0.81))],
    )
    text, parsed = page(timeline)
    classes = [a.get("class") for _, a in parsed.elements]
    assert "bars" in classes
    assert "toolbar script-only" not in classes
    assert "picture 9 × 9" in text


# -- pictures


def test_strip_of_a_long_recording_is_bounded():
    timeline = long_recording(3600, 1)
    runs = runs_of(Segment(k / 2, k / 2 + 0.5, 1, "fused", scores(k % 8, 0.5)) for k in range(7200))
    assert len(runs) == 7200
    drawn = svg.condensed(runs, 3600.0)
    assert len(drawn) <= svg.MOST_STRETCHES
    assert sum(r.end - r.start for r in drawn) == pytest.approx(3600)
    assert svg.condensed(runs_of(timeline.segments[:30]), 3600.0) == runs_of(timeline.segments[:30])


def test_curves_stay_in_their_rows():
    drawn = svg.curves(worked().select(person=1, modality="fused"), 8, 4.0)
    paths = re.findall(r'class="line" d="([^"]+)"', drawn)
    assert len(paths) == 8
    for row, path in enumerate(paths):
        heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]
        assert all(row * svg.ROW_HEIGHT <= y <= (row + 1) * svg.ROW_HEIGHT for y in heights)
        assert path.count("M") == 2  # broken at the gap


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (0.0, [0.0]),
        (0.5, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        (15.0, [0, 2, 4, 6, 8, 10, 12, 14]),
        (180.0, [0, 30, 60, 90, 120, 150, 180]),
        (3600.0, [600 * i for i in range(7)]),
    ],
)
def test_ticks_are_round(duration, expected):
    assert svg.ticks(duration) == pytest.approx(expected)


@pytest.mark.parametrize(("highest", "scale"), [(0.3, 0.5), (0.5, 0.5), (0.51, 0.75), (0.9, 1.0)])
def test_scale_fits_the_scores(highest, scale):
    assert svg.scale_of([Segment(0, 1, 1, "face", scores(0, highest))]) == scale
    assert svg.scale_of([]) == 1.0


# -- colours

# Machado, Oliveira & Fernandes 2009, table 1, severity 1.0.
SIGHT = {
    "common": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("paper", ["light", "dark"])
@pytest.mark.parametrize("sight", list(SIGHT))
def test_colours_are_told_apart(paper, sight):
    color = pytest.importorskip("skimage.color")
    hexes = [getattr(look, paper) for look in looks(RAVDESS)]
    rgb = np.array([[int(h[i : i + 2], 16) / 255 for i in (1, 3, 5)] for h in hexes])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.asarray(SIGHT[sight]).T, 0, 1)
    shown = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = color.rgb2lab(shown[None])[0]
    nearest = min(color.deltaE_ciede2000(a, b) for a, b in combinations(lab, 2))
    assert nearest > 10  # one is just noticeable


@pytest.mark.parametrize("name", list(SETS))
def test_every_label_has_a_look_of_its_own(name):
    found = looks(SETS[name])
    assert len({(look.light, look.pattern) for look in found}) == len(found)
    assert all(re.fullmatch(r"#[0-9A-F]{6}", c) for k in found for c in (k.light, k.dark))


def test_known_labels_keep_their_look_in_every_set():
    by_name = dict(zip(RAVDESS, looks(RAVDESS), strict=True))
    fer = dict(zip(SETS["fer2013"], looks(SETS["fer2013"]), strict=True))
    assert fer["happy"] == by_name["happy"]
    assert fer["fear"] == by_name["fearful"]
    emogator = dict(zip(EMOGATOR, looks(EMOGATOR), strict=True))
    assert emogator["neutral"] == by_name["neutral"]


# -- model cards


def test_markdown():
    source = """---
title: x
---
# Title
One *two* **three** `four <b>`
and five.

- a
  longer
- b

1. c
2) d

| h | i |
| --- | ---: |
| 1 | **2** |

```
# not a heading
<pre>
```
"""
    assert to_html(source, 4) == "\n".join(
        [
            "<h4>Title</h4>",
            "<p>One <em>two</em> <strong>three</strong> <code>four &lt;b&gt;</code> and five.</p>",
            "<ul><li>a longer</li><li>b</li></ul>",
            "<ol><li>c</li><li>d</li></ol>",
            '<div class="scroll"><table><thead><tr><th scope="col">h</th><th scope="col">i</th>'
            "</tr></thead><tbody><tr><td>1</td><td><strong>2</strong></td></tr></tbody></table>"
            "</div>",
            "<pre># not a heading\n&lt;pre&gt;</pre>",
        ]
    )


def test_markdown_links_are_words():
    assert to_html("[a](http://b/c) ![d](e)") == "<p>a (http://b/c) d (e)</p>"


def test_markdown_arithmetic_is_not_emphasis():
    assert to_html("2 * 3 * 4 and a*b*c") == "<p>2 * 3 * 4 and a*b*c</p>"
