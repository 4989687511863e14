"""The examples of docs/server.md, run against a server that analyses; and `aver serve` itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from server.api_server import eventually

from aver.inference.analyze import Analyzer
from aver.server.problem_kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "server.md").read_text("utf-8")
AVER = [sys.executable, "-c", "from aver.cli.main import run; run()"]


def block(language):
    (code,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return code


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """`aver serve` as a user starts it; gives its address and its log."""
    folder = tmp_path_factory.mktemp("served")
    log = folder / "log"
    with log.open("wb") as err:
        process = subprocess.Popen(
            [*AVER, "serve", "--data", str(folder / "data"), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
        )
        first = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", first)
        assert address, log.read_text()
        yield address[0], log
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "stopped" in said


@pytest.fixture
def example(tmp_path):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


def test_the_python_example(served, example):
    environment = {**os.environ, "AVER": served[0]}
    code = block("py")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=example, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "done 100%" in done.stdout
    assert re.search(r"^\d+\.\d+ 1 [a-z]+$", done.stdout, re.MULTILINE)
    assert (example / "demo.html").read_bytes().startswith(b"<!doctype html>")


def test_the_curl_example(served, example):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    code = block("shell")
    if shutil.which("jq") is None:  # the little of it that is needed here
        tool = example / "bin" / "jq"
        tool.parent.mkdir()
        tool.write_text(
            f"#!{sys.executable}\nimport json, sys\nvalue = json.load(open(sys.argv[3]))\n"
            "for name in sys.argv[2].strip('.').split('.'):\n    value = value[name]\n"
            "print(value)\n"
        )
        tool.chmod(0o755)
    path = f"{example / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-eu", "-c", code],
        cwd=example,
        env={**os.environ, "AVER": served[0], "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    job = json.loads((example / "job.json").read_text())
    assert job["name"] == "demo.mp4"
    events = (example / "events.txt").read_text()
    assert '"state": "done"' in events
    assert (example / "demo.csv").read_text().startswith("file,start,end")
    assert httpx.get(served[0] + job["links"]["self"], trust_env=False).status_code == 404


def test_clips_get_the_timelines_of_aver_analyze(served, shared):
    """The three CREMA-D clips; what the server keeps to itself is the path."""
    clips = sorted((shared / "data" / "crema_d_sample").glob("*.flv"))
    assert len(clips) == 3
    analyzer = Analyzer()
    with httpx.Client(base_url=served[0], trust_env=False, timeout=60) as client:
        jobs = [
            client.post("/v1/analyses", files={"file": (c.name, c.read_bytes())}).json()
            for c in clips
        ]
        for clip, job in zip(clips, jobs, strict=True):
            address = job["links"]["self"]

            def ended(address=address):
                state = client.get(address).json()["state"]
                assert state in ("queued", "running", "done")
                return state == "done"

            eventually(ended, seconds=120)
            got = client.get(f"{address}/result").json()
            expected = json.loads(analyzer.analyze(clip).to_json())
            assert got["media"].pop("path") == clip.name
            assert expected["media"].pop("path") == str(clip)
            assert got == expected
            assert len(got["segments"]) > 5
            named = client.put(f"{address}/people/1", json={"name": "Actor 1001"}).json()
            assert named["name"] == "Actor 1001"
            face = client.get(named["thumbnails"][0]["href"])
            assert face.content.startswith(b"\xff\xd8\xff")
    text = served[1].read_text()
    assert all(json.loads(line)["event"] for line in text.splitlines())
    assert "1001_DFA" not in text
    assert "Actor 1001" not in text


def test_a_second_server_on_the_same_data_is_refused(served):
    data = served[1].parent / "data"
    start = time.monotonic()
    done = subprocess.run(
        [*AVER, "serve", "--data", str(data), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1
    assert lines[0].startswith("aver: ")
    assert time.monotonic() - start < 60


def test_the_page_lists_every_problem():
    """Between its marks: the table that :mod:`aver.server.problem_kinds` makes."""
    rows = [f"| {k.status} | `{k.type}` | {k.title}. {k.meaning} |" for k in KINDS.values()]
    table = "\n".join(["| status | type | what |", "| --- | --- | --- |", *rows])
    kept = re.search(r"<!-- problems: .*? -->\n(.*?)\n<!-- end problems -->", PAGE, re.DOTALL)
    assert kept
    assert kept[1] == table, f"put this there:\n{table}"
