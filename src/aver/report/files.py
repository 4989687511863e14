"""Writing result files so that a half-written one is never seen.

Every file is written under a temporary name in its own folder, flushed to the disk, and only
then renamed. What goes wrong on the way leaves nothing behind.
"""

from __future__ import annotations

import errno
import os
import secrets
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from aver.errors import OutputError

Writer = Callable[[BinaryIO], None]

_LONGEST_STEM = 200
"""Bytes; file systems allow 255 for a name, and the extension and temporary name need room."""

_RESERVED = {"con", "prn", "aux", "nul"} | {f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10)}
"""Names that Windows does not allow, with any extension."""


def writer_of(content: bytes) -> Writer:
    """A function that writes *content*, as :func:`write_files` takes it."""

    def write(stream: BinaryIO) -> None:
        stream.write(content)

    return write


def write_files(files: Sequence[tuple[Path, Writer]], *, durable: bool = True) -> list[Path]:
    """Write all *files* or none of them.

    The folders are created where they are missing. An existing file is replaced in one step.

    Args:
        files: each path with the function that writes its bytes.
        durable: wait until the disk has them. Without, a power cut may cost what any other stop
            would not: for many files that can be made again.

    Returns:
        The paths, in order.

    Raises:
        OutputError: if a folder cannot be created or a file not be written; nothing of it stays.
    """
    staged: list[tuple[Path, Path]] = []
    made: list[Path] = []
    try:
        for path, writer in files:
            with _explained(path):
                made += _make_folder(path.parent)
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
                part = path.with_name(f".{secrets.token_hex(6)}.aver-part")
                staged.append((part, path))
                _write_part(part, writer, durable)
        for part, path in staged:
            with _explained(path):
                part.replace(path)
    except BaseException:
        for part, _ in staged:
            with suppress(OSError):
                part.unlink()
        for folder in reversed(made):
            with suppress(OSError):  # somebody else may have put something there meanwhile
                folder.rmdir()
        raise
    for folder in {path.parent for path, _ in files} if durable else ():
        flush_folder(folder)
    return [path for path, _ in files]


def _make_folder(folder: Path) -> list[Path]:
    missing = []
    parent = folder
    while not parent.exists():
        missing.append(parent)
        parent = parent.parent
    made = []
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        made.append(new)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file", str(folder))
    return made


def _write_part(part: Path, writer: Writer, durable: bool) -> None:
    # Not tempfile: its files are readable by their owner alone, results follow the umask.
    descriptor = os.open(
        part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666
    )
    with open(descriptor, "wb", buffering=1 << 16) as out:  # noqa: PTH123 - a descriptor, no path
        writer(out)
        out.flush()
        if durable:
            os.fsync(out.fileno())


def flush_folder(folder: Path) -> None:
    """Make the renames themselves durable, where the system can (Windows cannot)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = path.parent
        match error.errno:
            case errno.ENOSPC | errno.EDQUOT:
                raise OutputError(
                    path, "cannot be written, the disk is full", "Free some space or use --out"
                ) from error
            case errno.EACCES | errno.EPERM | errno.EROFS:
                raise OutputError(
                    folder, "cannot be written to", "Choose another folder with --out"
                ) from error
            case errno.ENOTDIR | errno.EEXIST:
                raise OutputError(
                    folder, "is not a folder", "Choose another folder with --out"
                ) from error
            case errno.EISDIR:
                raise OutputError(
                    path, "is a folder, a file of this name cannot be written", "Move it away"
                ) from error
            case _:
                reason = error.strerror or str(error)
                raise OutputError(path, f"cannot be written ({reason})") from error


def output_stem(path: str | Path, taken: set[str]) -> str:
    """Name for the results of the input *path*, without an extension, that nobody else has.

    The name is the input's own, without its extension and without characters that some file
    systems refuse. Where an earlier input has it already (``a/clip.mp4`` and ``b/clip.mp4``, also
    when they differ in upper and lower case only), the input's extension is added, then a number:
    ``clip``, ``clip_mp4``, ``clip_mp4_2``.

    Args:
        path: an input file.
        taken: the names given so far; the new one is added.
    """
    path = Path(path)
    stem = _safe(path.stem) or "recording"
    # A hidden file has no stem of its own: ".mp4" is all stem.
    suffix = _safe(path.suffix.lstrip("."))
    longer = f"{stem}_{suffix}" if suffix else stem
    used = {_folded(name) for name in taken}
    candidate, number = stem, 1
    while _folded(candidate) in used:
        candidate = longer if number == 1 and longer != stem else f"{longer}_{max(number, 2)}"
        number += 1
    taken.add(candidate)
    return candidate


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _safe(name: str) -> str:
    spelled = name.encode("utf-8", "backslashreplace").decode("utf-8")
    kept = "".join("_" if c in '<>:"/\\|?*' or not c.isprintable() else c for c in spelled)
    kept = kept.strip(" .")
    while len(kept.encode()) > _LONGEST_STEM:
        kept = kept[:-1]
    return f"{kept}_" if kept.split(".")[0].casefold() in _RESERVED else kept
