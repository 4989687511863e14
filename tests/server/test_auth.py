"""Who may ask: keys, cookies, hosts, origins."""

from __future__ import annotations

import hmac
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server.api_server import problem, upload
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from aver.errors import SettingError
from aver.server import auth
from aver.server.app import create_app
from aver.server.auth import COOKIE, KeyCheck
from aver.server.security import _name, host_names
from aver.server.settings import ServerSettings, load_settings

KEY = "correct horse battery staple"
BEARER = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture
def closed(make_server):
    return make_server(api_key=KEY)


def test_everything_but_the_page_needs_the_key(closed):
    with closed.client() as client:
        document = client.get("/v1/openapi.json").json()
        job = upload(client, **BEARER)
        for path, methods in document["paths"].items():
            filled = re.sub(r"\{person\}", "1", path).replace("{job_id}", job["id"])
            if path in (*auth.OPEN_PATHS, "/v1/problems/{code}"):
                continue
            for method in methods:
                answer = client.request(method.upper(), filled)
                problem(answer, 401, "unauthorized")
                assert answer.headers["www-authenticate"].startswith("Bearer")
        assert client.get(job["links"]["self"], headers=BEARER).json()["state"] == "queued"
        for path in ("/", "/v1/health/live", "/v1/health/ready", "/v1/problems/not-found"):
            assert client.get(path).status_code == 200
        for path in ("/v1/nothing", "/v1/", "/v1", "/metrics", "/metrics/"):
            problem(client.get(path), 401, "unauthorized")
        for path in ("/V1/analyses", "/x"):
            problem(client.get(path), 404, "not-found")


@pytest.mark.parametrize(
    "said",
    ["", "Bearer", f"Basic {KEY}", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", KEY,
     "Bearer \xff", f"Bearer {KEY.upper()}"],
)  # fmt: skip
def test_wrong_keys(closed, said):
    with closed.client() as client:
        headers = {"Authorization": said.encode("latin-1")}
        problem(client.get("/v1/analyses", headers=headers), 401, "unauthorized")


@settings(deadline=None)
@given(st.text(max_size=60))
def test_only_the_key_is_the_key(text):
    assert KeyCheck(KEY).is_key(text) == (text == KEY)


def test_keys_are_compared_in_constant_time(monkeypatch):
    """All of two digests of one length, through the library's own comparison."""
    compared, compare = [], hmac.compare_digest

    def comparing(a, b):
        compared.append((a, b))
        return compare(a, b)

    monkeypatch.setattr(auth.hmac, "compare_digest", comparing)
    check = KeyCheck(KEY)
    for wrong in ("", "c", KEY[:-1], KEY + "x"):
        assert not check.is_key(wrong)
    assert [(len(a), len(b)) for a, b in compared] == [(32, 32)] * 4


def test_guessing_is_slowed_down(closed):
    with closed.client() as client:
        wrong = {"Authorization": "Bearer wrong"}
        codes = [client.get("/v1/analyses", headers=wrong).status_code for _ in range(25)]
        assert codes[:20] == [401] * 20
        answer = client.get("/v1/analyses", headers=BEARER)
        problem(answer, 429, "too-many-requests")
        assert int(answer.headers["retry-after"]) >= 1


def test_a_page_gets_a_cookie_that_reads_and_changes_nothing(closed):
    with closed.client() as client:
        problem(client.post("/v1/session"), 401, "unauthorized")
        answer = client.post("/v1/session", headers=BEARER)
        assert answer.status_code == 204
        cookie = answer.headers["set-cookie"]
        for word in (f"{COOKIE}=", "HttpOnly", "SameSite=strict", "Path=/", "Max-Age="):
            assert word in cookie
        assert KEY not in cookie
        job = upload(client, **BEARER)
        assert client.get(job["links"]["self"]).status_code == 200
        assert client.get(job["links"]["recording"]).status_code == 200
        problem(client.delete(job["links"]["self"]), 401, "unauthorized")
        problem(client.post(f"/v1/analyses/{job['id']}/cancel"), 401, "unauthorized")
        problem(client.post("/v1/session"), 401, "unauthorized")
        answer = client.delete("/v1/session", headers=BEARER)
        assert "Max-Age=0" in answer.headers["set-cookie"]
        problem(client.get(job["links"]["self"]), 401, "unauthorized")


def test_cookies_run_out_and_cannot_be_made():
    now = [1000.0]
    check = KeyCheck(KEY, wall_clock=lambda: now[0])
    cookie = check.session()
    assert check.is_session(cookie)
    ends, signature = cookie.split(".")
    for made in ("", ".", ends, f"{int(ends) + 1}.{signature}", f"{ends}.", f"{ends}.{'0' * 64}",
                 f"{ends}.{signature}x", f"{ends}.\udc80"):  # fmt: skip
        assert not check.is_session(made)
    assert not KeyCheck(KEY).is_session(cookie)  # another server, or this one after a restart
    now[0] += auth.SESSION_SECONDS + 1
    assert not check.is_session(cookie)


def test_without_a_key_a_session_is_nothing(api):
    answer = api.post("/v1/session")
    assert answer.status_code == 204
    assert "set-cookie" not in answer.headers


# ---- hosts and origins


