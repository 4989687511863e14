"""Logs: one JSON object a line, without names of recordings or people, without addresses' queries.

What is written of a request is its method, the route's pattern and the outcome. Analyses appear by
their random ids. Of an unforeseen error its type and place are written, never its message, which
may hold a name.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

LOGGER = logging.getLogger("aver.server")


class JsonLines(logging.Formatter):
    """One JSON object a record: ``time``, ``level``, ``event`` and what the record carries."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        entry |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[1] is not None:
            entry["error"] = where(record.exc_info[1])
        return json.dumps(entry, ensure_ascii=False, default=str)


def where(error: BaseException) -> dict[str, Any]:
    """Type and place of an error, without its message."""
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    found: dict[str, Any] = {"type": type(error).__qualname__, "places": places}
    cause = error.__cause__ or error.__context__
    if cause is not None and cause is not error:
        found["cause"] = type(cause).__qualname__
    return found


def log(event: str, level: int = logging.INFO, **facts: Any) -> None:
    """Write one line."""
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, event, extra={"facts": facts})


def log_error(event: str, error: BaseException, **facts: Any) -> None:
    """Write one line about an unforeseen error."""
    LOGGER.error(event, extra={"facts": facts}, exc_info=(type(error), error, error.__traceback__))


def set_up(level: str = "info", stream: TextIO | None = None) -> None:
    """Write the logs of the server and of uvicorn to *stream* (standard error) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("aver.server", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler] if name != "uvicorn.error" else []
        logger.propagate = name == "uvicorn.error"
        logger.setLevel(level.upper())
    # What a form's parser says of a damaged form is in the problem that the client gets.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    # uvicorn's own access log would write queries, and with them names of recordings.
    logging.getLogger("uvicorn.access").disabled = True
