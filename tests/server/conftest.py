"""Databases, data folders and recordings that the tests of the server share."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="the extra 'serve' is not installed")

from server.projects import Project

from aver.server.store import Store

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def postgresql_folder():
    """A PostgreSQL server of the tests' own, on a socket in a folder that nobody else knows."""
    tools = [shutil.which(name) for name in ("initdb", "pg_ctl")]
    if None in tools:
        pytest.skip("PostgreSQL is not installed (initdb and pg_ctl)")
    pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
    initdb, control = tools
    folder = Path(tempfile.mkdtemp(prefix="aver-pg-"))  # a socket's path must be short
    # PostgreSQL refuses to run as root.
    who = {"user": "nobody", "extra_groups": []} if os.getuid() == 0 else {}
    if who:
        shutil.chown(folder, "nobody")
    data = folder / "data"
    options = f"-k {folder} -c listen_addresses= -c fsync=off"

    def run(*words):
        log = folder / "tools.log"
        with log.open("ab") as out:
            return subprocess.run(
                words, stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=folder, **who
            ).returncode

    try:
        started = (
            run(initdb, "-D", str(data), "-A", "trust", "-U", "aver", "-N") == 0
            and run(
                control, "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start"
            )
            == 0
        )
        if not started:
            said = (folder / "tools.log").read_text()[-300:]
            pytest.skip(f"PostgreSQL does not start here: {said}")
        yield folder
        run(control, "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql_folder):
    """URL of an empty PostgreSQL database."""
    import psycopg

    where = f"host={postgresql_folder} user=aver dbname=postgres"
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS aver_names, aver_jobs, aver_schema")
    return f"postgresql+psycopg://aver@/postgres?host={postgresql_folder}"


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path / 'jobs.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request):
    """URL of an empty database: each test runs on both kinds."""
    return request.getfixturevalue(f"{request.param}_url")


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(database_url, clock):
    opened = Store(database_url, busy_timeout_seconds=2, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Makes projects whose analysing processes find the fake analysis."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    made = []

    def make(**settings):
        made.append(Project(tmp_path / "server-data", **settings))
        return made[-1]

    yield make
    for one in made:
        one.store.close()


@pytest.fixture(scope="session")
def api_server(tmp_path_factory):
    """A server on a free port whose jobs the tests do; shared, so look only at your own jobs."""
    pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
    from server.api_server import serving

    with serving(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture(scope="session")
def api(api_server):
    """A client of the shared server."""
    with api_server.client() as client:
        yield client


@pytest.fixture
def make_server(tmp_path):
    """Makes servers of the test's own: settings in, server out."""
    pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
    from server.api_server import serving

    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serving(tmp_path / "api-data", **settings))
