"""What of a job is on the disk, under fixed names only; nothing that a client says is a path.

``DATA/jobs/<id>/recording``, ``DATA/jobs/<id>/timeline.json``; what is being erased passes through
``DATA/trash``, what is being analysed through ``DATA/work/<worker>``.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aver.errors import OutputError
from aver.report.files import flush_folder, write_files, writer_of
from aver.server.jobs import is_id
from aver.server.names import RECORDING, TIMELINE
from aver.server.store_errors import NoSuchJobError, StoreMismatchError

_MARK = "store-id"


class JobFiles:
    """The data folder.

    Args:
        data: the folder; :meth:`prepare` makes it.
    """

    def __init__(self, data: str | Path):
        self.data = Path(data).absolute()
        self.jobs = self.data / "jobs"
        self.trash = self.data / "trash"
        self.work = self.data / "work"

    def prepare(self, store_id: str) -> None:
        """Make the folders, readable by their owner alone, and tie them to their database.

        Args:
            store_id: of the database. Folders that no job of the database knows are erased, so
                the recordings of another database must not be taken for such.

        Raises:
            OutputError: if they cannot be made.
            StoreMismatchError: if the folder was used with another database.
        """
        with _explained(self.data):
            self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.jobs, self.trash, self.work):
                folder.mkdir(exist_ok=True, mode=0o700)
                if not stat.S_ISDIR(folder.lstat().st_mode):
                    raise NotADirectoryError(errno.ENOTDIR, "is a link")
        mark = self.data / _MARK
        if not mark.exists():
            write_files([(mark, writer_of(f"{store_id}\n".encode()))])
        elif mark.read_text(encoding="ascii", errors="replace").strip() != store_id:
            raise StoreMismatchError(
                "this data folder was used with another database",
                "Use that database, or another data folder; to give up what the folder holds, "
                f"delete its file {_MARK}",
                subject=self.data,
            )

    def folder(self, job_id: str) -> Path:
        """Folder of a job, whether it is there or not.

        Raises:
            NoSuchJobError: if that cannot be the id of a job.
        """
        if not is_id(job_id):
            raise NoSuchJobError(job_id)
        return self.jobs / job_id

    def make(self, job_id: str) -> Path:
        """Make the folder of a new job.

        Raises:
            OutputError: if it cannot be made.
        """
        folder = self.folder(job_id)
        with _explained(folder):
            folder.mkdir(mode=0o700)
        return folder

    def recording(self, job_id: str) -> Path:
        """File of the recording as it was uploaded."""
        return self.folder(job_id) / RECORDING

    def timeline(self, job_id: str) -> Path:
        """File of the result; it is there, and complete, exactly while the job is ``done``."""
        return self.folder(job_id) / TIMELINE

    def publish(self, job_id: str, result: Path) -> None:
        """Move a finished *result*, a file in :attr:`work`, to where everybody finds it.

        It was made by a process that is not trusted: a link in its place is refused, and looked
        at only where that process cannot change it any more.

        Raises:
            OSError: if the job's folder is gone, the disk is broken, or it is no plain file.
        """
        timeline = self.timeline(job_id)
        moved = timeline.with_name(f".{secrets.token_hex(6)}.aver-part")
        result.replace(moved)
        status = moved.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            remove(moved)
            raise OSError(errno.EINVAL, "the result is no plain file")
        moved.replace(timeline)
        flush_folder(timeline.parent)

    def erase(self, job_id: str) -> None:
        """Delete everything of a job from the disk; nothing to delete is no error.

        The folder is moved away first, so that nobody finds half of it. Links in it are not
        followed.

        Raises:
            OutputError: if it cannot be deleted now; :meth:`empty_trash` tries again.
        """
        gone = self.trash / f"{job_id}.{secrets.token_hex(4)}"
        folder = self.folder(job_id)
        with _explained(folder):
            try:
                folder.rename(gone)
            except FileNotFoundError:
                return
            shutil.rmtree(gone)

    def erase_recording(self, job_id: str) -> None:
        """Delete a job's recording alone.

        Raises:
            OutputError: if it cannot be deleted.
        """
        with _explained(self.recording(job_id)):
            self.recording(job_id).unlink(missing_ok=True)

    def empty_trash(self) -> int:
        """Delete what an interrupted :meth:`erase` left; how much is left still."""
        left = 0
        for entry in _entries(self.trash):
            try:
                remove(entry)
            except OSError:
                left += 1
        return left

    def folders(self) -> Iterator[tuple[str, float]]:
        """Ids that have a folder, and when it was changed last (seconds since 1970)."""
        for entry in _entries(self.jobs):
            if is_id(entry.name):
                with suppress(OSError):
                    yield entry.name, entry.lstat().st_mtime

    def worker_folders(self) -> Iterator[tuple[Path, float]]:
        """Folders of workers, of dead ones too, and when they were changed last."""
        for entry in _entries(self.work):
            with suppress(OSError):
                yield entry, entry.lstat().st_mtime

    def free_bytes(self) -> int:
        """Bytes that are free on the disk of the data folder."""
        with suppress(OSError):
            return shutil.disk_usage(self.data).free
        return 0


def remove(entry: Path) -> None:
    """Delete a file or a folder with all it holds; links are deleted, not followed."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)


def _entries(folder: Path) -> list[Path]:
    with suppress(OSError):
        return sorted(folder.iterdir())
    return []


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else error.strerror or os.strerror(error.errno or 0)
        raise OutputError(path, f"cannot be changed ({reason})", "Check the data folder") from error
