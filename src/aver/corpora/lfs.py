"""Git LFS pointers: what lies in a repository that was fetched without its large files."""

from __future__ import annotations

import os
from pathlib import Path

ADVICE = "Install Git LFS and run 'git lfs pull' in the repository they came with"
_HEAD = b"version https://git-lfs.github.com/spec/"
_MOST_BYTES = 1024


def is_lfs_pointer(path: str | os.PathLike[str]) -> bool:
    """Whether a file is Git LFS's note of where the real file is, and not that file."""
    try:
        # Real media are larger, so most files are told by their size alone.
        if Path(path).stat().st_size > _MOST_BYTES:
            return False
        with Path(path).open("rb") as stream:
            return stream.read(len(_HEAD)) == _HEAD
    except OSError:
        return False
