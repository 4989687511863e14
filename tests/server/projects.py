"""Jobs, and data folders with a queue, as the tests of the server make them."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from aver.server.files import JobFiles
from aver.server.settings import ServerSettings
from aver.server.store import Store

FAKE = "fake_analysis:Fake"


def queue(store, name="clip.mp4", **how):
    """A job whose recording is there."""
    job, _ = store.create(name, **how)
    return store.uploaded(job.id, 3, "abc")


class Project:
    """A data folder with its database, and recordings put into its queue."""

    def __init__(self, data: Path, **settings):
        chosen = {"analysis": FAKE, "poll_seconds": 0.05, "lease_seconds": 20.0} | settings
        self.settings = ServerSettings(data=data, **chosen)
        data.mkdir(exist_ok=True)
        self.store = Store(self.settings.store_url)
        self.files = JobFiles(data)
        self.files.prepare(self.store.store_id)

    def add(self, recording: Path | dict | None = None, **how) -> str:
        """Queue a file, or a recording for the fake analysis; its id."""
        job, _ = self.store.create(how.pop("name", "clip.mp4"), **how)
        self.files.make(job.id)
        place = self.files.recording(job.id)
        if isinstance(recording, Path):
            shutil.copyfile(recording, place)
        else:
            place.write_text(json.dumps(recording or {}))
        self.store.uploaded(job.id, place.stat().st_size, "")
        return job.id

    def wait(self, *ids, states=("done", "failed", "cancelled"), seconds=60.0):
        """Wait until all are in one of *states*; the last of them."""
        patience = time.monotonic() + seconds
        for job_id in ids:
            while (job := self.store.get(job_id)).state not in states:
                assert time.monotonic() < patience, f"still {job}"
                time.sleep(0.02)
        return job

    def result(self, job_id: str) -> dict:
        return json.loads(self.files.timeline(job_id).read_text())
