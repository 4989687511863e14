"""Every error is a problem document, whatever goes wrong, and says nothing it should not."""

from __future__ import annotations

import re
import sqlite3
import time

import pytest
from fastapi.exceptions import RequestValidationError
from server.api_server import eventually, problem, upload

from aver.errors import OutputError, SettingError
from aver.server.problem_kinds import KINDS
from aver.server.problems import as_problem, retry_later
from aver.server.store_errors import StoreUnavailableError


def test_every_type_leads_to_its_explanation(api):
    for kind in KINDS.values():
        answer = api.get(kind.type)
        assert answer.status_code == 200
        assert f"HTTP status {kind.status}" in answer.text
        assert re.fullmatch(r"[a-z-]+", kind.code)
        assert 400 <= kind.status < 600
    problem(api.get("/v1/problems/nothing"), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("GET", "/v1/analyses/../../etc/passwd", 404, "not-found"),
        ("GET", "/v1/analyses/%2e%2e%2fsecret", 404, "not-found"),
        ("GET", "/v1/analyses/AAAAAAAAAAAAAAAAAAAAA", 404, "not-found"),
        ("GET", "/v1/analyses/AAAAAAAAAAAAAAAAAAAAAA", 404, "not-found"),
        ("GET", "/v1/analyses/AAAAAAAAAAAAAAAAAAAAAA/recording", 404, "not-found"),
        ("GET", "/v1/analyses/AAAAAAAAAAAAAAAAAAAAAA/events", 404, "not-found"),
        ("GET", "/v1/analyses/AAAAAAAAAAAAAAAAAAAAA%00", 404, "not-found"),
        ("GET", "/v1/analyses/" + "A" * 30_000, 404, "not-found"),
        ("POST", "/v1/analyses/AAAAAAAAAAAAAAAAAAAAAA/cancel", 404, "not-found"),
        ("DELETE", "/v1/analyses/AAAAAAAAAAAAAAAAAAAAAA", 404, "not-found"),
        ("PATCH", "/v1/analyses", 405, "method-not-allowed"),
        ("DELETE", "/v1/analyses", 405, "method-not-allowed"),
        ("POST", "/v1/health/live", 405, "method-not-allowed"),
        ("POST", "/", 405, "method-not-allowed"),
        ("TRACE", "/v1/analyses", 405, "method-not-allowed"),
        ("NONSENSE", "/v1/analyses", 405, "method-not-allowed"),
        ("GET", "/v1/analyses?limit=none", 422, "invalid-request"),
        ("GET", "/v1/analyses/", 404, "not-found"),
    ],
)
def test_what_is_not_there(api, method, path, status, code):
    answer = api.request(method, path)
    problem(answer, status, code)
    assert ("allow" in answer.headers) == (status == 405)


def test_broken_json(api_server, api):
    job = upload(api)
    api_server.finish(job["id"])
    path = f"/v1/analyses/{job['id']}/people/1"
    for body in (b"{", b"\xff", b"[" * 100_000, b'{"name": "\\ud800"}', b'{"name": NaN}'):
        answer = api.put(path, content=body, headers={"Content-Type": "application/json"})
        if answer.status_code == 400:
            problem(answer, 400, "bad-request")
        elif answer.status_code != 200:
            problem(answer, 422, "invalid-request")
        else:
            assert answer.json()["name"] == "?"  # for what is no character
    answer = api.put(path, content=b'{"name": "x"}', headers={"Content-Type": "text/plain"})
    problem(answer, 422, "invalid-request")


def test_a_bad_value_is_named_but_not_repeated(api):
    document = problem(api.get("/v1/analyses?limit=Secret.mp4"), 422, "invalid-request")
    (error,) = document["errors"]
    assert (error["in"], error["name"]) == ("query", "limit")
    assert "Secret" not in str(document)


# ---- the database is locked, gone, damaged


