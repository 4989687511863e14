"""`aver analyze` as a user meets it: good files, bad files, folders, full disks, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bad_inputs.make_files import MAKERS, REFUSED, WARNED
from typer.testing import CliRunner

from aver.cli import inputs
from aver.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "demo.mp4"


def run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    result = run(
        "analyze", DEMO, "--out", out, "--format", "json,html,csv,parquet,vtt,eaf,textgrid"
    )
    return result, out


def test_demo_shows_one_person_who_leaves_and_returns(demo):
    result, out = demo
    assert result.exit_code == 0
    timeline = json.loads((out / "demo.json").read_text(encoding="utf-8"))
    assert timeline["schema"] == "aver.timeline/1"
    assert [p["id"] for p in timeline["people"]] == [1]
    person = timeline["people"][0]
    # The portrait is seen from 0 to 4 s and from 6.8 to 13 s (examples/make_demo.py).
    assert person["first_seen"] < 0.2
    assert person["last_seen"] > 12.5
    assert 9.5 <= person["seconds_seen"] <= 11.0
    away = [s for s in timeline["segments"] if 4.5 <= s["start"] < 6.5]
    assert away
    assert all(s["person"] is None for s in away)
    assert all(abs(sum(s["scores"]) - 1) < 1e-3 for s in timeline["segments"])
    assert {s["modality"] for s in timeline["segments"]} == {"face", "voice", "fused"}


def test_demo_writes_every_format_named_after_the_input(demo):
    _, out = demo
    names = {p.name for p in out.iterdir()}
    extensions = ("json", "html", "csv", "parquet", "vtt", "eaf", "TextGrid")
    assert names == {f"demo.{e}" for e in extensions}


def test_the_table_names_people_and_files(demo):
    result, _ = demo
    assert "Person 1" in result.stdout
    assert "demo.json" in result.stdout.replace("\n", "")


def test_smiling_portrait_is_happy(demo):
    _, out = demo
    timeline = json.loads((out / "demo.json").read_text(encoding="utf-8"))
    happy = timeline["labels"].index("happy")
    faces = [s["scores"] for s in timeline["segments"] if s["modality"] == "face"]
    right = sum(scores[happy] == max(scores) for scores in faces)
    assert right / len(faces) > 0.8


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_every_hostile_file_is_answered_and_harms_nobody_else(name, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    path = MAKERS[name](source)
    out = tmp_path / "out"
    result = run("analyze", path, "--out", out, "--format", "json", "--quiet")
    assert "Traceback" not in result.output
    if name in REFUSED:
        assert result.exit_code == 1
        lines = [line for line in result.output.splitlines() if line.strip()]
        assert len(lines) == 1, lines
        assert lines[0].startswith("failed ")
        assert not list(out.glob("*")) if out.exists() else True
        return
    assert result.exit_code == 0, result.output
    (written,) = out.iterdir()
    timeline = json.loads(written.read_text(encoding="utf-8"))
    if name in WARNED:
        assert timeline["warnings"]


def test_one_bad_input_does_not_stop_the_others(tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"")
    out = tmp_path / "out"
    result = run("analyze", bad, DEMO, tmp_path / "none.mp4", "-o", out, "-f", "json", "-q")
    assert result.exit_code == 1
    assert (out / "demo.json").exists()
    failed = [line for line in result.output.splitlines() if line.startswith("failed")]
    assert len(failed) == 2
    assert "bad.mp4" in failed[0]
    assert "none.mp4" in failed[1]


def test_wrong_usage_is_exit_code_2(tmp_path):
    assert run("analyze").exit_code == 2
    assert run("analyze", DEMO, "--format", "docx", "-o", tmp_path).exit_code == 2
    assert run("analyze", DEMO, "--detector", "cascade", "-o", tmp_path).exit_code == 2
    assert run("analyze", DEMO, "--no-picture", "--no-sound", "-o", tmp_path).exit_code == 2
    assert run("no-such-command").exit_code == 2


def aver(*arguments, **options):
    command = [sys.executable, "-c", "from aver.cli.main import run; run()", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def test_output_that_is_a_file_is_one_line(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("x")
    process = aver("analyze", DEMO, "--out", blocked / "inner", "-f", "json")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot be made" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_output_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    process = aver("analyze", DEMO, "--out", tmp_path, "-f", "json")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot be written" in err


def test_ctrl_c_keeps_finished_files_and_leaves_no_half_ones(tmp_path):
    first = tmp_path / "first.mp4"
    first.write_bytes(DEMO.read_bytes())
    others = []
    for number in range(30):
        other = tmp_path / f"later{number:02d}.mp4"
        other.write_bytes(DEMO.read_bytes())
        others.append(other)
    out = tmp_path / "out"
    process = aver("analyze", first, *others, "-o", out, "-f", "json,html", "-q")
    deadline = time.monotonic() + 120
    while not (out / "first.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "stopped" in err
    stems = {p.stem for p in out.iterdir()}
    assert "first" in stems
    assert len(stems) < 31
    for stem in stems:
        json.loads((out / f"{stem}.json").read_text(encoding="utf-8"))
        assert (out / f"{stem}.html").read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_skip_done_goes_on_where_it_was(tmp_path):
    out = tmp_path / "out"
    run("analyze", DEMO, "-o", out, "-f", "json", "-q")
    before = (out / "demo.json").stat().st_mtime_ns
    result = run("analyze", DEMO, "-o", out, "-f", "json", "--skip-done")
    assert result.exit_code == 0
    assert (out / "demo.json").stat().st_mtime_ns == before
    assert "1 recording(s) skipped" in result.stdout


def test_inputs_expand_folders_and_patterns(tmp_path):
    for name in ("b.mp4", "a.WAV", "notes.txt", ".hidden.mp4", "sub/c.flv", "odd [1].mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found, problems = inputs.expand([str(tmp_path)])
    assert [p.name for p in found] == ["a.WAV", "b.mp4", "odd [1].mp4", "c.flv"]
    assert problems == []
    found, _ = inputs.expand([str(tmp_path / "*.mp4"), str(tmp_path / "b.mp4")])
    assert [p.name for p in found] == ["b.mp4", "odd [1].mp4"]
    # The same file named in two ways is one input.
    roundabout = tmp_path / "sub" / ".." / "b.mp4"
    found, _ = inputs.expand([str(tmp_path / "b.mp4"), str(roundabout)])
    assert found == [tmp_path / "b.mp4"]
    # A file whose name looks like a pattern is that file.
    found, _ = inputs.expand([str(tmp_path / "odd [1].mp4")])
    assert [p.name for p in found] == ["odd [1].mp4"]
    (tmp_path / "empty").mkdir()
    found, problems = inputs.expand([str(tmp_path / "empty"), str(tmp_path / "*.xyz")])
    assert found == []
    assert len(problems) == 2


@pytest.mark.parametrize("name", ["", "x" * 5000])
def test_a_name_that_can_be_no_files_is_one_problem(name, tmp_path, monkeypatch):
    (tmp_path / "here.mp4").touch()
    monkeypatch.chdir(tmp_path)
    found, problems = inputs.expand([name, "here.mp4"])
    assert [p.name for p in found] == ["here.mp4"]
    (problem,) = problems
    assert len(str(problem)) < 200


def test_start_is_light():
    code = (
        "import sys, aver; from aver.cli import main; "
        "print([m for m in ('torch', 'pandas', 'cv2', 'onnxruntime', 'av') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_bug_is_one_line_too(monkeypatch, capsys):
    from aver.cli import main

    def broken():
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(main, "app", broken)
    monkeypatch.delenv("AVER_DEBUG", raising=False)
    with pytest.raises(SystemExit) as caught:
        main.run()
    assert caught.value.code == 1
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "unexpected ZeroDivisionError" in err
    monkeypatch.setenv("AVER_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main.run()
