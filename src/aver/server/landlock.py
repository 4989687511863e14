"""Landlock: a process gives up, for good, all files but those it names (Linux 5.13 and later).

https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_CREATE, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION_FLAG = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_READ_ONE_FILE = _EXECUTE | _READ_FILE
_RIGHTS_OF_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
_NO_DEVICES = ~((1 << 6) | (1 << 9) | (1 << 10) | (1 << 11))


def restrict(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Keep this thread, and those it starts, to *readable* and *writable*; whether that worked.

    Paths that are not there are passed over.

    Raises:
        OSError: if the kernel refuses.
    """
    version = _call(_CREATE, None, 0, _VERSION_FLAG, expected=True)
    if version < 1:
        return False
    rights = _RIGHTS_OF_VERSION[min(version, max(_RIGHTS_OF_VERSION))]
    handled = struct.pack("Q", rights)
    rules = _call(_CREATE, handled, len(handled), 0)
    try:
        for path in readable:
            _allow(rules, path, _READ, _READ_ONE_FILE)
        for path in writable:
            _allow(rules, path, rights & _NO_DEVICES & ~_EXECUTE, _READ_FILE | _WRITE_FILE)
        _call(_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)
    return True


def _allow(rules: int, path: Path, of_folder: int, of_file: int) -> None:
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = struct.pack("=Qi", of_folder if path.is_dir() else of_file, descriptor)
            _call(_ADD_RULE, rules, _PATH_BENEATH, rule, 0)
        finally:
            os.close(descriptor)


def _call(number: int, *arguments: int | bytes | None, expected: bool = False) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    given = [
        ctypes.c_char_p(a) if isinstance(a, bytes | None) else ctypes.c_long(a) for a in arguments
    ]
    result = int(libc.syscall(ctypes.c_long(number), *given))
    if result < 0:
        if expected:
            return 0
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
