"""What the routes share: the store, the files, the limits, the counters."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request
from fastapi import Path as PathParameter

from aver.report import FORMATS, read_timeline, write
from aver.server.auth import KeyCheck
from aver.server.files import JobFiles
from aver.server.jobs import Job, is_id
from aver.server.metrics import Metrics
from aver.server.problems import Problem
from aver.server.rates import AtOnce, TokenBuckets
from aver.server.recent import Recent
from aver.server.settings import ServerSettings
from aver.server.sse import Watcher
from aver.server.store import Store
from aver.timeline import Person, Timeline

if TYPE_CHECKING:
    from aver.server.supervisor import SupervisorStatus

MOST_UPLOADS = 64
"""Uploads at once of all clients; the queue's own limit comes on top."""
MOST_UPLOADS_EACH = 16
MOST_STREAMS = 1024
MOST_STREAMS_EACH = 64
_CASTS_KEPT = 64


class Services:
    """Everything that a request may need.

    Args:
        settings: of the server.
        store: of jobs.
        files: the data folder, prepared.
    """

    def __init__(self, settings: ServerSettings, store: Store, files: JobFiles):
        self.settings = settings
        self.store = store
        self.files = files
        self.metrics = Metrics(store.counts, store.ended_after, self.workers_alive)
        self.recent = Recent(store.get)
        self.watcher = Watcher(store.get)
        key = settings.api_key.get_secret_value() if settings.api_key is not None else None
        self.key_check = KeyCheck(key)
        minute = settings.requests_per_minute / 60.0
        self.requests = TokenBuckets(minute, max(50.0, 10.0 * minute))
        uploads = settings.uploads_per_minute
        self.uploads = TokenBuckets(uploads / 60.0, uploads)
        self.uploads_at_once = AtOnce("too-many-uploads", MOST_UPLOADS, MOST_UPLOADS_EACH)
        self.streams_at_once = AtOnce("too-many-streams", MOST_STREAMS, MOST_STREAMS_EACH, 10.0)
        self.stopping = False
        self.workers: Callable[[], SupervisorStatus] | None = None
        """Tells how the workers are, where they belong to this server."""
        # Making a table of a long recording takes memory and time: one after the other.
        self._rendering = CapacityLimiter(1)
        self._reading = CapacityLimiter(1)
        self._casts: OrderedDict[str, Sequence[Person]] = OrderedDict()
        self._casts_lock = threading.Lock()

    def workers_alive(self) -> int:
        """Workers of this server that are alive."""
        return 0 if self.workers is None else self.workers().alive

    async def job(self, job_id: str) -> Job:
        """The job, as it was at most a tenth of a second ago (see :mod:`aver.server.recent`).

        Raises:
            NoSuchJobError: there is none.
            StoreUnavailableError: the database does not answer.
        """
        return await self.recent.get(job_id)

    async def done(self, job_id: str) -> Job:
        """A job that is done.

        Raises:
            Problem: ``wrong-state`` where it is not.
        """
        job = await self.job(job_id)
        if job.state != "done":
            detail = f"The analysis is {job.state}; there is no result."
            raise Problem("wrong-state", detail, state=job.state)
        return job

    async def result(self, job: Job, name: str) -> Path:
        """File of a result in the format *name*, made when it is first asked for."""
        timeline = self.files.timeline(job.id)
        if name == "json":
            return timeline
        path = timeline.with_name(f"result.{name}")
        if not await to_thread.run_sync(path.is_file):
            async with self._rendering:
                await to_thread.run_sync(partial(_render, timeline, path, name))
        return path

    async def people(self, job: Job) -> Sequence[Person]:
        """Who was seen in the recording of a job that is done."""
        with self._casts_lock:
            if job.id in self._casts:
                self._casts.move_to_end(job.id)
                return self._casts[job.id]
        async with self._reading:
            timeline = await to_thread.run_sync(_read, self.files.timeline(job.id))
        with self._casts_lock:
            self._casts[job.id] = tuple(timeline.people)
            while len(self._casts) > _CASTS_KEPT:
                self._casts.popitem(last=False)
        return tuple(timeline.people)

    def forget(self, job_id: str) -> None:
        """Keep nothing in memory of a job that was changed or deleted."""
        self.recent.forget(job_id)
        with self._casts_lock:
            self._casts.pop(job_id, None)

    def stop(self) -> None:
        """Take no new work, and end the event streams."""
        self.stopping = True
        self.watcher.stop()


def _read(path: Path) -> Timeline:
    if not path.is_file():
        raise Problem("gone")
    return read_timeline(path)


def _render(timeline: Path, path: Path, name: str) -> None:
    if not path.is_file():
        write(_read(timeline), path, FORMATS[name].name)


# The framework runs what is not async in a thread, which costs more than these do.
async def services_of(request: Request) -> Services:
    """The services of the application that answers *request*."""
    services: Services = request.app.state.services
    return services


async def _checked_id(
    job_id: Annotated[
        str,
        PathParameter(
            description="Id of the analysis.",
            examples=["PaQhNcEhzgrTV0gFAfw9xA"],
        ),
    ],
) -> str:
    if not is_id(job_id):
        raise Problem("not-found")
    return job_id


Shared = Annotated[Services, Depends(services_of)]
JobId = Annotated[str, Depends(_checked_id)]
Answers = dict[int | str, dict[str, Any]]
