"""Levels of arousal and valence in every format, and on the page."""

import io
from dataclasses import replace

import pytest
from timelines import worked

from aver.errors import TimelineError
from aver.report import FORMATS, read_timeline, write
from aver.report.affect import affect_runs
from aver.timeline import Affect, Timeline


def with_levels() -> Timeline:
    return replace(
        worked(),
        affect=[
            Affect(0.0, 5.0, (0.7, 0.2, 0.1), (0.1, 0.1, 0.8)),
            Affect(5.0, 10.0, (0.5, 0.3, 0.2), (0.2, 0.6, 0.2)),
            Affect(10.0, 14.0, (0.1, 0.1, 0.8), None),
        ],
    )


def text_of(timeline: Timeline, name: str) -> str:
    out = io.BytesIO()
    FORMATS[name].write(timeline, out)
    return out.getvalue().decode()


def test_levels_and_their_place_on_the_scale():
    segment = Affect(0.0, 5.0, (0.25, 0.25, 0.5), None)
    assert segment.level("arousal") == "high"
    assert segment.position("arousal") == pytest.approx(2 / 3 * 0.25)
    assert segment.level("valence") == ""
    assert segment.position("valence") is None


def test_runs_join_neighbours_of_the_same_level():
    runs = affect_runs(with_levels(), "arousal")
    assert [(r.start, r.end, r.level) for r in runs] == [(0, 10, "low"), (10, 14, "high")]
    assert runs[0].score == pytest.approx(0.6)
    assert [r.level for r in affect_runs(with_levels(), "valence")] == ["high", "mid"]


@pytest.mark.parametrize("suffix", ["json", "csv", "parquet"])
def test_files_give_the_levels_back(suffix, tmp_path):
    path = write(with_levels(), tmp_path / f"film.{suffix}")
    found = read_timeline(path)
    assert found.affect == with_levels().affect
    assert len(found.segments) == len(worked().segments)


@pytest.mark.parametrize("suffix", ["json", "csv"])
def test_files_without_levels_are_as_they_were(suffix, tmp_path):
    path = write(worked(), tmp_path / f"film.{suffix}")
    text = path.read_text("utf-8")
    assert "affect" not in text
    assert "arousal" not in text
    assert read_timeline(path).affect == []


def test_levels_that_are_no_three_numbers_are_told():
    data = with_levels().to_dict()
    data["affect"][0]["arousal"] = [0.5, 0.5]
    with pytest.raises(TimelineError, match="is damaged"):
        Timeline.from_dict(data)


def test_other_programs_get_tiers_and_cues():
    assert 'name = "Film arousal"' in text_of(with_levels(), "textgrid")
    assert 'TIER_ID="Film valence"' in text_of(with_levels(), "eaf")
    assert "[Film arousal low 0.60]" in text_of(with_levels(), "vtt")
    for name in ("textgrid", "eaf", "vtt", "html"):
        assert "Film arousal" not in text_of(worked(), name)


def test_page_draws_the_plane_and_a_strip_for_each_dimension():
    page = text_of(with_levels(), "html")
    assert page.count('class="dot"') == 3
    assert page.count('class="affect-strip" viewBox="0 0 1000 46"') == 2
    assert "not what a person in it or before it feels" in page
    assert "affect-plane" not in text_of(worked(), "html")


def test_schema_describes_them():
    jsonschema = pytest.importorskip("jsonschema")
    from aver.report import json_schema

    jsonschema.validate(with_levels().to_dict(), json_schema())
    wrong = with_levels().to_dict()
    wrong["affect"][0]["valence"] = [2.0, 0.0, 0.0]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json_schema())