def test_a_database_that_is_gone_and_comes_back(make_server):
    server = make_server(busy_timeout_seconds=0.2)
    file = server.settings.data / "aver.sqlite3"
    with server.client() as client:
        job = upload(client)
        away = file.rename(file.with_name("away"))
        server.services.recent.forget(job["id"])
        for answer in (
            client.get("/v1/analyses"),
            client.get(job["links"]["self"]),
            client.post("/v1/analyses", files={"file": ("a", b"a")}),
            client.delete(job["links"]["self"]),
            client.post(f"/v1/analyses/{job['id']}/cancel"),
        ):
            document = problem(answer, 503, "store-unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert str(server.settings.data) not in str(document)
        assert client.get("/v1/health/live").status_code == 200
        ready = client.get("/v1/health/ready")
        assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
        assert ready.json()["checks"]["database"] != "ok"
        assert "aver_store_up 0.0" in client.get("/metrics").text
        away.rename(file)
        assert eventually(lambda: client.get("/v1/health/ready").status_code == 200)
        assert client.get(job["links"]["self"]).json()["id"] == job["id"]
        upload(client)
    assert len(list(server.files.jobs.iterdir())) == 2


def test_a_locked_database(make_server):
    server = make_server(busy_timeout_seconds=0.2)
    with server.client() as client:
        job = upload(client)
        other = sqlite3.connect(server.settings.data / "aver.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            answer = client.post("/v1/analyses", files={"file": ("a", b"a")})
            assert "locked" in problem(answer, 503, "store-unavailable")["detail"]
            problem(client.post(f"/v1/analyses/{job['id']}/cancel"), 503, "store-unavailable")
            assert client.get(job["links"]["self"]).status_code == 200  # reading goes on
        finally:
            other.execute("ROLLBACK")
            other.close()
        assert client.post(f"/v1/analyses/{job['id']}/cancel").status_code == 200
    assert len(list(server.files.jobs.iterdir())) == 1


def test_a_database_that_locks_up_after_the_upload(make_server, monkeypatch):
    """The recording is there, but cannot be entered as such: nothing of it may stay."""
    server = make_server()

    def unavailable(*args):
        raise StoreUnavailableError("it is locked")

    with server.client() as client:
        with monkeypatch.context() as patch:
            patch.setattr(server.store, "uploaded", unavailable)
            answer = client.post("/v1/analyses", files={"file": ("a", b"a")})
            problem(answer, 503, "store-unavailable")
        assert server.nothing_is_left()
        upload(client)


# ---- bugs


def test_a_bug_says_nothing_of_itself(make_server, monkeypatch):
    server = make_server()

    def bug(*args, **kwargs):
        raise ZeroDivisionError("secret words")

    with server.client() as client:
        with monkeypatch.context() as patch:
            patch.setattr(server.store, "list", bug)
            answer = client.get("/v1/analyses")
        document = problem(answer, 500, "internal-error")
        assert document["request_id"] == answer.headers["x-request-id"]
        assert "secret" not in answer.text
        assert "Zero" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        with monkeypatch.context() as patch:
            patch.setattr(server.store, "uploaded", bug)
            answer = client.post("/v1/analyses", files={"file": ("a", b"a")})
            problem(answer, 500, "internal-error")
        assert server.nothing_is_left()
        assert client.get("/v1/analyses").status_code == 200


# ---- the translation itself


def test_a_full_disk_behind_an_error_of_the_project():
    error = OutputError("/data/jobs/x", "cannot be changed (the disk is full)")
    error.__cause__ = OSError(28, "No space left on device")
    assert as_problem(error).kind.code == "disk-full"
    error.__cause__ = OSError(13, "Permission denied")
    assert as_problem(error) is None
    assert as_problem(SettingError("x", "y")) is None
    assert as_problem(ValueError("x")) is None


def test_places_of_bad_values():
    error = RequestValidationError(
        [{"loc": ("body", "name"), "msg": "Field required", "input": "secret"}, {"loc": ()}]
    )
    assert as_problem(error).document()["errors"] == [
        {"in": "body", "name": "name", "problem": "Field required"},
        {"in": "request", "name": "", "problem": ""},
    ]


@pytest.mark.parametrize(("seconds", "said"), [(0, "1"), (0.2, "1"), (1.0, "2"), (29.9, "30")])
def test_waits_are_whole_seconds_and_long_enough(seconds, said):
    assert retry_later("queue-full", seconds).headers["Retry-After"] == said


def test_malformed_http_leaves_the_server_up(api_server, api):
    import socket

    for junk in (
        b"\0" * 100,
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 9000,
    ):
        with socket.create_connection(api_server._listening.getsockname(), timeout=5) as one:
            one.sendall(junk + b"\r\n\r\n")
            one.settimeout(2)
            try:
                said = one.recv(1000)
            except (TimeoutError, ConnectionResetError):
                said = b""
            assert said == b"" or b" 400 " in said.splitlines()[0] or b" 431 " in said
    time.sleep(0)
    assert api.get("/v1/health/live").status_code == 200
