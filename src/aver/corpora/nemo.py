"""nEMO: nine actors speak 90 Polish sentences in six emotions (Christop 2024).

``data.tsv`` names the files (``<speaker>_<emotion>_<sentence>.wav``) with emotion, text, speaker,
sex and age; the sound lies in ``samples/``, in WAV as published or another format of FFmpeg's.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora.layout import count_values
from aver.corpora.registry import Count, register_corpus
from aver.corpora.table import make_frame, nearest, report
from aver.errors import CorpusError
from aver.labels import NEMO

if TYPE_CHECKING:
    import pandas as pd

LABELS = {
    "anger": "angry",
    "fear": "fearful",
    "happiness": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprised": "surprised",
}
"""The corpus's words, and this project's."""

PUBLISHED = {
    "angry": 749,
    "fearful": 736,
    "happy": 749,
    "neutral": 809,
    "sad": 769,
    "surprised": 669,
}
"""Recordings of each emotion."""

_ADVICE = "Give the folder that holds data.tsv and samples/"


def _read_table(root: Path) -> list[dict[str, str]]:
    table = root / "data.tsv"
    if not table.is_file():
        raise CorpusError(root, "is not nEMO: there is no data.tsv", _ADVICE)
    try:
        with table.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
    except (UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(table, f"is not nEMO's table ({error})", _ADVICE) from error
    wanted = ("file_id", "emotion", "raw_text", "speaker_id", "gender", "age")
    lacking = [name for name in wanted if rows and rows[0].get(name) is None]
    if lacking:
        problem = f"is not nEMO's table (no column {', '.join(lacking)})"
        raise CorpusError(table, problem, _ADVICE)
    return rows


def _missing(root: Path, frame: pd.DataFrame) -> list[str]:
    there = {file.stem for file in (root / "samples").glob("*")}
    return [f"samples/{r['file_id']}" for r in _read_table(root) if _stem(r) not in there]


def _stem(row: dict[str, str]) -> str:
    return Path(row["file_id"]).stem


def _published(frame: pd.DataFrame) -> list[Count]:
    return [
        Count("files", sum(PUBLISHED.values()), len(frame)),
        Count("speakers", 9, frame["subject"].nunique()),
        *count_values(frame, "label", PUBLISHED, "label"),
    ]


@register_corpus(
    "nemo",
    title="nEMO: 9 actors speak Polish, 6 emotions",
    labels=NEMO,
    published=_published,
    missing=_missing,
)
def load(root: Path) -> pd.DataFrame:
    """List the recordings under *root*; those of ``data.tsv`` that are not there are left out.

    Returns:
        One row a file with the columns of every corpus; ``subject`` is the speaker (``WR0``),
        ``group`` the sex, ``recording`` the file's stem. Then ``statement`` (the sentence's
        number), ``sex`` and ``age`` (years).

    Raises:
        CorpusError: if ``data.tsv`` is missing or damaged, or none of its files is there.
    """
    root = Path(root).resolve()
    table = _read_table(root)
    there = {f.stem: f for f in sorted((root / "samples").glob("*")) if f.is_file()}
    rows: list[dict[str, object]] = []
    for row in table:
        stem = _stem(row)
        if row["emotion"] not in LABELS:
            problem = f"is not nEMO's table (emotion '{row['emotion']}' of {stem})"
            report(CorpusError(root / "data.tsv", problem, nearest(row["emotion"], LABELS)))
            continue
        if stem not in there:
            continue
        rows.append(
            {
                "file": str(there[stem]),
                "subject": row["speaker_id"].strip(),
                "label": LABELS[row["emotion"]],
                "group": row["gender"],
                "source_label": row["emotion"],
                "recording": stem,
                "statement": stem.rsplit("_", 1)[-1],
                "sex": row["gender"],
                "age": int(row["age"]) if row["age"].isdigit() else float("nan"),
            }
        )
    if not rows:
        raise CorpusError(root, "none of the files that data.tsv names is in samples/", _ADVICE)
    return make_frame(rows, ("statement", "sex", "age"))
