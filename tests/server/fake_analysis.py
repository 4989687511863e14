"""Stands in for the analysis where a test is of what is around it: does what a recording says.

A "recording" is a JSON object: ``seconds`` and ``steps`` of its length, ``pause`` after each step,
and what to ``do`` at the end.
"""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path


class Fake:
    def __init__(self, settings):
        self.settings = settings
        self.count = 0

    def __call__(self, recording, result, *, name, options, progress):
        self.count += 1
        asked = json.loads(recording.read_text())
        steps, seconds = asked.get("steps", 4), asked.get("seconds", 2.0)
        for step in range(steps):
            time.sleep(asked.get("pause", 0.02))
            progress(seconds * (step + 1) / steps, seconds)
        told = {"name": name, "options": options, "pid": os.getpid(), "count": self.count}
        if action := asked.get("do"):
            told["said"] = getattr(self, f"do_{action}")(asked, recording, result)
        if action == "link":
            return
        part = result.with_name("part")
        part.write_text(json.dumps(told))
        part.replace(result)

    def do_die(self, asked, recording, result):
        os.kill(os.getpid(), asked.get("signal", 11))

    def do_memory(self, asked, recording, result):
        return len(bytearray(64 << 30))

    def do_processor(self, asked, recording, result):
        while True:
            pass

    def do_stall(self, asked, recording, result):
        time.sleep(600)

    def do_write(self, asked, recording, result):
        from aver.report.files import write_files

        write_files([(result, lambda out: out.write(b"x" * asked["bytes"]))])

    def do_raise(self, asked, recording, result):
        raise RuntimeError("secret words of the recording")

    def do_link(self, asked, recording, result):
        """What somebody would do who wants to read a file of the server's."""
        result.symlink_to(asked["path"])

    def do_print(self, asked, recording, result):
        print('{"event": "done"}', flush=True)

    def do_connect(self, asked, recording, result):
        return _refusal(lambda: socket.create_connection(tuple(asked["address"]), timeout=2))

    def do_unix(self, asked, recording, result):
        return _refusal(lambda: socket.socket(socket.AF_UNIX).connect(asked["address"]))

    def do_read(self, asked, recording, result):
        return _refusal(lambda: Path(asked["path"]).read_bytes())

    def do_change_recording(self, asked, recording, result):
        return _refusal(lambda: recording.open("wb"))

    def do_limits(self, asked, recording, result):
        import resource

        kinds = ("AS", "FSIZE", "NOFILE", "CORE", "CPU")
        return {k: resource.getrlimit(getattr(resource, f"RLIMIT_{k}")) for k in kinds}

    def do_environment(self, asked, recording, result):
        return dict(os.environ)


def _refusal(attempt):
    try:
        attempt()
    except OSError as error:
        return type(error).__name__
    return "worked"
