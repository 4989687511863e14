"""Routes of the server itself: sessions of the page, health, metrics, problems explained."""

from __future__ import annotations

from html import escape
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Path, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from aver.server import documents as d
from aver.server import metrics
from aver.server.auth import COOKIE, SESSION_SECONDS
from aver.server.problem_kinds import KINDS, ProblemKind
from aver.server.problems import Problem, described
from aver.server.routes_analyses import CHANGE
from aver.server.services import Shared
from aver.server.store_errors import StoreUnavailableError

router = APIRouter()

OPEN: dict[str, Any] = {"security": []}
"""In the API's document: needs no key; see :func:`aver.server.auth.is_open`."""

LEAST_FREE_BYTES = 64 << 20
"""With less free on the disk the server is not ready for uploads."""


@router.post(
    "/v1/session",
    status_code=204,
    tags=["session"],
    summary="Exchange the key for a cookie that reads",
    responses=described("bad-request", "unauthorized", "too-many-requests") | CHANGE,
)
async def open_session(request: Request, services: Shared) -> Response:
    """Set a cookie for what a browser cannot send headers with: video, pictures, event streams.

    It is sent to this server alone (SameSite=Strict), no script can read it (HttpOnly), it ends
    after twelve hours, and it opens reading alone.
    """
    answer = Response(status_code=204)
    if services.key_check.needed:
        answer.set_cookie(
            COOKIE,
            services.key_check.session(),
            max_age=SESSION_SECONDS,
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
    return answer


@router.delete(
    "/v1/session",
    status_code=204,
    tags=["session"],
    summary="Take the cookie away",
    responses=described("bad-request", "unauthorized", "too-many-requests") | CHANGE,
)
async def close_session() -> Response:
    """Have the browser forget its cookie."""
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer


@router.get(
    "/v1/health/live",
    response_model=d.Health,
    tags=["operation"],
    summary="Whether the server runs",
    openapi_extra=OPEN,
    responses=described("bad-request"),
)
async def live() -> Response:
    """Answers as long as the process can answer at all."""
    return JSONResponse({"status": "ok", "checks": {}})


@router.get(
    "/v1/health/ready",
    response_model=d.Health,
    tags=["operation"],
    summary="Whether the server can take work",
    openapi_extra=OPEN,
    responses={
        503: {"model": d.Health, "description": "Something is not well; `checks` says what."},
        **described("bad-request"),
    },
)
async def ready(services: Shared) -> Response:
    """Whether database and disk answer, and the server is not about to stop."""
    checks = await to_thread.run_sync(_checks, services)
    well = all(found == "ok" for found in checks.values())
    document = {"status": "ok" if well else "not ready", "checks": checks}
    return JSONResponse(
        document, 200 if well else 503, headers={} if well else {"Retry-After": "5"}
    )


def _checks(services: Shared) -> dict[str, str]:
    checks = {"database": "ok", "disk": "ok", "server": "ok"}
    try:
        services.store.check()
    except StoreUnavailableError as error:
        checks["database"] = error.problem
    if services.files.free_bytes() < LEAST_FREE_BYTES:
        checks["disk"] = "full or gone"
    if services.workers is not None and services.settings.workers and not services.workers().alive:
        checks["workers"] = "none is running"
    if services.stopping:
        checks["server"] = "stopping"
    return checks


@router.get(
    "/metrics",
    response_class=Response,
    tags=["operation"],
    summary="Metrics for Prometheus",
    responses={
        200: {
            "description": "Prometheus' text format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **described("bad-request", "unauthorized", "too-many-requests"),
    },
)
async def show_metrics(services: Shared) -> Response:
    """Counts and times; no names of recordings or people."""
    text = await to_thread.run_sync(services.metrics.text)
    return Response(text, media_type=metrics.CONTENT_TYPE)


@router.get(
    "/v1/problems/{code}",
    response_class=HTMLResponse,
    tags=["operation"],
    summary="What a problem means",
    openapi_extra=OPEN,
    responses={
        200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "A page."},
        **described("bad-request", "not-found", "invalid-request", "too-many-requests"),
    },
)
async def explain_problem(code: Annotated[str, Path(max_length=100)]) -> Response:
    """The page that a problem's `type` leads to."""
    kind = KINDS.get(code)
    if kind is None:
        raise Problem("not-found")
    return HTMLResponse(_explanation(kind), headers={"Cache-Control": "max-age=3600"})


def _explanation(kind: ProblemKind) -> str:
    title, meaning = escape(kind.title), escape(kind.meaning)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        f"<h1>{title}</h1>\n<p>HTTP status {kind.status}, <code>{kind.type}</code></p>\n"
        f"<p>{meaning}</p></html>\n"
    )
