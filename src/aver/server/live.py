"""`/v1/live`: a camera and a microphone in, scores out, while it happens.

The client sends binary messages: one byte (1 for a picture, 2 for sound), eight bytes with the
time in seconds on the client's own clock (float64, little-endian), then a JPEG, PNG or WebP
picture, or 16-bit little-endian mono sound at 16 kHz. The server sends text messages of JSON:
``ready`` with the labels, then ``scores`` for each picture that was looked at (with the picture's
own time, so that the client can tell how late they are), ``voice`` for a voice without a face, and
``problem`` before it closes.

Nothing is queued without end. One picture is looked at at a time; of those that come meanwhile only
the newest waits, the others are dropped and counted. Sound waits up to five seconds. Nothing is
written to disk, and nothing is kept when the connection ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from aver.media import SAMPLE_RATE
from aver.server.live_child import HEAD, PICTURE, SOUND
from aver.server.problems import Problem
from aver.server.process import clean_environment, process_setup
from aver.server.rates import AtOnce
from aver.server.security import client_of
from aver.server.settings import ServerSettings

router = APIRouter()

_CLIENT_HEAD = struct.Struct("<Bd")
_KINDS = {1: PICTURE, 2: SOUND}
_MOST_BYTES = 4 << 20
_MOST_SOUND_SECONDS = 5.0
_IDLE_SECONDS = 30.0
_MOST_UNREADABLE = 20
_MAX_SIDE = 640
_CLOSE_NORMAL, _CLOSE_POLICY, _CLOSE_TOO_BIG, _CLOSE_ERROR, _CLOSE_LATER = (
    1000,
    1008,
    1009,
    1011,
    1013,
)


class _RefusedError(Exception):
    """What the client did wrong, and the close code."""

    def __init__(self, code: int, title: str, detail: str):
        super().__init__(detail)
        self.code, self.title, self.detail = code, title, detail


@dataclass
class _Waiting:
    """What has come and was not handed on yet."""

    picture: tuple[float, bytes] | None = None
    sound: deque[tuple[float, bytes]] = field(default_factory=deque)
    sound_bytes: int = 0
    dropped_pictures: int = 0
    dropped_sound_bytes: int = 0
    come: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, kind: bytes, moment: float, payload: bytes) -> None:
        if kind == PICTURE:
            self.dropped_pictures += self.picture is not None
            self.picture = moment, payload
        elif self.sound_bytes + len(payload) > _MOST_SOUND_SECONDS * SAMPLE_RATE * 2:
            self.dropped_sound_bytes += len(payload)
        else:
            self.sound.append((moment, payload))
            self.sound_bytes += len(payload)
        self.come.set()

    def facts(self) -> dict[str, Any]:
        return {
            "dropped_pictures": self.dropped_pictures,
            "dropped_sound_seconds": round(self.dropped_sound_bytes / 2 / SAMPLE_RATE, 3),
        }


@router.websocket("/v1/live")
async def live(websocket: WebSocket) -> None:
    """One live session; see the module."""
    settings: ServerSettings = websocket.app.state.settings
    await websocket.accept()
    try:
        with _places(websocket).one(client_of(websocket.scope)):
            await _Session(websocket, settings).run()
    except Problem as problem:
        await _close(websocket, _CLOSE_LATER, problem.kind.title, problem.detail)
    except _RefusedError as refused:
        await _close(websocket, refused.code, refused.title, refused.detail)
    except (WebSocketDisconnect, ConnectionError):
        pass


def _places(websocket: WebSocket) -> AtOnce:
    state = websocket.app.state
    if not hasattr(state, "live_places"):
        most = state.settings.max_live
        state.live_places = AtOnce("too-many-live", most, most)
    places: AtOnce = state.live_places
    return places


async def _close(websocket: WebSocket, code: int, title: str, detail: str) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, ConnectionError):
        await websocket.send_json({"type": "problem", "title": title, "detail": detail})
        await websocket.close(code, title)


class _Session:
    """The connection on one side, the process that scores on the other."""

    def __init__(self, websocket: WebSocket, settings: ServerSettings):
        self.websocket, self.settings = websocket, settings
        self.waiting = _Waiting()
        self.free = asyncio.Event()
        self.unreadable = 0

    async def run(self) -> None:
        """Until either side ends.

        Raises:
            _RefusedError: if the client sends what it must not, or the process dies.
            WebSocketDisconnect: if the client goes.
        """
        child = await self._spawn()
        tasks = [
            asyncio.create_task(work)
            for work in (self._receive(), self._hand_on(child), self._answer(child))
        ]
        try:
            done, _ = await asyncio.wait(
                tasks,
                return_when=asyncio.FIRST_COMPLETED,
                timeout=self.settings.max_duration_seconds,
            )
            if not done:
                longest = self.settings.max_duration_seconds
                raise _RefusedError(
                    _CLOSE_NORMAL, "Too long", f"A live session may last {longest:.0f} s."
                )
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await asyncio.gather(*tasks, return_exceptions=True)
            await child.wait()

    async def _spawn(self) -> asyncio.subprocess.Process:
        # A folder that is never made: a live session has no files.
        folder = self.settings.data.absolute() / "live"
        setup = process_setup(self.settings, folder) | {"max_side": _MAX_SIDE}
        setup["limits"]["file_bytes"] = 0
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "aver.server.live_child", json.dumps(setup)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=clean_environment(folder),
            start_new_session=True,
        )

    async def _receive(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_IDLE_SECONDS):
                    message = await self.websocket.receive()
            except TimeoutError:
                raise _RefusedError(
                    _CLOSE_NORMAL, "Idle", f"Nothing came for {_IDLE_SECONDS:.0f} s."
                ) from None
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", _CLOSE_NORMAL))
            self.waiting.add(*_read(message.get("bytes")))

    async def _hand_on(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdin is not None
        waiting = self.waiting
        while True:
            await waiting.come.wait()
            waiting.come.clear()
            while waiting.sound:
                moment, payload = waiting.sound.popleft()
                waiting.sound_bytes -= len(payload)
                child.stdin.write(HEAD.pack(SOUND, moment, len(payload)) + payload)
                await child.stdin.drain()
            if waiting.picture is not None and self.free.is_set():
                moment, payload = waiting.picture
                waiting.picture = None
                self.free.clear()
                child.stdin.write(HEAD.pack(PICTURE, moment, len(payload)) + payload)
                await child.stdin.drain()

    async def _answer(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None
        began = time.monotonic()
        while line := await child.stdout.readline():
            answer = json.loads(line)
            if answer["type"] == "problem":
                raise _RefusedError(_CLOSE_ERROR, "The networks cannot be loaded", answer["detail"])
            if answer["type"] == "unreadable":
                self.unreadable += 1
                if self.unreadable > _MOST_UNREADABLE:
                    raise _RefusedError(
                        _CLOSE_POLICY, "Unreadable pictures", "Send JPEG, PNG or WebP pictures."
                    )
            elif answer["type"] == "scores":
                self.unreadable = 0
            if answer["type"] == "ready":
                answer |= {
                    "frames_per_second": self.settings.frames_per_second,
                    "sample_rate": SAMPLE_RATE,
                    "seconds": round(time.monotonic() - began, 3),
                }
            await self.websocket.send_json(answer | self.waiting.facts())
            # The next picture goes out when this one's scores are on their way: a client that does
            # not read holds up its own pictures and nothing else.
            if answer["type"] != "voice":
                self.free.set()
                self.waiting.come.set()
        raise _RefusedError(
            _CLOSE_ERROR, "The analysis ended", "Its process died or went over its limits."
        )


def _read(message: bytes | None) -> tuple[bytes, float, bytes]:
    """Kind, time and payload of a client's message.

    Raises:
        _RefusedError: if it is none.
    """
    if message is None:
        raise _RefusedError(
            _CLOSE_POLICY, "Not binary", "Send binary messages; see the documentation."
        )
    if len(message) > _MOST_BYTES:
        raise _RefusedError(
            _CLOSE_TOO_BIG, "Too large", f"A message may have {_MOST_BYTES >> 20} MiB at most."
        )
    if len(message) <= _CLIENT_HEAD.size:
        raise _RefusedError(
            _CLOSE_POLICY, "Too short", "A message is nine bytes and what they announce."
        )
    kind, moment = _CLIENT_HEAD.unpack_from(message)
    payload = message[_CLIENT_HEAD.size :]
    if kind not in _KINDS:
        raise _RefusedError(_CLOSE_POLICY, "Unknown kind", "Use 1 for a picture and 2 for sound.")
    if not math.isfinite(moment) or not 0 <= moment < 1e10:
        raise _RefusedError(_CLOSE_POLICY, "Not a time", "Send seconds, 0 or more.")
    if _KINDS[kind] == SOUND and (
        len(payload) % 2 or len(payload) > _MOST_SOUND_SECONDS * SAMPLE_RATE * 2
    ):
        raise _RefusedError(
            _CLOSE_POLICY, "Not sound", "Send 16-bit samples, five seconds at most at a time."
        )
    return _KINDS[kind], moment, payload
