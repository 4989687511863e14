"""`aver live`: a file in real time, JSON lines, and what is refused."""

from __future__ import annotations

import json


def test_json_lines_of_a_file(aver, shared):
    clip = sorted((shared / "data" / "crema_d_sample").glob("*.flv"))[0]
    code, out, err = aver("live", clip, "--json")
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    scored = [line for line in lines if line["delay"]]
    assert f"{len(scored)} picture(s) scored, " in err
    assert "late by" in err
    last = scored[-1]["people"][0]
    assert last["person"] == 1
    assert set(last["fused"]) == set(last["voice"]) >= {"angry", "neutral"}
    assert abs(sum(last["fused"].values()) - 1) < 0.01


def test_it_stops_after_the_seconds_that_were_asked_for(aver, shared):
    clip = sorted((shared / "data" / "crema_d_sample").glob("*.flv"))[0]
    code, out, _ = aver("live", clip, "--json", "--seconds", "0.6")
    assert code == 0
    assert all(json.loads(line)["time"] < 2 for line in out.splitlines())


def test_bad_sources_are_one_line(aver, tmp_path):
    for words, said in (
        (["live", "63"], "aver: camera 63: cannot be opened."),
        (["live", str(tmp_path / "no.mp4")], "there is no such file"),
        (["live", str(tmp_path / "no.mp4"), "--microphone"], "--microphone: goes with a camera"),
    ):
        code, out, err = aver(*words)
        assert code == 1
        assert said in err
        assert "Traceback" not in err + out
