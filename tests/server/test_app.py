"""The routes, against a real server: asking, following, results, people, deleting, operation."""

from __future__ import annotations

import io
import json
import logging
import re
import socket
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from server.api_server import eventually, problem, serving, upload
from timelines import JPEG, worked

from aver.errors import SettingError
from aver.report import FORMATS, json_schema, read_timeline
from aver.server import logs
from aver.server.app import create_app
from aver.server.listen import address, open_socket
from aver.server.routes_results import MEDIA_TYPES
from aver.server.settings import ServerSettings
from aver.server.supervisor import SupervisorStatus
from aver.timeline import Timeline

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def done(api_server, api):
    """An analysis that is done: of two people, one with a thumbnail."""
    job = upload(api, b"x" * 1000, "two people.mp4")
    api_server.finish(job["id"])
    return job["id"]


def test_an_analysis_from_upload_to_deletion(api_server, api):
    answer = api.post("/v1/analyses", files={"file": ("clip.wav", b"sound")})
    assert answer.status_code == 201
    job = answer.json()
    assert answer.headers["location"] == f"/v1/analyses/{job['id']}" == job["links"]["self"]
    assert (job["name"], job["state"], job["size"], job["progress"]) == ("clip.wav", "queued", 5, 0)
    assert job["links"]["result"] is None
    leased = api_server.run(job["id"])
    api_server.store.progress(job["id"], 1.0, 4.0, lease=leased.lease)
    api_server.services.recent.forget(job["id"])
    running = api.get(job["links"]["self"]).json()
    assert (running["state"], running["progress"], running["seconds_total"]) == ("running", 0.25, 4)
    folder = api_server.files.folder(job["id"])
    assert (folder / "recording").read_bytes() == b"sound"
    assert api.delete(job["links"]["self"]).status_code == 204
    assert not folder.exists()
    problem(api.get(job["links"]["self"]), 404, "not-found")
    problem(api.delete(job["links"]["self"]), 404, "not-found")


def test_a_job_done_is_seen_soon(api_server, api):
    job = upload(api)
    assert api.get(job["links"]["self"]).json()["state"] == "queued"
    api_server.finish(job["id"])
    seen = eventually(lambda: (j := api.get(job["links"]["self"]).json())["state"] == "done" and j)
    assert seen["progress"] == 1
    assert seen["links"]["result"].endswith("/result")
    assert seen["started"] <= seen["finished"]


def test_lists_page_by_page(make_server):
    server = make_server()
    with server.client() as client:
        made = [upload(client, name=f"{n}.wav")["id"] for n in range(7)]
        server.store.cancel(made[0])
        seen, address = [], "/v1/analyses?limit=3"
        while address:
            answer = client.get(address)
            page = answer.json()
            seen += [item["id"] for item in page["items"]]
            assert len(page["items"]) <= 3
            assert ("link" in answer.headers) == (page["next"] is not None)
            address = page["next"]
        assert seen == made[::-1]
        some = client.get("/v1/analyses?state=cancelled").json()["items"]
        assert [item["id"] for item in some] == made[:1]
        following = client.get("/v1/analyses?state=queued&limit=2").json()["next"]
        assert "state=queued" in following
    for query in ("limit=0", "limit=201", "limit=x", "state=lost", "cursor=%00", "cursor=abc"):
        problem(client_get(server, f"/v1/analyses?{query}"), 422, "invalid-request")


def client_get(server, path):
    with server.client() as client:
        return client.get(path)


