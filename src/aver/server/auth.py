"""Who may ask: the key in a header, or a short-lived cookie for what a page cannot send headers to.

Browsers send no header of the page's own with ``<video>``, ``<img>``, ``EventSource`` and
WebSockets, so a page exchanges the key for a cookie (``POST /v1/session``). The cookie opens
reading alone: a change needs the header, which no foreign page can make a browser send.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import Scope

from aver.server.problems import Problem, retry_later
from aver.server.rates import TokenBuckets

COOKIE = "aver_session"
SESSION_SECONDS = 12 * 3600
OPEN_PATHS = ("/v1/health/live", "/v1/health/ready", "/v1/openapi.json")
"""Readable without a key; so are the page's own files and the explanations of problems."""

_FAILURES_A_MINUTE = 20.0


class KeyCheck:
    """Checks keys and cookies, in a time that does not depend on how much of a key is right.

    Args:
        key: the key, or None where everybody may ask.
        wall_clock: seconds since the epoch.
    """

    def __init__(self, key: str | None, *, wall_clock: Callable[[], float] = time.time):
        self._digest = None if key is None else _digest(key)
        # A restart ends all sessions; pages that still know the key get a new one.
        self._secret = secrets.token_bytes(32)
        self._clock = wall_clock
        self._failures = TokenBuckets(_FAILURES_A_MINUTE / 60.0, _FAILURES_A_MINUTE)

    @property
    def needed(self) -> bool:
        """Whether a key is needed at all."""
        return self._digest is not None

    def is_key(self, key: str) -> bool:
        """Whether *key* is the key."""
        return self._digest is not None and hmac.compare_digest(_digest(key), self._digest)

    def session(self) -> str:
        """Value of a new cookie: when it ends, and a signature."""
        ends = f"{int(self._clock()) + SESSION_SECONDS}"
        return f"{ends}.{self._sign(ends)}"

    def is_session(self, value: str) -> bool:
        """Whether *value* is a cookie made here that has not run out."""
        ends, _, signature = value.partition(".")
        signed = hmac.compare_digest(
            self._sign(ends).encode(), signature.encode("utf-8", "backslashreplace")
        )
        return signed and ends.isdecimal() and int(ends) > self._clock()

    def check(self, scope: Scope, client: str) -> None:
        """Let a request through, or not.

        Args:
            scope: of an HTTP request or a WebSocket.
            client: who asks, for counting failures.

        Raises:
            Problem: ``unauthorized``, or ``too-many-requests`` after many wrong keys.
        """
        if self._digest is None or is_open(scope):
            return
        wait = self._failures.is_empty(client)
        if wait:
            raise retry_later("too-many-requests", wait, "Too many wrong keys.")
        headers = Headers(scope=scope)
        said = headers.get("authorization")
        if said is not None:
            scheme, _, key = said.partition(" ")
            if scheme.lower() == "bearer" and self.is_key(key.strip()):
                return
            self._failures.take(client)
            raise _unauthorized("The key is not right.")
        reading = scope["type"] == "websocket" or scope.get("method") in ("GET", "HEAD")
        if reading and self.is_session(_cookie(headers)):
            return
        raise _unauthorized("")

    def _sign(self, text: str) -> str:
        return hmac.new(
            self._secret, text.encode("utf-8", "backslashreplace"), "sha256"
        ).hexdigest()


def is_open(scope: Scope) -> bool:
    """Whether an address is read without a key: the page's own files, health, the API's document.

    Everything below ``/v1`` and ``/metrics`` needs the key, but for :data:`OPEN_PATHS`.
    """
    path = scope["path"]
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD", "OPTIONS"):
        return False
    if path in OPEN_PATHS or path.startswith("/v1/problems/"):
        return True
    first = path.lstrip("/").split("/", 1)[0]
    return first not in ("v1", "metrics")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "backslashreplace")).digest()


def _cookie(headers: Headers) -> str:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


def _unauthorized(detail: str) -> Problem:
    return Problem("unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="aver"'})
