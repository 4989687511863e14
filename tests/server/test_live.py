"""The live connection: a real server, a real client, real pictures and sound."""

from __future__ import annotations

import json
import struct
import time
from contextlib import contextmanager
from threading import Thread

import numpy as np
import pytest

pytest.importorskip("fastapi")

import cv2
import uvicorn
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from aver.media import read_windows
from aver.server.app import create_app
from aver.server.settings import ServerSettings

KEY = "a-key-of-many-letters"


@contextmanager
def serving(folder, **chosen):
    app = create_app(ServerSettings(data=folder, workers=0, **chosen))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"ws://127.0.0.1:{port}/v1/live"
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def address(folder):
    with serving(folder, max_live=8, max_pixels=1_000_000) as url:
        yield url


@pytest.fixture(scope="module")
def clip(shared):
    return sorted((shared / "data" / "crema_d_sample").glob("*.flv"))[0]


def message(kind, moment, payload):
    return struct.pack("<Bd", kind, moment) + payload


def jpeg(image):
    return cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()


@contextmanager
def session(address):
    with connect(address) as socket:
        yield socket, json.loads(socket.recv(60))


def closed(socket):
    """What the server says before it closes, and the code."""
    said = None
    try:
        while True:
            said = json.loads(socket.recv(20))
    except ConnectionClosed as ended:
        return said, ended.rcvd.code


def test_a_face_is_found_and_scored_with_its_voice_and_nothing_is_kept(address, folder, clip):
    windows = list(read_windows(clip))
    before = sorted(folder.rglob("*"))
    with session(address) as (socket, ready):
        assert ready["type"] == "ready"
        assert ready["labels"][0] == "neutral"
        assert (ready["frames_per_second"], ready["sample_rate"]) == (10.0, 16000)
        scored = []
        for window in windows:
            samples = (window.samples * 32767).astype("<i2").tobytes()
            socket.send(message(2, window.start, samples))
            for frame in window.frames:
                socket.send(message(1, frame.time, jpeg(frame.image)))
                answer = json.loads(socket.recv(20))
                assert answer["type"] == "scores"
                assert answer["time"] == frame.time
                scored.append(answer["people"])
    last = scored[-1][0]
    assert all(len(people) == 1 and people[0]["person"] == 1 for people in scored)
    assert sum(last["fused"]) == pytest.approx(1, abs=0.01)
    assert last["voice"] is not None
    assert sorted(folder.rglob("*")) == before
    x, y, width, height = last["box"]
    assert 100 < x < 200
    assert 80 < width < 120
    assert 40 < y < 120
    assert 90 < height < 150


def test_boxes_are_in_pixels_of_the_picture_that_was_sent(address, clip):
    image = next(iter(read_windows(clip))).frames[0].image
    large = cv2.resize(image, None, fx=2, fy=2)
    with session(address) as (socket, _):
        socket.send(message(1, 0.0, jpeg(large)))
        x, y, width, height = json.loads(socket.recv(20))["people"][0]["box"]
    # Twice those of the clip itself, see the test before.
    assert 200 < x < 400
    assert 160 < width < 240
    assert 80 < y < 240
    assert 180 < height < 300


def test_of_pictures_that_come_at_once_the_newest_is_scored_and_the_rest_counted(address, clip):
    picture = jpeg(next(iter(read_windows(clip))).frames[0].image)
    with session(address) as (socket, _):
        for n in range(60):
            socket.send(message(1, float(n), picture))
        found = []
        while not found or found[-1]["time"] < 59:
            found.append(json.loads(socket.recv(20)))
    times = [a["time"] for a in found]
    assert times == sorted(times)
    assert len(found) + found[-1]["dropped_pictures"] == 60
    assert found[-1]["dropped_pictures"] > 0


def test_what_is_no_picture_is_passed_over_and_at_last_refused(address, clip):
    good = jpeg(next(iter(read_windows(clip))).frames[0].image)
    huge = jpeg(np.zeros((1100, 1100, 3), np.uint8))
    with session(address) as (socket, _):
        for n, (payload, kind) in enumerate(
            [(b"no picture", "unreadable"), (good, "scores"), (huge, "unreadable")]
        ):
            socket.send(message(1, float(n), payload))
            assert json.loads(socket.recv(20))["type"] == kind
        for n in range(21):
            socket.send(message(1, 10.0 + n, b"no picture"))
            if json.loads(socket.recv(20))["type"] == "problem":
                break
        said, code = closed(socket)
    assert code == 1008
    assert n == 19 or said["title"] == "Unreadable pictures"


@pytest.mark.parametrize(
    ("sent", "code", "title"),
    [
        ("text", 1008, "Not binary"),
        (b"\x01", 1008, "Too short"),
        (message(7, 0.0, b"x"), 1008, "Unknown kind"),
        (message(1, float("nan"), b"x"), 1008, "Not a time"),
        (message(1, -1.0, b"x"), 1008, "Not a time"),
        (message(2, 0.0, b"xxx"), 1008, "Not sound"),
        (message(2, 0.0, bytes(200_000)), 1008, "Not sound"),
        (message(1, 0.0, bytes((4 << 20) + 1)), 1009, "Too large"),
    ],
)
def test_wrong_messages_end_the_session_with_a_reason(address, sent, code, title):
    with connect(address) as socket:
        socket.send(sent)
        said, closing = closed(socket)
    assert (said["type"], said["title"], closing) == ("problem", title, code)


def test_one_session_too_many_is_told_so(tmp_path):
    with serving(tmp_path, max_live=1) as url, connect(url), connect(url) as second:
        said, code = closed(second)
    assert (said["title"], code) == ("Too many live sessions", 1013)


def test_other_sites_and_strangers_are_kept_out(address, tmp_path):
    with pytest.raises(InvalidStatus) as refused, connect(address, origin="http://evil.example"):
        pass
    assert refused.value.response.status_code == 403
    with serving(tmp_path, api_key=KEY) as guarded:
        with pytest.raises(InvalidStatus) as refused, connect(guarded):
            pass
        assert refused.value.response.status_code == 403
        head = {"Authorization": f"Bearer {KEY}"}
        with connect(guarded, additional_headers=head) as socket:
            assert socket.protocol.state.name == "OPEN"
