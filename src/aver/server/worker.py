"""A worker: ``python -m aver.server.worker``, claims jobs and has them analysed, one at a time.

It keeps an analysing process (:mod:`aver.server.child`) with its networks loaded, gives it one
recording after the other, and replaces it after a number of them and after any trouble. It ends
when its standard input ends, which is when its supervisor dies, or when it is asked to.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from aver.server.attempt import Attempt, StoppedError
from aver.server.files import JobFiles, remove
from aver.server.jobs import Job, Problem
from aver.server.locks import FileLock
from aver.server.logs import log, log_error, set_up
from aver.server.names import IN, OUT, RECORDING, TIMELINE, WORKER_LOCK
from aver.server.process import AnalysisProcess, problem_for
from aver.server.settings import ServerSettings
from aver.server.store import Store
from aver.server.store_errors import LeaseLostError, StoreUnavailableError

FULL = (errno.ENOSPC, errno.EDQUOT)
_RETRY_SECONDS = 0.5
_LATER_SECONDS = 5.0
_TRANSIENT = {"crashed": 0.0, "stalled": 0.0, "disk_full": _LATER_SECONDS}
"""What may pass, so that another attempt is worth it, and after how many seconds."""


class Worker:
    """Claims jobs until it is stopped.

    Args:
        settings: of the server.
        name: of this worker, no other's; also its folder's name.
        store: where jobs are.
    """

    def __init__(self, settings: ServerSettings, name: str, store: Store):
        self.settings = settings
        self.name = name
        self.store = store
        self.files = JobFiles(settings.data)
        self.folder = self.files.work / name
        self._own = self.folder / "process"
        self._lock = FileLock(self.folder / WORKER_LOCK)
        self._stop = threading.Event()
        self._grace_ends = float("inf")
        self._process: AnalysisProcess | None = None

    def stop(self) -> None:
        """Take no more jobs; a running one is put back when the time of grace is over."""
        ends = time.monotonic() + self.settings.grace_seconds
        self._grace_ends = min(self._grace_ends, ends)
        self._stop.set()

    def run(self) -> None:
        """Work until :meth:`stop`."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock.acquire()
        try:
            while not self._stop.is_set():
                if not self._work_once():
                    self._stop.wait(self.settings.poll_seconds)
        finally:
            self._end_process()
            shutil.rmtree(self.folder, ignore_errors=True)
            self._lock.release()

    def _work_once(self) -> bool:
        """Claim a job and see it through; False where there is none, or no database."""
        try:
            # Before a job is claimed: the time to load is nobody's, and a failure no attempt.
            self._running_process()
        except OSError as error:
            log_error("process cannot be started", error, worker=self.name)
            self._stop.wait(_LATER_SECONDS)
            return False
        try:
            job = self.store.claim(
                self.name,
                lease_seconds=self.settings.lease_seconds,
                max_attempts=self.settings.max_attempts,
            )
        except StoreUnavailableError as error:
            log("store unavailable", worker=self.name, reason=error.problem)
            self._stop.wait(_RETRY_SECONDS)
            return False
        if job is None:
            return False
        begun = time.monotonic()
        try:
            ended = self._see_through(job)
            seconds = round(time.monotonic() - begun, 3)
            code = ended.problem.code if ended.problem else None
            log("job ended", job=job.id, state=ended.state, code=code, seconds=seconds)
        except LeaseLostError:
            log("job lost", job=job.id)
            self._end_process()
        return True

    def _see_through(self, job: Job) -> Job:
        """Have it analysed and tell the store; the job as it is then.

        Raises:
            LeaseLostError: it is not this worker's any more.
        """
        process = self._running_process()
        try:
            if self._hand_over(job):
                problem = Attempt(self.settings, self.store, job, process, self._must_stop).run()
            else:
                problem = problem_for("recording_missing")
            if problem is None:
                return self._finished(job)
        except StoppedError:
            self._end_process()
            return self._patiently(lambda: self.store.put_back(job.id, lease=job.lease))
        except OSError as error:
            log_error("files of a job", error, job=job.id)
            problem = problem_for("disk_full" if error.errno in FULL else "not_written")
        finally:
            self._clear()
        return self._failed(job, problem, process)

    def _hand_over(self, job: Job) -> bool:
        """Put the recording where the analysing process may read it; False where it is gone."""
        place = self._own / IN / RECORDING
        source = self.files.recording(job.id)
        try:
            os.link(source, place, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError:  # a file system without hard links
            shutil.copyfile(source, place, follow_symlinks=False)
        return True

    def _finished(self, job: Job) -> Job:
        result = self._own / OUT / TIMELINE
        is_there = False

        def publish() -> None:
            nonlocal is_there
            if not is_there:  # the database may have failed after that, and is told again
                self.files.publish(job.id, result)
                is_there = True

        return self._patiently(lambda: self.store.finish(job.id, lease=job.lease, publish=publish))

    def _failed(self, job: Job, problem: Problem, process: AnalysisProcess) -> Job:
        """Tell why, or that it is worth another attempt; the process is not trusted any more."""
        self._end_process()
        wait = _TRANSIENT.get(problem.code)
        if problem.code == "limit_memory" and not process.is_fresh:
            wait = 0.0  # what earlier recordings left behind may have been too much
        log("attempt failed", job=job.id, code=problem.code, attempt=job.attempts)
        if wait is None:
            return self._patiently(lambda: self.store.fail(job.id, problem, lease=job.lease))
        return self._patiently(
            lambda: self.store.retry_or_fail(
                job.id,
                problem,
                lease=job.lease,
                max_attempts=self.settings.max_attempts,
                wait_seconds=wait,
            )
        )

    def _patiently(self, tell: Callable[[], Job]) -> Job:
        """Tell the store as soon as it can be reached."""
        while True:
            try:
                return tell()
            except StoreUnavailableError as error:
                log("store unavailable", worker=self.name, reason=error.problem)
                if self._must_stop():
                    # Nothing is lost: the lease runs out, and somebody else takes the job.
                    raise LeaseLostError("job") from error
            time.sleep(_RETRY_SECONDS)

    def _must_stop(self) -> bool:
        return time.monotonic() > self._grace_ends

    def _running_process(self) -> AnalysisProcess:
        """The analysing process; a new one where there is none, it died, or it had its share."""
        process = self._process
        if process is None or process.jobs_left < 1 or not process.is_alive:
            self._end_process()
            if self._own.exists():
                remove(self._own)
            self._process = process = AnalysisProcess(self.settings, self._own)
        return process

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    def _clear(self) -> None:
        """Take away the recording, and what is left in the process' folder."""
        for folder in (self._own / IN, self._own / OUT):
            with suppress(OSError):
                for entry in list(folder.iterdir()):
                    remove(entry)


def main() -> None:
    """Entry point: settings come as one line of JSON on standard input."""
    name, level = sys.argv[1], sys.argv[2]
    set_up(level)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        settings = ServerSettings.model_validate_json(sys.stdin.readline())
        store = Store(settings.store_url, busy_timeout_seconds=settings.busy_timeout_seconds)
    except StoreUnavailableError as error:
        log("store unavailable", worker=name, reason=error.problem)
        sys.exit(1)
    worker = Worker(settings, name, store)

    def asked_to_stop(number: int, frame: object) -> None:
        # Not from here: the signal may have come while the event's own lock was held.
        threading.Thread(target=worker.stop).start()

    def until_orphaned() -> None:
        while os.read(0, 4096):  # not sys.stdin, whose lock would be held when Python ends
            pass
        log("supervisor gone", worker=name)
        worker.stop()

    signal.signal(signal.SIGTERM, asked_to_stop)
    threading.Thread(target=until_orphaned, daemon=True).start()
    try:
        worker.run()
    except Exception as error:
        log_error("worker ended", error, worker=name)
        sys.exit(1)


if __name__ == "__main__":
    main()
