"""Deleting what is to be kept no longer, and what crashes left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from aver.errors import AverError
from aver.server.files import JobFiles, remove
from aver.server.locks import FileLock
from aver.server.logs import log, log_error
from aver.server.names import WORKER_LOCK
from aver.server.settings import ServerSettings
from aver.server.store import Store
from aver.server.store_errors import NoSuchJobError, StoreUnavailableError

_HOUR = 3600.0
_ORPHAN_SECONDS = 600.0
"""Folders without a job are left alone for so long; the row is written before the folder."""


class Sweeper:
    """Deletes recordings and results after their time, and orphans.

    Args:
        settings: of the server.
        store: where jobs are.
        clock: gives seconds since 1970.
    """

    def __init__(
        self, settings: ServerSettings, store: Store, clock: Callable[[], float] = time.time
    ):
        self.settings = settings
        self.store = store
        self.files = JobFiles(settings.data)
        self._clock = clock

    def run(self, stopping: threading.Event) -> None:
        """Sweep every now and then until *stopping* is set."""
        while True:
            try:
                self.sweep()
            except StoreUnavailableError as error:
                log("store unavailable", reason=error.problem)
            except Exception as error:
                log_error("sweep", error)  # what is to be deleted is so the next time
            if stopping.wait(self.settings.sweep_seconds):
                return

    def after_start(self) -> None:
        """Delete what uploads of a server that died left: nobody can go on with them.

        Only one server uses a data folder at a time, so what is uploading now is an orphan.
        """
        self._uploads_before(self._clock())
        self.orphans(0.0)

    def sweep(self) -> None:
        """Delete all whose time has come."""
        now = self._clock()
        if self.settings.retention_hours is not None:
            for job_id in self.store.ended_before(now - _HOUR * self.settings.retention_hours):
                self.delete(job_id, "retention")
        if self.settings.recording_hours is not None:
            before = now - _HOUR * self.settings.recording_hours
            for job_id in self.store.with_recording_before(before):
                self._delete_recording(job_id)
        self._uploads_before(now - self.settings.max_upload_seconds)
        self.orphans(_ORPHAN_SECONDS)

    def delete(self, job_id: str, reason: str) -> None:
        """Delete a job and everything of it; deleting it twice is no error."""
        with suppress(NoSuchJobError):
            self.store.delete(job_id)
        self._erase(job_id, reason)

    def orphans(self, older_than: float) -> None:
        """Delete folders that no job has, if nothing changed in them for *older_than* seconds."""
        before = self._clock() - older_than
        found = [job_id for job_id, changed in self.files.folders() if changed <= before]
        known = self.store.all_ids() if found else frozenset()
        for job_id in found:
            if job_id not in known:
                self._erase(job_id, "orphan")
        left = self.files.empty_trash()
        if left:
            log("trash cannot be emptied", left=left)
        self._folders_of_dead_workers(before)

    def _uploads_before(self, moment: float) -> None:
        for job_id in self.store.uploading_before(moment):
            if self.store.delete_uploading(job_id):
                self._erase(job_id, "upload broken off")

    def _delete_recording(self, job_id: str) -> None:
        try:
            self.files.erase_recording(job_id)
            self.store.recording_erased(job_id)
            log("recording deleted", job=job_id)
        except NoSuchJobError:
            pass
        except AverError as error:
            log("cannot be deleted", job=job_id, reason=error.problem)

    def _erase(self, job_id: str, reason: str) -> None:
        try:
            self.files.erase(job_id)
            log("deleted", job=job_id, reason=reason)
        except AverError as error:
            # Its row is gone, so the folder is an orphan now and tried again at the next sweep.
            log("cannot be deleted", job=job_id, reason=error.problem)

    def _folders_of_dead_workers(self, before: float) -> None:
        """They may hold recordings that were being analysed."""
        for folder, changed in self.files.worker_folders():
            if changed > before:
                continue
            lock = FileLock(folder / WORKER_LOCK)
            try:
                if lock.acquire():
                    remove(folder)
            except OSError as error:
                log("cannot be deleted", worker=folder.name, reason=error.strerror)
            finally:
                lock.release()
