"""ESC-10: 400 sounds of the surroundings, 5 s each, as background to voices (Piczak 2015).

Two layouts of the publishers' are read:

* one folder a class, ``002 - Rain``; the first digit of a file's name is the corpus's fold;
* ESC-50's ``audio/`` and ``meta/esc50.csv``, of which the rows marked ``esc10`` are taken.

The labels are kinds of sound, not emotions; ``subject`` is empty.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora import esc50
from aver.corpora.layout import count_values, same_for_all
from aver.corpora.registry import Count, register_corpus
from aver.corpora.table import make_frame
from aver.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

ESC50_NAMES: dict[str, str] = {
    "dog": "dog bark",
    "rain": "rain",
    "sea_waves": "sea waves",
    "crying_baby": "baby cry",
    "clock_tick": "clock tick",
    "sneezing": "person sneeze",
    "helicopter": "helicopter",
    "chainsaw": "chainsaw",
    "rooster": "rooster",
    "crackling_fire": "fire crackling",
}
"""The ten kinds, as ESC-50 and as ESC-10 call them."""

CLASSES: tuple[str, ...] = tuple(ESC50_NAMES.values())

HUMAN: frozenset[str] = frozenset({"baby cry", "person sneeze"})
"""Kinds that are human voices, and so no background to one."""

SUFFIXES = frozenset({".ogg", ".opus", ".wav", ".flac"})
_FOLDER = re.compile(r"(\d{3}) - (.+)")


def _published(frame: pd.DataFrame) -> list[Count]:
    labels = count_values(frame, "label", same_for_all(CLASSES, 40), "label")
    return [Count("files", 400, len(frame)), *labels]


def _missing(root: Path, frame: pd.DataFrame) -> list[str]:
    if not (root / "meta" / "esc50.csv").is_file():
        return []
    there = esc50.list_audio(root)
    rows = [row for row in esc50.read_meta(root) if row["esc10"].lower() == "true"]
    return [row["filename"] for row in rows if Path(row["filename"]).stem not in there]


@register_corpus(
    "esc10",
    title="ESC-10: 400 sounds of the surroundings, 10 kinds, as background to voices",
    labels=CLASSES,
    published=_published,
    missing=_missing,
)
def load(root: Path) -> pd.DataFrame:
    """List the sounds under *root*.

    Returns:
        One row a file with the columns of every corpus; ``label`` is the kind in lower case
        (``rain``), ``group`` and ``fold`` the fold, ``source_label`` the folder's number (from
        ESC-50's table: its target), ``recording`` the longer recording the clip was cut from.

    Raises:
        CorpusError: if there is none.
    """
    root = Path(root).resolve()
    if (root / "meta" / "esc50.csv").is_file():
        rows = _rows_of_esc50(root)
    else:
        rows = [row for folder in sorted(root.iterdir()) for row in _rows_of_folder(folder)]
    if not rows:
        raise CorpusError(
            root, "holds no ESC-10 sounds", "Give the folder that holds '001 - Dog bark'"
        )
    return make_frame(rows, ("fold",))


def _rows_of_folder(folder: Path) -> list[dict[str, object]]:
    match = _FOLDER.fullmatch(folder.name)
    if match is None or not folder.is_dir():
        return []
    return [
        {
            "file": str(file),
            "label": match[2].lower(),
            "group": file.name[0],
            "source_label": match[1],
            # fold-source-part: parts A, B, ... were cut from one recording.
            "recording": file.stem.split("-")[1] if file.stem.count("-") == 2 else file.stem,
            "fold": file.name[0],
        }
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in SUFFIXES
    ]


def _rows_of_esc50(root: Path) -> list[dict[str, object]]:
    there = esc50.list_audio(root)
    return [
        {
            "file": str(there[stem]),
            "label": ESC50_NAMES.get(row["category"], row["category"]),
            "group": row["fold"],
            "source_label": row["target"],
            "recording": row["src_file"],
            "fold": row["fold"],
        }
        for row in esc50.read_meta(root)
        if row["esc10"].lower() == "true" and (stem := Path(row["filename"]).stem) in there
    ]
