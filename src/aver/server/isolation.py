"""Cutting a process off: no network, no new privileges, no files but its own folder.

Linux offers this to every process without rights of any kind. Each measure is tried by itself, as
containers and old kernels take some of them away; :func:`isolate` says which ones hold. Must be
called while the process has one thread.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

MEASURES = ("no_new_privileges", "namespace", "landlock", "seccomp")
"""All measures, in the order they are taken."""

NETWORK = frozenset({"namespace", "seccomp"})
"""Either of these measures takes the network away."""

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 22, 4, 38
_SECCOMP_MODE_FILTER = 2
_EACCES = 13

# Numbers of the system calls that are refused: those that reach other machines or processes.
_ARCHITECTURES = {
    "x86_64": (0xC000003E, {"socket": 41, "ptrace": 101, "readv": 310, "writev": 311}),
    "aarch64": (0xC00000B7, {"socket": 198, "ptrace": 117, "readv": 270, "writev": 271}),
}
_IO_URING_SETUP, _IO_URING_REGISTER = 425, 427


def isolate(readable: Iterable[Path] | None = None, writable: Iterable[Path] = ()) -> list[str]:
    """Cut this process off.

    Args:
        readable: folders and files it may read from now on; None for no such limit.
        writable: folders that it may also write to.

    Returns:
        Names of the measures that hold: ``no_new_privileges``, ``namespace`` (a network of its
        own with nothing in it), ``seccomp`` (no sockets), ``landlock`` (no other files). None of
        them where the system is not Linux.
    """
    if sys.platform != "linux":
        return []
    measures: list[tuple[str, Callable[[], bool]]] = [
        ("no_new_privileges", _no_new_privileges),
        ("namespace", _own_network),
    ]
    if readable is not None:
        from aver.server.landlock import restrict

        folders, own = list(readable), list(writable)
        measures.append(("landlock", lambda: restrict(folders, own)))
    measures.append(("seccomp", _no_sockets))
    holding = []
    for name, measure in measures:
        with suppress(OSError, AttributeError):
            if measure():
                holding.append(name)
    return holding


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the one that started it, *parent*, dies."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _no_new_privileges() -> bool:
    libc = _libc()
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # nobody else's debugger reads its memory
    return bool(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)


def _own_network() -> bool:
    user, group = os.getuid(), os.getgid()
    libc = _libc()
    # A process that may not be dumped cannot write its own maps of users.
    libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    try:
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
            # The same names for user and group as before; without them they would be nobody's.
            with suppress(OSError):
                Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
            for kind, number in (("uid", user), ("gid", group)):
                with suppress(OSError):
                    Path(f"/proc/self/{kind}_map").write_text(
                        f"{number} {number} 1", encoding="ascii"
                    )
            return True
        return bool(libc.unshare(_CLONE_NEWNET) == 0)
    finally:
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _no_sockets() -> bool:
    """A filter of system calls (seccomp(2)): every way to a socket answers EACCES."""
    known = _ARCHITECTURES.get(platform.machine())
    if known is None:
        return False
    architecture, numbers = known
    refused = [*numbers.values(), _IO_URING_SETUP, _IO_URING_REGISTER]
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    refuse, allow = 0x00050000 | _EACCES, 0x7FFF0000
    steps = [(load, 0, 0, 4), (equal, 0, len(refused) + 3, architecture), (load, 0, 0, 0)]
    # x86-64 has a second set of numbers from 0x40000000 on, which nothing here uses.
    steps.append((at_least, len(refused) + 1, 0, 0x40000000))
    for place, number in enumerate(refused):
        steps.append((equal, len(refused) - place, 0, number))
    # The last comparison falls through to "allow", a match jumps past it.
    steps += [(answer, 0, 0, allow), (answer, 0, 0, refuse)]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(steps), ctypes.cast(buffer, ctypes.c_void_p))
    found = _libc().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
    return bool(found == 0)
