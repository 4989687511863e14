"""EmoGator: vocal bursts, sounds without words, in thirty categories (Buhl 2023).

A file is named ``speaker-category-take``: ``000001-03-2.opus`` is speaker 1, category 03 (anger),
take 2; published as MP3, read in any format of FFmpeg's. Published are 32,130 bursts: 357 speakers
made each of the 30 categories three times.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora.layout import count_values, find_files, same_for_all
from aver.corpora.registry import Count, register_corpus
from aver.corpora.table import make_frame, report
from aver.errors import CorpusError
from aver.labels import EMOGATOR

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = frozenset({".mp3", ".opus", ".wav", ".flac"})
SPEAKERS = 357
TAKES = 3
_NAME = re.compile(r"(\d+)-(\d{2})-(\d+)")


def _published(frame: pd.DataFrame) -> list[Count]:
    each = len(EMOGATOR) * TAKES
    there = sorted(frame["subject"].unique())
    return [
        Count("files", SPEAKERS * each, len(frame)),
        Count("speakers", SPEAKERS, len(there)),
        *count_values(frame, "label", same_for_all(EMOGATOR, SPEAKERS * TAKES), "label"),
        *count_values(frame, "subject", same_for_all(there, each), "speaker"),
    ]


@register_corpus(
    "emogator",
    title="EmoGator: vocal bursts of 357 speakers, 30 categories",
    labels=EMOGATOR,
    published=_published,
)
def load(root: Path) -> pd.DataFrame:
    """List the bursts under *root*, at any depth.

    Returns:
        One row a file with the columns of every corpus; ``subject`` is the speaker's number as
        written, ``label`` the category's name (:data:`aver.labels.EMOGATOR`), ``source_label``
        its number. Then ``repetition``, the take.

    Raises:
        CorpusError: if there is none, or a category is not 01 to 30.
    """
    rows: list[dict[str, object]] = []
    for file in find_files(Path(root), SUFFIXES):
        match = _NAME.fullmatch(file.stem)
        if match is None:
            continue
        speaker, category, take = match.groups()
        if not 1 <= int(category) <= len(EMOGATOR):
            report(CorpusError(file, f"category {category} is not one of 01 to 30"))
            continue
        rows.append(
            {
                "file": str(file),
                "subject": speaker,
                "label": EMOGATOR[int(category) - 1],
                "source_label": category,
                "recording": file.stem,
                "repetition": int(take),
            }
        )
    if not rows:
        raise CorpusError(
            root, "holds no EmoGator sounds", "Give the folder of <speaker>-<category>-<take> files"
        )
    return make_frame(rows, ("repetition",))
