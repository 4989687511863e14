"""Which rows of a manifest belong together: one person, one take, one stretch of sound.

Everything here goes by what a row says of itself, never by its place in the table, so that splits
and checks do not change when the rows come in another order or from another folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aver.corpora.sounds import TABLES, sound_keys_of
from aver.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

_SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}


def texts(manifest: pd.DataFrame, column: str) -> list[str]:
    """A column as text; missing values, and a missing column, are empty."""
    if column not in manifest.columns:
        return [""] * len(manifest)
    values = manifest[column]
    return ["" if missing else str(v) for v, missing in zip(values, values.isna(), strict=True)]


def _with_corpus(manifest: pd.DataFrame, column: str) -> list[str]:
    names = texts(manifest, column)
    corpora = texts(manifest, "corpus")
    return [
        f"{c}/{n}" if n and c and "/" not in n else n for c, n in zip(corpora, names, strict=True)
    ]


def subjects_of(manifest: pd.DataFrame) -> list[str]:
    """Who is heard or seen in each row, ``corpus/subject`` where there is a column ``corpus``.

    Empty where nobody is named.
    """
    return _with_corpus(manifest, "subject")


def recordings_of(manifest: pd.DataFrame) -> list[str]:
    """The take of each row; empty where the manifest does not say."""
    return _with_corpus(manifest, "recording")


def sex_of_subjects(manifest: pd.DataFrame) -> dict[str, str]:
    """``female``, ``male`` or empty for each subject, from the column ``sex``, else ``group``.

    Empty too where the rows of a subject disagree.
    """
    column = "sex" if "sex" in manifest.columns else "group"
    found: dict[str, set[str]] = {}
    for subject, text in zip(subjects_of(manifest), texts(manifest, column), strict=True):
        found.setdefault(subject, set()).add(_SEXES.get(text.strip().lower(), ""))
    return {s: next(iter(sexes)) if len(sexes) == 1 else "" for s, sexes in found.items()}


def spans_of(manifest: pd.DataFrame) -> NDArray[np.float64]:
    """(rows, 2) start and end in seconds; 0 and infinity where the row is the whole file.

    Raises:
        CorpusError: if a row ends before it starts, or a time is not a number.
    """
    import pandas as pd

    try:
        start = pd.to_numeric(manifest["start"]).to_numpy(np.float64, na_value=np.nan)
        end = pd.to_numeric(manifest["end"]).to_numpy(np.float64, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise CorpusError("manifest", f"start or end is not a number ({error})") from error
    start = np.where(np.isnan(start), 0.0, start)
    end = np.where(np.isnan(end), np.inf, end)
    backwards = np.flatnonzero(end < start)
    if len(backwards):
        file = texts(manifest, "file")[int(backwards[0])]
        raise CorpusError(file, "a row of the manifest ends before it starts", "Correct its times")
    return np.stack([start, end], axis=1)


def overlap_keys(manifest: pd.DataFrame, keys: Sequence[str] | None = None) -> list[Hashable]:
    """Rows with the same key overlap in time within one file, or through rows between them.

    Args:
        manifest: the rows.
        keys: what stands for the file of each row; its path if None. Empty: by itself.
    """
    names = _file_keys(manifest) if keys is None else keys
    spans = spans_of(manifest)
    order = sorted(range(len(names)), key=lambda row: (names[row], spans[row, 0], spans[row, 1]))
    found: list[Hashable] = [None] * len(names)
    reach, number, before = -np.inf, -1, ""
    for row in order:
        name, (start, end) = names[row], spans[row]
        if not name or name != before or start >= reach:
            number, reach = number + 1, -np.inf
        found[row], before, reach = number, name, max(reach, end)
    return found


def _file_keys(manifest: pd.DataFrame) -> list[str]:
    files = texts(manifest, "file")
    return ["" if Path(file).suffix.lower() in TABLES else file for file in files]


def takes_of(manifest: pd.DataFrame, *, by_sound: bool = False) -> NDArray[np.intp]:
    """(rows,) number of the take: rows of one recording, overlapping, or (*by_sound*) alike.

    Rows that share a number must stand on one side of any split.
    """
    relations: list[Iterable[Hashable]] = [recordings_of(manifest), overlap_keys(manifest)]
    if by_sound:
        keys = sound_keys_of(texts(manifest, "file"))
        relations.append(
            [k if s else "" for k, s in zip(overlap_keys(manifest, keys), keys, strict=True)]
        )
    return components(len(manifest), relations)


def components(count: int, relations: Iterable[Iterable[Hashable]]) -> NDArray[np.intp]:
    """(count,) number of the connected part: rows equal in any relation are in one part.

    An empty text equals nothing.
    """
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for relation in relations:
        first: dict[Hashable, int] = {}
        for row, key in enumerate(relation):
            if key != "":
                a, b = root(first.setdefault(key, row)), root(row)
                parent[max(a, b)] = min(a, b)
    return np.array([root(row) for row in range(count)], np.intp)


def item_keys(manifest: pd.DataFrame) -> list[str]:
    """What each row is called in draws: the same on every machine and in every order of rows."""
    spans = spans_of(manifest)
    recordings, files = recordings_of(manifest), texts(manifest, "file")
    return [
        f"{recording or Path(file).name}|{start:.3f}|{end:.3f}"
        for recording, file, (start, end) in zip(recordings, files, spans, strict=True)
    ]


def draw(seed: int, *words: str) -> int:
    """A number that looks random, by seed and words alone (SHA-256)."""
    return int(hashlib.sha256("\0".join([str(seed), *words]).encode()).hexdigest()[:16], 16)
