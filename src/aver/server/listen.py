"""Listening: a socket, uvicorn on it, and an end in good order."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from aver.errors import SettingError
from aver.server.services import Services
from aver.server.settings import ServerSettings

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LIVE_MESSAGE_BYTES = 5 << 20


def open_socket(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        SettingError: if the address is taken, not allowed, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Not socket.create_server: without the protocol's number asyncio takes the connections for
    # something else than TCP and leaves Nagle's delay on, 40 ms an answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host.strip("[]"), port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        reason = error.strerror or str(error)
        raise SettingError(
            "port", f"cannot listen on {host}:{port} ({reason})", "Choose another with --port"
        ) from error
    return listening


def address(listening: socket.socket) -> str:
    """``http://127.0.0.1:8000`` of a socket that listens."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """Serves until it is told to stop: then event streams end, requests are finished, it returns.

    Args:
        app: see :func:`aver.server.app.create_app`.
        settings: of the server.
        trusted_proxies: addresses whose X-Forwarded-For and X-Forwarded-Proto are believed.
    """

    def __init__(self, app: FastAPI, settings: ServerSettings, trusted_proxies: str = ""):
        self.services: Services = app.state.services
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=trusted_proxies or None,
                timeout_keep_alive=20,
                timeout_graceful_shutdown=max(1, round(settings.grace_seconds)),
                ws_max_size=_LIVE_MESSAGE_BYTES,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at the first signal, at once at the second."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self.services.stop()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Catch signals without passing them on afterwards, so that workers are stopped too."""
        if threading.current_thread() is not threading.main_thread():  # the only one that may
            yield
            return
        before = {s: signal.signal(s, self.handle_exit) for s in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
