"""A real server on a free port of loopback, in a thread, whose jobs are done by the tests."""

from __future__ import annotations

import contextlib
import threading
import time

import httpx
from timelines import worked

from aver.report import write
from aver.server.app import create_app
from aver.server.listen import Server, address, open_socket
from aver.server.settings import ServerSettings

FAST = {"requests_per_minute": 1_000_000, "uploads_per_minute": 100_000, "workers": 0}


class ApiServer:
    """Serves until it is closed; ``url`` says where, ``services`` is what the routes use."""

    def __init__(self, data, **settings):
        self.settings = ServerSettings(data=data, **{**FAST, **settings})
        self.app = create_app(self.settings)
        self.services = self.app.state.services
        self.store, self.files = self.services.store, self.services.files
        self._listening = open_socket("127.0.0.1", 0)
        self.url = address(self._listening)
        self.server = Server(self.app, self.settings)
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self._listening]}, daemon=True
        )
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive()
            time.sleep(0.01)

    def client(self, **options):
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, **options)

    def close(self):
        self.server.handle_exit(15, None)
        self.thread.join(timeout=20)
        self._listening.close()
        assert not self.thread.is_alive()

    # -- what workers would do

    def run(self, job_id):
        """Claim jobs until it is this one; gives it with its lease."""
        while (job := self.store.claim("tests")) is not None:
            if job.id == job_id:
                return job
        raise AssertionError("the job is not waiting")

    def finish(self, job_id, timeline=None):
        """Have a waiting job done."""
        job = self.run(job_id)
        timeline = timeline or worked()
        timeline.media["name"] = timeline.media["path"] = job.name
        self.store.progress(job_id, 4.0, 4.0, lease=job.lease)
        write(timeline, self.files.timeline(job_id))
        return self.store.finish(job_id, lease=job.lease)

    def nothing_is_left(self):
        """Whether there is neither a job nor a file of one."""
        jobs = self.store.list().jobs
        return not jobs and not list(self.files.jobs.iterdir())


@contextlib.contextmanager
def serving(data, **settings):
    server = ApiServer(data, **settings)
    try:
        yield server
    finally:
        server.close()


def upload(client, content=b"RIFF....WAVE", name="clip.wav", **headers):
    """Upload bytes; gives the job's JSON."""
    answer = client.post("/v1/analyses", files={"file": (name, content)}, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def problem(answer, status, code):
    """Check that an answer is this problem; gives its document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"/v1/problems/{code}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document


def eventually(check, seconds=10.0):
    """Wait until *check* holds."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
    return found
