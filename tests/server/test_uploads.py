"""Uploads: to the disk piece by piece, all or nothing, whatever the client says or does."""

from __future__ import annotations

import errno
import hashlib
import re
import socket
import threading
import tracemalloc
from itertools import pairwise

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from server.api_server import eventually, problem, upload

from aver.server import uploads
from aver.server.problems import Problem
from aver.server.uploads import LONGEST_NAME, Sink, _Form, shown_name


def stored(server, job):
    return server.files.recording(job["id"]).read_bytes()


# ---- forms of an upload


def test_a_form_and_bare_bytes_store_the_same(api_server, api):
    content = bytes(range(256)) * 1000
    first = upload(api, content, "clip.mp4")
    second = api.post("/v1/analyses?name=clip.mp4", content=content, headers=RAW).json()
    for job in (first, second):
        assert stored(api_server, job) == content
        assert (job["size"], job["name"]) == (256_000, "clip.mp4")
        assert job["sha256"] == hashlib.sha256(content).hexdigest()
        assert api_server.files.recording(job["id"]).name == "recording"


RAW = {"Content-Type": "application/octet-stream"}


@pytest.mark.parametrize("kind", ["video/mp4", "audio/x-wav", "image/png", "Video/MP4; x=y"])
def test_types_of_recordings_are_read_as_bytes(api, kind):
    answer = api.post("/v1/analyses", content=b"x", headers={"Content-Type": kind})
    assert answer.status_code == 201
    assert answer.json()["name"] == "recording"


@pytest.mark.parametrize(
    "kind",
    ["", "text/html", "application/json", "application/x-www-form-urlencoded", "video", "video/",
     "application/octet-stream/x", "multipart/mixed; boundary=x", "🎬"],
)  # fmt: skip
def test_other_types_are_refused(api, kind):
    headers = {"Content-Type": kind.encode()} if kind else {}
    answer = api.post("/v1/analyses", content=b"x", headers=headers)
    problem(answer, 415, "unsupported-type")
    assert "multipart/form-data" in answer.headers["accept-post"]


def test_packed_bodies_are_refused(api):
    answer = api.post("/v1/analyses", content=b"x", headers={**RAW, "Content-Encoding": "gzip"})
    problem(answer, 415, "unsupported-type")


def form(boundary, *parts, end=True):
    body = b""
    for head, content in parts:
        body += b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"
    return body + (b"--" + boundary + b"--\r\n" if end else b"")


FILE = b'Content-Disposition: form-data; name="file"; filename="a.wav"'


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "no part called file"),
        (b"nonsense", "damaged"),
        (form(b"B"), "no part called file"),
        (form(b"B", (b'Content-Disposition: form-data; name="other"', b"x")), "no part"),
        (form(b"B", (b"X: y", b"x")), "no part"),
        (form(b"B", (FILE, b"")), "no bytes"),
        (form(b"B", (FILE, b"x"), end=False), "ends in its middle"),
        (form(b"B", (FILE, b"x"))[:-6], "ends in its middle"),
        (form(b"B", (FILE, b"x"), (FILE, b"y")), "two parts"),
        (form(b"B", (FILE + b"\r\nX-Long: " + b"a" * 70_000, b"x")), "damaged"),
        (form(b"B", (b'Content-Disposition: form-data; name="p"', b"x" * (3 << 20)), (FILE, b"x")),
         "too much around"),
    ],
)  # fmt: skip
def test_damaged_forms_leave_nothing(make_server, body, word):
    server = make_server()
    with server.client() as client:
        headers = {"Content-Type": "multipart/form-data; boundary=B"}
        answer = client.post("/v1/analyses", content=body, headers=headers)
        assert word in problem(answer, 400, "malformed-upload")["detail"]
    assert server.nothing_is_left()


def test_a_form_without_boundary(api):
    answer = api.post("/v1/analyses", content=b"x", headers={"Content-Type": "multipart/form-data"})
    problem(answer, 400, "malformed-upload")


def test_other_parts_of_a_form_are_read_over(api_server, api):
    other = b'Content-Disposition: form-data; name="note"'
    body = form(b"B", (other, b"hello"), (FILE, b"x\r\n--b\r\n--A"), (other, b"bye"))
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    job = api.post("/v1/analyses", content=body, headers=headers).json()
    assert stored(api_server, job) == b"x\r\n--b\r\n--A"


