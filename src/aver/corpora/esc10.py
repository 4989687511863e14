"""ESC-10: five-second sounds of ten kinds, as background to voices (Piczak 2015).

One folder a class, ``002 - Rain``; the first digit of a file's name is the corpus's fold. The
labels are kinds of sound, not emotions; ``subject`` is empty.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora import make_frame, register_corpus
from aver.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

HUMAN: frozenset[str] = frozenset({"baby cry", "person sneeze"})
"""Kinds that are human voices, and so no background to one."""

SUFFIXES = frozenset({".ogg", ".opus", ".wav", ".flac"})
_FOLDER = re.compile(r"(\d{3}) - (.+)")


@register_corpus("esc10")
def load(root: Path) -> pd.DataFrame:
    """List the sounds under *root*.

    Returns:
        One row a file with the columns of every corpus; ``label`` is the kind in lower case
        (``rain``), ``group`` the fold, ``source_label`` the folder's number.

    Raises:
        CorpusError: if there is none.
    """
    rows: list[dict[str, object]] = []
    for folder in sorted(Path(root).iterdir()):
        match = _FOLDER.fullmatch(folder.name)
        if match is None or not folder.is_dir():
            continue
        rows += [
            {
                "file": str(file.resolve()),
                "label": match[2].lower(),
                "group": file.name[0],
                "source_label": match[1],
                "recording": file.stem,
            }
            for file in sorted(folder.iterdir())
            if file.suffix.lower() in SUFFIXES
        ]
    if not rows:
        raise CorpusError(
            root, "holds no ESC-10 sounds", "Give the folder that holds '001 - Dog bark'"
        )
    return make_frame(rows)
