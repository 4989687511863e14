"""Jobs: what the server knows of one analysis, and of what went wrong with it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, get_args

State = Literal["uploading", "queued", "running", "done", "failed", "cancelled"]
"""What happens to a job: ``uploading`` > ``queued`` > ``running`` > ``done`` or ``failed``; it can
be ``cancelled`` at any time before it has ended."""

STATES: tuple[State, ...] = get_args(State)
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
OPEN: tuple[State, ...] = ("uploading", "queued", "running")

_ID = re.compile(r"[A-Za-z0-9_-]{22}")


def new_id() -> str:
    """A random, URL-safe id of 128 bits, 22 characters; it cannot be guessed."""
    return secrets.token_urlsafe(16)


def is_id(text: str) -> bool:
    """Whether *text* is of the form that :func:`new_id` gives, and so safe as a folder's name."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a job failed.

    Attributes:
        code: for programs: ``unreadable_recording``, ``limit_memory``, ``limit_cpu``, ``stalled``,
            ``crashed``, ``worker_lost``, ``disk_full``, ``not_written``, ``model``, ``internal``.
        title: for people, a few words.
        detail: for people, what is wrong with this recording and what to do; no path.
    """

    code: str
    title: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One analysis; a picture of its row at the time of reading.

    Attributes:
        id: see :func:`new_id`.
        name: the recording's name as shown to people; never a path.
        state: see :data:`State`.
        created: when it was asked for (UTC), as are the other times.
        started: when its present or last attempt began.
        finished: when it ended.
        seconds_done: seconds of the recording analysed so far.
        seconds_total: seconds of the recording; None where not known.
        problem: why it failed.
        size: bytes of the recording; None while it is uploaded.
        sha256: hexadecimal digest of the recording; None while it is uploaded.
        attempts: how often its analysis was begun.
        options: ``explain``: keep what the networks looked at.
        fingerprint: what was asked for with its idempotency key.
        lease: secret of the worker that has it, "" for everybody else.
        recording_erased: whether the recording was deleted already, the results staying.
        version: grows by one with every change of the row.
    """

    id: str
    name: str
    state: State
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    seconds_done: float = 0.0
    seconds_total: float | None = None
    problem: Problem | None = None
    size: int | None = None
    sha256: str | None = None
    attempts: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str | None = None
    lease: str = field(default="", repr=False)
    recording_erased: bool = False
    version: int = 0

    @property
    def progress(self) -> float:
        """Share of the recording that is analysed, in [0, 1]."""
        if self.state == "done":
            return 1.0
        if not self.seconds_total or self.seconds_total <= 0:
            return 0.0
        return min(1.0, max(0.0, self.seconds_done / self.seconds_total))

    @property
    def has_ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs of a list.

    Attributes:
        jobs: newest first.
        next_cursor: what to ask the next page with; None on the last.
    """

    jobs: tuple[Job, ...]
    next_cursor: str | None


def microseconds(moment: float) -> int:
    """Seconds since 1970 as the whole microseconds that are stored."""
    return round(moment * 1_000_000)


def moment_of(stored: int | None) -> datetime | None:
    """A stored time as a UTC datetime."""
    if stored is None:
        return None
    seconds, rest = divmod(stored, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
