"""A worker's side of the analysing process: start it, hand it recordings, end it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from aver import pretrained
from aver.errors import ModelError
from aver.server.isolation import MEASURES
from aver.server.jobs import Problem
from aver.server.names import IN, OUT
from aver.server.settings import ServerSettings

START_SECONDS = 120.0
"""How long loading the networks may take."""

_MOST_AT_ONCE = 1 << 16
_LONGEST_SECONDS = 1e9

TITLES = {
    "unreadable_recording": "The recording cannot be analysed",
    "limit_memory": "The recording needs more memory than an analysis may take",
    "limit_cpu": "The recording takes too long to analyse",
    "stalled": "The analysis did not get on",
    "crashed": "The analysis broke off",
    "disk_full": "There is no room on the server's disk",
    "not_written": "The result could not be written",
    "model": "A network of the server is missing or damaged",
    "recording_missing": "The recording is gone",
    "isolation": "The server cannot cut the analysis off from the network",
    "internal": "The analysis failed for a reason nobody foresaw",
}
"""Titles of what can go wrong, by code."""

_DETAILS = {
    "limit_memory": "Scale the picture down, or raise max_memory_bytes",
    "limit_cpu": "Scale the picture down, or raise cpu_seconds_per_second",
    "stalled": "It made no progress for as long as stall_seconds. Convert the recording",
    "crashed": "The process that read the recording died. Convert the recording, and try again",
    "disk_full": "Try again when there is room",
    "isolation": "Allow user namespaces or seccomp, or turn require_isolation off",
    "recording_missing": "Its file was removed from the data folder. Upload it again",
}


def problem_for(code: str, detail: str = "") -> Problem:
    """The problem of a code, with what is known of it."""
    return Problem(code, TITLES.get(code, TITLES["internal"]), detail or _DETAILS.get(code, ""))


class AnalysisProcess:
    """One analysing process.

    Args:
        settings: of the server.
        folder: the folder it works in, its alone; made here.

    Attributes:
        jobs_left: recordings it may still be given.
        is_ready: whether its networks are loaded.
        is_fresh: whether its present recording is its first.
        isolation: what it is cut off by, see :func:`aver.server.isolation.isolate`.
    """

    def __init__(self, settings: ServerSettings, folder: Path):
        self.jobs_left = self._jobs = settings.jobs_per_process
        self.isolation: list[str] = []
        self.is_ready = False
        self.is_fresh = True
        self.ended = ""
        self._buffer = b""
        for name in (IN, OUT):
            (folder / name).mkdir(parents=True, mode=0o700)
        # -P: a file in the folder the server was started in is never taken for a module.
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "aver.server.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("AVER_DEBUG") else subprocess.DEVNULL,
            env=clean_environment(folder),
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._in, self._out = self._popen.stdin, self._popen.stdout
        os.set_blocking(self._out.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._say(process_setup(settings, folder))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def analyze(self, name: str, options: Mapping[str, Any]) -> None:
        """Begin with the recording in its folder; :meth:`events` tells how it goes."""
        self.is_fresh = self.jobs_left == self._jobs
        self.jobs_left -= 1
        self._say({"name": name, "options": dict(options)})

    def events(self, timeout: float) -> list[dict[str, Any]]:
        """What it said within *timeout* seconds; ``{"event": "died"}`` where it is no more."""
        self._selector.select(timeout)
        try:
            piece = os.read(self._out.fileno(), _MOST_AT_ONCE)
        except BlockingIOError:
            return []
        if not piece:
            return [self._death()]
        *lines, self._buffer = (self._buffer + piece).split(b"\n")
        if len(self._buffer) > _MOST_AT_ONCE:  # gone astray
            self.kill()
            self._buffer = b""
        found = [event for line in lines if (event := _event(line)) is not None]
        for event in found:
            if event["event"] == "ready":
                self.is_ready = True
                self.isolation = [name for name in MEASURES if name in event["isolation"]]
        return found

    def _death(self) -> dict[str, Any]:
        status = self._popen.wait()
        return {"event": "died", "signal": -status if status < 0 else 0, "status": status}

    def _say(self, what: Mapping[str, Any]) -> None:
        with suppress(BrokenPipeError):  # its death is told by events()
            self._in.write(json.dumps(what).encode() + b"\n")
            self._in.flush()

    def kill(self) -> None:
        """End it at once."""
        self._popen.kill()

    def close(self) -> None:
        """End it at once, and wait until it is gone."""
        self._popen.kill()
        self._popen.wait()
        self._selector.close()
        for pipe in (self._in, self._out):
            with suppress(OSError):
                pipe.close()


def check_networks(settings: ServerSettings) -> None:
    """See that the networks of the analysis are there, before anybody waits for them.

    Raises:
        ModelError: naming what is missing.
    """
    if settings.analysis == ServerSettings.model_fields["analysis"].default:
        for name in ("face_expression", "voice_expression", "mater", "sound_events"):
            pretrained.path_of(name)
    if settings.affect and not Path(settings.affect).is_file():
        raise ModelError(settings.affect, "there is no such file", "Check the path")


def _event(line: bytes) -> dict[str, Any] | None:
    """What the process said, in the form that was agreed; None for anything else.

    Whoever has found a hole in a decoder speaks here, so nothing is believed.
    """
    try:
        said = json.loads(line)
        match said["event"]:
            case "ready":
                return {"event": "ready", "isolation": [str(name) for name in said["isolation"]]}
            case "progress":
                done, total = float(said["done"]), said["total"]
                total = None if total is None else float(total)
                if all(0 <= value < _LONGEST_SECONDS for value in (done, total or 0.0)):
                    return {"event": "progress", "done": done, "total": total}
            case "done":
                return {"event": "done"}
            case "problem":
                places = [str(place)[:200] for place in said["places"][-12:]]
                told = {"code": str(said["code"])[:40], "detail": str(said["detail"])[:1000]}
                return {"event": "problem", "places": places, **told}
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    return None


def code_of_death(number: int) -> str:
    """Why a process ended by signal *number* did."""
    return "limit_cpu" if number == signal.SIGXCPU else "crashed"


def process_setup(settings: ServerSettings, folder: Path) -> dict[str, Any]:
    """What a cut-off process is told first: limits, what it may read, settings of the analysis."""
    networks = [*pretrained.folders(), *([Path(settings.affect)] if settings.affect else [])]
    return {
        "parent": os.getpid(),
        "folder": str(folder),
        "data": str(settings.data.absolute()),
        "networks": [str(path.absolute()) for path in networks],
        "require_isolation": settings.require_isolation,
        "cpu_floor": settings.cpu_seconds_floor,
        "cpu_per_second": settings.cpu_seconds_per_second,
        "limits": {
            "memory_bytes": settings.max_memory_bytes,
            "file_bytes": settings.max_file_bytes,
            "open_files": settings.max_open_files,
        },
        "analysis": settings.analysis,
        "settings": {
            "detector": settings.detector,
            "frames_per_second": settings.frames_per_second,
            "threads": settings.threads,
            "affect": settings.affect and str(Path(settings.affect).absolute()),
            "max_duration_seconds": settings.max_duration_seconds,
            "max_pixels": settings.max_pixels,
        },
    }


def clean_environment(folder: Path) -> dict[str, str]:
    """The server's environment without its secrets; temporary files in the process' own folder."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AVER_SERVER_", "PG")) and "KEY" not in name and "TOKEN" not in name
    }
    # Fewer heaps of the C library: each takes 64 MiB of the address space that is limited.
    return {
        **kept,
        "TMPDIR": str(folder / OUT),
        "MALLOC_ARENA_MAX": "2",
        "OPENBLAS_NUM_THREADS": "1",
    }