@settings(deadline=None)
@given(
    content=st.binary(max_size=300) | st.sampled_from([b"\r\n--B", b"--B--", b"\r\n--B--\r\n-"]),
    cuts=st.lists(st.integers(0, 500), max_size=12),
)
@example(b"\r\n--B\r", [50, 51, 52])
def test_however_a_form_is_cut_the_same_bytes_come(content, cuts):
    if b"\r\n--BOUNDARY" in b"\r\n" + content:
        return
    body = form(b"BOUNDARY", (FILE, content))
    edges = sorted({0, len(body), *(min(c, len(body)) for c in cuts)})
    sink = Sink(1 << 20)
    reader = _Form(b"BOUNDARY", sink)
    for start, end in pairwise(edges):
        reader.feed(body[start:end])
    assert b"".join(sink._waiting) == content
    assert (reader.name, reader.ended) == ("a.wav", True)


# ---- names


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("clip.mp4", "clip.mp4"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\clip.mp4", "clip.mp4"),
        ("/etc/cron.d/x", "x"),
        ("..", "recording"),
        ("...", "recording"),
        ("a/..", "recording"),
        ("", "recording"),
        ("nul\0byte.mp4", "nulbyte.mp4"),
        ("two\r\nlines.mp4", "twolines.mp4"),
        ("\u202egpj.exe", "gpj.exe"),
        ("été 🎬.mkv", "été 🎬.mkv"),
        (" spaces ", "spaces"),
        ("%2e%2e%2fetc", "%2e%2e%2fetc"),
        ("<script>.mp4", "<script>.mp4"),
    ],
)
def test_names_are_for_showing_alone(api_server, api, said, shown):
    assert shown_name(said) == shown
    job = api.post("/v1/analyses", params={"name": said}, content=b"x", headers=RAW).json()
    assert job["name"] == shown
    assert api_server.files.recording(job["id"]).read_bytes() == b"x"
    disposition = api.get(job["links"]["recording"]).headers["content-disposition"]
    assert disposition.isascii()
    assert "\n" not in disposition


@settings(deadline=None)
@given(st.text(max_size=600))
def test_any_name_can_be_shown(name):
    shown = shown_name(name)
    assert 0 < len(shown) <= LONGEST_NAME
    assert "/" not in shown
    assert "\\" not in shown
    assert shown.strip(".")
    assert shown.encode()
    assert shown_name(shown) == shown


def test_huge_names_are_cut_in_their_middle(api):
    job = upload(api, b"x", "n" * 60_000 + ".mp4")
    assert len(job["name"]) <= LONGEST_NAME
    assert job["name"].endswith(".mp4")
    answer = api.post(f"/v1/analyses?name={'n' * 50_000}.mp4", content=b"x", headers=RAW)
    assert answer.json()["name"].endswith(".mp4")


# ---- sizes


def test_the_limit_is_exact_in_every_form(make_server):
    server = make_server(max_upload_bytes=100_000)
    most, more = b"x" * 100_000, b"x" * 100_001

    def pieces(content):
        for start in range(0, len(content), 7000):
            yield content[start : start + 7000]

    with server.client() as client:
        for content, answer in [
            (most, client.post("/v1/analyses", content=most, headers=RAW)),
            (most, client.post("/v1/analyses", content=pieces(most), headers=RAW)),
            (most, client.post("/v1/analyses", files={"file": ("a", most)})),
        ]:
            assert answer.status_code == 201
            assert stored(server, answer.json()) == content
            client.delete(answer.json()["links"]["self"])
        for answer in [
            client.post("/v1/analyses", content=more, headers=RAW),
            client.post("/v1/analyses", content=pieces(more), headers=RAW),
            client.post("/v1/analyses", files={"file": ("a", more)}),
        ]:
            assert problem(answer, 413, "too-large")["limit"] == 100_000
    assert server.nothing_is_left()


def test_a_client_that_does_not_listen_still_reads_why_it_was_refused(make_server):
    """It sends all of its ten times too many bytes before it reads a single one."""
    server = make_server(max_upload_bytes=500_000)
    with server.client() as client:
        for _ in range(3):
            answer = client.post("/v1/analyses", content=b"x" * 5_000_000, headers=RAW)
            problem(answer, 413, "too-large")
        assert client.get("/v1/analyses").json()["items"] == []


