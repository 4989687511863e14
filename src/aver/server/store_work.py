"""The part of the store that workers use: claims, leases, ends."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, update

from aver.server import store_tables as t
from aver.server.jobs import ENDED, Job, Problem, microseconds
from aver.server.store_base import StoreBase, job_of, problem_text
from aver.server.store_errors import LeaseLostError, NoSuchJobError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

LOST = Problem(
    "worker_lost",
    "The analysis was interrupted too often",
    "The process that analysed the recording died each time; the server's log may say why",
)

_FREE: dict[str, Any] = {"worker": "", "lease": "", "lease_until": None}
_WAITING: dict[str, Any] = {**_FREE, "state": "queued", "started": None, "seconds_done": 0.0}


def _nothing() -> None:
    pass


class WorkStore(StoreBase):
    """Claims and leases; see :class:`aver.server.store.Store`."""

    def claim(
        self, worker: str, *, lease_seconds: float = 30.0, max_attempts: int = 3
    ) -> Job | None:
        """Take the job that waits longest; no two callers ever get the same one.

        Jobs whose lease has run out are put back first, or failed after *max_attempts*.

        Returns:
            The job, now ``running``, with its lease; None where none waits.
        """
        now = self._now()
        ready = and_(t.jobs.c.state == "queued", t.jobs.c.not_before <= now)
        with self._read() as connection:  # looking takes no lock, so idle workers disturb nobody
            some = select(t.jobs.c.id).where(or_(ready, _expired(now))).limit(1)
            if connection.execute(some).first() is None:
                return None
        lease = secrets.token_urlsafe(16)
        with self._write() as connection:
            self._free(connection, _expired(now), max_attempts)
            first = select(t.jobs).where(ready).order_by(t.jobs.c.created, t.jobs.c.id).limit(1)
            row = connection.execute(first.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            values = {
                "state": "running",
                "started": now,
                "seconds_done": 0.0,
                "attempts": row.attempts + 1,
                "worker": worker,
                "lease": lease,
                "lease_until": self._now(lease_seconds),
                "version": row.version + 1,
            }
            this = t.jobs.c.id == row.id
            connection.execute(update(t.jobs).where(this).values(values))
            claimed = self._row(connection, this)
            assert claimed is not None
        return job_of(claimed, lease)

    def progress(
        self,
        job_id: str,
        done: float,
        total: float | None,
        *,
        lease: str,
        lease_seconds: float = 30.0,
    ) -> None:
        """A worker's sign of life: how many seconds of the recording are done.

        Raises:
            LeaseLostError: the job was cancelled, deleted, or given to another worker.
        """
        self._held(
            job_id,
            lease,
            lambda row: {
                "seconds_done": done,
                "seconds_total": total,
                "lease_until": self._now(lease_seconds),
            },
        )

    def finish(self, job_id: str, *, lease: str, publish: Callable[[], None] = _nothing) -> Job:
        """The job is ``done``.

        Args:
            job_id: of the job.
            lease: of the worker.
            publish: puts the result where everybody sees it (a rename); called once it is sure
                that the job is this worker's still, and before anybody is told that it is done.

        Raises:
            LeaseLostError: as :meth:`progress`; nothing was published.
            OSError: what *publish* raised; the job is not done.
        """

        def change(row: Row[Any]) -> dict[str, Any]:
            publish()
            done = row.seconds_total if row.seconds_total is not None else row.seconds_done
            return {"state": "done", "seconds_done": done, "problem": None, **self._ended()}

        return self._held(job_id, lease, change)

    def fail(self, job_id: str, problem: Problem, *, lease: str) -> Job:
        """The job has ``failed`` for good.

        Raises:
            LeaseLostError: as :meth:`progress`.
        """
        failed = {"state": "failed", "problem": problem_text(problem)}
        return self._held(job_id, lease, lambda row: {**failed, **self._ended()})

    def retry_or_fail(
        self,
        job_id: str,
        problem: Problem,
        *,
        lease: str,
        max_attempts: int,
        wait_seconds: float = 0.0,
    ) -> Job:
        """Put the job back for another attempt, or fail it where it had *max_attempts*.

        Raises:
            LeaseLostError: as :meth:`progress`.
        """

        def change(row: Row[Any]) -> dict[str, Any]:
            if row.attempts >= max_attempts:
                failed = {"state": "failed", "problem": problem_text(problem)}
                return {**failed, **self._ended()}
            return {**_WAITING, "not_before": self._now(wait_seconds)}

        return self._held(job_id, lease, change)

    def put_back(self, job_id: str, *, lease: str) -> Job:
        """Put the job back as if it had not been begun: its worker stops for reasons of its own.

        Raises:
            LeaseLostError: as :meth:`progress`.
        """
        return self._held(
            job_id, lease, lambda row: {**_WAITING, "attempts": max(0, row.attempts - 1)}
        )

    def abandon(self, worker: str, *, max_attempts: int = 3) -> int:
        """Free what a dead worker had, without waiting for its leases to run out.

        Returns:
            How many jobs that were.
        """
        with self._write() as connection:
            its = and_(t.jobs.c.state == "running", t.jobs.c.worker == worker)
            return self._free(connection, its, max_attempts)

    # -- retention -------------------------------------------------------------------------------

    def ended_before(self, moment: float) -> tuple[str, ...]:
        """Ids of the jobs that ended before *moment* (seconds since 1970)."""
        ended = and_(t.jobs.c.state.in_(ENDED), t.jobs.c.finished < microseconds(moment))
        return self._ids(ended)

    def with_recording_before(self, moment: float) -> tuple[str, ...]:
        """Ids of the jobs that ended before *moment* and whose recordings are there still."""
        ended = and_(t.jobs.c.state.in_(ENDED), t.jobs.c.finished < microseconds(moment))
        return self._ids(and_(ended, ~t.jobs.c.recording_erased))

    def recording_erased(self, job_id: str) -> Job:
        """Remember that the recording of the job was deleted."""
        return self._change(job_id, lambda row: {"recording_erased": True})

    def uploading_before(self, moment: float) -> tuple[str, ...]:
        """Ids of the jobs whose upload began before *moment* and has not ended."""
        begun = t.jobs.c.created < microseconds(moment)
        return self._ids(and_(t.jobs.c.state == "uploading", begun))

    def delete_uploading(self, job_id: str) -> bool:
        """Delete the job if its upload has not ended; whether that was so."""
        its = and_(t.jobs.c.id == job_id, t.jobs.c.state == "uploading")
        with self._write() as connection:
            return bool(connection.execute(delete(t.jobs).where(its)).rowcount)

    def all_ids(self) -> frozenset[str]:
        """Ids of all jobs."""
        with self._read() as connection:
            return frozenset(connection.execute(select(t.jobs.c.id)).scalars())

    # -- inside ----------------------------------------------------------------------------------

    def _ids(self, where: ColumnElement[bool]) -> tuple[str, ...]:
        with self._read() as connection:
            return tuple(connection.execute(select(t.jobs.c.id).where(where)).scalars())

    def _held(self, job_id: str, lease: str, change: Callable[[Row[Any]], dict[str, Any]]) -> Job:
        def checked(row: Row[Any]) -> dict[str, Any]:
            if row.state != "running" or not secrets.compare_digest(row.lease, lease):
                raise LeaseLostError(job_id)
            return change(row)

        try:
            return self._change(job_id, checked)
        except NoSuchJobError:
            raise LeaseLostError(job_id) from None

    def _free(self, connection: Connection, where: ColumnElement[bool], max_attempts: int) -> int:
        """Put the running jobs *where* back, or fail those that had all their attempts."""
        query = select(t.jobs).where(where).with_for_update(skip_locked=True)
        rows = connection.execute(query).all()
        for row in rows:
            if row.attempts >= max_attempts:
                failed = {"state": "failed", "problem": problem_text(LOST)}
                values: dict[str, Any] = {**failed, **self._ended()}
            else:
                values = dict(_WAITING)
            values["version"] = row.version + 1
            connection.execute(update(t.jobs).where(t.jobs.c.id == row.id).values(values))
        return len(rows)


def _expired(now: int) -> ColumnElement[bool]:
    return and_(t.jobs.c.state == "running", t.jobs.c.lease_until < now)
