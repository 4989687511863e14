"""Settings of the server: where it keeps things, whom it lets in, what it refuses.

A setting comes from a TOML file, from the environment (``AVER_SERVER_API_KEY`` for ``api_key``),
or from the command line; the later of these wins.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from aver.errors import SettingError

ENVIRONMENT_PREFIX = "AVER_SERVER_"
_GIB = 1 << 30


class ServerSettings(BaseModel):
    """How the server runs; fixed once read, unknown names are refused.

    Attributes:
        data: folder for recordings, results and the embedded database; nobody else's.
        database_url: SQLAlchemy URL, ``sqlite:///...`` or ``postgresql+psycopg://...``; empty for
            SQLite in the data folder.
        busy_timeout_seconds: how long to wait for a locked database before saying so.
        host: address to listen on.
        port: TCP port to listen on.
        api_key: key that every request must carry; none is needed on loopback.
        allow_open: listen elsewhere than on loopback without a key.
        host_names: names that the server answers to besides ``host`` and this machine's own; needed
            behind a proxy, ``*`` for any.
        allow_origins: origins that browsers may call from (CORS); none by default.
        workers: worker processes, each analysing one recording at a time; with 0 they wait.
        threads: threads of each network.
        detector: face detector: ``auto``, ``yunet`` or ``dlib``.
        frames_per_second: frames looked at in a second of recording.
        affect: ONNX file that adds levels of arousal and valence (see ``aver analyze --affect``).
        max_upload_bytes: largest recording.
        max_upload_seconds: longest time that one upload may take.
        max_duration_seconds: longest recording.
        max_pixels: most pixels in one picture, checked before it is decoded.
        max_queued: most recordings that wait or are being uploaded or analysed at a time.
        min_free_bytes: no recording is taken where less than this would stay free on the disk.
        requests_per_minute: most requests a minute of one client (address or session).
        uploads_per_minute: most new analyses a minute of one client.
        max_live: most live sessions at a time.
        max_memory_bytes: address space of an analysing process (RLIMIT_AS).
        cpu_seconds_per_second: processor seconds that a second of recording may cost.
        cpu_seconds_floor: processor seconds that any recording may cost.
        max_file_bytes: largest file that an analysing process may write (RLIMIT_FSIZE).
        max_open_files: most files that an analysing process may have open (RLIMIT_NOFILE).
        stall_seconds: an analysis without any progress for so long is ended.
        require_isolation: refuse to analyse where a process cannot be cut off from the network.
        jobs_per_process: recordings after which an analysing process is replaced; 1 gives every
            recording a process of its own.
        max_attempts: how often an analysis is tried whose process or worker dies.
        lease_seconds: after this long without a sign of life of its worker a job is taken over.
        poll_seconds: how often idle workers look for jobs, and busy ones for cancellation.
        grace_seconds: how long a running analysis may go on when the server stops; then it is put
            back into the queue.
        retention_hours: hours after its end when a job, its recording and results are deleted;
            None keeps them.
        recording_hours: hours after the end of its job when a recording is deleted, its results
            staying; None keeps it as long as the results.
        sweep_seconds: how often the server looks for what is to be deleted.
        analysis: ``module:attribute`` of what analyses a recording; see
            :mod:`aver.server.child`. For tests, and for networks of one's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path = Path("aver-server")
    database_url: str = ""
    busy_timeout_seconds: float = Field(5.0, ge=0, le=600)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    api_key: SecretStr | None = None
    allow_open: bool = False
    host_names: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()

    workers: int = Field(1, ge=0, le=256)
    threads: int = Field(1, ge=1, le=256)
    detector: str = Field("auto", pattern="^(auto|yunet|dlib)$")
    frames_per_second: float = Field(10.0, gt=0, le=120)
    affect: str = ""

    max_upload_bytes: int = Field(2 * _GIB, ge=1)
    max_upload_seconds: float = Field(6 * 3600.0, gt=0)
    max_duration_seconds: float = Field(4 * 3600.0, gt=0)
    max_pixels: int = Field(4096 * 4096, ge=1)
    max_queued: int = Field(100, ge=1)
    min_free_bytes: int = Field(256 << 20, ge=0)
    requests_per_minute: int = Field(1200, ge=1)
    uploads_per_minute: int = Field(60, ge=1)
    max_live: int = Field(2, ge=0)

    max_memory_bytes: int = Field(4 * _GIB, ge=_GIB)
    cpu_seconds_per_second: float = Field(20.0, gt=0)
    cpu_seconds_floor: float = Field(120.0, ge=1)
    max_file_bytes: int = Field(_GIB, ge=1)
    max_open_files: int = Field(256, ge=32)
    stall_seconds: float = Field(300.0, gt=0)
    require_isolation: bool = False
    jobs_per_process: int = Field(20, ge=1)

    max_attempts: int = Field(3, ge=1)
    lease_seconds: float = Field(30.0, gt=0)
    poll_seconds: float = Field(0.2, gt=0, le=60)
    grace_seconds: float = Field(10.0, ge=0)

    retention_hours: float | None = Field(720.0, gt=0)
    recording_hours: float | None = Field(None, gt=0)
    sweep_seconds: float = Field(300.0, gt=0)

    analysis: str = Field("aver.server.analysis:Analysis", pattern=r"^[\w.]+:\w+$")

    @model_validator(mode="after")
    def _closed_unless_said(self) -> Self:
        key = self.api_key.get_secret_value() if self.api_key is not None else None
        if key is not None and len(key) < 16:
            raise ValueError("api_key is shorter than 16 characters, make one with: openssl rand")
        if key is None and not self.is_loopback and not self.allow_open:
            raise ValueError(
                f"host {self.host} can be reached from elsewhere and there is no api_key, "
                "set AVER_SERVER_API_KEY, or allow_open to let everybody in"
            )
        if self.lease_seconds < 4 * self.poll_seconds:
            raise ValueError("lease_seconds is below four times poll_seconds")
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach :attr:`host`."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def store_url(self) -> str:
        """The database's URL, with the default filled in."""
        return self.database_url or f"sqlite:///{self.data.absolute() / 'aver.sqlite3'}"

    def for_workers(self) -> str:
        """The settings as JSON without what workers have no use for: key, address."""
        return self.model_dump_json(exclude={"api_key", "host", "port", "allow_origins"})


