"""Databases that are locked, gone, damaged, or somebody else's."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from server.projects import queue
from sqlalchemy import create_engine, text

from aver.errors import SettingError
from aver.server.store import Store
from aver.server.store_errors import StoreMismatchError, StoreUnavailableError


@pytest.fixture
def file(tmp_path):
    return tmp_path / "jobs.sqlite3"


@pytest.fixture
def sqlite(sqlite_url):
    opened = Store(sqlite_url, busy_timeout_seconds=0.2)
    yield opened
    opened.close()


def test_a_locked_database_can_be_read_and_is_back_when_it_is_free(sqlite, file):
    job = queue(sqlite)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for ask in (lambda: sqlite.create("b"), lambda: sqlite.claim("w"), lambda: sqlite.cancel("x")):
        with pytest.raises(StoreUnavailableError, match="locked"):
            ask()
    assert sqlite.get(job.id).state == "queued"
    other.execute("ROLLBACK")
    other.close()
    assert sqlite.claim("w").id == job.id


def test_a_database_that_is_gone_is_not_replaced_by_an_empty_one(sqlite, file):
    job = queue(sqlite)
    file.rename(file.with_suffix(".away"))
    for ask in (sqlite.check, lambda: sqlite.get(job.id), lambda: sqlite.create("b")):
        with pytest.raises(StoreUnavailableError, match="gone"):
            ask()
    assert not file.exists()
    file.with_suffix(".away").rename(file)
    sqlite.check()
    assert sqlite.get(job.id).id == job.id


def test_an_empty_file_in_its_place_is_noticed(sqlite, file):
    queue(sqlite)
    file.unlink()
    file.touch()
    with pytest.raises(StoreUnavailableError, match="tables are gone"):
        sqlite.create("b")


def test_a_damaged_file_is_told(sqlite_url, file):
    file.write_bytes(b"not a database, but long enough to look like one" * 100)
    with pytest.raises(StoreUnavailableError, match="damaged"):
        Store(sqlite_url)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "a").write_text("a file")
    with pytest.raises(StoreUnavailableError, match="cannot be made"):
        Store(f"sqlite:///{tmp_path / 'a' / 'b' / 'jobs.sqlite3'}")


def test_a_full_disk_is_told_and_passes(tmp_path, small_disk):
    store = Store(f"sqlite:///{small_disk / 'jobs.sqlite3'}")
    job = queue(store)
    filler = small_disk / "filler"
    filler.touch()
    while (free := shutil.disk_usage(small_disk).free) > 0:
        with filler.open("ab") as out:
            out.write(b"x" * min(free, 1 << 16))

    def fill():
        for number in range(500):
            store.rename_person(job.id, number, "x" * 200)

    with pytest.raises(StoreUnavailableError):
        fill()
    filler.unlink()
    assert store.claim("w").id == job.id
    store.close()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_newer_tables_are_left_alone(database_url):
    store = Store(database_url)
    with store._write() as connection:
        connection.execute(text("UPDATE aver_schema SET version = 99"))
    with pytest.raises(StoreMismatchError, match="version 99"):
        Store(database_url)
    store.close()


def test_many_processes_may_be_first(database_url):
    code = f"from aver.server.store import Store; print(Store({database_url!r}).store_id)"
    first = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ids = {one.communicate()[0].strip() for one in first}
    assert len(ids) == 1
    assert all(one.returncode == 0 for one in first)


def test_broken_connections_are_replaced(postgresql_url):
    store = Store(postgresql_url)
    job = queue(store)
    engine = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = 'postgres'"
            )
        )
    assert store.get(job.id).state == "queued"
    engine.dispose()
    store.close()


def test_a_locked_row_of_postgresql(postgresql_url):
    store = Store(postgresql_url, busy_timeout_seconds=0.2)
    job, other_job = queue(store), queue(store)
    engine = create_engine(postgresql_url)
    with engine.connect() as connection:
        connection.execute(text(f"SELECT * FROM aver_jobs WHERE id = '{job.id}' FOR UPDATE"))
        with pytest.raises(StoreUnavailableError, match="locked"):
            store.cancel(job.id)
        assert store.claim("w").id == other_job.id  # the locked one is passed over
    engine.dispose()
    store.close()


def test_a_postgresql_that_is_not_there(tmp_path):
    pytest.importorskip("psycopg")
    with pytest.raises(StoreUnavailableError, match="cannot be reached"):
        Store(f"postgresql+psycopg://aver@/jobs?host={tmp_path}", busy_timeout_seconds=1)


@pytest.mark.parametrize("url", ["mysql://a:secret@b/c", "sqlite://", "nonsense", ""])
def test_other_databases_are_refused_without_telling_passwords(url):
    with pytest.raises(SettingError) as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_names_that_were_deleted_are_not_left_in_the_file(sqlite, file):
    job = queue(sqlite, "Zebulon.mp4")
    sqlite.rename_person(job.id, 1, "Xanthippe")
    files = [file, Path(f"{file}-wal")]
    assert any(b"Xanthippe" in one.read_bytes() for one in files)
    sqlite.delete(job.id)
    for one in files:
        assert b"Xanthippe" not in one.read_bytes()
        assert b"Zebulon" not in one.read_bytes()


def test_the_file_is_for_its_owner_alone(sqlite, file):
    assert file.stat().st_mode & 0o077 == 0
