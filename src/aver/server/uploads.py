"""Recordings come in: piece by piece to the disk, never whole in memory, all or nothing.

Two forms: ``multipart/form-data`` with a part called ``file``, as a page's form sends it, and the
bytes alone. Nothing that the client says becomes part of a path.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO

from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from aver.server.problems import Problem

LONGEST_NAME = 200
"""Characters of a recording's name; longer ones lose their middle."""

IDLE_SECONDS = 30.0
"""An upload from which nothing comes for so long has come to a halt."""

_WRITE_BYTES = 1 << 20
_MOST_HEADER = 1 << 16
_MOST_AROUND = 1 << 20
_RAW = re.compile(r"application/octet-stream|(audio|video|image)/[\w.+-]+", re.ASCII)
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


@dataclass(frozen=True, slots=True)
class Received:
    """What came.

    Attributes:
        name: of the recording, as shown to people.
        size: bytes.
        sha256: hexadecimal digest.
    """

    name: str
    size: int
    sha256: str


def shown_name(name: str) -> str:
    """A recording's name as shown: no folders, nothing invisible, not too long; never a path."""
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(c for c in name if unicodedata.category(c) not in _INVISIBLE).strip()
    if name.strip(".") == "":
        return "recording"
    if len(name) > LONGEST_NAME:
        half = (LONGEST_NAME - 1) // 2
        name = f"{name[:half]}…{name[-half:]}"
    return name


class Sink:
    """Where bytes go: counted, hashed, and written in large pieces by another thread.

    Args:
        most: most bytes.
    """

    def __init__(self, most: int):
        self.most = most
        self.size = 0
        self._digest = hashlib.sha256()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    def add(self, data: bytes) -> None:
        """Take bytes.

        Raises:
            Problem: ``too-large`` as soon as there are too many.
        """
        self.size += len(data)
        if self.size > self.most:
            raise too_large(self.most)
        self._waiting.append(data)
        self._waiting_bytes += len(data)

    async def flush(self, out: BinaryIO | None, *, everything: bool = False) -> None:
        """Write what waits to *out*, if that is enough to be worth it."""
        if self._waiting and (everything or self._waiting_bytes >= _WRITE_BYTES):
            pieces, self._waiting, self._waiting_bytes = self._waiting, [], 0
            await to_thread.run_sync(self._write, pieces, out)

    def _write(self, pieces: list[bytes], out: BinaryIO | None) -> None:
        for piece in pieces:
            self._digest.update(piece)
            if out is not None:
                out.write(piece)

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of all that was flushed."""
        return self._digest.hexdigest()


class _Form:
    """The one part called ``file`` of a multipart body, as it comes in."""

    def __init__(self, boundary: bytes, sink: Sink):
        self.sink = sink
        self.name: str | None = None
        self.ended = False
        self._mine = False
        self._field, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, a, b: self._field.extend(data[a:b]),
                "on_header_value": lambda data, a, b: self._value.extend(data[a:b]),
                "on_header_end": self._header,
                "on_headers_finished": self._headers,
                "on_part_data": self._data,
                "on_end": self._end,
            },
            max_header_size=_MOST_HEADER,
        )

    def feed(self, data: bytes) -> None:
        self._parser.write(data)

    def _begin(self) -> None:
        self._mine, self._disposition = False, b""

    def _header(self) -> None:
        if bytes(self._field).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") != b"file":
            return
        if self.name is not None:
            raise Problem(
                "malformed-upload", "There are two parts called file; send one each time."
            )
        self._mine = True
        self.name = options.get(b"filename", b"").decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._mine:
            self.sink.add(data[start:end])

    def _end(self) -> None:
        self.ended = True


class Upload:
    """One upload: first its name, then its bytes.

    Args:
        request: see :func:`check_headers`, which comes first.
        most: most bytes of the recording.
        seconds: longest time that it may take.
    """

    def __init__(self, request: Request, most: int, seconds: float):
        self._request = request
        self._sink = Sink(most)
        self._pieces = _pieces(request)
        self._ends = asyncio.get_running_loop().time() + seconds
        kind, options = _content_type(request)
        is_form = kind == "multipart/form-data"
        self._form = _Form(options.get(b"boundary", b""), self._sink) if is_form else None
        self._total = 0

    async def name(self) -> str:
        """The recording's name as shown; read as far as needed, and kept.

        Raises:
            Problem: ``malformed-upload``, ``too-large``, ``upload-timeout``.
            ClientDisconnect: if the client went away in the middle.
        """
        if self._form is None:
            return shown_name(self._request.query_params.get("name", ""))
        async with self._in_time():
            while self._form.name is None:
                if not await self._take():
                    raise Problem("malformed-upload", "There is no part called file.")
        return shown_name(self._form.name)

    async def save(self, out: BinaryIO | None) -> Received:
        """Write the recording to *out*, or read and forget it.

        Raises:
            Problem: as :meth:`name`.
            ClientDisconnect: if the client went away in the middle.
            OSError: if *out* cannot be written to.
        """
        name = await self.name()
        sink = self._sink
        async with self._in_time():
            while await self._take():
                await sink.flush(out)
            await sink.flush(out, everything=True)
        if self._form is not None and not self._form.ended:
            raise Problem("malformed-upload", "The multipart body ends in its middle.")
        if not sink.size:
            raise Problem("malformed-upload", "The recording has no bytes.")
        return Received(name, sink.size, sink.sha256)

    async def _take(self) -> bool:
        """Take the next piece; False at the end."""
        data = await anext(self._pieces, None)
        if data is None:
            return False
        if self._form is None:
            self._sink.add(data)
            return True
        self._total += len(data)
        if self._total - self._sink.size > _MOST_AROUND + len(data):
            raise Problem("malformed-upload", "There is too much around the part called file.")
        try:
            self._form.feed(data)
        except FormParserError as error:
            raise Problem("malformed-upload", "The multipart body is damaged.") from error
        return True

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(self._ends):
                yield
        except TimeoutError as error:
            raise Problem("upload-timeout") from error


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body's pieces, each of which must come soon after the one before."""
    while True:
        message = await asyncio.wait_for(request.receive(), IDLE_SECONDS)
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if data := message.get("body", b""):
            yield data
        if not message.get("more_body", False):
            return


def check_headers(request: Request, most: int) -> None:
    """Refuse what can be refused before anything is read.

    Raises:
        Problem: ``unsupported-type``, ``malformed-upload``, ``too-large``.
    """
    kind, options = _content_type(request)
    if kind == "multipart/form-data":
        if not options.get(b"boundary"):
            raise Problem("malformed-upload", "The Content-Type names no boundary.")
    elif not _RAW.fullmatch(kind):
        raise Problem(
            "unsupported-type",
            headers={"Accept-Post": "multipart/form-data, application/octet-stream"},
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem("unsupported-type", "Send the recording without Content-Encoding.")
    length = request.headers.get("content-length", "")
    around = _MOST_AROUND if kind == "multipart/form-data" else 0
    if length.isdecimal() and int(length) > most + around:
        raise too_large(most)


def too_large(most: int) -> Problem:
    """The problem of an upload of more than *most* bytes."""
    return Problem("too-large", f"The limit is {most} bytes.", limit=most)


def _content_type(request: Request) -> tuple[str, dict[bytes, bytes]]:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    return kind.decode("latin-1").lower(), options
