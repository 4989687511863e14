"""Tables of the store, and the engines that reach them: SQLite in WAL mode, or PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    exc,
)
from sqlalchemy.engine import URL, Connection, Engine, make_url

from aver.errors import SettingError
from aver.server.store_errors import StoreUnavailableError

SCHEMA_VERSION = 1

metadata = MetaData()

schema = Table(
    "aver_schema",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("store_id", Text, nullable=False),
)
"""One row: of which version the tables are, and a random id that ties them to a data folder."""

jobs = Table(
    "aver_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("started", BigInteger),
    Column("finished", BigInteger),
    Column("seconds_done", Double, nullable=False, default=0.0),
    Column("seconds_total", Double),
    Column("problem", Text),
    Column("size", BigInteger),
    Column("sha256", Text),
    Column("attempts", Integer, nullable=False, default=0),
    Column("options", Text, nullable=False, default="{}"),
    Column("idempotency_key", Text),
    Column("fingerprint", Text),
    Column("worker", Text, nullable=False, default=""),
    Column("lease", Text, nullable=False, default=""),
    Column("lease_until", BigInteger),
    Column("not_before", BigInteger, nullable=False, default=0),
    Column("recording_erased", Boolean, nullable=False, default=False),
    Column("version", Integer, nullable=False, default=0),
    UniqueConstraint("idempotency_key", name="aver_jobs_one_a_key"),
    Index("aver_jobs_by_state", "state", "created", "id"),
    Index("aver_jobs_by_time", "created", "id"),
)
"""Times are whole microseconds since 1970, UTC."""

names = Table(
    "aver_names",
    metadata,
    Column("job_id", Text, ForeignKey("aver_jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("person", Integer, primary_key=True),
    Column("name", Text, nullable=False),
)
"""What people of a recording were named by those who looked at it."""


def open_engine(url: str, busy_timeout_seconds: float) -> Engine:
    """An engine for *url*; nothing is connected to yet.

    Raises:
        SettingError: if the URL is not one of SQLite (with a file) or PostgreSQL.
    """
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise SettingError(
            "database_url", "is not a database's URL", "Write postgresql+psycopg://user@host/name"
        ) from None
    if parsed.get_backend_name() == "postgresql":
        return _postgresql(parsed, busy_timeout_seconds)
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return _sqlite(Path(str(parsed.database)).absolute(), busy_timeout_seconds)
    raise SettingError(
        "database_url",
        f"{parsed.render_as_string(hide_password=True)!r} is neither SQLite's nor PostgreSQL's",
        "Write sqlite:////folder/aver.sqlite3 or postgresql+psycopg://user@host/name",
    )


def _postgresql(url: URL, timeout: float) -> Engine:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    milliseconds = max(1, round(timeout * 1000))
    try:
        return create_engine(
            url,
            pool_pre_ping=True,
            pool_timeout=timeout,
            connect_args={
                "connect_timeout": max(1, round(timeout)),
                "options": f"-c lock_timeout={milliseconds}",
            },
        )
    except ModuleNotFoundError as error:
        raise SettingError(
            "database_url",
            f"PostgreSQL needs the package '{error.name}'",
            'Run: pip install "aver[postgres]"',
        ) from error


def _sqlite(path: Path, timeout: float) -> Engine:
    def connect() -> sqlite3.Connection:
        # mode=rw: a database that is gone is an error, not a new and empty one.
        return sqlite3.connect(
            f"{path.as_uri()}?mode=rw",
            uri=True,
            timeout=timeout,
            isolation_level=None,
            check_same_thread=False,
        )

    engine = create_engine("sqlite://", creator=connect, poolclass=_queue_pool())

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, record: Any) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # a job that was answered with 201 survives the loss of power
            "foreign_keys=ON",
            "secure_delete=ON",  # names of people who were erased are overwritten
        ):
            connection.execute(f"PRAGMA {pragma}").close()
        record.info["file"] = _identity(path)

    @event.listens_for(engine, "checkout")
    def _same_file(connection: sqlite3.Connection, record: Any, proxy: Any) -> None:
        # An open connection goes on writing to a file that was deleted or replaced.
        if _identity(path) != record.info["file"]:
            raise exc.DisconnectionError

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that will write takes its lock first: upgrading later can dead-lock.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _queue_pool() -> Any:
    from sqlalchemy.pool import QueuePool

    return QueuePool


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def make_sqlite_file(url: str) -> None:
    """Create the empty file of a SQLite database where there is none, for its owner alone.

    Raises:
        StoreUnavailableError: if that is not possible.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return
    path = Path(parsed.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise StoreUnavailableError(
            f"its file cannot be made ({error.strerror})", "Check the data folder and its rights"
        ) from error


@contextmanager
def explained() -> Iterator[None]:
    """Turn what a database says when it cannot work now into :class:`StoreUnavailableError`."""
    try:
        yield
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError, exc.InternalError) as error:
        raise StoreUnavailableError(_reason(error)) from error
    except exc.DBAPIError as error:
        if error.connection_invalidated or isinstance(error.orig, sqlite3.DatabaseError):
            raise StoreUnavailableError(_reason(error)) from error
        raise


def _reason(error: Exception) -> str:
    said = str(getattr(error, "orig", None) or error).lower()
    for sign, reason in (
        ("locked", "it is locked by another program"),
        ("lock timeout", "it is locked by another program"),
        ("unable to open", "its file is gone or cannot be opened"),
        ("no such table", "its tables are gone"),
        ("undefined table", "its tables are gone"),
        ("readonly", "it is read-only"),
        ("full", "the disk is full"),
        ("malformed", "its file is damaged"),
        ("not a database", "its file is damaged"),
        ("disk i/o", "its disk cannot be read or written"),
        ("pool", "too many requests use it at once"),
    ):
        if sign in said:
            return reason
    return "it cannot be reached"
