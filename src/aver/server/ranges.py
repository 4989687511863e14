"""Files as answers: parts of a file for players, conditional requests, names for downloads."""

from __future__ import annotations

import os
import re
from pathlib import Path
from stat import S_ISREG

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from aver.server.problems import Problem

_RANGE = re.compile(r"(\d*)\s*-\s*(\d*)")
_FEW_BYTES = 1 << 18
MOST_RANGES = 32
"""Parts in one request; more are answered with the whole file (RFC 9110, 14.2)."""


def wanted_ranges(header: str, size: int) -> list[tuple[int, int]] | None:
    """First and last byte of each part that a ``Range`` header asks for and the file has.

    Args:
        header: value of the header.
        size: bytes of the file.

    Returns:
        The parts (RFC 9110, 14.1.2); empty where no part of the file is meant; None for a header
        that is to be ignored: other units, malformed, too many parts.
    """
    unit, equals, specs = header.partition("=")
    parts = [part.strip() for part in specs.split(",")]
    if unit.strip().lower() != "bytes" or not equals or len(parts) > MOST_RANGES:
        return None
    found: list[tuple[int, int]] = []
    for part in parts:
        match = _RANGE.fullmatch(part)
        if match is None or part == "-" or len(part) > 50:
            return None
        first, last = match.groups()
        if not first and not last:
            return None
        if first and last and int(last) < int(first):
            return None
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last), size - 1) if first and last else size - 1
        if start <= end:
            found.append((start, end))
    return found


def _is_same(header: str, etag: str) -> bool:
    """Whether an ``If-None-Match`` names *etag*, weakly compared (RFC 9110, 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags


async def file_answer(
    request: Request,
    path: Path,
    *,
    media_type: str,
    etag: str,
    filename: str = "",
    attachment: bool = True,
) -> Response:
    """Answer with a file, or with parts of it, or with 304.

    Args:
        request: GET or HEAD.
        path: a file of the store, never made from a client's words.
        media_type: its type, which the browser is told not to guess.
        etag: in double quotes; changes whenever the bytes do.
        filename: name to save it under, as shown to people; none for no name.
        attachment: to be saved rather than shown.

    Raises:
        Problem: ``gone`` without such a file, ``range-not-satisfiable``.
    """
    try:
        whole = request.method == "GET" and "range" not in request.headers
        facts, content = await to_thread.run_sync(_look, path, whole)
    except FileNotFoundError as error:
        raise Problem("gone") from error
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    same = request.headers.get("if-none-match")
    if same is not None and _is_same(same, etag):
        return Response(status_code=304, headers=headers)
    _set_range(request, facts.st_size)
    answer = FileResponse(
        path,
        headers=headers,
        media_type=media_type,
        stat_result=facts,
        filename=filename or None,
        content_disposition_type="attachment" if attachment else "inline",
    )
    return answer if content is None else Response(content, headers=dict(answer.headers))


def _look(path: Path, whole: bool) -> tuple[os.stat_result, bytes | None]:
    """Facts of a file, and its bytes where they are few: each trip to a thread takes its time."""
    with path.open("rb") as file:
        facts = os.fstat(file.fileno())
        if not S_ISREG(facts.st_mode):
            raise FileNotFoundError(path)
        return facts, file.read() if whole and facts.st_size <= _FEW_BYTES else None


def _set_range(request: Request, size: int) -> None:
    """Leave in the request what Starlette is to send: no range, or ranges that the file has."""
    header = request.headers.get("range")
    if header is None:
        return
    headers = MutableHeaders(scope=request.scope)
    ranges = wanted_ranges(header, size) if request.method == "GET" else None
    if ranges:
        headers["range"] = "bytes=" + ", ".join(f"{a}-{b}" for a, b in ranges)
        return
    if ranges is not None and "if-range" not in request.headers:
        raise Problem(
            "range-not-satisfiable",
            f"The file has {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    del headers["range"]
