"""The leak check: what stands on both sides of a split, and whether that is refused.

A person, a recording, an overlapping stretch of a file or the same sound on two sides of a fold
makes its figure too good. Training and validation rows are held against the test rows, and
training rows against validation rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aver.corpora.sounds import sound_keys_of
from aver.corpora.takes import (
    overlap_keys,
    recordings_of,
    spans_of,
    subjects_of,
    texts,
)
from aver.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

    from aver.corpora.splits import Fold, Split

Rows = NDArray[np.intp]
Sides = tuple[str, Rows, str, Rows]

_PLURAL = {
    "subject": "subjects",
    "recording": "recordings",
    "stretch of a file": "stretches of files",
    "sound": "sounds",
}
_ADVICE = 'Choose another scheme, or write allow_leak = "reason": the table will carry it'


def check(
    manifest: pd.DataFrame, split: Split, *, allow_leak: str = "", by_sound: bool = False
) -> str:
    """Find what stands on both sides of a fold.

    Args:
        manifest: the rows that *split* numbers.
        split: the folds.
        allow_leak: why a leak is accepted; empty refuses it.
        by_sound: also compare the decoded sound of the files, which reads each of them once.

    Returns:
        One sentence that says what stands on both sides; empty where nothing does.

    Raises:
        CorpusError: if something does and *allow_leak* is empty; or, whatever it says, if one row
            itself is on two sides, or a fold names a row that is not there.
    """
    for fold in split.folds:
        _check_rows(fold, len(manifest))
    found = [
        _shared("subject", subjects_of(manifest), split.folds),
        _shared("recording", recordings_of(manifest), split.folds),
        _overlapping(manifest, "stretch of a file", None, split.folds),
    ]
    if by_sound:
        found.append(
            _overlapping(manifest, "sound", sound_keys_of(texts(manifest, "file")), split.folds)
        )
    sentence = "; ".join(part for part in found if part)
    if sentence and not allow_leak.strip():
        raise CorpusError(f"split '{split.name}'", sentence, _ADVICE)
    return sentence


def refuse_seen(
    extractor_name: str, seen_subjects: frozenset[str], subjects: Iterable[str]
) -> None:
    """Refuse to test on people whom a trained extractor has seen in its training.

    Args:
        extractor_name: for the message.
        seen_subjects: ``corpus/subject``; ``corpus/*`` is everybody of a corpus.
        subjects: ``corpus/subject`` of the test rows; ``corpus/`` where nobody is named.

    Raises:
        CorpusError: if it has seen one of them, or a subject comes without its corpus, so that
            nobody can tell.
    """
    if not seen_subjects:
        return
    met = set()
    for subject in sorted(set(subjects)):
        corpus, slash, _ = subject.partition("/")
        if not slash:
            raise CorpusError(
                f"subject '{subject}'",
                f"is named without its corpus, and the extractor '{extractor_name}' was trained "
                "on people",
                "Name subjects as corpus/subject, as in ravdess/07",
            )
        if subject in seen_subjects or f"{corpus}/*" in seen_subjects:
            met.add(subject)
    if met:
        raise CorpusError(
            extractor_name,
            f"was trained on {_some(sorted(met))}, who are to be tested here",
            "Use an extractor trained without them, or test on other people",
        )


def _check_rows(fold: Fold, rows: int) -> None:
    sides = (fold.train, fold.validation, fold.test)
    together = np.concatenate(sides)
    if len(together) and not (together.min() >= 0 and together.max() < rows):
        raise CorpusError(
            f"fold {fold.name}", f"names a row outside the manifest's {rows}", "Split it again"
        )
    if len(np.unique(together)) < len(together):
        raise CorpusError(f"fold {fold.name}", "has one row twice or on two sides", "Split again")


def _pairs(fold: Fold) -> list[Sides]:
    sides = [("test", fold.test), ("training", fold.train), ("validation", fold.validation)]
    return [(*a, *b) for a, b in combinations(sides, 2) if len(a[1]) and len(b[1])]


def _shared(what: str, names: Sequence[str], folds: Sequence[Fold]) -> str:
    """One phrase for names on both sides, in the first fold and pair of sides where it is so."""
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    numbers = np.array([known[name] for name in names], np.intp)
    ordered = list(known)
    nobody = known.get("", -1)
    for fold in folds:
        for one, rows, other, others in _pairs(fold):
            both = np.intersect1d(numbers[rows], numbers[others])
            both = both[both != nobody]
            if len(both):
                who = sorted(ordered[n] for n in both)
                return _phrase(what, who, fold, one, other)
    return ""


def _overlapping(
    manifest: pd.DataFrame, what: str, keys: Sequence[str] | None, folds: Sequence[Fold]
) -> str:
    """One phrase for stretches of the same file (or sound) that overlap across sides."""
    parts = overlap_keys(manifest, keys)
    crowd: dict[object, list[int]] = {}
    for row, part in enumerate(parts):
        if keys is None or keys[row]:
            crowd.setdefault(part, []).append(row)
    spans = spans_of(manifest)
    groups = [sorted(rows, key=lambda r: spans[r, 0]) for rows in crowd.values() if len(rows) > 1]
    files = texts(manifest, "file")
    for fold in folds:
        for one, rows, other, others in _pairs(fold):
            side = np.zeros(len(parts), np.int8)
            side[rows], side[others] = 1, 2
            met = [files[row] for group in groups if (row := _meeting(group, side, spans)) >= 0]
            if met:
                return _phrase(what, sorted(set(met)), fold, one, other)
    return ""


def _meeting(group: Sequence[int], side: NDArray[np.int8], spans: NDArray[np.float64]) -> int:
    """A row of *group*, in order of its starts, that overlaps one of the other side; -1: none."""
    reach = {1: -np.inf, 2: -np.inf}
    for row in group:
        mine = int(side[row])
        if not mine:
            continue
        if spans[row, 0] < reach[3 - mine]:
            return row
        reach[mine] = max(reach[mine], spans[row, 1])
    return -1


def _phrase(what: str, names: Sequence[str], fold: Fold, one: str, other: str) -> str:
    single = len(names) == 1
    count = f"{len(names)} {what if single else _PLURAL[what]}"
    stands = "stands" if single else "stand"
    return (
        f"{count} ({_some(names)}) {stands} among both {one} and {other} rows of fold {fold.name}"
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
