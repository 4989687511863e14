"""The documents of the API: their JSON, and the models that describe it in OpenAPI."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aver.server.jobs import Job, State
from aver.timeline import Person

ANALYSES = "/v1/analyses"


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")


class JobProblem(_Document):
    """Why an analysis failed."""

    code: str = Field(examples=["unreadable_recording"])
    title: str
    detail: str


class Links(_Document):
    """Addresses of what belongs to an analysis; null for what is not there (yet, or any more)."""

    self: str
    events: str
    recording: str | None
    result: str | None
    people: str | None


class Analysis(_Document):
    """One analysis."""

    id: str = Field(description="Random; whoever knows it and the key can read the analysis.")
    name: str = Field(description="The recording's name.")
    state: State
    progress: float = Field(ge=0, le=1)
    seconds_done: float = Field(ge=0, description="Seconds of the recording that are analysed.")
    seconds_total: float | None = Field(description="Length of the recording in seconds.")
    created: datetime
    started: datetime | None
    finished: datetime | None
    problem: JobProblem | None
    size: int | None = Field(description="Bytes of the recording.")
    sha256: str | None = Field(description="Hexadecimal digest of the recording.")
    links: Links


class Analyses(_Document):
    """Some analyses, newest first."""

    items: list[Analysis]
    next: str | None = Field(description="Address of the next page; null on the last.")


class ThumbnailLink(_Document):
    """A face at one of the person's strongest moments."""

    time: float = Field(description="Seconds on the recording's clock.")
    label: str = Field(description="The label that was strongest then.")
    score: float = Field(ge=0, le=1)
    href: str


class PersonSeen(_Document):
    """Somebody seen in the recording."""

    id: int = Field(ge=1)
    name: str | None = Field(description="As somebody named them; null for nobody did.")
    first_seen: float
    last_seen: float
    seconds_seen: float
    quality: float = Field(ge=0, le=1)
    thumbnails: list[ThumbnailLink]


class People(_Document):
    """Everybody seen in the recording."""

    items: list[PersonSeen]


class PersonName(_Document):
    """A name for somebody; null or empty takes it away."""

    name: str | None = Field(max_length=100)


class InvalidValue(_Document):
    """A value that is missing or out of range."""

    place: str = Field(alias="in", examples=["query"])
    name: str
    problem: str


class ProblemDocument(BaseModel):
    """Problem details (RFC 9457)."""

    model_config = ConfigDict(title="Problem", extra="allow")

    type: str = Field(description="Address of an explanation.", examples=["/v1/problems/not-found"])
    title: str
    status: int
    detail: str
    request_id: str | None = Field(None, description="Also in the server's log.")
    errors: list[InvalidValue] | None = Field(None, description="Of `invalid-request`.")


class Health(_Document):
    """Whether the server is well."""

    status: str = Field(examples=["ok"])
    checks: dict[str, str]


def job_document(job: Job) -> dict[str, Any]:
    """JSON of a job, as :class:`Analysis` describes it."""
    base = f"{ANALYSES}/{job.id}"
    done = job.state == "done"
    has_recording = job.state != "uploading" and job.size is not None and not job.recording_erased
    problem = job.problem
    return {
        "id": job.id,
        "name": job.name,
        "state": job.state,
        "progress": job.progress,
        "seconds_done": job.seconds_done,
        "seconds_total": job.seconds_total,
        "created": job.created.isoformat(),
        "started": None if job.started is None else job.started.isoformat(),
        "finished": None if job.finished is None else job.finished.isoformat(),
        "problem": None
        if problem is None
        else {"code": problem.code, "title": problem.title, "detail": problem.detail},
        "size": job.size,
        "sha256": job.sha256,
        "links": {
            "self": base,
            "events": f"{base}/events",
            "recording": f"{base}/recording" if has_recording else None,
            "result": f"{base}/result" if done else None,
            "people": f"{base}/people" if done else None,
        },
    }


def person_document(job_id: str, person: Person, name: str | None) -> dict[str, Any]:
    """JSON of somebody, as :class:`PersonSeen` describes it."""
    base = f"{ANALYSES}/{job_id}/people/{person.id}/thumbnail"
    return {
        "id": person.id,
        "name": name,
        "first_seen": person.first_seen,
        "last_seen": person.last_seen,
        "seconds_seen": person.seconds_seen,
        "quality": person.quality,
        "thumbnails": [
            {"time": t.time, "label": t.label, "score": t.score, "href": f"{base}?index={index}"}
            for index, t in enumerate(person.thumbnails)
        ],
    }
