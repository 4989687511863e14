"""Folders that results go into."""

from __future__ import annotations

from pathlib import Path

from aver.errors import OutputError

_ANOTHER = "Choose another folder with --out"


def make_folder(out: Path) -> None:
    """Make the output folder where it is missing.

    Raises:
        OutputError: if it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(out, f"cannot be made ({error.strerror})", _ANOTHER) from error


def make_writable_folder(out: Path) -> None:
    """Like :func:`make_folder`, and refuse one that cannot be written before any work is done.

    Raises:
        OutputError: if it cannot be made or written.
    """
    import os

    make_folder(out)
    if not os.access(out, os.W_OK | os.X_OK):
        raise OutputError(out, "cannot be written", _ANOTHER)