@pytest.mark.parametrize(
    ("host", "known"),
    [("localhost", True), ("LOCALHOST:1234", True), ("127.0.0.1:80", True), ("[::1]:80", True),
     ("localhost.", True), ("evil.example", False), ("127.0.0.1.evil.example", False), ("", False),
     ("localhost:x", False), ("user@localhost", True), ("localhost evil", False)],
)  # fmt: skip
def test_a_server_on_loopback_answers_to_its_own_names_alone(api, host, known):
    answer = api.get("/v1/analyses", headers={"Host": host})
    if known:
        assert answer.status_code == 200
    elif answer.headers["content-type"].startswith("application/"):
        problem(answer, 400, "unknown-host")
    else:
        assert answer.status_code == 400  # not even HTTP


def test_names_of_other_servers():
    assert host_names("0.0.0.0", []) == {"*"}
    assert host_names("0.0.0.0", ["films.example"]) >= {"films.example", "localhost"}
    assert "*" not in host_names("0.0.0.0", ["films.example"])
    assert host_names("192.0.2.1", ["a.example"]) >= {"192.0.2.1", "a.example", "localhost"}
    assert "[2001:db8::1]" in host_names("2001:db8::1", [])
    assert _name("[2001:DB8::1]:80") == "[2001:db8::1]"


CHANGES = [("POST", "/v1/analyses"), ("DELETE", "/v1/analyses/x"), ("POST", "/v1/session"),
           ("PUT", "/v1/analyses/x/people/1"), ("POST", "/v1/nothing")]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_foreign_pages_change_nothing(api, method, path):
    own = str(api.base_url)
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": own.replace("http:", "https:") + "1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost:1"},
    ):
        problem(api.request(method, path, headers=headers), 403, "cross-site")
    for headers in ({"Origin": own}, {"Sec-Fetch-Site": "same-origin", "Origin": own}, {}):
        assert api.request(method, path, headers=headers).status_code != 403


def test_no_site_may_read_unless_told(api, make_server):
    origin = {"Origin": "https://films.example"}
    assert "access-control-allow-origin" not in api.get("/v1/analyses", headers=origin).headers
    asked = origin | {"Access-Control-Request-Method": "POST"}
    answer = api.options("/v1/analyses", headers=asked)
    problem(answer, 405, "method-not-allowed")
    server = make_server(allow_origins=("https://films.example",), api_key=KEY)
    with server.client() as client:
        answer = client.options("/v1/analyses", headers=asked)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == origin["Origin"]
        answer = client.get("/v1/analyses", headers=origin | BEARER)
        assert answer.headers["access-control-allow-origin"] == origin["Origin"]
        assert "access-control-allow-credentials" not in answer.headers
        upload(client, **origin, **BEARER)
        other = {"Origin": "https://evil.example"}
        assert (
            "access-control-allow-origin" not in client.get("/v1/analyses", headers=other).headers
        )
        problem(client.post("/v1/analyses", headers=other | BEARER), 403, "cross-site")


def test_the_live_socket_is_guarded(tmp_path):
    app = create_app(ServerSettings(data=tmp_path, api_key=KEY, max_live=1))
    with TestClient(app, base_url="http://localhost") as client:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {**BEARER, "Origin": "https://evil.example"},
            {**BEARER, "Host": "evil.example"},
        ):
            with (
                pytest.raises(WebSocketDisconnect),
                client.websocket_connect("/v1/live", headers=headers),
            ):
                pass


# ---- binding


def test_other_addresses_need_a_key(monkeypatch, capsys):
    from aver.cli import main

    with pytest.raises(SettingError, match="api_key"):
        load_settings(host="0.0.0.0")
    assert load_settings(host="0.0.0.0", api_key=KEY).api_key is not None
    assert load_settings(host="0.0.0.0", allow_open=True).allow_open
    monkeypatch.delenv("AVER_SERVER_API_KEY", raising=False)
    monkeypatch.setattr("sys.argv", ["aver", "serve", "--host", "0.0.0.0"])
    with pytest.raises(SystemExit) as stop:
        main.run()
    assert stop.value.code == 1
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    assert "AVER_SERVER_API_KEY" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--api-key-file", "missing"], "cannot be read"),
        (["--api-key-file", "empty"], "is empty"),
        (["--api-key-file", "short"], "16 characters"),
        (["--config", "unknown.toml"], "Did you mean workers"),
        (["--port", "TAKEN"], "--port"),
    ],
)
def test_settings_that_cannot_be_used(monkeypatch, capsys, tmp_path, api_server, words, said):
    from aver.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "short").write_text("short")
    (tmp_path / "unknown.toml").write_text("workerz = 2")
    words = [w.replace("TAKEN", api_server.url.rsplit(":", 1)[1]) for w in words]
    monkeypatch.setattr("sys.argv", ["aver", "serve", *words])
    with pytest.raises(SystemExit) as stop:
        main.run()
    assert stop.value.code == 1
    error = capsys.readouterr().err.strip()
    assert said in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "aver-server").exists()


def test_the_key_is_in_no_log_and_no_answer(closed, caplog):
    with closed.client() as client:
        for path in ("/v1/analyses", "/metrics", "/v1/health/ready", "/v1/nothing", "/"):
            answer = client.get(path, headers=BEARER)
            assert KEY not in answer.text + str(answer.headers)
    assert KEY not in caplog.text
    assert KEY not in repr(closed.settings)
