"""Server-sent events: in order, once each, from where a client left off, and to the end."""

from __future__ import annotations

import json
import threading
import time

import pytest
from server.api_server import eventually, problem, upload

from aver.server import sse


def read(lines, number=None):
    """Events of a stream: (name, id, data), as many as asked for, else all."""
    events, fields = [], {}
    for line in lines:
        if line.startswith(":"):
            events.append(("comment", "", line[1:].strip()))
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            events.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
            fields = {}
        if number is not None and len(events) >= number:
            break
    return events


def test_a_job_is_followed_to_its_end(api_server, api):
    job = upload(api)
    with api.stream("GET", job["links"]["events"]) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.iter_lines()
        assert next(lines).startswith("retry: ")
        (first,) = read(lines, 1)
        assert (first[0], first[2]["state"]) == ("state", "queued")
        leased = api_server.run(job["id"])
        (second,) = read(lines, 1)
        assert (second[0], second[2]["state"]) == ("state", "running")
        api_server.store.progress(job["id"], 1.0, 4.0, lease=leased.lease)
        (third,) = read(lines, 1)
        assert (third[0], third[2]["progress"]) == ("progress", 0.25)
        api_server.files.timeline(job["id"]).write_text("{}")
        api_server.store.finish(job["id"], lease=leased.lease)
        rest = read(lines)
    assert [(e[0], e[2]["state"]) for e in rest] == [("state", "done")]
    ids = [int(e[1]) for e in (first, second, third, *rest)]
    assert ids == sorted(set(ids))
    assert rest[0][2] == api.get(job["links"]["self"]).json()


def test_a_client_comes_back(api_server, api):
    job = upload(api)
    with api.stream("GET", job["links"]["events"]) as answer:
        ((_, first, _),) = read(answer.iter_lines(), 1)
    leased = api_server.run(job["id"])
    with api.stream("GET", job["links"]["events"], headers={"Last-Event-ID": first}) as answer:
        ((_, second, data),) = read(answer.iter_lines(), 1)
    assert data["state"] == "running"
    # Nothing happened since: the next event is the next change, a progress within the same state.
    with api.stream("GET", job["links"]["events"], headers={"Last-Event-ID": second}) as answer:
        api_server.store.progress(job["id"], 1.0, 4.0, lease=leased.lease)
        ((name, third, data),) = read(answer.iter_lines(), 1)
    assert (name, data["seconds_done"]) == ("progress", 1.0)
    assert int(third) > int(second) > int(first)


def test_after_the_end(api_server, api):
    job = upload(api)
    api_server.finish(job["id"])
    api_server.services.recent.forget(job["id"])
    ((name, last, data),) = read(api.get(job["links"]["events"]).iter_lines())
    assert (name, data["state"]) == ("state", "done")
    # A browser asks again when a stream ends; 204 tells it not to.
    answer = api.get(job["links"]["events"], headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.content) == (204, b"")
    for odd in ("abc", "-1", "99999999999999999999999", "٣", str(int(last) + 1)):
        answer = api.get(job["links"]["events"], headers={"Last-Event-ID": odd.encode()})
        assert len(read(answer.iter_lines())) == 1


def test_a_deleted_job_ends_its_streams(api_server, api):
    job = upload(api)
    with api.stream("GET", job["links"]["events"]) as answer:
        lines = answer.iter_lines()
        read(lines, 1)
        api.delete(job["links"]["self"])
        assert read(lines) == [("deleted", "", {"id": job["id"]})]
    problem(api.get(job["links"]["events"]), 404, "not-found")


def test_a_heartbeat_when_nothing_happens(api_server, api, monkeypatch):
    monkeypatch.setattr(sse, "HEARTBEAT_SECONDS", 0.05)
    job = upload(api)
    with api.stream("GET", job["links"]["events"]) as answer:
        events = read(answer.iter_lines(), 4)
    assert [e[0] for e in events] == ["state", "comment", "comment", "comment"]


def test_the_store_is_asked_once_however_many_listen(make_server, monkeypatch):
    server = make_server()
    asked = []
    get = server.services.watcher._get

    def counted(job_id):
        asked.append(job_id)
        return get(job_id)

    monkeypatch.setattr(server.services.watcher, "_get", counted)
    with server.client() as client:
        job = upload(client)
        ends = []

        def follow():
            with client.stream("GET", job["links"]["events"]) as answer:
                ends.append(read(answer.iter_lines())[-1][2]["state"])

        threads = [threading.Thread(target=follow) for _ in range(10)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        eventually(lambda: server.services.streams_at_once.clients.total() == 10)
        time.sleep(1.0)
        server.store.cancel(job["id"])
        for thread in threads:
            thread.join(timeout=10)
        passed = time.monotonic() - start
    assert ends == ["cancelled"] * 10
    assert 1 <= len(asked) <= passed / sse.ASK_SECONDS + 2


def test_streams_that_are_left_are_forgotten(make_server):
    server = make_server()
    watcher = server.services.watcher
    with server.client() as client:
        job = upload(client)
        with client.stream("GET", job["links"]["events"]) as answer:
            lines = answer.iter_lines()
            read(lines, 1)
            assert list(watcher._watches) == [job["id"]]
            assert "aver_event_streams 1.0" in client.get("/metrics").text
        eventually(lambda: not watcher._watches)
        eventually(lambda: not server.services.streams_at_once.clients)
        assert "aver_event_streams 0.0" in client.get("/metrics").text


def test_too_many_streams(make_server):
    server = make_server()
    server.services.streams_at_once.each = 1
    with server.client() as client:
        job = upload(client)
        with client.stream("GET", job["links"]["events"]) as answer:
            lines = answer.iter_lines()
            read(lines, 1)
            problem(client.get(job["links"]["events"]), 429, "too-many-streams")


def test_a_database_that_is_away_for_a_while(make_server):
    server = make_server(busy_timeout_seconds=0.1)
    with server.client() as client:
        job = upload(client)
        with client.stream("GET", job["links"]["events"]) as answer:
            lines = answer.iter_lines()
            read(lines, 1)
            file = server.settings.data / "aver.sqlite3"
            file.rename(file.with_name("away"))
            time.sleep(3 * sse.ASK_SECONDS)
            file.with_name("away").rename(file)
            server.store.cancel(job["id"])
            assert read(lines)[-1][2]["state"] == "cancelled"


@pytest.mark.parametrize("name", ["name\nevent: x", "été 🎬", "a\r\ndata: y", "\udc80"])
def test_one_event_is_one_event_whatever_a_name_holds(name):
    text = sse.event("state", {"name": name}, "3").decode()
    assert text.count("\n") == 4
    assert text.startswith("id: 3\nevent: state\ndata: ")
    assert text.endswith("\n\n")
