"""Limits of the process that decodes: what it may use of the machine.

Recordings come from anybody, and decoders are large: what goes wrong in one must neither take the
machine's memory nor its disk. All of this is the kernel's work (setrlimit(2)); nothing here can be
raised again by the process but the processor time, which its worker watches besides.
"""

from __future__ import annotations

import math
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """What an analysing process may use.

    Attributes:
        memory_bytes: address space; past it, memory is refused.
        file_bytes: size of a file it writes.
        open_files: files it has open.
    """

    memory_bytes: int
    file_bytes: int
    open_files: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ProcessLimits:
        """From plain data, as it comes through a pipe."""
        return cls(
            int(values["memory_bytes"]), int(values["file_bytes"]), int(values["open_files"])
        )

    def apply(self) -> None:
        """Apply to this process, for good."""
        for kind, value in (
            (resource.RLIMIT_AS, self.memory_bytes),
            (resource.RLIMIT_FSIZE, self.file_bytes),
            (resource.RLIMIT_NOFILE, self.open_files),
            (resource.RLIMIT_CORE, 0),  # a core would hold the recording's pictures
        ):
            _lower(kind, value)


def _lower(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(kind, (value, value))
    except (OSError, ValueError):
        # macOS knows RLIMIT_AS but refuses it; the others work everywhere.
        if kind != resource.RLIMIT_AS:
            raise


class ProcessorTime:
    """Processor time that this process may use for one recording (RLIMIT_CPU, SIGXCPU).

    The allowance grows with what was done of the recording, not with how long its header says it
    is: a file that lies about its length gains nothing.

    Args:
        floor: seconds that any recording may cost.
        per_second: seconds more for each second of recording done.
    """

    def __init__(self, floor: float, per_second: float):
        self._floor = floor
        self._per_second = per_second
        self._start = _used()
        self._limit = 0
        self.reached(0.0)

    def reached(self, seconds: float) -> None:
        """*seconds* of the recording are done."""
        limit = math.ceil(self._start + self._floor + self._per_second * max(0.0, seconds))
        if limit > self._limit:
            self._limit = limit
            hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
            soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def lift_processor_limit() -> None:
    """Between recordings nothing runs that would need one."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
