"""What every part of the store stands on: transactions, rows, and the tables' version."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, insert, inspect, select, text, update

from aver.server import store_tables as t
from aver.server.jobs import Job, Problem, microseconds, moment_of
from aver.server.store_errors import (
    NoSuchJobError,
    StoreMismatchError,
    StoreUnavailableError,
    WrongStateError,
)

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

LONGEST_NAME = 255
"""Characters of a recording's or a person's name."""

_TABLES_LOCK = 0x61766572
"""Number of the advisory lock under which PostgreSQL's tables are made."""


class StoreBase:
    """Transactions on the database; see :class:`aver.server.store.Store`."""

    def __init__(
        self,
        url: str,
        *,
        busy_timeout_seconds: float = 5.0,
        clock: Callable[[], float] = time.time,
    ):
        self.url = url
        self._clock = clock
        self._engine = t.open_engine(url, busy_timeout_seconds)
        self._writing = self._engine.execution_options(writes=True)
        t.make_sqlite_file(url)
        self.store_id = self._prepare_tables()

    def close(self) -> None:
        """Close all connections; the store cannot be used afterwards."""
        self._engine.dispose()

    def check(self) -> None:
        """Raise StoreUnavailableError where the database does not answer."""
        with self._read() as connection:
            connection.execute(select(t.schema.c.version)).scalar_one()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with t.explained(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with t.explained(), self._writing.begin() as connection:
            yield connection

    def _prepare_tables(self) -> str:
        with self._write() as connection:
            if connection.dialect.name == "postgresql":
                lock = text("SELECT pg_advisory_xact_lock(:number)")
                connection.execute(lock, {"number": _TABLES_LOCK})
            if not inspect(connection).has_table(t.schema.name):
                t.metadata.create_all(connection)
                made = {"version": t.SCHEMA_VERSION, "store_id": secrets.token_hex(16)}
                connection.execute(insert(t.schema).values(made))
            version, store_id = connection.execute(select(t.schema)).one()
        if version != t.SCHEMA_VERSION:
            raise StoreMismatchError(
                f"its tables are of version {version}, this aver knows {t.SCHEMA_VERSION}",
                "Update aver, or use another database",
                subject="database",
            )
        return str(store_id)

    def _forget_deleted(self) -> None:
        """Empty SQLite's log, which holds what was deleted; if not now, another time does it."""
        if self._engine.dialect.name == "sqlite":
            with suppress(StoreUnavailableError), t.explained(), self._engine.connect() as one:
                one.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _now(self, after: float = 0.0) -> int:
        """Microseconds since 1970, *after* seconds from now."""
        return microseconds(self._clock() + after)

    @staticmethod
    def _row(
        connection: Connection, where: ColumnElement[bool], *, lock: bool = False
    ) -> Row[Any] | None:
        query = select(t.jobs).where(where)
        return connection.execute(query.with_for_update() if lock else query).one_or_none()

    def _change(
        self,
        job_id: str,
        change: Callable[[Row[Any]], Mapping[str, Any]],
    ) -> Job:
        """Change one row in one transaction; *change* sees it locked, and may raise."""
        with self._write() as connection:
            row = self._row(connection, t.jobs.c.id == job_id, lock=True)
            if row is None:
                raise NoSuchJobError(job_id)
            values = change(row)
            if values:
                this = t.jobs.c.id == job_id
                grown = {"version": row.version + 1, **values}
                connection.execute(update(t.jobs).where(this).values(grown))
                row = self._row(connection, this)
                assert row is not None
        return job_of(row)

    def _ended(self) -> dict[str, Any]:
        """What changes in a row when its job ends, besides its state."""
        return {"finished": self._now(), "worker": "", "lease": "", "lease_until": None}


def expect(row: Row[Any], states: tuple[str, ...], wanted: str) -> None:
    """Raise WrongStateError where the row's job is in none of *states*."""
    if row.state not in states:
        raise WrongStateError(row.id, row.state, wanted)


def job_of(row: Row[Any], lease: str = "") -> Job:
    """The job that a row holds."""
    created = moment_of(row.created)
    assert created is not None
    return Job(
        id=row.id,
        name=row.name,
        state=row.state,
        created=created,
        started=moment_of(row.started),
        finished=moment_of(row.finished),
        seconds_done=row.seconds_done,
        seconds_total=row.seconds_total,
        problem=None if row.problem is None else Problem(**json.loads(row.problem)),
        size=row.size,
        sha256=row.sha256,
        attempts=row.attempts,
        options=json.loads(row.options),
        fingerprint=row.fingerprint,
        lease=lease,
        recording_erased=row.recording_erased,
        version=row.version,
    )


def problem_text(problem: Problem) -> str:
    """A problem as it is stored."""
    parts = {"code": problem.code, "title": problem.title, "detail": problem.detail}
    return json.dumps(parts)


def shown_name(name: str) -> str:
    """*name* as it can be stored and shown: one line, no stray bytes, not too long."""
    spelled = name.encode("utf-8", "replace").decode("utf-8")
    kept = "".join(c if c.isprintable() else " " for c in spelled)
    return " ".join(kept.split())[:LONGEST_NAME]
