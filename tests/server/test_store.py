"""The store of jobs, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server.projects import queue

from aver.errors import SettingError
from aver.server.jobs import Problem, is_id, new_id
from aver.server.store import Store
from aver.server.store_base import shown_name
from aver.server.store_errors import (
    LeaseLostError,
    NoSuchJobError,
    QueueFullError,
    WrongStateError,
)

BROKEN = Problem("crashed", "It broke off", "Try again")


def test_a_job_from_upload_to_end(store, clock):
    job, is_new = store.create("a.mp4", options={"explain": True})
    assert (job.state, is_new, job.size, job.progress) == ("uploading", True, None, 0.0)
    assert job.created == datetime.fromtimestamp(clock.now, UTC)
    assert store.claim("w") is None  # not before its recording is there
    assert store.uploaded(job.id, 12, "ab").state == "queued"
    clock.now += 1
    claimed = store.claim("w")
    assert (claimed.id, claimed.state, claimed.attempts) == (job.id, "running", 1)
    store.progress(job.id, 1.5, 6.0, lease=claimed.lease)
    seen = store.get(job.id)
    assert (seen.progress, seen.seconds_done, seen.seconds_total) == (0.25, 1.5, 6.0)
    assert seen.lease == ""  # the worker's secret is not for those who only look
    clock.now += 2
    done = store.finish(job.id, lease=claimed.lease)
    assert (done.state, done.progress, done.seconds_done, done.size) == ("done", 1.0, 6.0, 12)
    assert (done.finished - done.started).total_seconds() == 2.0
    assert done.options == {"explain": True}
    assert store.counts()["done"] == 1
    with pytest.raises(LeaseLostError):
        store.finish(job.id, lease=claimed.lease)


def test_those_who_wait_longest_come_first(store, clock):
    ids = []
    for _ in range(3):
        clock.now += 1
        ids.append(queue(store).id)
    assert [store.claim("w").id for _ in ids] == ids
    assert store.claim("w") is None


def test_no_two_workers_get_the_same_job(database_url):
    first = Store(database_url, busy_timeout_seconds=30)
    ids = {queue(first).id for _ in range(30)}

    def work(number):
        mine = Store(database_url, busy_timeout_seconds=30)
        found = []
        while job := mine.claim(f"w{number}"):
            found.append(job.id)
        mine.close()
        return found

    with ThreadPoolExecutor(6) as pool:
        found = [job_id for some in pool.map(work, range(6)) for job_id in some]
    assert sorted(found) == sorted(ids)
    first.close()


def test_a_silent_worker_loses_its_job_and_cannot_finish_it(store, clock):
    job_id = queue(store).id
    slow = store.claim("slow", lease_seconds=30)
    clock.now += 29
    assert store.claim("other") is None
    store.progress(job_id, 1, None, lease=slow.lease, lease_seconds=30)
    clock.now += 29
    assert store.claim("other") is None
    clock.now += 2
    taken = store.claim("other")
    assert (taken.id, taken.attempts, taken.seconds_done) == (job_id, 2, 0.0)
    published = []
    for tell in (
        lambda: store.progress(job_id, 2, None, lease=slow.lease),
        lambda: store.finish(job_id, lease=slow.lease, publish=lambda: published.append(1)),
        lambda: store.fail(job_id, BROKEN, lease=slow.lease),
        lambda: store.put_back(job_id, lease=slow.lease),
    ):
        with pytest.raises(LeaseLostError):
            tell()
    assert published == []
    assert store.finish(job_id, lease=taken.lease).state == "done"


def test_what_cannot_be_published_is_not_done(store):
    queue(store)
    job = store.claim("w")

    def publish():
        raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        store.finish(job.id, lease=job.lease, publish=publish)
    assert store.get(job.id).state == "running"


def test_attempts_run_out(store, clock):
    job_id = queue(store).id
    for attempt in (1, 2):
        assert store.claim("w", max_attempts=2).attempts == attempt
        clock.now += 31
    assert store.claim("w", max_attempts=2) is None
    job = store.get(job_id)
    assert (job.state, job.problem.code) == ("failed", "worker_lost")


def test_a_dead_worker_gives_its_job_back_at_once(store, clock):
    dead = queue(store).id
    clock.now += 1  # of two that came at once either may be first
    alive = queue(store).id
    assert store.claim("dead").id == dead
    assert store.claim("alive").id == alive
    assert store.abandon("dead") == 1
    assert [store.get(i).state for i in (dead, alive)] == ["queued", "running"]
    again = store.claim("alive")
    assert (again.id, again.attempts) == (dead, 2)


def test_putting_back_costs_no_attempt_a_crash_does(store, clock):
    queue(store)
    job = store.claim("w")
    store.put_back(job.id, lease=job.lease)
    job = store.claim("w")
    assert job.attempts == 1
    how = {"max_attempts": 2, "wait_seconds": 5.0}
    assert store.retry_or_fail(job.id, BROKEN, lease=job.lease, **how).state == "queued"
    assert store.claim("w") is None  # it waits
    clock.now += 5
    job = store.claim("w")
    assert job.attempts == 2
    failed = store.retry_or_fail(job.id, BROKEN, lease=job.lease, **how)
    assert (failed.state, failed.problem) == ("failed", BROKEN)


def test_one_job_a_key(database_url, clock):
    def ask(number):
        mine = Store(database_url, busy_timeout_seconds=30, clock=clock)
        job, is_new = mine.create("a", idempotency_key="key", fingerprint=str(number))
        mine.close()
        return job.id, is_new, job.fingerprint

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(6)))
    assert len({job_id for job_id, _, _ in answers}) == 1
    assert [is_new for _, is_new, _ in answers].count(True) == 1
    assert len({fingerprint for _, _, fingerprint in answers}) == 1
    store = Store(database_url, clock=clock)
    store.delete(answers[0][0])
    assert store.create("a", idempotency_key="key")[1]
    store.close()


def test_pages_show_every_job_once_even_of_the_same_moment(store, clock):
    ids = [queue(store).id for _ in range(7)]  # all of one moment
    clock.now += 1
    newest = queue(store).id
    page, seen = store.list(limit=3), []
    assert page.jobs[0].id == newest
    while True:
        seen += [job.id for job in page.jobs]
        if page.next_cursor is None:
            break
        clock.now += 1
        queue(store)  # what comes meanwhile does not move the pages
        page = store.list(limit=3, cursor=page.next_cursor)
    assert sorted(seen) == sorted([newest, *ids])
    store.claim("w")
    assert [job.state for job in store.list(state="running").jobs] == ["running"]


@pytest.mark.parametrize("cursor", ["x", "!", "MQ", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OjE", "", "é"])
def test_a_cursor_of_ones_own_is_refused(store, cursor):
    queue(store)
    with pytest.raises(SettingError) as caught:
        store.list(cursor=cursor)
    assert caught.value.subject == "cursor"


@pytest.mark.parametrize("asked", [{"limit": 0}, {"limit": 201}, {"state": "asleep"}])
def test_what_cannot_be_listed_is_refused(store, asked):
    with pytest.raises(SettingError):
        store.list(**asked)


def test_cancelling(store):
    waiting = queue(store).id
    assert store.cancel(waiting).state == "cancelled"
    assert store.cancel(waiting).state == "cancelled"
    running = queue(store).id
    lease = store.claim("w").lease
    assert store.cancel(running).finished is not None
    with pytest.raises(LeaseLostError):
        store.progress(running, 1, 2, lease=lease)
    done = queue(store).id
    store.finish(done, lease=store.claim("w").lease)
    with pytest.raises(WrongStateError) as caught:
        store.cancel(done)
    assert caught.value.state == "done"


def test_deleting_takes_the_names_and_the_lease(store):
    job_id = queue(store).id
    lease = store.claim("w").lease
    store.rename_person(job_id, 1, "Ada")
    store.rename_person(job_id, 2, "Grace")
    store.rename_person(job_id, 2, " Grace \n Hopper ")
    store.rename_person(job_id, 1, "")
    assert store.names(job_id) == {2: "Grace Hopper"}
    store.delete(job_id)
    assert store.names(job_id) == {}
    with pytest.raises(LeaseLostError):
        store.progress(job_id, 1, 2, lease=lease)
    for ask in (store.get, store.delete, store.cancel, lambda i: store.rename_person(i, 1, "x")):
        with pytest.raises(NoSuchJobError):
            ask(job_id)


def test_a_full_queue_takes_no_more(store):
    queue(store)
    store.create("b", most_open=2)
    with pytest.raises(QueueFullError):
        store.create("c", most_open=2)
    store.finish((job := store.claim("w")).id, lease=job.lease)
    assert store.create("c", most_open=2)[1]


def test_what_is_to_be_deleted(store, clock):
    done = queue(store)
    store.finish(done.id, lease=store.claim("w").lease)
    waiting, uploading = queue(store), store.create("c")[0]
    clock.now += 10
    assert store.ended_before(clock.now) == (done.id,)
    assert store.ended_before(clock.now - 11) == ()
    assert store.with_recording_before(clock.now) == (done.id,)
    store.recording_erased(done.id)
    assert store.with_recording_before(clock.now) == ()
    assert store.get(done.id).recording_erased
    assert store.uploading_before(clock.now) == (uploading.id,)
    assert not store.delete_uploading(waiting.id)
    assert store.delete_uploading(uploading.id)
    assert store.all_ids() == {done.id, waiting.id}


@given(st.text(max_size=600))
def test_shown_names_are_one_short_printable_line(text):
    shown = shown_name(text)
    assert len(shown) <= 255
    assert all(c.isprintable() for c in shown)
    assert shown == " ".join(shown.split())
    assert shown_name(shown) == shown
    shown.encode()


def test_ids_are_random_and_of_one_form():
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(map(is_id, ids))
    for other in ("", "..", "a/b", "A" * 21, "A" * 23, "A" * 21 + "/", "A" * 22 + "\n", "é" * 22):
        assert not is_id(other)
