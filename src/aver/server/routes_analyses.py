"""Routes of analyses: ask for one, list them, follow one, cancel it, delete it."""

from __future__ import annotations

import os
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

from anyio import CancelScope, to_thread
from fastapi import APIRouter, Header, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from aver.errors import SettingError
from aver.server import documents as d
from aver.server import uploads
from aver.server.jobs import Job, State
from aver.server.logs import log
from aver.server.names import RECORDING
from aver.server.problems import Problem, described, retry_later
from aver.server.security import client_of
from aver.server.services import JobId, Services, Shared
from aver.server.sse import EventStream, stream
from aver.server.store import MOST_LISTED
from aver.server.store_errors import NoSuchJobError, WrongStateError

router = APIRouter(prefix=d.ANALYSES, tags=["analyses"])
COMMON = described(
    "bad-request", "unauthorized", "invalid-request", "too-many-requests", "store-unavailable"
)
ONE = COMMON | described("not-found")
CHANGE = described("cross-site")

_BYTES: dict[str, Any] = {"schema": {}}
_UPLOAD_BODY = {
    "requestBody": {
        "required": True,
        "description": "The recording, as a form with a part called `file` or as bytes alone.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "contentMediaType": "application/octet-stream"}
                    },
                }
            },
            "application/octet-stream": _BYTES,
            "video/*": _BYTES,
            "audio/*": _BYTES,
            "image/*": _BYTES,
        },
    }
}


@router.post(
    "",
    status_code=201,
    response_model=d.Analysis,
    summary="Upload a recording and have it analysed",
    responses={
        200: {"model": d.Analysis, "description": "This key and recording were sent before."},
        **COMMON,
        **CHANGE,
        **described("malformed-upload", "bad-request", "upload-timeout", "upload-under-way"),
        **described("too-large", "unsupported-type", "idempotency-mismatch", "invalid-request"),
        **described("too-many-requests", "too-many-uploads", "queue-full"),
        **described("stopping", "store-unavailable", "disk-full"),
    },
    openapi_extra=_UPLOAD_BODY,
)
async def create(
    request: Request,
    services: Shared,
    name: Annotated[
        str, Query(description="The recording's name, where it is sent as bytes alone.")
    ] = "",
    explain: Annotated[bool, Query(description="Keep what the networks looked at.")] = False,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="The same key and recording give the same analysis, however often sent.",
        ),
    ] = None,
) -> Response:
    """Create an analysis; the answer comes when the recording is safely stored."""
    limits = services.settings
    if services.stopping:
        raise retry_later("stopping", 10.0)
    uploads.check_headers(request, limits.max_upload_bytes)
    client = client_of(request.scope)
    wait = services.uploads.take(client)
    if wait:
        raise retry_later("too-many-uploads", wait)
    with services.uploads_at_once.one(client):
        await _check_disk(request, services)
        upload = uploads.Upload(request, limits.max_upload_bytes, limits.max_upload_seconds)
        make = partial(
            services.store.create,
            await upload.name(),
            idempotency_key=idempotency_key,
            options={"explain": True} if explain else {},
            most_open=limits.max_queued,
        )
        job, is_new = await to_thread.run_sync(make)
        if not is_new:
            return await _again(upload, services, job)
        job = await _store(upload, services, job)
    services.metrics.uploads.labels("stored").inc()
    services.recent.forget(job.id)
    log("analysis created", analysis=job.id, bytes=job.size)
    return _answer(job, 201)


async def _check_disk(request: Request, services: Services) -> None:
    length = request.headers.get("content-length", "")
    free = await to_thread.run_sync(services.files.free_bytes)
    needed = int(length) if length.isdecimal() else 0
    if needed + services.settings.min_free_bytes > free:
        raise Problem("disk-full")


async def _again(upload: uploads.Upload, services: Services, job: Job) -> Response:
    """Answer with the analysis that is there already, if it is of the same recording."""
    if job.state == "uploading":
        raise retry_later("upload-under-way", 5.0)
    received = await upload.save(None)
    if received.sha256 != job.sha256:
        raise Problem("idempotency-mismatch")
    services.metrics.uploads.labels("known").inc()
    return _answer(await services.job(job.id), 200)


