"""Corpora: one file each, which lists what lies on disk as a table.

Every corpus's ``load(root)`` returns one row a clip (or image) with the columns of
:data:`COLUMNS` and its own. A corpus adds itself with one decorator::

    @register_corpus("ravdess", title="...", options=RavdessOptions, labels=RAVDESS)
    def load(root: Path, options: RavdessOptions = RavdessOptions()) -> pd.DataFrame: ...
"""

from __future__ import annotations

from aver.corpora.registry import (
    Corpus,
    CorpusOptions,
    Count,
    corpus_names,
    get_corpus,
    load_corpus,
    make_options,
    register_corpus,
)
from aver.corpora.table import COLUMNS, EXTRA_COLUMNS, make_frame

__all__ = [
    "COLUMNS",
    "EXTRA_COLUMNS",
    "Corpus",
    "CorpusOptions",
    "Count",
    "corpus_names",
    "get_corpus",
    "load_corpus",
    "make_frame",
    "make_options",
    "register_corpus",
]
