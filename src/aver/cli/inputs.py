"""From what was typed to a list of recordings: files, folders and patterns."""

from __future__ import annotations

import errno
import glob
import os
from collections.abc import Iterable
from pathlib import Path

from aver.errors import MediaError

MEDIA_SUFFIXES = frozenset(
    ".3g2 .3gp .aac .ac3 .aif .aiff .amr .asf .avi .bmp .caf .dv .f4v .flac .flv .gif .jpeg .jpg "
    ".m2ts .m4a .m4b .m4v .mj2 .mka .mkv .mov .mp2 .mp3 .mp4 .mpeg .mpg .mts .mxf .oga .ogg .ogv "
    ".opus .png .rm .spx .tif .tiff .ts .vob .wav .weba .webm .webp .wma .wmv".split()
)
"""Suffixes looked for in folders. A file named on the command line is tried whatever it is."""


def expand(typed: Iterable[str]) -> tuple[list[Path], list[MediaError]]:
    """Expand folders (recursively, media suffixes only) and patterns; keep order, drop repeats.

    Returns:
        The recordings, and an error for each folder or pattern that holds none and each name
        that can be no file's.
    """
    found: dict[Path, None] = {}
    problems: list[MediaError] = []
    for text in typed:
        if not text:  # an unset shell variable; Path("") would be the current folder
            problems.append(MediaError("''", "is no name", "Name a file, a folder or a pattern"))
            continue
        path = Path(text)
        try:
            path.stat()
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                short = f"{text[:60]}..."
                problems.append(MediaError(short, "the name is too long", "Check the name"))
                continue
        if path.is_dir():
            inside = sorted(
                p
                for p in path.rglob("*")
                if p.suffix.lower() in MEDIA_SUFFIXES and p.is_file() and not hidden(p, path)
            )
            if not inside:
                problems.append(
                    MediaError(text, "the folder holds no recording", "Name a file or another one")
                )
            found.update(dict.fromkeys(inside))
        elif not path.exists() and glob.has_magic(text):
            matches = [Path(m) for m in sorted(glob.glob(text, recursive=True))]
            files = [m for m in matches if m.is_file()]
            if not files:
                problems.append(MediaError(text, "no file matches this pattern", "Check it"))
            found.update(dict.fromkeys(files))
        else:
            found[path] = None
    # One file may have been named in several ways; it is analysed once, under its first name.
    once: dict[Path, Path] = {}
    for path in found:
        once.setdefault(Path(os.path.abspath(path)), path)  # noqa: PTH100 (links stay links)
    return list(once.values()), problems


def hidden(path: Path, below: Path) -> bool:
    """True where a part of *path* below the folder starts with a dot."""
    return any(part.startswith(".") for part in path.relative_to(below).parts)
