"""What can go wrong between the server and its store of jobs."""

from __future__ import annotations

from aver.errors import AverError


class StoreUnavailableError(AverError):
    """The database is locked, gone or unreachable; the same request may work later (HTTP 503)."""

    def __init__(self, problem: str, advice: str = "Try again in a moment"):
        super().__init__(problem, advice, subject="database")


class StoreMismatchError(AverError):
    """The database is not one that this server can use: of a newer version, or another's."""


class NoSuchJobError(AverError):
    """There is no job of that name, or no more (HTTP 404)."""

    def __init__(self, job_id: str):
        super().__init__("there is no such analysis", "It may have been deleted", subject=job_id)


class WrongStateError(AverError):
    """The job's state does not allow what was asked for (HTTP 409)."""

    def __init__(self, job_id: str, state: str, wanted: str):
        self.state = state
        super().__init__(f"the analysis is {state}, {wanted}", subject=job_id)


class LeaseLostError(AverError):
    """The job is not this worker's any more: cancelled, deleted, or taken over by another."""

    def __init__(self, job_id: str):
        super().__init__("the analysis is not this worker's any more", subject=job_id)


class QueueFullError(AverError):
    """Too many recordings wait already (HTTP 429 or 503)."""

    def __init__(self, most: int):
        super().__init__(
            f"{most} recordings are waiting or being analysed already",
            "Try again when some are done",
            subject="queue",
        )
