"""ESC-50: 2,000 sounds of the surroundings, 5 s each, in 50 classes and 5 folds (Piczak 2015).

The publishers' layout is ``audio/`` with ``fold-source-take-target.wav`` (``1-100032-A-0.wav``)
and ``meta/esc50.csv``. The labels are kinds of sound, not emotions; ``subject`` is empty.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora.layout import count_values, same_for_all
from aver.corpora.registry import Count, register_corpus
from aver.corpora.table import make_frame, nearest, report
from aver.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

# fmt: off
CLASSES: tuple[str, ...] = (
    "dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow",
    "rain", "sea_waves", "crackling_fire", "crickets", "chirping_birds", "water_drops", "wind",
    "pouring_water", "toilet_flush", "thunderstorm",
    "crying_baby", "sneezing", "clapping", "breathing", "coughing", "footsteps", "laughing",
    "brushing_teeth", "snoring", "drinking_sipping",
    "door_wood_knock", "mouse_click", "keyboard_typing", "door_wood_creaks", "can_opening",
    "washing_machine", "vacuum_cleaner", "clock_alarm", "clock_tick", "glass_breaking",
    "helicopter", "chainsaw", "siren", "car_horn", "engine", "train", "church_bells", "airplane",
    "fireworks", "hand_saw",
)
# fmt: on
"""Classes in the order of the column ``target``, 0 to 49."""

CATEGORIES: tuple[str, ...] = ("animals", "nature", "human", "interior", "exterior")
"""The publishers' five groups of ten classes, in the same order."""

HUMAN: frozenset[str] = frozenset(CLASSES[20:30])
"""Kinds that people make, and so no background to one."""

_ADVICE = "Give the folder that holds audio/ and meta/esc50.csv"


def read_meta(root: Path) -> list[dict[str, str]]:
    """Rows of ``meta/esc50.csv``: filename, fold, target, category, esc10, src_file, take.

    Raises:
        CorpusError: if it is not there, or not the publishers'.
    """
    import csv

    table = root / "meta" / "esc50.csv"
    if not table.is_file():
        raise CorpusError(root, "is not ESC-50: there is no meta/esc50.csv", _ADVICE)
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(table, f"is not ESC-50's table ({error})", _ADVICE) from error
    wanted = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
    lacking = [name for name in wanted if not rows or rows[0].get(name) is None]
    if lacking:
        raise CorpusError(table, f"is not ESC-50's table (no {', '.join(lacking)})", _ADVICE)
    return rows


def list_audio(root: Path) -> dict[str, Path]:
    """Files of ``audio/`` by stem; in WAV as published, or another format of FFmpeg's."""
    return {file.stem: file for file in sorted((root / "audio").glob("*")) if file.is_file()}


def missing_files(root: Path, frame: pd.DataFrame) -> list[str]:
    """Files that the table names and ``audio/`` does not hold."""
    there = list_audio(root)
    return [r["filename"] for r in read_meta(root) if Path(r["filename"]).stem not in there]


def _published(frame: pd.DataFrame) -> list[Count]:
    labels = count_values(frame, "label", same_for_all(CLASSES, 40), "label")
    return [Count("files", 2000, len(frame)), *labels]


@register_corpus(
    "esc50",
    title="ESC-50: 2,000 sounds of the surroundings, 50 kinds, as background to voices",
    labels=CLASSES,
    published=_published,
    missing=missing_files,
)
def load(root: Path) -> pd.DataFrame:
    """List the sounds under *root*; those of the table that are not there are left out.

    Returns:
        One row a file with the columns of every corpus; ``label`` is the publishers' category,
        ``group`` and ``fold`` the fold, ``source_label`` the target, ``recording`` the longer
        recording the clip was cut from; then ``category``, one of :data:`CATEGORIES`.

    Raises:
        CorpusError: if the table or all of its files are missing, or it names no class of ESC-50.
    """
    root = Path(root).resolve()
    there = list_audio(root)
    rows: list[dict[str, object]] = []
    for row in read_meta(root):
        label, stem = row["category"], Path(row["filename"]).stem
        if label not in CLASSES:
            problem = f"{stem}: '{label}' is no class of ESC-50"
            report(CorpusError(root / "meta" / "esc50.csv", problem, nearest(label, CLASSES)))
        elif stem in there:
            rows.append(
                {
                    "file": str(there[stem]),
                    "label": label,
                    "group": row["fold"],
                    "source_label": row["target"],
                    "recording": row["src_file"],
                    "fold": row["fold"],
                    "category": CATEGORIES[CLASSES.index(label) // 10],
                }
            )
    if not rows:
        raise CorpusError(root, "none of the files of meta/esc50.csv is in audio/", _ADVICE)
    return make_frame(rows, ("fold", "category"))
