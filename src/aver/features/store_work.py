"""Measuring many clips, in this process or in several; one bad clip never ends the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import numpy as np

from aver.errors import AverError, one_line
from aver.features.extractor import Clip, Extractor, Features

Task = tuple[int, Clip]
Outcome = tuple[int, Features | str]
"""Number of the task, and its features, or one line that says why there are none."""

_END_SECONDS = 10.0
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Item = TypeVar("Item")
Found = TypeVar("Found")

_work: Callable[[Any], Any] | None = None


def measure(extractor: Extractor, clip: Clip) -> Features | str:
    """Features of *clip*, checked, or one line that names it and says why there are none."""
    try:
        features = extractor.extract(clip)
        problem = _problem(extractor, features)
    except AverError as error:
        line = str(error)
        return line if str(clip.file) in line else f"{one_line(clip)}: {line}"
    except Exception as error:  # a bug met by one file must not cost the others
        return f"{one_line(clip)}: '{extractor.name}' failed ({one_line(repr(error))})."
    return features if problem is None else f"{one_line(clip)}: {problem}."


def _problem(extractor: Extractor, features: Features) -> str | None:
    if not len(features):
        return f"'{extractor.name}' gave no features"
    if features.values.shape[1:] != extractor.shape:
        shape = features.values.shape[1:]
        return f"'{extractor.name}' gave features of shape {shape}, not {extractor.shape}"
    wrong = ~np.isfinite(features.values)
    if not wrong.any():
        return None
    place = tuple(int(n) for n in np.argwhere(wrong)[0])
    names = extractor.names
    what = f"'{names[place[1]]}'" if names and len(place) == 2 else f"value {place[1:]}"
    kind = "not a number" if np.isnan(features.values[place]) else "infinite"
    return f"'{extractor.name}' gave {what} as {kind} at time {place[0]}; they are not stored"


def run(extractor: Extractor, tasks: Sequence[Task], jobs: int) -> Iterator[Outcome]:
    """Measure *tasks*, in order with one job, as they finish with several."""

    def broken(clip: Clip) -> Features | str:
        return f"{one_line(clip)}: measuring it ended the process."

    yield from run_all(partial(measure, extractor), tasks, jobs, broken)


def run_all(
    work: Callable[[Item], Found],
    tasks: Sequence[tuple[int, Item]],
    jobs: int,
    broken: Callable[[Item], Found],
) -> Iterator[tuple[int, Found]]:
    """Do *work* on the item of every task, here with one job, in processes with several.

    Args:
        work: what to do; it must never raise, and be of a kind that can be pickled.
        tasks: number and item of each.
        jobs: processes.
        broken: what stands for an item that ended its process (out of memory, a crash in a codec).

    Yields:
        Number and outcome, in order with one job, as they finish with several.
    """
    if jobs <= 1:
        for number, item in tasks:
            yield number, work(item)
        return
    waiting = deque(tasks)
    while waiting:
        suspects = yield from _run_pool(work, waiting, min(jobs, len(waiting)))
        for task in suspects:
            # One of these ended its process. Alone, each shows whether it was the one.
            alone = deque([task])
            if (yield from _run_pool(work, alone, 1)):
                yield task[0], broken(task[1])


def _run_pool(
    work: Callable[[Item], Found], waiting: deque[tuple[int, Item]], jobs: int
) -> Generator[tuple[int, Found], None, list[tuple[int, Item]]]:
    """Take tasks from *waiting*; return those that were under way when a process ended."""
    pool = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(work,)
    )
    running: dict[Future[Found], tuple[int, Item]] = {}
    others = set(multiprocessing.active_children())
    try:
        with _one_thread_each():
            while waiting or running:
                while waiting and len(running) < 2 * jobs:
                    running[pool.submit(_do, waiting[0][1])] = waiting[0]
                    waiting.popleft()
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    outcome = future.result()
                    yield running.pop(future)[0], outcome
    except BrokenProcessPool:
        # The other processes are only now being ended. Until they are, one may still write what
        # is about to be tried again.
        for process in set(multiprocessing.active_children()) - others:
            process.join(_END_SECONDS)
        return list(running.values())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return []


def _begin(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    # Ctrl-C is for the parent, which stops us; a parent that was killed cannot, so we look.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(item: Any) -> Any:
    assert _work is not None
    return _work(item)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started in here compute with one thread each, unless the user says otherwise."""
    added = [name for name in _THREAD_SETTINGS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
