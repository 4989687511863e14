"""Hashes of files' contents, remembered by path, size and time of change."""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from aver.errors import MediaError

# A file changed so lately could change again without its time of change showing it.
_SETTLED_SECONDS = 2.0


class HashCache:
    """SHA-256 of files; every process adds lines to one file, and reads past lines cut short.

    Args:
        path: the file that remembers; None to remember nothing beyond this object.
    """

    def __init__(self, path: Path | None):
        self._path = path
        self._known: dict[tuple[str, int, int], str] = {}
        self._new: list[str] = []
        if path is None:
            return
        try:
            lines = path.read_text("utf-8", "replace").splitlines()
        except OSError:
            return
        for line in lines:
            with suppress(ValueError, TypeError):
                name, size, changed, digest = json.loads(line)
                if len(bytes.fromhex(digest)) == 32:
                    self._known[(name, size, changed)] = digest

    def of(self, path: Path) -> str:
        """SHA-256 of the bytes of *path*, in hexadecimal.

        Raises:
            MediaError: if it cannot be read.
        """
        try:
            status = path.stat()
            entry = (str(path.absolute()), status.st_size, status.st_mtime_ns)
            known = self._known.get(entry)
            if known is not None:
                return known
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise MediaError(path, "there is no such file", "Correct the manifest") from None
        except OSError as error:
            problem = f"it cannot be read ({error.strerror or error})"
            raise MediaError(path, problem, "Check the disk and the file's rights") from None
        if time.time() - status.st_mtime > _SETTLED_SECONDS:
            self._known[entry] = digest
            self._new.append(json.dumps([*entry, digest]))
        return digest

    def save(self) -> None:
        """Append what is new; a cache that cannot be written is no harm."""
        if self._path is None or not self._new:
            return
        # The first line break ends a line that another process may have been stopped in.
        text = "\n" + "\n".join(self._new) + "\n"
        with suppress(OSError):
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(handle, text.encode())
            finally:
                os.close(handle)
        self._new.clear()