async def _store(upload: uploads.Upload, services: Services, job: Job) -> Job:
    """Write the recording; on any failure nothing of the job is left."""
    files, store = services.files, services.store
    try:
        folder = await to_thread.run_sync(files.make, job.id)
        out = await to_thread.run_sync((folder / RECORDING).open, "xb")
        try:
            received = await upload.save(out)
            await to_thread.run_sync(_settle, out)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(out.close)
        finish = partial(store.uploaded, job.id, received.size, received.sha256)
        return await to_thread.run_sync(finish)
    except BaseException as error:
        outcome = "broken off" if isinstance(error, ClientDisconnect) else "refused"
        services.metrics.uploads.labels(outcome).inc()
        with CancelScope(shield=True):
            await to_thread.run_sync(_undo, services, job.id)
        if isinstance(error, NoSuchJobError | WrongStateError):
            raise Problem("not-found", "The analysis was cancelled during its upload.") from error
        raise


def _settle(out: Any) -> None:
    out.flush()
    os.fsync(out.fileno())


def _undo(services: Services, job_id: str) -> None:
    try:
        services.store.delete(job_id)
    except NoSuchJobError:
        pass
    finally:
        services.files.erase(job_id)


@router.get("", response_model=d.Analyses, summary="List analyses, newest first", responses=COMMON)
async def listing(
    services: Shared,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 50,
    cursor: Annotated[
        str | None, Query(max_length=200, description="From the address of the next page.")
    ] = None,
) -> Response:
    """List analyses."""
    ask = partial(services.store.list, cursor=cursor, limit=limit, state=state)
    try:
        page = await to_thread.run_sync(ask)
    except SettingError as error:
        wrong = {"in": "query", "name": str(error.subject), "problem": error.problem}
        raise Problem("invalid-request", errors=[wrong]) from error
    following = None
    if page.next_cursor is not None:
        query = {"limit": limit, "cursor": page.next_cursor} | ({"state": state} if state else {})
        following = f"{d.ANALYSES}?{urlencode(query)}"
    items = [d.job_document(job) for job in page.jobs]
    headers = {"Link": f'<{following}>; rel="next"'} if following else None
    return JSONResponse({"items": items, "next": following}, headers=headers)


@router.get("/{job_id}", response_model=d.Analysis, summary="State of one analysis", responses=ONE)
async def status(services: Shared, job_id: JobId) -> Response:
    """Where an analysis stands."""
    return _answer(await services.job(job_id))


@router.get(
    "/{job_id}/events",
    response_class=Response,
    summary="Follow an analysis",
    responses={
        200: {
            "description": "Events `state` and `progress`, whose data are the analysis's JSON, and "
            "`deleted`. Each has an id; comments keep the connection alive.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        204: {"description": "It has ended, and the client knows (`Last-Event-ID`)."},
        **ONE,
        **described("too-many-requests", "too-many-streams"),
    },
)
async def events(
    request: Request,
    services: Shared,
    job_id: JobId,
    last_event_id: Annotated[
        str, Header(max_length=40, description="Id of the last event that came through.")
    ] = "",
) -> Response:
    """Server-sent events from now, or from the last event that the client got, to the end."""
    job = await services.job(job_id)
    if job.has_ended and last_event_id == str(job.version):
        return Response(status_code=204)  # which stops a browser from asking again
    client = client_of(request.scope)
    services.streams_at_once.enter(client)
    services.metrics.streams.inc()

    def ended() -> None:
        services.streams_at_once.leave(client)
        services.metrics.streams.dec()

    return EventStream(stream(services.watcher, job, d.job_document, last_event_id), ended)


@router.post(
    "/{job_id}/cancel",
    response_model=d.Analysis,
    summary="Cancel an analysis",
    responses=ONE | CHANGE | described("wrong-state"),
)
async def cancel(services: Shared, job_id: JobId) -> Response:
    """End an analysis that has not ended; cancelling twice is no error."""
    try:
        job = await to_thread.run_sync(services.store.cancel, job_id)
    finally:
        services.recent.forget(job_id)
    log("analysis cancelled", analysis=job.id)
    return _answer(job)


@router.delete(
    "/{job_id}",
    status_code=204,
    summary="Delete an analysis, its recording and its results",
    responses=ONE | CHANGE,
)
async def delete(services: Shared, job_id: JobId) -> Response:
    """Erase everything of an analysis, in whatever state it is."""
    with CancelScope(shield=True):  # what was begun is finished, whether the client waits or not
        try:
            await to_thread.run_sync(services.store.delete, job_id)
        finally:
            services.forget(job_id)
        await to_thread.run_sync(services.files.erase, job_id)
    log("analysis deleted", analysis=job_id)
    return Response(status_code=204)


def _answer(job: Job, status: int = 200) -> Response:
    headers = {"Location": f"{d.ANALYSES}/{job.id}"} if status == 201 else {}
    return JSONResponse(d.job_document(job), status, headers)