@pytest.mark.parametrize("name", [*FORMATS, "webvtt", "elan"])
def test_results_are_what_aver_analyze_writes(api, done, name, tmp_path):
    answer = api.get(f"/v1/analyses/{done}/result", params={"format": name})
    assert answer.status_code == 200
    of = FORMATS[{"webvtt": "vtt", "elan": "eaf"}.get(name, name)]
    expected = worked()
    expected.media["name"] = expected.media["path"] = "two people.mp4"
    expected = Timeline.from_json(expected.to_json())  # which rounds
    out = io.BytesIO()
    of.write(expected, out)
    if of.name == "eaf":  # carries the time at which it was written
        stamp = re.compile(rb'DATE="[^"]*"')
        assert stamp.sub(b"", answer.content) == stamp.sub(b"", out.getvalue())
    elif of.name == "parquet":
        path = tmp_path / "t.parquet"
        path.write_bytes(answer.content)
        assert read_timeline(path).segments == expected.segments
    else:
        assert answer.content == out.getvalue()
    assert answer.headers["content-type"] == MEDIA_TYPES[of.name]
    assert of.extension in answer.headers["content-disposition"]
    assert answer.headers["content-disposition"].startswith("attachment")
    again = api.get(
        f"/v1/analyses/{done}/result",
        params={"format": name},
        headers={"If-None-Match": answer.headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")
    head = api.head(f"/v1/analyses/{done}/result", params={"format": name})
    assert head.headers["content-length"] == str(len(answer.content))
    assert head.content == b""


def test_the_json_result_follows_its_schema(api, done):
    document = api.get(f"/v1/analyses/{done}/result").json()
    Draft202012Validator(json_schema()).validate(document)
    assert document["media"]["path"] == "two people.mp4"


def test_the_report_runs_in_a_sandbox(api, done):
    policy = api.get(f"/v1/analyses/{done}/result?format=html").headers["content-security-policy"]
    assert "sandbox" in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy


def test_results_that_are_not_there(api_server, api, done):
    job = upload(api)
    for what in ("result", "people", "people/1/thumbnail"):
        document = problem(api.get(f"/v1/analyses/{job['id']}/{what}"), 409, "wrong-state")
        assert document["state"] == "queued"
    document = problem(api.get(f"/v1/analyses/{done}/result?format=docx"), 422, "invalid-request")
    assert "textgrid" in document["errors"][0]["problem"]
    api_server.finish(job["id"])
    api_server.files.timeline(job["id"]).unlink()
    api_server.services.recent.forget(job["id"])
    problem(api.get(f"/v1/analyses/{job['id']}/result"), 410, "gone")
    problem(api.get(f"/v1/analyses/{job['id']}/people"), 410, "gone")


def test_people_their_faces_and_names(api, done):
    base = f"/v1/analyses/{done}/people"
    first, second = api.get(base).json()["items"]
    assert (first["id"], first["name"], first["seconds_seen"]) == (1, None, 3.0)
    assert (second["id"], second["thumbnails"]) == (2, [])
    face = api.get(first["thumbnails"][0]["href"])
    assert (face.content, face.headers["content-type"]) == (JPEG, "image/jpeg")
    tag = {"If-None-Match": face.headers["etag"]}
    assert api.get(first["thumbnails"][0]["href"], headers=tag).status_code == 304
    named = api.put(f"{base}/1", json={"name": "  Ada\n<b>  "})
    assert named.json()["name"] == "Ada <b>"
    assert api.get(base).json()["items"][0]["name"] == "Ada <b>"
    assert api.put(f"{base}/1", json={"name": None}).json()["name"] is None
    assert api.get(base).json()["items"][0]["name"] is None
    problem(api.put(f"{base}/9", json={"name": "x"}), 404, "not-found")
    problem(api.get(f"{base}/2/thumbnail"), 404, "not-found")
    problem(api.get(f"{base}/1/thumbnail?index=4"), 404, "not-found")
    for body in ({}, {"name": 3}, {"name": "x" * 101}, {"name": "x", "more": 1}, []):
        problem(api.put(f"{base}/1", json=body), 422, "invalid-request")
    for number in ("0", "-1", "one", "1e3", "99999999999999999999"):
        problem(api.put(f"{base}/{number}", json={"name": "x"}), 422, "invalid-request")


def test_cancelling(api_server, api):
    job = upload(api)
    address = f"/v1/analyses/{job['id']}/cancel"
    assert api.post(address).json()["state"] == "cancelled"
    assert api.get(job["links"]["self"]).json()["state"] == "cancelled"
    assert api.post(address).status_code == 200
    job = upload(api)
    api_server.finish(job["id"])
    problem(api.post(f"/v1/analyses/{job['id']}/cancel"), 409, "wrong-state")


def test_health(make_server):
    server = make_server()
    with server.client() as client:
        assert client.get("/v1/health/live").json() == {"status": "ok", "checks": {}}
        assert client.get("/v1/health/ready").json()["status"] == "ok"
        server.services.workers = lambda: SupervisorStatus(2, 0, 5)
        server.services.settings = server.settings.model_copy(update={"workers": 2})
        answer = client.get("/v1/health/ready")
        assert (answer.status_code, answer.json()["checks"]["workers"]) == (503, "none is running")
        server.services.workers = lambda: SupervisorStatus(2, 1, 5)
        assert client.get("/v1/health/ready").status_code == 200
        assert "aver_workers 1.0" in client.get("/metrics").text
        server.services.stopping = True
        answer = client.get("/v1/health/ready")
        assert (answer.status_code, answer.json()["checks"]["server"]) == (503, "stopping")
        problem(client.post("/v1/analyses", files={"file": ("a", b"a")}), 503, "stopping")


def test_metrics(make_server):
    server = make_server()
    with server.client() as client:
        job = upload(client, b"x" * 5000, "secret name.wav")
        other = upload(client, name="other.wav")
        server.finish(job["id"])
        server.store.cancel(other["id"])
        client.get(job["links"]["self"])
        client.get("/nowhere/secret")
        client.get("/v1/secret")
        text = client.get("/metrics").text
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        assert float(values['aver_jobs{state="done"}']) == 1
        assert float(values['aver_jobs_ended_total{state="done"}']) == 1
        assert float(values['aver_jobs_ended_total{state="cancelled"}']) == 1
        assert float(values["aver_job_seconds_count"]) == 1
        assert float(values["aver_recording_seconds_total"]) == 4
        assert float(values["aver_http_received_bytes_total"]) > 5000
        one = 'aver_http_requests_total{method="GET",route="/v1/analyses/{job_id}",status="200"}'
        assert float(values[one]) == 1
        assert float(values['aver_uploads_total{outcome="stored"}']) == 2
        assert "secret" not in text
        assert job["id"] not in text
        again = client.get("/metrics").text
        assert 'aver_jobs_ended_total{state="done"} 1.0' in again  # each is counted once


def test_logs_are_json_lines_without_names(tmp_path):
    stream = io.StringIO()
    loggers = [logging.getLogger(n) for n in ("aver.server", "uvicorn", "uvicorn.error")]
    before = [(x, x.handlers, x.propagate, x.level) for x in loggers]
    try:
        logs.set_up("info", stream)
        with serving(tmp_path) as server, server.client() as client:
            job = upload(client, b"RIFF", "Confession of Ada.wav")
            client.post("/v1/analyses?name=Confession2", content=b"x")
            client.post("/v1/analyses", files={"nofile": ("Confession3", b"x")})
            server.finish(job["id"])
            client.put(f"/v1/analyses/{job['id']}/people/1", json={"name": "Confession4"})
            client.get(f"/v1/analyses/{job['id']}/result")
            server.services.metrics.text = None  # a bug
            problem(client.get("/metrics"), 500, "internal-error")
    finally:
        for logger, handlers, propagate, level in before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
        logging.getLogger("uvicorn.access").disabled = False
    text = stream.getvalue()
    entries = [json.loads(line) for line in text.splitlines()]
    requests = [e for e in entries if e["event"] == "request"]
    assert [e["status"] for e in requests] == [201, 415, 400, 200, 200, 500]
    assert requests[0]["route"] == "/v1/analyses"
    assert {"time", "level", "request_id", "milliseconds", "received", "sent"} <= set(requests[0])
    assert any(e["event"] == "analysis created" and e["analysis"] == job["id"] for e in entries)
    (bug,) = [e for e in entries if e["event"] == "unforeseen error"]
    assert bug["error"]["type"] == "TypeError"
    assert bug["request_id"] == requests[-1]["request_id"]
    for word in ("Confession", "Ada", str(tmp_path)):
        assert word not in text


def test_stopping_ends_event_streams_and_finishes_requests(tmp_path):
    with serving(tmp_path, grace_seconds=8) as server:
        with server.client() as client:
            job = upload(client)
            with client.stream("GET", job["links"]["events"]) as events:
                lines = events.iter_lines()
                assert any(line.startswith("data:") for line in lines)
                server.server.handle_exit(15, None)
                assert list(lines)[-1:] in ([""], [])  # the stream ends, and no error is raised
        server.thread.join(timeout=5)
        assert not server.thread.is_alive()


def test_the_page_is_served_with_a_strict_policy(api):
    answer = api.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", answer.text)
    for place in re.findall(r'(?:src|href)="([^"#]+)"', answer.text):
        assert "//" not in place
        assert api.get("/" + place.lstrip("./")).status_code == 200, place
    for path in ("/../settings.py", "/%2e%2e/settings.py", "/..%2fsettings.py", "/nothing.js"):
        problem(api.get(path), 404, "not-found")


def test_every_answer_has_safe_headers(api, done):
    for path in ("/", "/v1/analyses", f"/v1/analyses/{done}/recording", "/metrics", "/v1/nothing"):
        headers = api.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert re.fullmatch(r"[0-9a-f]{16}", headers["x-request-id"])
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


def test_the_document_in_docs_is_the_servers(tmp_path):
    """`aver serve --openapi > docs/openapi.json` brings it up to date."""
    kept = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
    assert kept == create_app(ServerSettings(data=tmp_path)).openapi()


def test_the_document_is_openapi_3_1(api):
    document = api.get("/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert all(path.startswith(("/v1/", "/metrics")) for path in document["paths"])
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            problems = [s for s in operation["responses"] if s >= "400"]
            for status in problems:
                if path != "/v1/health/ready" or status != "503":
                    content = operation["responses"][status]["content"]
                    assert list(content) == ["application/problem+json"], (method, path, status)


def test_openapi_is_printed_by_the_command(monkeypatch, capsys):
    from aver.cli import main

    monkeypatch.setattr("sys.argv", ["aver", "serve", "--openapi"])
    with pytest.raises(SystemExit) as stop:
        main.run()
    assert not stop.value.code
    assert json.loads(capsys.readouterr().out)["info"]["title"] == "aver"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_sockets_answer_without_delay(host):
    """asyncio turns Nagle's delay off for what it knows to be TCP, by the protocol's number."""
    try:
        listening = open_socket(host, 0)
    except SettingError:
        pytest.skip("no such address here")
    with listening:
        assert listening.proto == socket.IPPROTO_TCP
        assert address(listening).startswith("http://")
        with pytest.raises(SettingError, match="--port"):
            open_socket(host, listening.getsockname()[1])
