"""Server-sent events: what becomes of a job, as it happens.

Workers write into the store from other processes, so the store is asked again and again; once for
each job, however many listen. An event's id is the job's version: a client that comes back with
``Last-Event-ID`` gets what changed since, and nothing twice.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from anyio import to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from aver.server.jobs import Job
from aver.server.store_errors import NoSuchJobError, StoreUnavailableError

ASK_SECONDS = 0.25
HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 2000


def event(name: str, data: Any, event_id: str = "") -> bytes:
    """One event in the wire's form."""
    lines = [f"id: {event_id}"] if event_id else []
    lines += [f"event: {name}", f"data: {json.dumps(data, ensure_ascii=False)}"]
    return ("\n".join(lines) + "\n\n").encode("utf-8", "backslashreplace")


@dataclass
class _Watch:
    """One job that is watched: its newest picture, and who waits for the next."""

    job: Job | None = None
    error: Exception | None = None
    listeners: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def publish(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Watcher:
    """Watches jobs for those who listen.

    Args:
        get: gives a job by its id, from the store; called in a thread.
        ask_seconds: how often the store is asked.
    """

    def __init__(self, get: Callable[[str], Job], ask_seconds: float = ASK_SECONDS):
        self._get = get
        self._ask_seconds = ask_seconds
        self._watches: dict[str, _Watch] = {}
        self.stopping = asyncio.Event()

    def stop(self) -> None:
        """End all streams; their clients come back when there is a server again."""
        self.stopping.set()
        for watch in self._watches.values():
            watch.publish()

    async def follow(
        self, job: Job, version: int | None = None
    ) -> AsyncGenerator[Job | None, None]:
        """Pictures of a job as it changes, up to its end; None when nothing happened for a while.

        Args:
            job: as it is now.
            version: the newest version that the listener knows.

        Raises:
            NoSuchJobError: it was deleted meanwhile.
        """
        watch = self._watches.setdefault(job.id, _Watch(job))
        watch.listeners += 1
        if watch.task is None:
            watch.task = asyncio.create_task(self._ask(job.id, watch))
        try:
            while not self.stopping.is_set():
                changed = watch.changed
                if watch.error is not None:
                    raise watch.error
                now = watch.job or job
                # A listener from before the job was put back into the queue knows more, not less.
                if now.version != version:
                    version = now.version
                    yield now
                if now.has_ended:
                    return
                try:
                    await asyncio.wait_for(changed.wait(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield None
        finally:
            watch.listeners -= 1
            if not watch.listeners:
                self._watches.pop(job.id, None)
                if watch.task is not None:
                    watch.task.cancel()

    async def _ask(self, job_id: str, watch: _Watch) -> None:
        while not self.stopping.is_set():
            await asyncio.sleep(self._ask_seconds)
            with suppress(StoreUnavailableError):  # it may be back the next time
                try:
                    job = await to_thread.run_sync(self._get, job_id)
                except NoSuchJobError as error:
                    watch.error = error
                    watch.publish()
                    return
                if watch.job is None or job.version != watch.job.version:
                    watch.job = job
                    watch.publish()


async def stream(
    watcher: Watcher, job: Job, document: Callable[[Job], dict[str, Any]], last_id: str = ""
) -> AsyncGenerator[bytes, None]:
    """The bytes of an event stream.

    ``state`` for a new state, ``progress`` within one, ``deleted`` where the job is gone; comments
    as heartbeats.

    Args:
        watcher: see there.
        job: as it is now.
        document: makes a job's JSON.
        last_id: the client's ``Last-Event-ID``.
    """
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    version = int(last_id) if last_id.isdecimal() and len(last_id) < 19 else None
    state = job.state if version == job.version else None
    try:
        async with aclosing(watcher.follow(job, version)) as pictures:
            async for now in pictures:
                if now is None:
                    yield b": still here\n\n"
                    continue
                name = "progress" if now.state == state else "state"
                state = now.state
                yield event(name, document(now), str(now.version))
    except NoSuchJobError:
        yield event("deleted", {"id": job.id})


class EventStream(Response):
    """Sends events until they end or the client goes away, which it notices at once.

    Args:
        events: see :func:`stream`.
        ended: called when it is over.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None], ended: Callable[[], None]):
        self.events = events
        self.ended = ended
        self.status_code = 200
        self.background = None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            await self.events.aclose()
            self.ended()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for data in self.events:
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
