"""Is a corpus whole, readable, and each sound in it there once?

Every file is decoded from its first packet to its last. What is found is gathered; one bad file
never ends a check.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora.check_content import examine_labels, same_sounds
from aver.corpora.findings import Finding, Finds
from aver.corpora.identity import Content, read_content
from aver.corpora.lfs import ADVICE, is_lfs_pointer
from aver.corpora.manifest import read_manifest
from aver.corpora.registry import Corpus, Count, corpus_names, get_corpus, load_corpus
from aver.corpora.table import collecting
from aver.errors import AverError, CorpusError, one_line

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]
"""Called with how many files are done, and how many there are."""

_MOST_JOBS = 4


@dataclass(frozen=True)
class CheckSettings:
    """How to check.

    Args:
        partial: a part of the corpus is meant to be here: numbers below the publishers', and
            files that they name and that are not here, are notes.
        decode: whether to decode the files; without it only names, sizes and numbers are looked
            at.
        alike: whether to look for sound that is the same after a lossy codec.
        jobs: files decoded at a time; 0 for as many as there are processors, at most 4.
    """

    partial: bool = False
    decode: bool = True
    alike: bool = True
    jobs: int = 0


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Args:
        name: of the corpus, or of the manifest.
        frame: the table.
        files: how many files were looked at.
        findings: what was found, wrong or worth knowing.
        counts: the publishers' numbers beside ours, all of them.
    """

    name: str
    frame: pd.DataFrame
    files: int
    findings: tuple[Finding, ...]
    counts: tuple[Count, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong; notes do not count."""
        return not any(finding.is_wrong for finding in self.findings)


def check_corpus(
    name: str,
    root: str | Path,
    options: Mapping[str, object] | None = None,
    settings: CheckSettings | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Check the corpus *name* under *root*.

    Raises:
        CorpusError: if there is no such corpus or option, or *root* holds nothing of it.
    """
    corpus = get_corpus(name)
    settings = settings or CheckSettings()
    with collecting() as problems:
        frame = load_corpus(name, root, **(options or {}))
    finds = Finds(Path(root))
    for remark in frame.attrs.get("remarks", ()):
        finds.add("remark", name, remark, is_wrong=False)
    for problem in problems:
        # Pointers are found again, each by its name.
        if "Git LFS" not in problem.problem:
            finds.add("name or table", problem.subject or "", problem.problem, problem.advice)
    try:
        for what in corpus.missing(Path(root), frame) if corpus.missing else ():
            finds.add("missing", what, "is not there", is_wrong=not settings.partial)
    except CorpusError as error:
        finds.add("name or table", error.subject or "", error.problem, error.advice)
    counts = corpus.published(frame) if corpus.published else []
    _compare_counts(finds, counts, settings.partial)
    return _examine(name, frame, corpus, finds, counts, settings, progress)


def check_manifest(
    path: str | Path,
    root: str | Path | None = None,
    settings: CheckSettings | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Check the files of a manifest; the publishers' numbers too, where it names its corpus.

    Raises:
        CorpusError: if it is no manifest.
    """
    frame = read_manifest(path, root=root, missing="keep")
    settings = settings or CheckSettings()
    name = str(frame.attrs["corpus"])
    corpus = get_corpus(name) if name in corpus_names() else None
    finds = Finds(Path(str(frame.attrs["root"])))
    counts = corpus.published(frame) if corpus and corpus.published else []
    _compare_counts(finds, counts, settings.partial)
    return _examine(str(path), frame, corpus, finds, counts, settings, progress)


def _examine(
    name: str,
    frame: pd.DataFrame,
    corpus: Corpus | None,
    finds: Finds,
    counts: list[Count],
    settings: CheckSettings,
    progress: Progress | None,
) -> CheckReport:
    examine_labels(finds, frame, corpus.labels if corpus else ())
    files = list(dict.fromkeys(str(file) for file in frame["file"]))
    wanted = [file for file in files if _is_there(finds, file)]
    if settings.decode:
        are_media = corpus is None or corpus.files_are_media
        contents = _decode(finds, wanted, are_media, settings, progress)
        same_sounds(finds, frame, contents)
    return CheckReport(name, frame, len(files), tuple(finds.all()), tuple(counts))


def _is_there(finds: Finds, file: str) -> bool:
    path = Path(file)
    if not path.is_file():
        if not finds.has("missing", file):
            finds.add("missing", file, "is not there", "Unpack the corpus again")
        return False
    if is_lfs_pointer(path):
        finds.add("Git LFS pointer", file, "is not the media itself", ADVICE)
        return False
    if path.stat().st_size == 0:
        finds.add("unreadable", file, "is empty", "Unpack or download it again")
        return False
    return True


def _decode(
    finds: Finds,
    files: list[str],
    are_media: bool,
    settings: CheckSettings,
    progress: Progress | None,
) -> dict[str, Content]:
    contents: dict[str, Content] = {}

    def read(file: str) -> Content | Exception | None:
        if not are_media or Path(file).suffix.lower() in (".csv", ".dat", ".parquet"):
            return _read_table(file)
        try:
            return read_content(file, fingerprint=settings.alike)
        except Exception as error:
            # Whatever one file does to a decoder, the others are to be looked at.
            return error

    jobs = settings.jobs or min(_MOST_JOBS, os.cpu_count() or 1)
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for number, (file, found) in enumerate(_in_order(pool, read, files, 4 * jobs), 1):
                if isinstance(found, Exception):
                    _tell_unreadable(finds, file, found)
                elif found is not None:
                    contents[file] = found
                    _tell_content(finds, file, found)
                if progress is not None:
                    progress(number, len(files))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return contents


def _in_order(
    pool: ThreadPoolExecutor,
    read: Callable[[str], Content | Exception | None],
    files: list[str],
    ahead: int,
) -> Iterator[tuple[str, Content | Exception | None]]:
    """Results in the order of the files, never more than *ahead* waiting."""
    waiting = [(file, pool.submit(read, file)) for file in files[:ahead]]
    for following in [*files[ahead:], *[None] * len(waiting)]:
        file, future = waiting.pop(0)
        yield file, future.result()
        if following is not None:
            waiting.append((following, pool.submit(read, following)))


def _read_table(file: str) -> Exception | None:
    import pandas as pd

    try:
        if file.lower().endswith(".parquet"):
            pd.read_parquet(file)
        elif file.lower().endswith("fer2013.csv"):
            from aver.corpora.fer2013 import check_pixels

            check_pixels(Path(file))
        else:
            pd.read_csv(file)
    except Exception as error:
        return error
    return None


def _tell_unreadable(finds: Finds, file: str, error: Exception) -> None:
    if isinstance(error, AverError):
        finds.add("unreadable", file, error.problem, error.advice)
    else:
        problem = f"cannot be read: {type(error).__name__} ({one_line(error)})"
        finds.add("unreadable", file, problem, "Download or unpack it again")


def _tell_content(finds: Finds, file: str, content: Content) -> None:
    for warning in content.warnings:
        finds.add("damaged", file, warning, "Download or unpack it again")
    if content.has_sound and not content.sound_hash:
        finds.add("silent", file, "its sound is nothing but zeros", is_wrong=False)


def _compare_counts(finds: Finds, counts: Iterable[Count], partial: bool) -> None:
    for count in counts:
        if count.found != count.published:
            more = count.found > count.published
            problem = f"{count.found:,} of {count.published:,} published"
            advice = "Look for files that do not belong here" if more else "Download the rest"
            finds.add("number", count.what, problem, advice, is_wrong=more or not partial)
