"""Corpora: one file each, which lists what lies on disk as a table.

Every corpus's ``load(root)`` returns one row a clip (or image) with the columns of
:data:`COLUMNS`. A corpus adds itself with one decorator::

    @register_corpus("ravdess")
    def load(root: Path) -> pd.DataFrame: ...
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
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

Loader = Callable[[Path], "pd.DataFrame"]

_LOADERS: dict[str, Loader] = {}
_BUILT_IN: tuple[str, ...] = ("crema_d", "emogator", "esc10", "fer2013", "nemo", "ravdess")


def register_corpus(name: str) -> Callable[[Loader], Loader]:
    """Register the decorated ``load(root)`` as the corpus *name*."""

    def keep(function: Loader) -> Loader:
        _LOADERS[name] = function
        return function

    return keep


def corpus_names() -> list[str]:
    """Names of all known corpora."""
    return sorted({*_BUILT_IN, *_LOADERS})


def load_corpus(name: str, root: str | Path) -> pd.DataFrame:
    """List the clips of the corpus *name* under *root*, with the columns :data:`COLUMNS`.

    Raises:
        CorpusError: if there is no such corpus, or *root* does not hold it.
    """
    if name not in _LOADERS and name in _BUILT_IN:
        import_module(f"aver.corpora.{name}")
    if name not in _LOADERS:
        close = difflib.get_close_matches(name, corpus_names(), n=1)
        hint = f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(corpus_names())}"
        raise CorpusError(name, "is not a known corpus", hint)
    root = Path(root)
    if not root.is_dir():
        raise CorpusError(root, "is not a folder", f"Unpack the corpus '{name}' there")
    frame = _LOADERS[name](root)
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise CorpusError(root, f"corpus '{name}' was listed without {', '.join(missing)}")
    return frame


def make_frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    """A table with the columns :data:`COLUMNS` from rows that leave out what they do not know."""
    import pandas as pd

    frame = pd.DataFrame(rows)
    for column in COLUMNS:
        if column not in frame.columns:
            frame[column] = float("nan") if column in ("start", "end") else ""
    return frame[list(COLUMNS)].reset_index(drop=True)
