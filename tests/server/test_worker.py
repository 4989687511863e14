"""A worker with real analysing processes, seen from the store."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
import time

import pytest

from aver.server.store_errors import StoreUnavailableError
from aver.server.worker import Worker


@pytest.fixture
def work(project):
    """Starts a worker in a thread on a project; stops it in the end."""
    running = []

    def begin(**settings):
        made = project(**settings)
        worker = Worker(made.settings, "worker", made.store)
        thread = threading.Thread(target=worker.run)
        thread.start()
        running.append((worker, thread))
        return made, worker

    yield begin
    for worker, thread in running:
        worker.stop()
        worker._grace_ends = 0.0
        thread.join(30)
        assert not thread.is_alive()
        assert not worker.folder.exists()


def test_jobs_are_analysed_in_one_warm_process_that_is_replaced(work):
    made, _ = work(jobs_per_process=2)
    ids = [made.add({"seconds": 3.0}, name=f"n{i}.mp4", options={"a": i}) for i in range(3)]
    job = made.wait(*ids)
    assert (job.state, job.seconds_done, job.seconds_total, job.attempts) == ("done", 3.0, 3.0, 1)
    results = [made.result(job_id) for job_id in ids]
    assert [r["name"] for r in results] == ["n0.mp4", "n1.mp4", "n2.mp4"]
    assert [r["options"] for r in results] == [{"a": 0}, {"a": 1}, {"a": 2}]
    assert [r["count"] for r in results] == [1, 2, 1]
    assert results[0]["pid"] == results[1]["pid"] != results[2]["pid"]


def test_failures_are_told_and_stop_nobody(work):
    made, _ = work(max_attempts=2, stall_seconds=2.0)
    found = {name: made.add({"do": name}) for name in ("raise", "memory", "die", "stall")}
    good = made.add()
    gone = made.add({"pause": 0.2})
    made.files.recording(gone).unlink()
    made.wait(*found.values(), good, gone)
    jobs = {name: made.store.get(job_id) for name, job_id in found.items()}
    assert {name: (job.state, job.problem.code, job.attempts) for name, job in jobs.items()} == {
        "raise": ("failed", "internal", 1),
        "memory": ("failed", "limit_memory", 1),
        "die": ("failed", "crashed", 2),
        "stall": ("failed", "stalled", 2),
    }
    assert "secret" not in str(jobs["raise"].problem)
    assert made.store.get(good).state == "done"
    assert made.store.get(gone).problem.code == "recording_missing"
    assert all(not made.files.timeline(job_id).exists() for job_id in found.values())


def test_a_link_is_no_result(work, tmp_path):
    (tmp_path / "key").write_text("a secret of the server's")
    made, _ = work()
    job_id = made.add({"do": "link", "path": str(tmp_path / "key")})
    job = made.wait(job_id)
    assert (job.state, job.problem.code) == ("failed", "not_written")
    assert [p.name for p in made.files.folder(job_id).iterdir()] == ["recording"]
    assert (tmp_path / "key").exists()


def test_a_crash_that_passes_costs_only_an_attempt(work):
    made, worker = work(max_attempts=3)
    job_id = made.add({"pause": 0.3})
    made.wait(job_id, states=("running",))
    while not (worker._process and worker._process.is_ready):
        time.sleep(0.02)
    worker._process.kill()
    job = made.wait(job_id)
    assert (job.state, job.attempts) == ("done", 2)


def test_cancelling_kills_the_analysis(work):
    made, worker = work()
    job_id = made.add({"do": "stall", "steps": 1})
    made.wait(job_id, states=("running",))
    while not made.store.get(job_id).seconds_done:
        time.sleep(0.02)
    pid = worker._process.pid
    made.store.cancel(job_id)
    after = made.add()
    assert made.wait(after).state == "done"
    assert made.store.get(job_id).state == "cancelled"
    assert made.result(after)["pid"] != pid
    assert not made.files.timeline(job_id).exists()


def test_deleting_while_it_is_analysed_leaves_nothing(work):
    made, worker = work()
    job_id = made.add({"pause": 0.1, "steps": 20})
    made.wait(job_id, states=("running",))
    made.store.delete(job_id)
    made.files.erase(job_id)
    assert made.wait(made.add()).state == "done"
    assert not made.files.folder(job_id).exists()
    assert list((worker.folder / "process" / "in").iterdir()) == []


def test_stopping_puts_the_job_back(work):
    made, worker = work(grace_seconds=0.2)
    job_id = made.add({"do": "stall"})
    made.wait(job_id, states=("running",))
    worker.stop()
    job = made.wait(job_id, states=("queued",))
    assert job.attempts == 0


def test_stopping_lets_a_job_end_that_needs_little(work):
    made, worker = work(grace_seconds=30)
    job_id, waiting = made.add({"pause": 0.2}), made.add()
    made.wait(job_id, states=("running",))
    worker.stop()
    assert made.wait(job_id).state == "done"
    assert made.store.get(waiting).state == "queued"


def test_a_database_locked_for_a_while_loses_nothing(work):
    made, _ = work(busy_timeout_seconds=0.1)
    job_id = made.add({"pause": 0.2})
    made.wait(job_id, states=("running",))
    other = sqlite3.connect(made.settings.data / "aver.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    time.sleep(2.0)  # the analysis ends meanwhile
    assert made.store.get(job_id).state == "running"
    other.execute("ROLLBACK")
    other.close()
    job = made.wait(job_id)
    assert (job.state, job.attempts) == ("done", 1)


def test_a_database_that_fails_after_the_result_was_published_is_told_again(work, monkeypatch):
    made, _ = work()
    finish, tries = made.store.finish, []

    def unlucky(job_id, *, lease, publish):
        tries.append(job_id)
        if len(tries) == 1:
            publish()  # and then the transaction is not committed
            raise StoreUnavailableError("it is locked")
        return finish(job_id, lease=lease, publish=publish)

    monkeypatch.setattr(made.store, "finish", unlucky)
    job_id = made.add()
    job = made.wait(job_id)
    assert (job.state, job.attempts, tries) == ("done", 1, [job_id, job_id])
    assert made.result(job_id)["name"] == "clip.mp4"


@pytest.fixture
def small_disk(tmp_path):
    """The data folder, on a disk of 4 MB."""
    folder = tmp_path / "server-data"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_fails_the_job_and_not_the_next(small_disk, work):
    made, _ = work(max_attempts=1)
    large = made.add({"do": "write", "bytes": 8 << 20})
    small = made.add()
    made.wait(large, small)
    assert made.store.get(large).problem.code == "disk_full"
    assert made.store.get(small).state == "done"
    assert [p.name for p in made.files.folder(large).iterdir()] == ["recording"]
