"""Routes of what an analysis found: the result in every format, the recording, the people."""

from __future__ import annotations

import re
from functools import partial
from pathlib import PurePath
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import JSONResponse, Response

from aver.report import FORMATS
from aver.server import documents as d
from aver.server.problems import Problem, described
from aver.server.ranges import file_answer
from aver.server.routes_analyses import CHANGE, ONE
from aver.server.services import Answers, JobId, Services, Shared
from aver.timeline import Person

router = APIRouter(prefix=d.ANALYSES)

MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
    "parquet": "application/vnd.apache.parquet",
    "vtt": "text/vtt; charset=utf-8",
    "eaf": "application/xml",
    "textgrid": "text/plain; charset=utf-8",
}
OTHER_NAMES = {"webvtt": "vtt", "elan": "eaf", "praat": "textgrid"}
"""Names that formats go by elsewhere."""

REPORT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'none'; sandbox allow-scripts allow-downloads"
)
"""Of the HTML report, a file of its own with script and style in it: it runs in a sandbox, without
this server's origin, cookies or addresses."""

_ETAGS = {
    "ETag": {"schema": {"type": "string"}, "description": "Of exactly these bytes."},
    "Content-Disposition": {"schema": {"type": "string"}},
}
_NOT_MODIFIED: Answers = {304: {"description": "What If-None-Match names is still the newest."}}
_PERSON = Path(ge=1, le=1_000_000, description="Number of the person, from 1.")
_BINARY = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}


def _result_types() -> dict[str, Any]:
    types = {value.split(";")[0]: _BINARY for value in MEDIA_TYPES.values()}
    return types | {
        "application/json": {"schema": {"type": "object", "description": "aver.timeline/1"}}
    }


@router.get(
    "/{job_id}/result",
    response_class=Response,
    tags=["results"],
    summary="The result, in any format",
    responses={
        200: {"description": "The file.", "content": _result_types(), "headers": _ETAGS},
        **_NOT_MODIFIED,
        **ONE,
        **described("wrong-state", "gone", "range-not-satisfiable", "disk-full"),
    },
)
@router.head("/{job_id}/result", include_in_schema=False)
async def result(
    request: Request,
    services: Shared,
    job_id: JobId,
    format: Annotated[
        str,
        Query(
            description=f"One of {', '.join(FORMATS)}.",
            json_schema_extra={"enum": [*FORMATS, *OTHER_NAMES]},
        ),
    ] = "json",
) -> Response:
    """The timeline as JSON (the same that `aver analyze` writes), or in another format."""
    name = OTHER_NAMES.get(format, format)
    if name not in FORMATS:
        known = f"is not known; known are {', '.join(FORMATS)}"
        raise Problem(
            "invalid-request", errors=[{"in": "query", "name": "format", "problem": known}]
        )
    job = await services.done(job_id)
    answer = await file_answer(
        request,
        await services.result(job, name),
        media_type=MEDIA_TYPES[name],
        etag=f'"{job.id}.{name}"',
        filename=_stem(job.name) + FORMATS[name].extension,
    )
    if name == "html":
        answer.headers["content-security-policy"] = REPORT_POLICY
    return answer


@router.get(
    "/{job_id}/recording",
    response_class=Response,
    tags=["results"],
    summary="The recording itself, or parts of it",
    responses={
        200: {
            "description": "All of it.",
            "content": {"video/*": _BINARY, "audio/*": _BINARY, "image/*": _BINARY}
            | {"application/octet-stream": _BINARY},
            "headers": _ETAGS,
        },
        206: {"description": "The part that Range asks for."},
        **_NOT_MODIFIED,
        **ONE,
        **described("wrong-state", "gone", "range-not-satisfiable"),
    },
)
@router.head("/{job_id}/recording", include_in_schema=False)
async def recording(request: Request, services: Shared, job_id: JobId) -> Response:
    """The recording as it was uploaded, for players: with range requests."""
    job = await services.job(job_id)
    if job.sha256 is None:
        raise Problem("wrong-state", "The recording is being uploaded.", state=job.state)
    if job.recording_erased:
        raise Problem("gone", "The recording was deleted; its results are kept.")
    path = services.files.recording(job_id)
    return await file_answer(
        request,
        path,
        media_type=await to_thread.run_sync(media_type_of, path),
        etag=f'"{job.sha256}"',
        filename=job.name,
        attachment=False,
    )


