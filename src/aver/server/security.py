"""What stands before every request: its host, its origin, its rate and its key.

One ASGI layer, because each further one costs every request some time.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aver.server.auth import KeyCheck
from aver.server.problems import Problem, retry_later
from aver.server.rates import TokenBuckets

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_MOST_DRAINED = 8 << 20

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy of the page: its own files and nothing else, nothing inline."""

API_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""Of answers of the API: were one ever shown as a page, nothing in it would run."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=(), payment=()",
}


class Gate:
    """ASGI layer that lets a request in or answers it with a problem.

    Args:
        app: what lies behind.
        key_check: see :class:`~aver.server.auth.KeyCheck`.
        rates: requests of a client.
        host_names: names that the server answers to; ``*`` for any.
        origins: origins whose pages may ask for changes, besides the server's own.
    """

    def __init__(
        self,
        app: ASGIApp,
        key_check: KeyCheck,
        rates: TokenBuckets,
        host_names: Iterable[str],
        origins: Iterable[str] = (),
    ):
        self.app = app
        self.key_check = key_check
        self.rates = rates
        self.host_names = frozenset(name.lower() for name in host_names)
        self.origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        try:
            self.check(scope)
        except Problem as problem:
            await self._refuse(problem, scope, receive, send)
            return
        if scope["type"] == "http" and scope["method"] in _CHANGING:
            await _patiently(self.app, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def check(self, scope: Scope) -> None:
        """Host, origin, rate and key, in this order.

        Raises:
            Problem: the first that is not right.
        """
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if "*" not in self.host_names and _name(host) not in self.host_names:
            raise Problem("unknown-host")
        if scope["type"] == "websocket" or scope["method"] in _CHANGING:
            self._check_origin(headers, scope["scheme"], host)
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            return
        client = client_of(scope)
        if not scope["path"].startswith("/v1/health/"):
            wait = self.rates.take(client)
            if wait:
                raise retry_later("too-many-requests", wait)
        self.key_check.check(scope, client)

    def _check_origin(self, headers: Headers, scheme: str, host: str) -> None:
        origin = headers.get("origin")
        if origin is None:
            if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
                raise Problem("cross-site")
            return
        own = {f"{s}://{host}".lower() for s in (scheme, scheme.replace("ws", "http", 1))}
        if origin.lower() not in own | self.origins:
            raise Problem("cross-site")

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            reason = problem.kind.title
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
            return
        answer = problem.response(scope.get("state", {}).get("request_id", ""))
        await _patiently(answer, scope, receive, send)


def client_of(scope: Scope) -> str:
    """Who asks, for limits: the address."""
    return scope["client"][0] if scope.get("client") else "unknown"


def host_names(host: str, chosen: Iterable[str]) -> set[str]:
    """Names that a server which listens on *host* answers to, with those *chosen* by its owner.

    A server on loopback answers to the names of this machine alone, so that no foreign page can
    reach it under a name that its owner points here (DNS rebinding). One that listens on every
    address cannot know its names: it answers to all, unless some are chosen.
    """
    names = {_name(name) for name in chosen}
    bare = host.strip("[]").lower()
    if bare in ("0.0.0.0", "::", ""):
        return names | LOOPBACK_NAMES if names else {"*"}
    return names | LOOPBACK_NAMES | {f"[{bare}]" if ":" in bare else bare}


def _name(host: str) -> str:
    """``Example.org:8000`` as ``example.org``, ``[::1]:8000`` as ``[::1]``."""
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        return ""
    name = (parts.hostname or "").rstrip(".")
    return f"[{name}]" if ":" in name else name


def secure(headers: MutableHeaders, path: str) -> None:
    """Add to the headers of an answer what tells browsers to be careful with it."""
    is_api = path.startswith(("/v1", "/metrics"))
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("content-security-policy", API_POLICY if is_api else PAGE_POLICY)
    if is_api:
        headers.setdefault("cache-control", "no-store")


async def _patiently(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Let a client that is still sending read why it was refused.

    A connection closed upon unread bytes is reset, and the client may lose the answer with it. So
    the answer goes out, then some of what still comes is read and thrown away, then it ends.
    """
    unread = True
    asked = False

    async def receiving() -> Message:
        nonlocal unread, asked
        asked = True
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            unread = False
        return message

    async def sending(message: Message) -> None:
        last = message["type"] == "http.response.body" and not message.get("more_body")
        # Who waits for "100 Continue" has sent nothing yet, and asking would make it send.
        waits = not asked and "expect" in Headers(scope=scope)
        if not last or not unread or waits:
            await send(message)
            return
        await send({**message, "more_body": True})
        drained = 0
        while unread and drained < _MOST_DRAINED:
            drained += len((await receiving()).get("body", b""))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    await app(scope, receiving, sending)
