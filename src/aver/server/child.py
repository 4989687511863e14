"""The process that decodes: ``python -m aver.server.child``, cut off from everything else.

It is told what to do in JSON lines on its standard input and answers in JSON lines on its standard
output. First come its settings; it takes its limits, cuts itself off, loads the networks once, and
says ``ready``. Then each line is a recording: always the file ``recording`` in its own folder, and
always ``timeline.json`` beside it as the result. It ends when its input ends.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from aver.errors import AverError, MediaError, ModelError, OutputError
from aver.server.isolation import NETWORK, die_with_parent, isolate
from aver.server.limits import ProcessLimits, ProcessorTime, lift_processor_limit
from aver.server.logs import where
from aver.server.names import IN, OUT, RECORDING, TIMELINE

_PROGRESS_SECONDS = 0.2
_NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate memory", "Insufficient memory")


class Child:
    """Reads what to do, does it, tells how it went.

    Args:
        lines: what comes in.
        out: where answers go.
    """

    def __init__(self, lines: Iterable[str], out: IO[str]):
        self._lines = iter(lines)
        self._out = out
        self._told = 0.0

    def run(self) -> None:
        """Serve until the input ends."""
        setup = json.loads(next(self._lines))
        die_with_parent(setup["parent"])
        ProcessLimits.of(setup["limits"]).apply()
        folder = Path(setup["folder"])
        holding = isolate(readable_paths(setup), [folder / OUT, Path(os.devnull)])
        if setup["require_isolation"] and not NETWORK.intersection(holding):
            self._tell("problem", code="isolation", detail="", places=[])
            return
        os.chdir(folder)
        try:
            module, name = setup["analysis"].split(":")
            analysis = getattr(import_module(module), name)(setup["settings"])
        except BaseException as error:
            self._tell("problem", **problem_of(error))
            return
        self._tell("ready", isolation=holding)
        for line in self._lines:
            if not self._analyze(analysis, json.loads(line), setup):
                return

    def _analyze(self, analysis: Any, job: Mapping[str, Any], setup: Mapping[str, Any]) -> bool:
        """Analyse one recording; whether this process is good for another."""
        processor = ProcessorTime(setup["cpu_floor"], setup["cpu_per_second"])

        def progress(done: float, total: float | None) -> None:
            processor.reached(done)
            now = time.monotonic()
            if now - self._told >= _PROGRESS_SECONDS:
                self._told = now
                self._tell("progress", done=done, total=total)

        try:
            analysis(
                Path(IN, RECORDING),
                Path(OUT, TIMELINE),
                name=job["name"],
                options=job["options"],
                progress=progress,
            )
        except BaseException as error:
            self._tell("problem", **problem_of(error))
            return False
        lift_processor_limit()
        self._tell("done")
        return True

    def _tell(self, event: str, **facts: Any) -> None:
        self._out.write(json.dumps({"event": event, **facts}) + "\n")
        self._out.flush()


def problem_of(error: BaseException) -> dict[str, Any]:
    """What is told of *error*: a code, a sentence without a path, places in the code.

    The message of an error that nobody foresaw is left out; it may quote the recording.
    """
    if isinstance(error, MediaError):
        return _told(
            "unreadable_recording", f"{_sentence(error.problem)} {_sentence(error.advice)}"
        )
    if isinstance(error, OutputError):
        full = "disk is full" in error.problem
        return _told("disk_full" if full else "not_written", _sentence(error.problem))
    if isinstance(error, ModelError):
        name = Path(error.subject or "").name
        return _told("model", f"{name}: {error.problem}. {_sentence(error.advice)}")
    if isinstance(error, AverError):
        return _told("internal", f"{_sentence(error.problem)} {_sentence(error.advice)}")
    if isinstance(error, MemoryError) or any(sign in str(error) for sign in _NO_MEMORY):
        return _told("limit_memory")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _told("disk_full")
    return {**_told("internal", type(error).__name__), "places": where(error)["places"]}


def _told(code: str, detail: str = "") -> dict[str, Any]:
    return {"code": code, "detail": detail.strip(), "places": []}


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def readable_paths(setup: Mapping[str, Any]) -> list[Path] | None:
    """What the process needs to read besides its own folder: Python, libraries, networks.

    None where the data folder lies in one of these, as then they cannot be told apart.
    """
    system = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev", "/opt")
    mine = (sys.prefix, sys.base_prefix, *sys.path, *setup["networks"])
    found = [Path(p).resolve() for p in (*system, *mine) if p]
    data = Path(setup["data"]).resolve()
    if any(data.is_relative_to(path) for path in found):
        return None
    return [*found, Path(setup["folder"], IN)]


def main() -> None:
    """Entry point."""
    # What libraries print must not get between the answers.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with suppress(BrokenPipeError, StopIteration):
        Child(sys.stdin, out).run()
    # Not through the interpreter's end: threads of decoders may be in the middle of something.
    os._exit(0)


if __name__ == "__main__":
    main()