def load_settings(
    path: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
    **chosen: Any,
) -> ServerSettings:
    """Settings from a TOML file, the environment, and what was *chosen* (None for not).

    Raises:
        SettingError: an unknown name (the nearest known one is named), a value out of range, or
            an address open to others without a key.
    """
    values: dict[str, Any] = {} if path is None else _from_file(Path(path))
    for name, value in (environment or {}).items():
        if name.startswith(ENVIRONMENT_PREFIX):
            values[name.removeprefix(ENVIRONMENT_PREFIX).lower()] = _spelled(name, value)
    values |= {name: value for name, value in chosen.items() if value is not None}
    for name in values:
        if name not in ServerSettings.model_fields:
            raise SettingError(name, "there is no such setting of the server", _nearest(name))
    try:
        return ServerSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        subject = ".".join(map(str, first["loc"])) or "server"
        problem = first["msg"].removeprefix("Value error, ")
        raise SettingError(subject, problem[:1].lower() + problem[1:]) from None


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(str(path), f"cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(str(path), f"is not TOML ({error})") from None


def _spelled(name: str, value: str) -> Any:
    """What the environment's words mean: lists are parted by commas, ``none`` is None."""
    if name in (f"{ENVIRONMENT_PREFIX}ALLOW_ORIGINS", f"{ENVIRONMENT_PREFIX}HOST_NAMES"):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return None if value.strip().lower() == "none" else value


def _nearest(name: str) -> str:
    known = sorted(ServerSettings.model_fields)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Did you mean {close[0]}?" if close else f"Known are {', '.join(known)}"
