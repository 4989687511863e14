"""nEMO: nine actors speak 90 Polish sentences in six emotions (Christop 2024).

``data.tsv`` names the files (``<speaker>_<emotion>_<sentence>.wav``) with emotion, text, speaker,
sex and age; the sound lies in ``samples/``, in WAV as published or another format of FFmpeg's.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora import make_frame, register_corpus
from aver.errors import CorpusError

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


@register_corpus("nemo")
def load(root: Path) -> pd.DataFrame:
    """List the recordings under *root*.

    Returns:
        One row a file with the columns of every corpus; ``subject`` is the speaker (``WR0``),
        ``group`` the sex, ``recording`` the file's stem.

    Raises:
        CorpusError: if ``data.tsv`` is missing or damaged, or none of its files is there.
    """
    root = Path(root)
    table = root / "data.tsv"
    advice = "Give the folder that holds data.tsv and samples/"
    if not table.is_file():
        raise CorpusError(root, "is not nEMO: there is no data.tsv", advice)
    there = {f.stem: f for f in sorted((root / "samples").glob("*")) if f.is_file()}
    rows: list[dict[str, object]] = []
    try:
        with table.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                stem = Path(row["file_id"]).stem
                if stem not in there:
                    continue
                rows.append(
                    {
                        "file": str(there[stem].resolve()),
                        "subject": row["speaker_id"].strip(),
                        "label": LABELS[row["emotion"]],
                        "group": row["gender"],
                        "source_label": row["emotion"],
                        "recording": stem,
                    }
                )
    except (KeyError, UnicodeDecodeError) as error:
        raise CorpusError(table, f"is not nEMO's table ({error})", advice) from error
    if not rows:
        raise CorpusError(root, "none of the files that data.tsv names is in samples/", advice)
    return make_frame(rows)
