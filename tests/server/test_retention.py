"""What is deleted when, and that nothing else is."""

from __future__ import annotations

import os

import pytest

from aver.errors import OutputError
from aver.server.files import JobFiles
from aver.server.locks import FileLock
from aver.server.retention import Sweeper
from aver.server.store import Store
from aver.server.store_errors import NoSuchJobError, StoreMismatchError

HOUR = 3600.0


@pytest.fixture
def made(project, clock):
    one = project(retention_hours=48, recording_hours=24, max_upload_seconds=2 * HOUR)
    one.store.close()
    one.store = Store(one.settings.store_url, clock=clock)
    one.sweeper = Sweeper(one.settings, one.store, clock)
    return one


def done(made) -> str:
    job_id = made.add({})
    job = made.store.claim("w")
    made.files.timeline(job_id).write_text("{}")
    made.store.finish(job_id, lease=job.lease)
    return job_id


def names(made, job_id):
    folder = made.files.folder(job_id)
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else None


def test_recordings_go_first_then_everything(made, clock):
    old = done(made)
    clock.now += 23 * HOUR
    made.sweeper.sweep()
    assert names(made, old) == ["recording", "timeline.json"]
    clock.now += 2 * HOUR
    young = done(made)
    made.sweeper.sweep()
    assert names(made, old) == ["timeline.json"]
    assert made.store.get(old).recording_erased
    assert names(made, young) == ["recording", "timeline.json"]
    clock.now += 24 * HOUR
    made.sweeper.sweep()
    assert names(made, old) is None
    with pytest.raises(NoSuchJobError):
        made.store.get(old)
    assert made.store.get(young).state == "done"
    assert list(made.files.trash.iterdir()) == []


def test_jobs_that_wait_are_kept_however_long(made, clock):
    waiting = made.add({})
    clock.now += 1000 * HOUR
    made.sweeper.sweep()
    assert names(made, waiting) == ["recording"]


def test_broken_uploads_and_folders_of_nobody(made, clock):
    uploading, _ = made.store.create("x")
    made.files.make(uploading.id).joinpath("recording").write_bytes(b"half")
    stray = made.files.jobs / ("A" * 22)
    stray.mkdir()
    (stray / "recording").write_bytes(b"left by a crash")
    for folder in (stray, made.files.folder(uploading.id)):
        os.utime(folder, (clock.now, clock.now))
    not_ours = made.files.jobs / "notes"
    not_ours.mkdir()
    made.sweeper.sweep()  # they are young yet
    assert stray.exists()
    assert names(made, uploading.id) == ["recording"]
    clock.now += 3 * HOUR
    made.sweeper.sweep()
    assert not stray.exists()
    assert names(made, uploading.id) is None
    assert not_ours.exists()


def test_a_new_server_clears_what_uploads_left(made, clock):
    uploading, _ = made.store.create("x", idempotency_key="key")
    made.files.make(uploading.id)
    waiting = made.add({})
    clock.now += 1
    made.sweeper.after_start()
    assert made.store.all_ids() == {waiting}
    assert names(made, uploading.id) is None
    assert made.store.create("x", idempotency_key="key")[1]  # the client may try again


def test_folders_of_dead_workers_go_and_those_of_living_ones_stay(made, clock):
    for name in ("dead", "alive"):
        place = made.files.work / name / "process" / "in"
        place.mkdir(parents=True)
        (place / "recording").write_bytes(b"x")
    with FileLock(made.files.work / "alive" / ".lock"):
        for name in ("dead", "alive"):
            os.utime(made.files.work / name, (clock.now, clock.now))
        clock.now += HOUR
        made.sweeper.sweep()
        assert [p.name for p in made.files.work.iterdir()] == ["alive"]


def test_erasing_follows_no_links(made, tmp_path):
    treasure = tmp_path / "treasure"
    treasure.mkdir()
    (treasure / "film").write_bytes(b"mine")
    job_id = made.add({})
    (made.files.folder(job_id) / "link").symlink_to(treasure)
    made.files.erase(job_id)
    assert (treasure / "film").read_bytes() == b"mine"
    other = made.add({})
    made.files.recording(other).unlink()
    made.files.folder(other).rmdir()
    made.files.folder(other).symlink_to(treasure)
    with pytest.raises(OutputError):
        made.files.erase(other)
    made.files.empty_trash()
    assert (treasure / "film").read_bytes() == b"mine"
    assert list(made.files.trash.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../../etc", "a" * 21, "A" * 22 + "/..", "%2e"])
def test_only_ids_are_folders(made, name):
    for ask in (made.files.folder, made.files.make, made.files.recording, made.files.erase):
        with pytest.raises(NoSuchJobError):
            ask(name)


def test_a_folder_of_another_database_is_not_swept_empty(made, tmp_path):
    recording = made.files.recording(made.add({}))
    other = Store(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    with pytest.raises(StoreMismatchError, match="another database"):
        JobFiles(made.settings.data).prepare(other.store_id)
    other.close()
    assert recording.exists()


def test_folders_are_for_their_owner_alone(made):
    job_id = made.add({})
    for folder in (made.files.jobs, made.files.folder(job_id), made.files.work):
        assert folder.stat().st_mode & 0o077 == 0
