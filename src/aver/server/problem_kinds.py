"""Every problem that the API answers with: its address, its status, its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

BASE = "/v1/problems/"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """What can go wrong.

    Attributes:
        code: last part of the type's address.
        status: HTTP status.
        title: the same words every time.
        meaning: when it happens and what a client does about it.
    """

    code: str
    status: int
    title: str
    meaning: str

    @property
    def type(self) -> str:
        """The problem's ``type``."""
        return BASE + self.code


_ALL = (
    ProblemKind("bad-request", 400, "The request cannot be read", "Mend the request."),
    ProblemKind(
        "malformed-upload",
        400,
        "The upload is incomplete or not what it says it is",
        "The multipart body has no end, no part called file, or damaged headers. Nothing was kept.",
    ),
    ProblemKind(
        "unknown-host",
        400,
        "The server does not answer to this name",
        "The Host header names neither this machine nor a host the server was told of "
        "(--host-name). This keeps foreign pages from reaching a server on this machine.",
    ),
    ProblemKind(
        "unauthorized", 401, "A key is needed", "Send the header 'Authorization: Bearer KEY'."
    ),
    ProblemKind(
        "cross-site",
        403,
        "Another site's page asked for a change",
        "The Origin header is not this server's, nor one it was told to accept (--origin).",
    ),
    ProblemKind(
        "forbidden", 403, "This is not allowed", "Another key or another address is needed."
    ),
    ProblemKind(
        "not-found",
        404,
        "There is no such thing here",
        "The analysis was deleted, its retention time is over, or the address is mistyped.",
    ),
    ProblemKind(
        "method-not-allowed",
        405,
        "This address does not know this method",
        "The header Allow names those it knows.",
    ),
    ProblemKind(
        "upload-timeout", 408, "The upload came to a halt", "Nothing was kept. Send it again."
    ),
    ProblemKind(
        "wrong-state",
        409,
        "The analysis is not in a state that allows this",
        "Its state is in 'state'. Results are there when it is done; what has ended cannot be "
        "cancelled.",
    ),
    ProblemKind(
        "upload-under-way",
        409,
        "An upload with this key is under way",
        "Send it again when the first one has ended.",
    ),
    ProblemKind("gone", 410, "The file is no longer there", "Its retention time is over."),
    ProblemKind(
        "too-large",
        413,
        "The upload is larger than the limit",
        "Nothing was kept. The limit is in 'limit', in bytes.",
    ),
    ProblemKind(
        "unsupported-type",
        415,
        "Uploads of this content type are not read",
        "Send multipart/form-data with a part called file, or the bytes alone as "
        "application/octet-stream, audio/*, image/* or video/*.",
    ),
    ProblemKind(
        "range-not-satisfiable",
        416,
        "The range lies beyond the file",
        "The header Content-Range says how long it is.",
    ),
    ProblemKind(
        "invalid-request",
        422,
        "A value is missing or out of range",
        "The list 'errors' says where and why.",
    ),
    ProblemKind(
        "idempotency-mismatch",
        422,
        "The key was used for another recording",
        "Use a new Idempotency-Key for each recording.",
    ),
    ProblemKind(
        "too-many-requests", 429, "Too many requests", "Wait for as long as Retry-After says."
    ),
    ProblemKind(
        "too-many-uploads", 429, "Too many uploads at once", "Wait for as long as Retry-After says."
    ),
    ProblemKind("queue-full", 429, "The queue is full", "Wait for as long as Retry-After says."),
    ProblemKind(
        "too-many-streams",
        429,
        "Too many open event streams",
        "Close one, or ask for the status now and then.",
    ),
    ProblemKind("too-many-live", 429, "Too many live sessions", "Close one, or come back later."),
    ProblemKind(
        "too-many-live", 429, "Too many live sessions", "Try again when another one has ended."
    ),
    ProblemKind(
        "internal-error",
        500,
        "Something went wrong in the server",
        "Please report it with the line of the server's log that has this request_id.",
    ),
    ProblemKind(
        "store-unavailable",
        503,
        "The database does not answer",
        "It is locked, full or gone. Wait for as long as Retry-After says.",
    ),
    ProblemKind("stopping", 503, "The server is stopping", "Try again when it is back."),
    ProblemKind(
        "disk-full", 507, "The disk is full", "Nothing was kept. The server's owner must act."
    ),
)

KINDS: Mapping[str, ProblemKind] = MappingProxyType({kind.code: kind for kind in _ALL})
"""All kinds by code."""
