"""The outermost layer: names, measures and logs each request, and answers where all else failed."""

from __future__ import annotations

import time
from asyncio import CancelledError
from secrets import token_hex

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aver.server.logs import log, log_error
from aver.server.metrics import Metrics
from aver.server.problems import Problem
from aver.server.security import secure

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observer:
    """ASGI layer: an id for each request (``X-Request-ID``), a line in the log, metrics, and the
    headers that keep browsers careful.

    Args:
        app: what lies behind.
        metrics: where to count.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        metrics = self.metrics
        request_id = token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        start = time.perf_counter()
        status, began, received, sent = 0, 0.0, 0, 0

        async def receiving() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            nonlocal status, began, sent
            if message["type"] == "http.response.start":
                status, began = message["status"], time.perf_counter() - start
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                secure(headers, scope["path"])
            else:
                sent += len(message.get("body", b""))
            await send(message)

        metrics.in_flight.inc()
        gone = False
        try:
            await self.app(scope, receiving, sending)
        except CancelledError:
            gone = True
            raise
        except Exception as error:
            # Not raised again: uvicorn would log the message, which may hold a name.
            log_error("unforeseen error", error, request_id=request_id)
            if status:
                gone = True
                raise ConnectionAbortedError from None
            await Problem("internal-error").response(request_id)(scope, receiving, sending)
        finally:
            metrics.in_flight.dec()
            self._account(scope, status, began, received, sent)
            log(
                "request",
                request_id=request_id,
                method=scope["method"],
                route=route_of(scope),
                status=status,
                milliseconds=round(1000 * (time.perf_counter() - start), 2),
                received=received,
                sent=sent,
                **({"broken": True} if gone else {}),
            )

    def _account(self, scope: Scope, status: int, began: float, received: int, sent: int) -> None:
        metrics, route = self.metrics, route_of(scope)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        metrics.requests.labels(method, route, str(status)).inc()
        if status:
            metrics.latency.labels(method, route).observe(began)
        if received:
            metrics.received.inc(received)
        metrics.sent.inc(sent)


def route_of(scope: Scope) -> str:
    """Pattern of the route that answered, ``page`` for the page's files, ``none`` for no route."""
    pattern = getattr(scope.get("route"), "path", None)
    if pattern:
        return str(pattern)
    return "none" if scope["path"].startswith(("/v1", "/metrics")) else "page"
