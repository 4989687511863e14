"""EmoGator: vocal bursts, sounds without words, in thirty categories (Buhl 2023).

A file is named ``speaker-category-take``: ``000001-03-2.opus`` is speaker 1, category 03 (anger),
take 2; published as MP3, read in any format of FFmpeg's.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora import make_frame, register_corpus
from aver.errors import CorpusError
from aver.labels import EMOGATOR

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = frozenset({".mp3", ".opus", ".wav", ".flac"})
_NAME = re.compile(r"(\d+)-(\d{2})-(\d+)")


@register_corpus("emogator")
def load(root: Path) -> pd.DataFrame:
    """List the bursts under *root*, at any depth.

    Returns:
        One row a file with the columns of every corpus; ``subject`` is the speaker's number as
        written, ``label`` the category's name (:data:`aver.labels.EMOGATOR`), ``source_label``
        its number.

    Raises:
        CorpusError: if there is none, or a category is not 01 to 30.
    """
    rows: list[dict[str, object]] = []
    for file in sorted(Path(root).rglob("*")):
        match = _NAME.fullmatch(file.stem)
        if match is None or file.suffix.lower() not in SUFFIXES:
            continue
        speaker, category, _ = match.groups()
        if not 1 <= int(category) <= len(EMOGATOR):
            raise CorpusError(file, f"category {category} is not one of 01 to 30")
        rows.append(
            {
                "file": str(file.resolve()),
                "subject": speaker,
                "label": EMOGATOR[int(category) - 1],
                "source_label": category,
                "recording": file.stem,
            }
        )
    if not rows:
        raise CorpusError(
            root, "holds no EmoGator sounds", "Give the folder of <speaker>-<category>-<take> files"
        )
    return make_frame(rows)
