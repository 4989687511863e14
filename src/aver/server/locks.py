"""Locks that end with the process that holds them, however it ends (flock(2))."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from aver.errors import AverError


class FileLock:
    """A lock on a file; the file stays, the lock goes with the process at the latest.

    Args:
        path: of the file, made where it is missing.
    """

    def __init__(self, path: Path):
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock; False where another process has it.

        Raises:
            OSError: the file cannot be opened.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock up."""
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        if not self.acquire():
            raise AverError(
                "another server uses this data folder", "Stop it first", subject=self.path.parent
            )
        return self

    def __exit__(self, *error: object) -> None:
        self.release()