def test_memory_does_not_grow_with_the_upload(make_server):
    server = make_server()
    size, piece = 96 << 20, b"\0" * (1 << 20)
    with server.client() as client:
        upload(client, b"warm up")
        tracemalloc.start()
        try:
            job = client.post(
                "/v1/analyses", content=(piece for _ in range(size >> 20)), headers=RAW
            ).json()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert job["size"] == size == server.files.recording(job["id"]).stat().st_size
    assert peak < 16 << 20


# ---- broken off, slow, full


def connection(server, *lines):
    open_one = socket.create_connection(server._listening.getsockname(), timeout=10)
    open_one.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
    return open_one


def said(connected):
    """All of an answer, head and body, however many pieces it comes in."""
    text = b""
    while True:
        head, end, body = text.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if end and length and len(body) >= int(length[1]):
            return text
        piece = connected.recv(100_000)
        assert piece, text
        text += piece


HEAD = ("POST /v1/analyses?name=a.wav HTTP/1.1", "Host: localhost")


@pytest.mark.parametrize(
    "head",
    [
        (*HEAD, "Content-Type: audio/wav", "Content-Length: 1000000"),
        (*HEAD, "Content-Type: audio/wav", "Transfer-Encoding: chunked"),
        (*HEAD, "Content-Type: multipart/form-data; boundary=B", "Content-Length: 1000000"),
    ],
)
def test_an_upload_that_breaks_off_leaves_nothing(make_server, head):
    server = make_server()
    with connection(server, *head) as client:
        part = form(b"B", (FILE, b"x" * 50_000), end=False)
        client.sendall(b"%x\r\n%s\r\n" % (len(part), part) if "chunked" in head[-1] else part)
        eventually(lambda: server.store.list(state="uploading").jobs)
    eventually(server.nothing_is_left)
    eventually(lambda: server.services.uploads_at_once.clients.total() == 0)


def test_a_halting_upload_is_ended(make_server, monkeypatch):
    monkeypatch.setattr(uploads, "IDLE_SECONDS", 0.3)
    server = make_server()
    with connection(server, *HEAD, "Content-Type: audio/wav", "Content-Length: 100") as client:
        client.sendall(b"x" * 50)
        answer = said(client)
    assert b" 408 " in answer.splitlines()[0]
    assert b"/v1/problems/upload-timeout" in answer
    eventually(server.nothing_is_left)


def test_an_upload_that_dribbles_is_ended(make_server):
    server = make_server(max_upload_seconds=0.5)
    with connection(server, *HEAD, "Content-Type: audio/wav", "Content-Length: 9999") as client:
        client.settimeout(0.05)
        answer = b""
        # Far less than it announces, however late the server begins to read.
        for _ in range(400):
            client.sendall(b"x")
            try:
                answer += client.recv(100_000)
            except TimeoutError:
                continue
            if b"upload-timeout" in answer:
                break
    assert b"/v1/problems/upload-timeout" in answer
    eventually(server.nothing_is_left)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk(make_server, monkeypatch, code):
    server = make_server()

    def write(self, pieces, out):
        raise OSError(code, "full")

    with server.client() as client:
        with monkeypatch.context() as patch:
            patch.setattr(Sink, "_write", write)
            for files in ({"file": ("a", b"x" * 3_000_000)}, {"file": ("a", b"x")}):
                answer = client.post("/v1/analyses", files=files)
                problem(answer, 507, "disk-full")
        assert server.nothing_is_left()
        upload(client)  # the server is up, and space may come back


def test_more_than_the_disk_has_is_refused_unread(make_server, monkeypatch):
    server = make_server(min_free_bytes=100)
    monkeypatch.setattr(server.files, "free_bytes", lambda: 1000)
    with server.client() as client:
        problem(client.post("/v1/analyses", content=b"x" * 2000, headers=RAW), 507, "disk-full")
        problem(client.post("/v1/analyses", content=b"x" * 901, headers=RAW), 507, "disk-full")
        assert client.post("/v1/analyses", content=b"x" * 900, headers=RAW).status_code == 201
        assert client.get("/v1/health/ready").json()["checks"]["disk"] == "full or gone"


def test_cancelled_and_deleted_during_the_upload(make_server):
    server = make_server()
    for end in (server.store.cancel, server.store.delete):
        with connection(server, *HEAD, "Content-Type: audio/wav", "Content-Length: 8") as client:
            client.sendall(b"RIFF")
            (job,) = eventually(lambda: server.store.list(state="uploading").jobs)
            end(job.id)
            client.sendall(b"WAVE")
            assert b"/v1/problems/not-found" in said(client)
        eventually(server.nothing_is_left)