def media_type_of(path: PurePath) -> str:
    """Media type by a recording's first bytes, for the player; its name is not asked."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - any path
            head = file.read(64)
    except OSError:
        return "application/octet-stream"
    for pattern, kind in _SIGNS:
        if pattern.match(head):
            return kind
    return "application/octet-stream"


_SIGNS = tuple(
    (re.compile(pattern, re.DOTALL), kind)
    for pattern, kind in (
        (rb".{4}ftypM4A", "audio/mp4"),
        (rb".{4}ftypqt", "video/quicktime"),
        (rb".{4}ftyp(avif|avis)", "image/avif"),
        (rb".{4}ftyp", "video/mp4"),
        (rb"\x1aE\xdf\xa3.{0,40}webm", "video/webm"),
        (rb"\x1aE\xdf\xa3", "video/x-matroska"),
        (rb"RIFF.{4}AVI ", "video/x-msvideo"),
        (rb"RIFF.{4}WAVE", "audio/wav"),
        (rb"RIFF.{4}WEBP", "image/webp"),
        (rb"OggS.*OpusHead|OggS.*\x01vorbis", "audio/ogg"),
        (rb"OggS", "video/ogg"),
        (rb"fLaC", "audio/flac"),
        (rb"ID3|\xff[\xfb\xfa\xf3\xf2]", "audio/mpeg"),
        (rb"\xff[\xf1\xf9]", "audio/aac"),
        (rb"FLV\x01", "video/x-flv"),
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"\x00\x00\x01[\xb3\xba]", "video/mpeg"),
        (rb"\x47", "video/mp2t"),
    )
)


@router.get(
    "/{job_id}/people",
    response_model=d.People,
    tags=["people"],
    summary="Who was seen",
    responses=ONE | described("wrong-state", "gone"),
)
async def people(services: Shared, job_id: JobId) -> Response:
    """Everybody seen in the recording, with the names that were given to them."""
    job = await services.done(job_id)
    names = await to_thread.run_sync(services.store.names, job_id)
    cast = await services.people(job)
    items = [d.person_document(job_id, person, names.get(person.id)) for person in cast]
    return JSONResponse({"items": items})


@router.put(
    "/{job_id}/people/{person}",
    response_model=d.PersonSeen,
    tags=["people"],
    summary="Name somebody",
    responses=ONE | CHANGE | described("wrong-state", "gone", "unsupported-type"),
)
async def rename(
    services: Shared, job_id: JobId, person: Annotated[int, _PERSON], wanted: d.PersonName
) -> Response:
    """Give somebody a name, or take it away. It is kept in the database alone."""
    seen = await _somebody(services, job_id, person)
    name = wanted.name or ""
    await to_thread.run_sync(partial(services.store.rename_person, job_id, person, name))
    names = await to_thread.run_sync(services.store.names, job_id)
    return JSONResponse(d.person_document(job_id, seen, names.get(person)))


@router.get(
    "/{job_id}/people/{person}/thumbnail",
    response_class=Response,
    tags=["people"],
    summary="A face of somebody",
    responses={
        200: {"description": "The picture.", "content": {"image/jpeg": _BINARY}},
        **_NOT_MODIFIED,
        **ONE,
        **described("wrong-state", "gone"),
    },
)
@router.head("/{job_id}/people/{person}/thumbnail", include_in_schema=False)
async def thumbnail(
    request: Request,
    services: Shared,
    job_id: JobId,
    person: Annotated[int, _PERSON],
    index: Annotated[int, Query(ge=0, le=1000, description="Which one, strongest first.")] = 0,
) -> Response:
    """A face at one of the person's strongest moments, as JPEG."""
    seen = await _somebody(services, job_id, person)
    if index >= len(seen.thumbnails):
        raise Problem("not-found", f"This person has {len(seen.thumbnails)} thumbnails.")
    headers = {"ETag": f'"{job_id}.{person}.{index}"', "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(seen.thumbnails[index].jpeg, media_type="image/jpeg", headers=headers)


async def _somebody(services: Services, job_id: str, number: int) -> Person:
    cast = await services.people(await services.done(job_id))
    for person in cast:
        if person.id == number:
            return person
    raise Problem("not-found", f"{len(cast)} people were seen; there is no number {number}.")


def _stem(name: str) -> str:
    """A recording's name without its extension, for the name of a download."""
    return PurePath(name).stem or "recording"
