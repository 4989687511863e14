"""The analysing process: what it may use, what it may reach, how its troubles are told."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from server.projects import FAKE

from aver.errors import AverError, MediaError, ModelError, OutputError
from aver.server.child import problem_of
from aver.server.process import AnalysisProcess, _event, problem_for
from aver.server.settings import ServerSettings

HERE = Path(__file__).parent


class Tried:
    """One analysing process, given recordings by hand."""

    def __init__(self, folder: Path, **settings):
        self.settings = ServerSettings(data=folder / "data", **({"analysis": FAKE} | settings))
        self.place = folder / "process"
        self.process = AnalysisProcess(self.settings, self.place)
        self.wait_for("ready", "problem", "died")

    def wait_for(self, *names):
        patience = time.monotonic() + 60
        while time.monotonic() < patience:
            for event in self.process.events(0.1):
                if event["event"] in names:
                    return event
        raise AssertionError(f"none of {names}")

    def analyze(self, recording: dict | bytes, name="clip.mp4"):
        data = recording if isinstance(recording, bytes) else json.dumps(recording).encode()
        (self.place / "in" / "recording").write_bytes(data)
        self.process.analyze(name, {})
        return self.wait_for("done", "problem", "died")

    def said(self, recording: dict):
        assert self.analyze(recording)["event"] == "done"
        return json.loads((self.place / "out" / "timeline.json").read_text())["said"]


@pytest.fixture
def tried(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    made = []

    def make(**settings):
        made.append(Tried(tmp_path / str(len(made)), **settings))
        return made[-1]

    yield make
    for one in made:
        one.process.close()


def test_limits_hold_in_the_process(tried):
    one = tried(max_memory_bytes=3 << 30, max_file_bytes=1 << 20, max_open_files=100)
    limits = one.said({"do": "limits", "seconds": 100.0})
    assert limits["AS"] == [3 << 30, 3 << 30]
    assert limits["FSIZE"] == [1 << 20, 1 << 20]
    assert limits["NOFILE"] == [100, 100]
    assert limits["CORE"] == [0, 0]
    # 120 s and, after 100 s of recording, 20 s for each of them.
    assert 2120 <= limits["CPU"][0] <= 2180


def test_memory_processor_time_and_file_size_end_an_analysis(tried):
    one = tried(cpu_seconds_floor=1, cpu_seconds_per_second=0.1, max_file_bytes=1 << 20)
    assert one.analyze({"do": "memory"})["code"] == "limit_memory"
    one = tried(**one.settings.model_dump(exclude={"data"}))
    assert one.analyze({"do": "write", "bytes": 2 << 20})["code"] == "not_written"
    assert list((one.place / "out").iterdir()) == []  # nothing half-written
    one = tried(**one.settings.model_dump(exclude={"data"}))
    assert one.analyze({"do": "processor"})["signal"] == signal.SIGXCPU


def test_it_reaches_nobody(tried, tmp_path):
    secret = tmp_path / "0" / "data" / "jobs" / "another" / "recording"
    secret.parent.mkdir(parents=True)
    secret.write_text("a stranger's")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        named = socket.socket(socket.AF_UNIX)
        named.bind(str(tmp_path / "socket"))
        named.listen()
        one = tried()
        holds = one.process.isolation
        if not {"namespace", "seccomp"} & set(holds):
            pytest.skip("this system has neither user namespaces nor seccomp")
        assert one.said({"do": "connect", "address": address}) != "worked"
        if "seccomp" in holds:
            assert one.said({"do": "unix", "address": str(tmp_path / "socket")}) != "worked"
        if "landlock" in holds:
            assert one.said({"do": "read", "path": str(secret)}) == "PermissionError"
            assert one.said({"do": "change_recording"}) == "PermissionError"
        assert one.said({"do": "read", "path": sys.executable}) == "worked"
        named.close()


def test_it_knows_no_secrets(tried, monkeypatch):
    monkeypatch.setenv("AVER_SERVER_API_KEY", "0123456789abcdef")
    monkeypatch.setenv("PGPASSWORD", "hidden")
    monkeypatch.setenv("SOME_TOKEN", "hidden")
    told = tried().said({"do": "environment"})
    assert not {"AVER_SERVER_API_KEY", "PGPASSWORD", "SOME_TOKEN"} & set(told)
    assert "PATH" in told


def test_a_required_isolation_that_is_missing_is_told(tried, monkeypatch):
    # A Python of its own in which the kernel offers nothing.
    monkeypatch.setenv("PYTHONPATH", f"{HERE / 'no_isolation'}{os.pathsep}{HERE}")
    one = tried(require_isolation=False)
    assert one.process.isolation == []
    assert one.analyze({})["event"] == "done"
    one = tried(require_isolation=True)
    assert not one.process.is_ready


def test_what_a_library_prints_is_no_answer(tried):
    one = tried()
    assert one.analyze({"do": "print", "pause": 0})["event"] == "done"
    time.sleep(0.2)
    assert [e for e in one.process.events(0.1) if e["event"] == "done"] == []  # one, not two


def test_it_dies_with_who_started_it(tmp_path):
    code = f"""
