"""Where COGNIMUSE's traces, films, subtitles and events lie."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aver.corpora.folder import SUFFIXES
from aver.corpora.layout import find_files
from aver.corpora.table import nearest, report
from aver.errors import CorpusError

FIRST_RELEASE: Final = (
    "BeautifulMind",
    "Chicago",
    "Crash",
    "TheDeparted",
    "FindingNemo",
    "Gladiator",
    "LOTRReturn",
)
"""The seven films of the first release, by their tokens."""
FILMS: Final = (
    "AmericanBeauty",
    "BeautifulMind",
    "Chicago",
    "Crash",
    "FindingNemo",
    "Gladiator",
    "LOTRReturn",
    "MDB",
    "NoCountry",
    "Ratatouille",
    "ShakespeareInLove",
    "TheDeparted",
)
"""All twelve, by their tokens."""
TITLES: Final = {
    "LOTRReturn": ("returnoftheking",),
    "MDB": ("milliondollarbaby",),
    "TheDeparted": ("departed",),
}
"""What a film's file may also be called, in small letters and digits alone."""

_FOLDER = "Emotion Annotation"
_NAMES = {
    "intended": re.compile(r"intended_(?P<who>\d+)_(?P<film>[^_]+)", re.IGNORECASE),
    "experienced": re.compile(r"subj(?P<who>\d+)_(?P<time>\d+)_(?P<film>[^_]+)", re.IGNORECASE),
}
_SHAPES = {"intended": "intended_1_Crash.dat", "experienced": "subj1_1_Crash.dat"}


@dataclass(frozen=True)
class TraceFile:
    """A trace and whose it is.

    Attributes:
        path: of the file.
        film: its token.
        annotator: who annotated, by the number in the name.
    """

    path: Path
    film: str
    annotator: str


def find_traces(root: Path, emotion: str, films: Sequence[str]) -> list[TraceFile]:
    """The traces of *films* (of any film if none is named), in order of annotators.

    Raises:
        CorpusError: if there is no folder of that emotion, or a file has another name.
    """
    folder = _annotation_folder(root, emotion)
    found = []
    for path in find_files(folder, {".dat", ".txt", ".csv"}):
        match = _NAMES[emotion].fullmatch(path.stem)
        if match is None:
            problem = f"is not named as {emotion} traces are"
            report(CorpusError(path, problem, f"Name it as {_SHAPES[emotion]}, or move it away"))
            continue
        known = {film.casefold(): film for film in FILMS}
        film = known.get(match["film"].casefold()) if films else match["film"]
        if film is None:
            problem = f"names the film '{match['film']}', which COGNIMUSE does not have"
            report(CorpusError(path, problem, nearest(match["film"], FILMS)))
        elif film in films or not films:
            found.append(TraceFile(path, film, match["who"]))
    return sorted(found, key=lambda one: (one.film, int(one.annotator), one.path.name))


def _annotation_folder(root: Path, emotion: str) -> Path:
    for folder in (root / _FOLDER / emotion, root / emotion):
        if folder.is_dir():
            return folder
    if root.name == emotion and root.is_dir():
        return root
    for parent, folders, _ in os.walk(root):
        if emotion in folders and Path(parent).name == _FOLDER:
            return Path(parent, emotion)
    raise CorpusError(
        root,
        f"is not COGNIMUSE: it holds no '{_FOLDER}/{emotion}'",
        f"Give the folder that holds '{_FOLDER}', and choose -o emotion=intended or experienced",
    )


def find_media(folder: Path, films: Iterable[str]) -> dict[str, Path]:
    """The file of each film that is there, by its token or title anywhere in the name.

    Case, blanks and punctuation do not count: ``A Beautiful Mind (2001).mkv`` is BeautifulMind.
    A file named by nothing but the token goes before others.

    Raises:
        CorpusError: if several files may be the same film.
    """
    folded = {path: _fold(path.stem) for path in find_files(folder, SUFFIXES)}
    found = {}
    for film in films:
        names = (film.casefold(), *TITLES.get(film, ()))
        exact = [path for path, stem in folded.items() if stem == names[0]]
        some = exact or [p for p, stem in folded.items() if any(n in stem for n in names)]
        if len(some) > 1:
            problem = f"{len(some)} files may be the film {film}: {some[0].name}, {some[1].name}"
            report(CorpusError(folder, problem, f"Keep one, or name it {film}{some[0].suffix}"))
        elif some:
            found[film] = some[0]
    return found


def find_companions(root: Path, film: str) -> dict[str, str]:
    """Paths of a film's ``subtitles`` and ``events``, where they are; else empty."""
    found = {"subtitles": "", "events": ""}
    names = (film.casefold(), *TITLES.get(film, ()))
    for path in find_files(
        root, {".srt", ".sub", ".vtt", ".ass", ".txt", ".eaf", ".csv", ".tsv", ".xml"}
    ):
        if not any(name in _fold(path.stem) for name in names):
            continue
        where = _fold("/".join(path.relative_to(root.resolve()).parts))
        if path.suffix.lower() in (".srt", ".sub", ".vtt", ".ass") or "subtitle" in where:
            found["subtitles"] = found["subtitles"] or str(path)
        elif "event" in where:
            found["events"] = found["events"] or str(path)
    return found


def _fold(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isascii() and c.isalnum())
