"""Jobs as they were a moment ago: many may ask for one job, the database is asked once.

A picture is at most :data:`KEPT_SECONDS` old, and one that is older than a change made through this
server is never given out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from anyio import CapacityLimiter, to_thread

from aver.server.jobs import Job

KEPT_SECONDS = 0.1
_MOST_KEPT = 10_000
_THREADS = 4  # more of them only wait for each other


class Recent:
    """Reads jobs for the routes; to be used in one event loop.

    Args:
        get: gives a job by its id, from the store; called in a thread.
        seconds: how old a picture may be.
    """

    def __init__(self, get: Callable[[str], Job], seconds: float = KEPT_SECONDS):
        self._get = get
        self._seconds = seconds
        self._kept: dict[str, tuple[float, Job]] = {}
        self._asked: dict[str, asyncio.Task[Job]] = {}
        self._threads = CapacityLimiter(_THREADS)

    async def get(self, job_id: str) -> Job:
        """The job.

        Raises:
            NoSuchJobError: there is none.
            StoreUnavailableError: the database does not answer.
        """
        kept = self._kept.get(job_id)
        if kept is not None and kept[0] > asyncio.get_running_loop().time():
            return kept[1]
        task = self._asked.get(job_id)
        if task is None:
            task = self._asked[job_id] = asyncio.create_task(self._ask(job_id))
            task.add_done_callback(_notice)
        # Whoever asked first may go away; the others still wait.
        return await asyncio.shield(task)

    def forget(self, job_id: str) -> None:
        """The job was changed: what is known, or being asked for, is old."""
        self._kept.pop(job_id, None)
        self._asked.pop(job_id, None)

    async def _ask(self, job_id: str) -> Job:
        now = asyncio.get_running_loop().time()
        me = asyncio.current_task()
        try:
            job = await to_thread.run_sync(self._get, job_id, limiter=self._threads)
        finally:
            is_newest = self._asked.get(job_id) is me
            if is_newest:
                del self._asked[job_id]
        if is_newest:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[job_id] = now + self._seconds, job
        return job


def _notice(task: asyncio.Task[Job]) -> None:
    """An error that nobody waits for any more is no news."""
    if not task.cancelled():
        task.exception()