import sys, time
from pathlib import Path
from aver.server.process import AnalysisProcess
from aver.server.settings import ServerSettings
settings = ServerSettings(data=Path({str(tmp_path)!r}) / "data", analysis={FAKE!r})
process = AnalysisProcess(settings, Path({str(tmp_path)!r}) / "process")
while not process.is_ready:
    process.events(0.1)
(Path({str(tmp_path)!r}) / "process/in/recording").write_text('{{"do": "processor"}}')
process.analyze("x", {{}})
print(process.pid, flush=True)
time.sleep(600)
"""
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.wait()
    patience = time.monotonic() + 20
    while _runs(child):
        assert time.monotonic() < patience
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"  # dead, only nobody has asked how it went


def test_real_recordings_beyond_the_limits_are_refused_before_decoding(tried, shared):
    clip = shared / "data" / "crema_d_sample" / "1001_DFA_HAP_XX.flv"
    real = ServerSettings.model_fields["analysis"].default
    one = tried(analysis=real, max_pixels=1000 * 1000, max_duration_seconds=1.0)
    found, picture = cv2.imencode(".png", np.zeros((4000, 4000), np.uint8))
    assert found
    assert picture.nbytes < 100_000  # small on disk, large in memory
    told = one.analyze(picture.tobytes())
    assert told["code"] == "unreadable_recording"
    assert "larger than the limit of 1000000 pixels" in told["detail"]
    one = tried(**one.settings.model_dump(exclude={"data"}))
    told = one.analyze(clip.read_bytes())
    assert told["code"] == "unreadable_recording"
    assert "limit of 1 s" in told["detail"]


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"[]", b"3", b'{"event": "died"}', b'{"event": "died", "signal": 9}',
        b'{"event": "progress", "done": NaN, "total": 1}', b'{"event": "ready"}',
        b'{"event": "progress", "done": -1, "total": 1}', b'{"event": "problem", "code": "x"}',
        b'{"event": "progress", "done": 1e300, "total": null}', b"[" * 100_000, b"\xff",
        b'{"event": "progress", "done": [], "total": 1}',
    ],
)  # fmt: skip
def test_answers_out_of_form_are_not_heard(line):
    assert _event(line) is None


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (MediaError("/data/x", "it is empty", "Record it again"), "unreadable_recording",
         "It is empty. Record it again."),
        (OutputError("/data/x", "cannot be written, the disk is full"), "disk_full",
         "Cannot be written, the disk is full."),
        (OutputError("/data/x", "cannot be written (no)"), "not_written",
         "Cannot be written (no)."),
        (ModelError("/opt/nets/a.onnx", "is damaged", "Get it again"), "model",
         "a.onnx: is damaged. Get it again."),
        (AverError("is odd", subject="/data/x"), "internal", "Is odd."),
        (MemoryError(), "limit_memory", ""),
        (RuntimeError("std::bad_alloc"), "limit_memory", ""),
        (OSError(errno.ENOSPC, "no space"), "disk_full", ""),
        (RuntimeError("what the tags of /data/x said"), "internal", "RuntimeError"),
    ],
)  # fmt: skip
def test_troubles_are_told_without_paths_and_quotes(error, code, detail):
    told = problem_of(error)
    assert (told["code"], told["detail"]) == (code, detail)
    problem = problem_for(told["code"], told["detail"])
    assert problem.title
    assert problem.detail
    assert "/data" not in str(told)
