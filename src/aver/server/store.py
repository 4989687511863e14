"""The store of jobs: what survives when every process of the server dies.

Every change is one transaction. A job that is worked on is under a lease: its worker says every
now and then that it is alive, and one that does not any more loses the job to another. Whoever
lost it can neither report progress nor finish: the lease's secret is asked for each time.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, func, insert, literal, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from aver.errors import SettingError
from aver.server import store_tables as t
from aver.server.jobs import OPEN, STATES, Job, Page, State, microseconds, new_id
from aver.server.store_base import expect, job_of, shown_name
from aver.server.store_errors import NoSuchJobError, QueueFullError
from aver.server.store_work import WorkStore

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

MOST_LISTED = 200
"""Most jobs of one page."""


class Store(WorkStore):
    """Jobs in a database; safe to use from many threads and processes at once.

    Args:
        url: SQLAlchemy URL of a SQLite file or a PostgreSQL database; its tables are made where
            they are missing.
        busy_timeout_seconds: how long to wait for a lock.
        clock: gives seconds since 1970.

    Raises:
        SettingError: the URL cannot be used.
        StoreMismatchError: the tables are of a newer version.
        StoreUnavailableError: the database cannot be reached, here and in every method.
    """

    # -- making, reading -------------------------------------------------------------------------

    def create(
        self,
        name: str,
        *,
        idempotency_key: str | None = None,
        fingerprint: str | None = None,
        options: Mapping[str, Any] | None = None,
        most_open: int | None = None,
    ) -> tuple[Job, bool]:
        """A new job in state ``uploading``, or the one of that idempotency key.

        Args:
            name: shown to people; cut to 255 characters, control characters taken out.
            idempotency_key: the same key gives the same job, as long as it is kept.
            fingerprint: what was asked for; to be compared where the job was there already.
            options: see :attr:`Job.options`.
            most_open: refuse where so many jobs have not ended yet.

        Returns:
            The job, and whether it is new.

        Raises:
            QueueFullError: see *most_open*.
        """
        row = {
            "id": new_id(),
            "name": shown_name(name) or "recording",
            "state": "uploading",
            "created": self._now(),
            "idempotency_key": idempotency_key,
            "fingerprint": fingerprint,
            "options": json.dumps(dict(options or {})),
        }
        try:
            with self._write() as connection:
                if idempotency_key is not None:
                    there = self._row(connection, t.jobs.c.idempotency_key == idempotency_key)
                    if there is not None:
                        return job_of(there), False
                if most_open is not None:
                    count = select(func.count()).where(t.jobs.c.state.in_(OPEN))
                    if connection.execute(count).scalar_one() >= most_open:
                        raise QueueFullError(most_open)
                connection.execute(insert(t.jobs).values(row))
                made = self._row(connection, t.jobs.c.id == row["id"])
        except IntegrityError:  # another process was faster with the same key
            with self._read() as connection:
                made = self._row(connection, t.jobs.c.idempotency_key == idempotency_key)
            if made is None:
                raise
            return job_of(made), False
        assert made is not None
        return job_of(made), True

    def get(self, job_id: str) -> Job:
        """The job as it is now.

        Raises:
            NoSuchJobError: there is none of that id.
        """
        with self._read() as connection:
            row = self._row(connection, t.jobs.c.id == job_id)
        if row is None:
            raise NoSuchJobError(job_id)
        return job_of(row)

    def list(
        self, *, cursor: str | None = None, limit: int = 50, state: State | None = None
    ) -> Page:
        """Jobs, newest first.

        Args:
            cursor: :attr:`Page.next_cursor` of the page before.
            limit: most jobs, 1 to 200.
            state: only those in that state.

        Raises:
            SettingError: a cursor that is none, a limit out of range, an unknown state.
        """
        if not 1 <= limit <= MOST_LISTED:
            raise SettingError("limit", f"is not 1 to {MOST_LISTED}")
        query = select(t.jobs).order_by(t.jobs.c.created.desc(), t.jobs.c.id.desc())
        if state is not None:
            if state not in STATES:
                raise SettingError("state", f"{state!r} is none", f"Use {', '.join(STATES)}")
            query = query.where(t.jobs.c.state == state)
        if cursor is not None:
            query = query.where(
                tuple_(t.jobs.c.created, t.jobs.c.id) < tuple_(*map(literal, _after(cursor)))
            )
        with self._read() as connection:
            rows = connection.execute(query.limit(limit + 1)).all()
        more = len(rows) > limit
        return Page(
            tuple(job_of(row) for row in rows[:limit]), _cursor(rows[limit - 1]) if more else None
        )

    def counts(self) -> dict[State, int]:
        """How many jobs there are in each state."""
        query = select(t.jobs.c.state, func.count()).group_by(t.jobs.c.state)
        with self._read() as connection:
            rows = connection.execute(query).all()
        found = {str(row[0]): int(row[1]) for row in rows}
        return {state: found.get(state, 0) for state in STATES}

    def ended_after(self, moment: datetime) -> tuple[Job, ...]:
        """Jobs that ended after *moment*, in the order of their ends."""
        after = t.jobs.c.finished > microseconds(moment.timestamp())
        with self._read() as connection:
            rows = connection.execute(select(t.jobs).where(after).order_by(t.jobs.c.finished)).all()
        return tuple(job_of(row) for row in rows)

    # -- what those who asked for it do ----------------------------------------------------------

    def uploaded(self, job_id: str, size: int, sha256: str) -> Job:
        """The recording is there: ``uploading`` becomes ``queued``.

        Raises:
            NoSuchJobError: it was deleted meanwhile.
            WrongStateError: it is not uploading, or not any more.
        """

        def change(row: Row[Any]) -> dict[str, Any]:
            expect(row, ("uploading",), "it is not being uploaded")
            return {"state": "queued", "size": size, "sha256": sha256}

        return self._change(job_id, change)

    def cancel(self, job_id: str) -> Job:
        """End a job that has not ended; its worker notices at its next sign of life.

        Raises:
            NoSuchJobError: there is none of that id.
            WrongStateError: it has ended already (but cancelling twice is no error).
        """

        def change(row: Row[Any]) -> dict[str, Any]:
            expect(row, (*OPEN, "cancelled"), "it cannot be cancelled any more")
            if row.state == "cancelled":
                return {}
            return {"state": "cancelled", **self._ended()}

        return self._change(job_id, change)

    def delete(self, job_id: str) -> None:
        """Forget a job, the names of its people, and its idempotency key, in any state.

        Its files are not touched: see :meth:`aver.server.files.JobFiles.erase`.

        Raises:
            NoSuchJobError: there is none of that id.
        """
        with self._write() as connection:
            if connection.execute(delete(t.jobs).where(t.jobs.c.id == job_id)).rowcount == 0:
                raise NoSuchJobError(job_id)
        self._forget_deleted()

    def rename_person(self, job_id: str, person: int, name: str) -> None:
        """Name somebody in the recording; an empty name takes the name away.

        Raises:
            NoSuchJobError: there is none of that id.
        """
        name = shown_name(name)
        with self._write() as connection:
            if self._row(connection, t.jobs.c.id == job_id, lock=True) is None:
                raise NoSuchJobError(job_id)
            this = and_(t.names.c.job_id == job_id, t.names.c.person == person)
            connection.execute(delete(t.names).where(this))
            if name:
                connection.execute(insert(t.names).values(job_id=job_id, person=person, name=name))
            grown = update(t.jobs).where(t.jobs.c.id == job_id)
            connection.execute(grown.values(version=t.jobs.c.version + 1))

    def names(self, job_id: str) -> dict[int, str]:
        """Names that were given to people of the recording, by their number."""
        query = select(t.names.c.person, t.names.c.name).where(t.names.c.job_id == job_id)
        with self._read() as connection:
            return {int(person): str(name) for person, name in connection.execute(query)}


def _cursor(row: Row[Any]) -> str:
    return base64.urlsafe_b64encode(f"{row.created}:{row.id}".encode()).decode().rstrip("=")


def _after(cursor: str) -> tuple[int, str]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        created, job_id = (
            base64.b64decode(padded, altchars=b"-_", validate=True).decode().split(":")
        )
        moment = int(created)
        if not -(1 << 63) <= moment < 1 << 63:
            raise ValueError
    except ValueError:
        raise SettingError(
            "cursor", "is none", "Use next_cursor of the page before, as it is"
        ) from None
    return moment, job_id
