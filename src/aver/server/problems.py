"""Errors of the API as problem details (RFC 9457): one document for every answer of 400 and above.

The ``type`` of each is a path of this server that explains it (``/v1/problems/not-found``), so it
is stable, needs no foreign address, and can be opened.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from aver.errors import AverError
from aver.server.problem_kinds import KINDS
from aver.server.store_errors import (
    NoSuchJobError,
    QueueFullError,
    StoreUnavailableError,
    WrongStateError,
)

MEDIA_TYPE = "application/problem+json"


_BY_STATUS = {404: "not-found", 405: "method-not-allowed", 403: "forbidden", 401: "unauthorized"}


class Problem(Exception):  # noqa: N818 - as RFC 9457 calls it
    """An answer that is a problem.

    Args:
        code: a key of :data:`~aver.server.problem_kinds.KINDS`.
        detail: what is wrong this time; no names of recordings, no paths of the server.
        headers: further headers of the answer.
        members: further members of the document.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ):
        self.kind = KINDS[code]
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members
        super().__init__(f"{code}: {detail}")

    def document(self, request_id: str = "") -> dict[str, Any]:
        """The problem document."""
        kind = self.kind
        document: dict[str, Any] = {"type": kind.type, "title": kind.title, "status": kind.status}
        document["detail"] = self.detail or kind.meaning
        if request_id:
            document["request_id"] = request_id
        return document | self.members

    def response(self, request_id: str = "") -> JSONResponse:
        """The answer."""
        return JSONResponse(
            self.document(request_id), self.kind.status, self.headers, media_type=MEDIA_TYPE
        )


def retry_later(code: str, seconds: float, detail: str = "") -> Problem:
    """A problem that goes away: with ``Retry-After`` in whole seconds, at least 1."""
    return Problem(code, detail, headers={"Retry-After": str(max(1, round(seconds + 0.5)))})


def as_problem(error: BaseException) -> Problem | None:
    """The problem that *error* is, or None for one that nobody foresaw."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return Problem("invalid-request", errors=list(_places(error.errors())))
    if isinstance(error, HTTPException):
        code = _BY_STATUS.get(error.status_code, "bad-request")
        detail = "" if KINDS[code].code == "not-found" else str(error.detail)
        return Problem(code, detail, headers=error.headers)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem("disk-full")
    return _of_store(error)


def _of_store(error: BaseException) -> Problem | None:
    if isinstance(error, StoreUnavailableError):
        return retry_later("store-unavailable", 5.0, f"The database: {error.problem}.")
    if isinstance(error, NoSuchJobError):
        return Problem("not-found")
    if isinstance(error, WrongStateError):
        return Problem("wrong-state", f"The analysis is {error.state}.", state=error.state)
    if isinstance(error, QueueFullError):
        return retry_later("queue-full", 10.0, f"{error.problem}.")
    if isinstance(error, AverError) and isinstance(error.__cause__, OSError):
        return as_problem(error.__cause__)
    return None


def _places(errors: Sequence[Any]) -> Iterator[dict[str, str]]:
    """Where a value is wrong, and why; never the value itself, which may name a recording."""
    for error in errors:
        place = [str(part) for part in error.get("loc", ())]
        yield {
            "in": place[0] if place else "request",
            "name": ".".join(place[1:]),
            "problem": str(error.get("msg", "")),
        }


async def handle(request: Request, error: Exception) -> JSONResponse:
    """Exception handler of the application: the problem's answer, or *error* again."""
    problem = as_problem(error)
    if problem is None:
        raise error
    return problem.response(getattr(request.state, "request_id", ""))


def described(*codes: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's entries for answers that are problems, one a status."""
    entries: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        kind = KINDS[code]
        entry = entries.setdefault(
            kind.status,
            {
                "description": "",
                "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            },
        )
        title = f"`{kind.type}`: {kind.title}."
        entry["description"] = f"{entry['description']} {title}".strip()
        if kind.status in (429, 503):
            entry["headers"] = {
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}
            }
    return entries
