"""The page, pictures and numbers of what the networks looked at, on a made-up recording."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from aver.errors import OutputError
from aver.inference.explain_maps import Map
from aver.inference.explain_moments import ContextWindow, Face, Moment
from aver.inference.explain_result import Explanation, Looked, Share
from aver.inference.explain_sound import Sound, SoundWindow
from aver.labels import RAVDESS
from aver.report import json_schema
from aver.report.explain import write_explanation
from aver.report.explain_data import COLUMNS, attach, to_dict, write_csv
from aver.report.explain_page import write_page
from aver.report.explain_pictures import AGAINST, FOR, overlay, place_of, sound_picture
from aver.report.explain_strip import strip
from aver.report.html import write_html
from aver.timeline import Segment, Timeline

HOSTILE = "</title><script>alert(1)</script>.mp4"


def made_up(name="clip.mp4") -> Explanation:
    """One second of one person: a face in both windows, a voice in the second."""
    random = np.random.default_rng(0)
    scores = tuple(0.3 if label == "happy" else 0.1 for label in RAVDESS)
    segments = [
        Segment(t, t + 0.5, 1, kind, scores) for t in (0.0, 0.5) for kind in ("face", "fused")
    ]
    media = {"name": name, "duration": 1.0, "has_video": True}
    timeline = Timeline(media, RAVDESS, segments=segments)
    values = np.linspace(-1, 2, 36, dtype=np.float32).reshape(6, 6)
    face = Map("happy", values, 1.5, 0.8, 0.2, 0.79)
    crop = random.integers(0, 255, (96, 96, 3), dtype=np.uint8)
    windows = {
        "face": [
            ContextWindow(0.0, 0.5, True, 0.6, 0.7, -0.2),
            ContextWindow(0.5, 1.0, True, 0.4, 0.3, 0.01),
        ],
        "voice": [
            ContextWindow(0.0, 0.5, False, 0.0, 0.0, None),
            ContextWindow(0.5, 1.0, True, 1.0, 1.0, -0.1),
        ],
    }
    layers = {"face": np.full((6, 2), 0.5, np.float32), "voice": np.tile([0.0, 1.0], (6, 1))}
    moment = Moment(
        *(0.0, 0.5, "happy", {"fused": 0.3, "face": 0.3}, False, windows),
        [Face(0.2, crop, face), Face(0.7, crop, face)],
        layers,
        {},
    )
    log_mel = random.standard_normal((48, 64)).astype(np.float32)
    sound_map = Map("happy", np.array([[1.0, -1, 0, 0]] * 3, np.float32), 0.1, 0.3, 0.1, 0.3)
    sound = Sound(
        "happy", [SoundWindow(0, 0.5, None, None), SoundWindow(0.5, 1, log_mel, sound_map)]
    )
    shares = {"face": [Share(0.0, 0.5, 1.2), Share(0.5, 1.0, 0.8)], "voice": [Share(0.5, 1.0, 1.0)]}
    return Explanation(
        timeline, "mean", [Looked(1, "happy", shares, [moment])], [sound], ["A note."]
    )


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(explanation):
    out = io.BytesIO()
    write_page(explanation, out)
    return out.getvalue().decode("utf-8")


def test_the_page_loads_nothing_and_every_picture_has_words():
    text = page_of(made_up(HOSTILE))
    page = Page(text)
    assert page.all("script") == []
    images = page.all("img")
    assert len(images) == 6  # two faces as they are and with their map, the sound likewise
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in images)
    assert all(image["alt"] for image in images)
    assert any("highest in the lower third, right; score 0.80" in i["alt"] for i in images)
    assert re.findall(r"(?:src|href)=\"(?!data:)", text) == []
    assert "</title><script>" not in text
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)


def test_the_page_says_what_it_does_not_mean():
    text = page_of(made_up())
    assert "Attention is not an explanation." in text
    assert "does not tell what a person feels" in text
    assert "A note." in text


def test_the_tables_hold_the_numbers_of_the_pictures():
    text = page_of(made_up())
    assert '<td class="number">0.60</td><td class="number">0.70</td>' in text
    assert '<td class="number">-0.200</td>' in text
    assert '<td class="number">0.80</td><td class="number">0.20</td>' in text
    assert "face, layer 6" in text
    assert '<td class="number">silence</td>' in text
    assert '<td class="number">+2.00</td>' in text  # the last cell of the face's map
    assert "Leaving out the face at 0:00.0 costs most: happy -0.200." in text
    assert "takes happy from 0.80 to 0.20; the quarter marked lowest, to 0.79." in text


def test_csv_has_a_row_a_window_and_modality():
    out = io.BytesIO()
    write_csv(made_up(), out)
    found = list(csv.DictReader(io.StringIO(out.getvalue().decode("utf-8"))))
    assert tuple(found[0]) == COLUMNS
    assert [row["modality"] for row in found] == ["face", "face", "voice", "voice"]
    assert found[0]["attention_rollout"] == "0.7"
    assert found[0]["own_score_highest_hidden"] == "0.2"
    assert found[2]["present"] == "False"
    assert found[2]["change_without"] == ""
    assert found[3]["own_score"] == ""


def test_json_holds_the_maps():
    found = json.loads(json.dumps(to_dict(made_up()), allow_nan=False))
    assert found["schema"] == "aver.explanation/1"
    moment = found["people"][0]["moments"][0]
    assert np.array(moment["faces"][0]["map"]["values"]).shape == (6, 6)
    assert moment["layers"]["voice"][5] == [0.0, 1.0]
    assert found["sounds"][0]["windows"][0]["map"] is None


def test_all_files_or_none(tmp_path):
    written = write_explanation(made_up(), tmp_path, "clip")
    assert [path.name for path in written] == [
        *("clip.explain.html", "clip.explain.json", "clip.explain.csv"),
        *("clip.person-1.1.png", "clip.sound.png"),
    ]
    assert all(p.read_bytes()[:4] == b"\x89PNG" for p in written if p.suffix == ".png")
    assert sorted(tmp_path.iterdir()) == sorted(written)
    other = tmp_path / "other"
    (other / "clip.sound.png").mkdir(parents=True)
    with pytest.raises(OutputError, match="is a folder"):
        write_explanation(made_up(), other, "clip")
    assert [path.name for path in other.iterdir()] == ["clip.sound.png"]


def test_colours_say_for_and_against():
    grey = np.full((1, 3), 100, np.uint8)
    found = overlay(grey, np.array([[2.0, 0.0, -2.0]]), 2.0)
    assert found[0, 1].tolist() == [100, 100, 100]
    np.testing.assert_allclose(found[0, 0], 0.28 * 100 + 0.72 * np.array(FOR), atol=0.51)
    np.testing.assert_allclose(found[0, 2], 0.28 * 100 + 0.72 * np.array(AGAINST), atol=0.51)


def test_frequencies_stand_where_their_bands_are_drawn():
    # Band 0 of 64 has its middle one step of 65 above 125 Hz: half a band above the picture's foot.
    step = (1127 * np.log1p(7500 / 700) - 1127 * np.log1p(125 / 700)) / 65
    middle = 700 * np.expm1((1127 * np.log1p(125 / 700) + step) / 1127)
    assert place_of(float(middle)) == pytest.approx(0.5 / 64)
    assert 0 < place_of(250) < place_of(1000) < place_of(4000) < 1


def test_silence_is_dark_and_low_frequencies_stand_at_the_foot():
    sound = made_up().sounds[0]
    loud = np.full((48, 64), -4.6, np.float32)
    loud[:, 0] = 3.0
    windows = [sound.windows[0], SoundWindow(0.5, 1.0, loud, sound.windows[1].map)]
    picture = sound_picture(Sound("happy", windows), maps=False)
    assert picture.shape == (256, 400, 3)
    assert picture[:, :190].max() < 5
    assert picture[-1, 300].min() > 200
    assert picture[0, 300].max() < 5


def test_strip_heights_are_shares():
    text = strip([(0.0, 1.0, 1.0), (1.0, 2.0, 2.0), (2.0, 4.0, 9.0)], 4.0)
    heights = [float(h) for h in re.findall(r'height="([\d.]+)" class', text)]
    assert heights == [13.0, 26.0, 26.0]
    assert [float(x) for x in re.findall(r'<rect x="([\d.]+)"', text)] == [0.0, 250.0, 500.0]


def test_the_report_shows_it_only_where_it_was_asked_for():
    jsonschema = pytest.importorskip("jsonschema")
    explanation = made_up()
    plain, asked = io.BytesIO(), io.BytesIO()
    write_html(explanation.timeline, plain)
    assert "What the networks looked at" not in plain.getvalue().decode()
    assert "explanation" not in explanation.timeline.to_dict()
    timeline = attach(explanation)
    write_html(timeline, asked)
    text = asked.getvalue().decode()
    assert text.count("What the networks looked at") == 1
    assert "Attention shows where the network mixed from, not why." in text
    assert 'alt="Face at 0:00.2 with the class activation map for happy"' in text
    assert "highest from 0:00.0 to 0:00.5 with 1.2 times an even share" in text
    jsonschema.validate(json.loads("".join(timeline.iter_json())), json_schema())
    back = Timeline.from_json(timeline.to_json())
    assert back.explanation == timeline.explanation
