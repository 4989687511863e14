"""One attempt at one job: hand it to the analysing process, watch, tell the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aver.server.jobs import Job, Problem
from aver.server.logs import log
from aver.server.process import START_SECONDS, TITLES, AnalysisProcess, code_of_death, problem_for
from aver.server.settings import ServerSettings
from aver.server.store import Store
from aver.server.store_errors import StoreUnavailableError

_BEAT_SECONDS = 0.5


class StoppedError(Exception):
    """The worker has to stop before the analysis has ended."""


class Attempt:
    """Watches over the analysis of a job.

    Args:
        settings: of the server.
        store: where the job is.
        job: with its lease.
        process: to analyse it.
        must_stop: whether the worker has no time left.
    """

    def __init__(
        self,
        settings: ServerSettings,
        store: Store,
        job: Job,
        process: AnalysisProcess,
        must_stop: Callable[[], bool],
    ):
        self._settings = settings
        self._store = store
        self._job = job
        self._process = process
        self._must_stop = must_stop
        self._done: tuple[float, float | None] = (0.0, None)
        self._begun = False
        self._last_news = time.monotonic()
        self._next_beat = self._last_news

    def run(self) -> Problem | None:
        """Wait until the analysis ends; None if it went well.

        Raises:
            LeaseLostError: the job was cancelled, deleted or taken over.
            StoppedError: the worker must stop.
        """
        self._begin_when_ready()
        while True:
            for event in self._process.events(self._settings.poll_seconds):
                match event["event"]:
                    case "ready":
                        self._last_news = time.monotonic()
                        log("process ready", isolation=self._process.isolation)
                        self._begin_when_ready()
                    case "progress":
                        self._heard(event)
                    case "done":
                        self._beat()  # so that a short recording's length is known as well
                        return None
                    case "problem":
                        return self._problem(event)
                    case "died":
                        return problem_for(code_of_death(event["signal"]))
            if self._must_stop():
                raise StoppedError
            now = time.monotonic()
            patience = self._settings.stall_seconds if self._begun else START_SECONDS
            if now - self._last_news > patience:
                return problem_for("stalled")
            if now >= self._next_beat:
                self._beat()

    def _begin_when_ready(self) -> None:
        if self._process.is_ready and not self._begun:
            self._begun = True
            self._process.analyze(self._job.name, self._job.options)

    def _heard(self, event: dict[str, Any]) -> None:
        if event["done"] > self._done[0]:
            self._last_news = time.monotonic()
        self._done = event["done"], event["total"]

    def _problem(self, event: dict[str, Any]) -> Problem:
        code = event["code"] if event["code"] in TITLES else "internal"
        if event["places"]:
            log("analysis failed", job=self._job.id, code=code, places=event["places"])
        return problem_for(code, event["detail"])

    def _beat(self) -> None:
        """Say that the job is worked on, and how far it is."""
        lease = self._settings.lease_seconds
        self._next_beat = time.monotonic() + min(_BEAT_SECONDS, lease / 4)
        try:
            self._store.progress(
                self._job.id, *self._done, lease=self._job.lease, lease_seconds=lease
            )
        except StoreUnavailableError as error:
            # The analysis goes on: when the database is back in time, nothing was lost.
            log("store unavailable", job=self._job.id, reason=error.problem)