# ---- sent again


def test_the_same_key_and_recording_give_the_same_analysis(api_server, api):
    first = upload(api, b"one", **{"Idempotency-Key": "k1"})
    answer = api.post(
        "/v1/analyses?name=x", content=b"one", headers={**RAW, "Idempotency-Key": "k1"}
    )
    assert (answer.status_code, answer.json()["id"]) == (200, first["id"])
    assert answer.json()["name"] == "clip.wav"
    answer = api.post("/v1/analyses", content=b"two", headers={**RAW, "Idempotency-Key": "k1"})
    problem(answer, 422, "idempotency-mismatch")
    assert stored(api_server, first) == b"one"
    assert upload(api, b"one")["id"] != first["id"]
    api.delete(first["links"]["self"])
    assert upload(api, b"two", **{"Idempotency-Key": "k1"})["id"] != first["id"]
    for key in ("", "x" * 201):
        answer = api.post("/v1/analyses", content=b"x", headers={**RAW, "Idempotency-Key": key})
        problem(answer, 422, "invalid-request")


def test_the_same_key_while_its_upload_is_under_way(make_server):
    server = make_server()
    head = (*HEAD, "Content-Type: audio/wav", "Content-Length: 8", "Idempotency-Key: k")
    with connection(server, *head) as slow, server.client() as client:
        slow.sendall(b"RIFF")
        eventually(lambda: server.store.list(state="uploading").jobs)
        again = {**RAW, "Idempotency-Key": "k"}
        answer = client.post("/v1/analyses", content=b"RIFFWAVE", headers=again)
        problem(answer, 409, "upload-under-way")
        assert int(answer.headers["retry-after"]) >= 1
        slow.sendall(b"WAVE")
        assert b"201 Created" in said(slow)
        answer = client.post("/v1/analyses", content=b"RIFFWAVE", headers=again)
        assert answer.status_code == 200
    assert len(server.store.list().jobs) == 1


def test_one_key_from_many_sides_makes_one_analysis(make_server):
    server = make_server()
    answers = []

    def send():
        with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
            for _ in range(50):
                headers = {**RAW, "Idempotency-Key": "same"}
                answer = client.post("/v1/analyses", content=b"RIFFWAVE", headers=headers)
                if answer.status_code != 409:
                    break
            answers.append(answer)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a.status_code for a in answers) == [200] * 7 + [201]
    assert len({a.json()["id"] for a in answers}) == 1
    assert len(server.store.list().jobs) == 1


# ---- limits on how many


def test_a_full_queue(make_server):
    server = make_server(max_queued=2)
    with server.client() as client:
        first = upload(client)
        upload(client)
        answer = client.post("/v1/analyses", files={"file": ("a", b"a")})
        problem(answer, 429, "queue-full")
        assert int(answer.headers["retry-after"]) >= 1
        server.finish(first["id"])
        upload(client)
    assert len(list(server.files.jobs.iterdir())) == 3


def test_uploads_at_once(make_server):
    server = make_server()
    server.services.uploads_at_once.each = 1
    head = (*HEAD, "Content-Type: audio/wav", "Content-Length: 8")
    with connection(server, *head) as slow, server.client() as client:
        slow.sendall(b"RIFF")
        eventually(lambda: server.store.list(state="uploading").jobs)
        answer = client.post("/v1/analyses", files={"file": ("a", b"a")})
        problem(answer, 429, "too-many-uploads")
        slow.sendall(b"WAVE")
        assert b"201 Created" in said(slow)
        eventually(lambda: not server.services.uploads_at_once.clients)
        upload(client)


def test_uploads_a_minute(make_server):
    server = make_server(uploads_per_minute=2)
    with server.client() as client:
        upload(client)
        upload(client)
        answer = client.post("/v1/analyses", files={"file": ("a", b"a")})
        problem(answer, 429, "too-many-uploads")
        assert 1 <= int(answer.headers["retry-after"]) <= 31


def test_a_sink_refuses_the_first_byte_too_many():
    sink = Sink(3)
    sink.add(b"abc")
    with pytest.raises(Problem, match="too-large"):
        sink.add(b"d")
