"""The table that every corpus is told as: its columns, and problems met while it is listed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from aver.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: tuple[str, ...] = (
    "file",
    "start",
    "end",
    "subject",
    "label",
    "intensity",
    "group",
    "source_label",
    "recording",
)
"""What every corpus tells of a clip.

``file``: absolute path. ``start``, ``end``: seconds, NaN for the whole file. ``subject``: who is
heard or seen, empty if nobody is named; unique within the corpus. ``label``: spelling of
:mod:`aver.labels`. ``intensity``: as the corpus names it, empty if it does not. ``group``: the
corpus's own division (sex, fold, split). ``source_label``: the label as the publishers write it.
``recording``: identity of the take; rows that share it are the same recording, which a split must
not separate.
"""

EXTRA_COLUMNS: dict[str, str] = {
    "corpus": "name of the corpus, where several stand in one table",
    "modality": "what the file holds: audio-video, video, audio",
    "channel": "speech or song",
    "statement": "what was said, as the corpus names it",
    "repetition": "number or letter of the take",
    "sex": "of the subject: female, male",
    "age": "of the subject, in years",
    "race": "of the subject, as the publishers write it",
    "ethnicity": "of the subject, as the publishers write it",
    "fold": "fold the publishers put it in",
    "category": "the publishers' coarser class",
    "turn": "number of the turn within a conversation",
    "frames": "number of frames stored of it",
}
"""Further columns that corpora tell where they know."""

EXTRA_PREFIXES: tuple[str, ...] = ("vote_", "votes_", "agreement_", "rating_")
"""Columns so named hold what people answered: the winning label, votes, agreement, ratings."""

_COLLECTED: ContextVar[list[CorpusError] | None] = ContextVar("collected", default=None)


def make_frame(rows: list[dict[str, object]], extra: Sequence[str] = ()) -> pd.DataFrame:
    """A table with :data:`COLUMNS` and *extra* from rows that leave out what they do not know."""
    import pandas as pd

    frame = pd.DataFrame(rows)
    for column in (*COLUMNS, *extra):
        if column not in frame.columns:
            frame[column] = float("nan") if column in ("start", "end") else ""
    for column in frame.columns:
        # Where one row tells a text and another does not, what is not told is an empty text.
        if any(isinstance(value, str) for value in frame[column]):
            frame[column] = ["" if pd.isna(v) else str(v) for v in frame[column]]
    return frame[[*COLUMNS, *extra]].reset_index(drop=True)


def is_known_column(name: str) -> bool:
    """Whether *name* is a column that this version gives a meaning."""
    return name in COLUMNS or name in EXTRA_COLUMNS or name.startswith(EXTRA_PREFIXES)


def nearest(name: str, known: Iterable[str], what: str = "Known") -> str:
    """Advice that names the nearest of the *known* names, or all of them."""
    names = [str(k) for k in known]
    folded = {k.casefold(): k for k in names}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"Did you mean '{folded[close[0]]}'?" if close else f"{what}: {', '.join(names)}"


def report(error: CorpusError) -> None:
    """Raise *error*; while somebody is :func:`collecting`, keep it for them and go on."""
    kept = _COLLECTED.get()
    if kept is None:
        raise error
    kept.append(error)


@contextmanager
def collecting() -> Iterator[list[CorpusError]]:
    """Gather what is wrong with single files while a corpus is listed, instead of stopping."""
    kept: list[CorpusError] = []
    token = _COLLECTED.set(kept)
    try:
        yield kept
    finally:
        _COLLECTED.reset(token)
