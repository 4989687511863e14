"""The supervisor: keeps worker processes running, and sweeps what is to be deleted.

It runs in the process that answers requests, in two threads of its own. Workers are processes of
their own, so that no recording, and no worker's end, can stop the answers.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from aver.server.files import JobFiles
from aver.server.locks import FileLock
from aver.server.logs import LOGGER, log, log_error
from aver.server.process import check_networks
from aver.server.retention import Sweeper
from aver.server.settings import ServerSettings
from aver.server.store import Store
from aver.server.store_errors import StoreUnavailableError

LOCK = "server.lock"
_WATCH_SECONDS = 0.2
_STEADY_SECONDS = 10.0
_LONGEST_WAIT_SECONDS = 30.0


@dataclass
class _Place:
    """Where a worker belongs: the process that is there now, and how it went before."""

    name: str = ""
    popen: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    early_ends: int = 0
    next_start: float = 0.0


@dataclass(frozen=True)
class SupervisorStatus:
    """How the workers are.

    Attributes:
        wanted: workers there should be.
        alive: workers there are.
        ended: workers that ended without being asked to, since the start.
        pids: their process ids.
    """

    wanted: int
    alive: int
    ended: int
    pids: tuple[int, ...] = field(default=())


class Supervisor:
    """Starts and watches the workers.

    Args:
        settings: of the server.
        store: where jobs are.
    """

    def __init__(self, settings: ServerSettings, store: Store):
        self.settings = settings
        self.store = store
        self.files = JobFiles(settings.data)
        self._lock = FileLock(self.files.data / LOCK)
        self._places = [_Place() for _ in range(settings.workers)]
        self._ended = 0
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start the workers, and the threads that look after them.

        Raises:
            AverError: another server uses the data folder, or it belongs to another database.
            ModelError: a network of the analysis is missing.
            StoreUnavailableError: the database cannot be reached.
        """
        check_networks(self.settings)
        self.files.prepare(self.store.store_id)
        self._lock.__enter__()
        try:
            sweeper = Sweeper(self.settings, self.store)
            sweeper.after_start()
            for place in self._places:
                self._start_worker(place)
        except BaseException:
            self._lock.release()
            raise
        for work in (self._watch, lambda: sweeper.run(self._stopping)):
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Ask the workers to end, wait for the time of grace, then kill what is left."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=5)
        running = [place for place in self._places if place.popen is not None]
        for place in running:
            assert place.popen is not None
            with suppress(ProcessLookupError):
                place.popen.send_signal(signal.SIGTERM)
        patience = time.monotonic() + self.settings.grace_seconds + 5
        for place in running:
            assert place.popen is not None
            try:
                place.popen.wait(max(0.1, patience - time.monotonic()))
            except subprocess.TimeoutExpired:
                place.popen.kill()
                place.popen.wait()
                self._abandon(place.name)
            self._close(place)
        self._lock.release()

    def status(self) -> SupervisorStatus:
        """How the workers are now."""
        alive = [p.popen.pid for p in self._places if p.popen and p.popen.poll() is None]
        return SupervisorStatus(len(self._places), len(alive), self._ended, tuple(alive))

    def _watch(self) -> None:
        while not self._stopping.wait(_WATCH_SECONDS):
            for place in self._places:
                try:
                    self._look_after(place)
                except Exception as error:
                    # Whatever it was, the other workers must still be looked after.
                    log_error("supervisor", error)

    def _look_after(self, place: _Place) -> None:
        if place.popen is not None and place.popen.poll() is not None:
            self._ended += 1
            status = place.popen.returncode
            log("worker ended", worker=place.name, status=status)
            self._abandon(place.name)
            lived = time.monotonic() - place.started
            place.early_ends = 0 if lived > _STEADY_SECONDS else place.early_ends + 1
            wait = 0.0 if place.early_ends < 2 else 2.0 ** (place.early_ends - 2)
            place.next_start = time.monotonic() + min(_LONGEST_WAIT_SECONDS, wait)
            self._close(place)
        if place.popen is None and time.monotonic() >= place.next_start:
            self._start_worker(place)

    def _abandon(self, name: str) -> None:
        """Free a dead worker's job now; if that fails, its lease will run out."""
        try:
            freed = self.store.abandon(name, max_attempts=self.settings.max_attempts)
        except StoreUnavailableError as error:
            log("store unavailable", reason=error.problem)
        else:
            if freed:
                log("job freed", worker=name, jobs=freed)

    def _start_worker(self, place: _Place) -> None:
        host = "".join(c for c in socket.gethostname() if c.isalnum() or c == "-")[:40]
        place.name = f"{host}-{os.getpid()}-{secrets.token_hex(4)}"
        level = logging.getLevelName(LOGGER.getEffectiveLevel()).lower()
        place.started = time.monotonic()
        # A session of its own: Ctrl-C in a terminal is for the server, which then asks it to end.
        place.popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "aver.server.worker", place.name, level],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        assert place.popen.stdin is not None
        with suppress(BrokenPipeError):  # its end is noticed later
            place.popen.stdin.write(self.settings.for_workers().encode() + b"\n")
            place.popen.stdin.flush()
        log("worker started", worker=place.name, pid=place.popen.pid)

    @staticmethod
    def _close(place: _Place) -> None:
        if place.popen is not None and place.popen.stdin is not None:
            with suppress(OSError):
                place.popen.stdin.close()
        place.popen = None
