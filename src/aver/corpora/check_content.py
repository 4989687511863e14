"""Checks across files: sound that is there twice, labels that are spelled in two ways."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora.findings import Finds
from aver.corpora.identity import Content
from aver.corpora.table import nearest

if TYPE_CHECKING:
    import pandas as pd

_RARE = 0.1
"""A label this much rarer than one that is spelled nearly alike is taken for a slip."""


def examine_labels(finds: Finds, frame: pd.DataFrame, known: tuple[str, ...]) -> None:
    """Labels that the corpus does not know; where it knows none, spellings that look like slips."""
    numbers = {str(label): int(n) for label, n in frame["label"].value_counts().items()}
    for label, number in numbers.items():
        where = str(frame["file"][frame["label"] == label].iloc[0])
        if known and label not in known:
            finds.add("label", where, f"{_rows(number)} labelled '{label}'", nearest(label, known))
        elif not known:
            common = [c for c, n in numbers.items() if c != label and number <= _RARE * n]
            close = _alike(label, common)
            if close:
                problem = f"{_rows(number)} labelled '{label}', {_rows(numbers[close])} '{close}'"
                finds.add("label", where, problem, f"If they are the same, write '{close}'")


def _rows(number: int) -> str:
    return "1 row is" if number == 1 else f"{number:,} rows are"


def _alike(label: str, others: Iterable[str]) -> str | None:
    folded = {"".join(c for c in other.casefold() if c.isalnum()): other for other in others}
    name = "".join(c for c in label.casefold() if c.isalnum())
    close = difflib.get_close_matches(name, folded, n=1, cutoff=0.8)
    return folded[close[0]] if close else None


def same_sounds(finds: Finds, frame: pd.DataFrame, contents: Mapping[str, Content]) -> None:
    """Files that sound (or, still images, look) the same.

    One recording in several files (another codec, with and without its picture) is a note: the
    manifest says so, and splits keep it together. Anything else is wrong.
    """
    takes: dict[str, frozenset[str]] = {}
    labels: dict[str, frozenset[str]] = {}
    rows = frame[frame["file"].isin(list(contents))]
    for file, part in rows.groupby("file"):
        takes[str(file)] = frozenset(part["recording"]) - {""}
        labels[str(file)] = frozenset(part["label"])
    groups: dict[str, list[str]] = {}
    for file, content in contents.items():
        for key in (content.sound_hash, content.picture_hash):
            if key:
                groups.setdefault(key, []).append(file)
    for files in groups.values():
        first, *others = files
        what = "picture" if contents[first].picture_hash else "sound"
        for other in others:
            _tell(finds, first, other, f"duplicate {what}", "the same as", takes, labels)
    _tell_alike(finds, contents, takes, labels)


def _tell_alike(
    finds: Finds,
    contents: Mapping[str, Content],
    takes: Mapping[str, frozenset[str]],
    labels: Mapping[str, frozenset[str]],
) -> None:
    from aver.corpora.identity_alike import find_alike

    files = list(contents)
    for pair in find_alike([contents[file].fingerprint for file in files]):
        first, second = files[pair.first], files[pair.second]
        if contents[first].sound_hash == contents[second].sound_hash:
            continue
        words = f"{1 - pair.errors:.0%} of its fingerprint like"
        _tell(finds, first, second, "alike sound", words, takes, labels)


def _tell(
    finds: Finds,
    first: str,
    second: str,
    kind: str,
    words: str,
    takes: Mapping[str, frozenset[str]],
    labels: Mapping[str, frozenset[str]],
) -> None:
    is_one_take = bool(takes[first] & takes[second])
    if is_one_take and Path(first).suffix != Path(second).suffix:
        return  # the publishers' own copies of one take
    problem = f"{words} {finds.name(first)}"
    if labels[first] != labels[second]:
        problem += f", labelled {_join(labels[first])} there and {_join(labels[second])} here"
    advice = "Keep one of them, or give both the same recording"
    if is_one_take:
        problem, advice = f"{problem}; known to be one recording", ""
    finds.add(kind, second, problem, advice, is_wrong=not is_one_take)


def _join(labels: frozenset[str]) -> str:
    return "/".join(sorted(labels))
