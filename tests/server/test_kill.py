"""kill -9 of workers and of the whole server in the middle of their jobs."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from server.projects import FAKE
from sqlalchemy import create_engine, text

from aver.server.settings import ServerSettings
from aver.server.supervisor import Supervisor

HERE = Path(__file__).parent
REAL = ServerSettings.model_fields["analysis"].default


class Server:
    """A supervisor in a process of its own, which is killed without warning."""

    def __init__(self, settings: ServerSettings, log: Path):
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                [sys.executable, str(HERE / "supervise.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                text=True,
            )
        self.popen.stdin.write(settings.model_dump_json() + "\n")
        self.popen.stdin.flush()
        assert self.popen.stdout.readline() == "started\n"

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def stop(self):
        self.popen.terminate()
        assert self.popen.wait(60) == 0


@pytest.fixture
def serve(tmp_path):
    """Starts servers on a project; kills what is left in the end."""
    running = []

    def start(made):
        running.append(Server(made.settings, tmp_path / "log"))
        return running[-1]

    yield start
    for server in running:
        server.kill()


def workers(log: Path) -> list[int]:
    """Process ids of all workers that were ever started."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line["pid"] for line in lines if line["event"] == "worker started"]


def ends(made) -> list[str]:
    """Every end of a job that was ever committed, as the database itself saw it."""
    engine = create_engine(made.settings.store_url)
    with engine.connect() as connection:
        found = [row[0] for row in connection.execute(text("SELECT id FROM ends"))]
    engine.dispose()
    return found


def watch_ends(made) -> None:
    """Have the database write down every change of a job into a state that is an end."""
    is_end = "NEW.state IN ('done', 'failed', 'cancelled') AND OLD.state <> NEW.state"
    engine = create_engine(made.settings.store_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE ends (id TEXT)"))
        if engine.dialect.name == "sqlite":
            connection.execute(
                text(
                    "CREATE TRIGGER watch AFTER UPDATE OF state ON aver_jobs "
                    f"WHEN {is_end} BEGIN INSERT INTO ends VALUES (NEW.id); END"
                )
            )
        else:
            connection.execute(
                text(
                    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
                    "'BEGIN INSERT INTO ends VALUES (NEW.id); RETURN NULL; END'"
                )
            )
            connection.execute(
                text(
                    "CREATE TRIGGER watch AFTER UPDATE OF state ON aver_jobs FOR EACH ROW "
                    f"WHEN ({is_end}) EXECUTE FUNCTION note()"
                )
            )
    engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_twenty_jobs_end_once_each_whoever_is_killed(project, serve, database_url, tmp_path):
    url = "" if database_url.startswith("sqlite") else database_url
    # Attempts: every kill may hit a job, and one job may be hit by all of them.
    made = project(workers=2, database_url=url, max_attempts=10, lease_seconds=2.0)
    watch_ends(made)
    # The last ones take longer, so that there are some to be killed in the end.
    pauses = [0.1] * 12 + [0.3] * 8
    ids = [made.add({"pause": pause}, name=f"{i}") for i, pause in enumerate(pauses)]

    def ended():
        counts = made.store.counts()
        return counts["done"] + counts["failed"]

    def wait_for(number):
        patience = time.monotonic() + 120
        while ended() < number:
            assert time.monotonic() < patience, made.store.counts()
            time.sleep(0.02)

    server = serve(made)
    log = tmp_path / "log"
    for number in (2, 5):
        wait_for(number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(workers(log)[-1], signal.SIGKILL)
    wait_for(8)
    server.kill()
    server = serve(made)  # while the workers of the first may still be at it
    wait_for(12)
    for pid in workers(log):  # everything at once: nobody can give anything back
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.kill()
    assert 12 <= ended() < 20
    server = serve(made)
    wait_for(20)
    server.stop()
    assert sorted(ends(made)) == sorted(ids)
    assert {made.store.get(job_id).state for job_id in ids} == {"done"}
    assert [made.result(job_id)["name"] for job_id in ids] == [str(i) for i in range(20)]
    assert sorted(p.name for p in made.files.jobs.iterdir()) == sorted(ids)


def test_real_analyses_survive_the_death_of_their_worker(project, serve, shared, tmp_path):
    made = project(analysis=REAL)
    clips = sorted((shared / "data" / "crema_d_sample").glob("*.flv"))
    ids = [made.add(clip, name=clip.name) for clip in clips]
    server = serve(made)
    made.wait(ids[0], states=("running",))
    os.kill(workers(tmp_path / "log")[0], signal.SIGKILL)
    made.wait(*ids, seconds=120)
    server.stop()
    for job_id, clip in zip(ids, clips, strict=True):
        job, result = made.store.get(job_id), made.result(job_id)
        assert job.state == "done"
        assert result["media"]["path"] == result["media"]["name"] == clip.name
        assert job.seconds_total == result["media"]["duration"]
        assert {segment["modality"] for segment in result["segments"]} == {
            "face",
            "voice",
            "fused",
        }
    assert made.store.get(ids[0]).attempts == 2


def test_a_server_that_stops_puts_its_jobs_back(project, serve):
    made = project(workers=2, grace_seconds=0.1)
    ids = [made.add({"do": "stall"}) for _ in range(3)]
    server = serve(made)
    made.wait(*ids[:2], states=("running",))
    server.stop()
    assert {made.store.get(job_id).state for job_id in ids} == {"queued"}
    assert list(made.files.work.iterdir()) == []


def test_a_job_that_kills_its_worker_each_time_fails_with_a_reason(project, serve, tmp_path):
    made = project(max_attempts=2)
    job_id = made.add({"do": "stall"})
    server = serve(made)
    for attempt in (1, 2):
        while made.store.get(job_id).attempts < attempt:
            time.sleep(0.02)
        os.kill(workers(tmp_path / "log")[-1], signal.SIGKILL)
    job = made.wait(job_id)
    assert (job.state, job.problem.code, job.attempts) == ("failed", "worker_lost", 2)
    server.stop()


def test_one_server_a_data_folder(project, serve):
    from aver.errors import AverError

    made = project(analysis=FAKE)
    server = serve(made)
    with pytest.raises(AverError, match="another server uses this data folder"):
        Supervisor(made.settings, made.store).start()
    server.kill()
    again = serve(made)  # the lock went with the server, however it ended
    again.stop()
