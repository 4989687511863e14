"""EMO-DB: ten actors speak ten German sentences in seven emotions (Burkhardt et al. 2005).

A file is named by speaker, sentence, emotion and version: ``03a01Fa.wav`` is speaker 03, sentence
a01, happiness (Freude), version a. Letters: W anger (Wut), L boredom (Langeweile), E disgust
(Ekel), A fear (Angst), F happiness (Freude), T sadness (Trauer), N neutral. 535 files in ``wav/``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora.layout import count_values, find_files
from aver.corpora.registry import Count, register_corpus
from aver.corpora.table import make_frame, nearest, report
from aver.errors import CorpusError
from aver.labels import EMO_DB

if TYPE_CHECKING:
    import pandas as pd

EMOTIONS = {
    "W": "angry",
    "L": "bored",
    "E": "disgust",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
SPEAKERS: dict[str, tuple[str, int]] = {
    "03": ("male", 31),
    "08": ("female", 34),
    "09": ("female", 21),
    "10": ("male", 32),
    "11": ("male", 26),
    "12": ("male", 30),
    "13": ("female", 32),
    "14": ("female", 35),
    "15": ("male", 25),
    "16": ("female", 31),
}
"""Sex and age in years."""
SENTENCES = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")
PUBLISHED = {
    "angry": 127,
    "bored": 81,
    "disgust": 46,
    "fearful": 69,
    "happy": 71,
    "sad": 62,
    "neutral": 79,
}
SUFFIXES = frozenset({".wav", ".flac"})
_NAME = re.compile(r"(\d{2})([ab]\d{2})([A-Z])([a-z])")


def _published(frame: pd.DataFrame) -> list[Count]:
    return [
        Count("files", 535, len(frame)),
        Count("speakers", len(SPEAKERS), frame["subject"].nunique()),
        *count_values(frame, "label", PUBLISHED, "label"),
    ]


@register_corpus(
    "emo_db",
    title="EMO-DB: 10 actors speak German, 7 emotions",
    labels=EMO_DB,
    published=_published,
)
def load(root: Path) -> pd.DataFrame:
    """List the recordings under *root*.

    Returns:
        One row a file with the columns of every corpus; ``subject`` is the speaker (``03``),
        ``group`` the sex, ``source_label`` the letter. Then ``statement`` (``a01``),
        ``repetition`` (version), ``sex`` and ``age``.

    Raises:
        CorpusError: if there is none, or a name breaks the scheme.
    """
    rows: list[dict[str, object]] = []
    for file in find_files(Path(root), SUFFIXES):
        match = _NAME.fullmatch(file.stem)
        if match is None:
            report(CorpusError(file, "is not named as EMO-DB files are", "As in 03a01Fa.wav"))
            continue
        speaker, sentence, emotion, version = match.groups()
        for value, known, what in (
            (speaker, SPEAKERS, "speaker"),
            (sentence, SENTENCES, "sentence"),
            (emotion, EMOTIONS, "emotion"),
        ):
            if value not in known:
                problem = f"has the {what} '{value}', which EMO-DB does not know"
                report(CorpusError(file, problem, nearest(value, known)))
                break
        else:
            sex, age = SPEAKERS[speaker]
            rows.append(
                {
                    "file": str(file),
                    "subject": speaker,
                    "label": EMOTIONS[emotion],
                    "group": sex,
                    "source_label": emotion,
                    "recording": file.stem,
                    "statement": sentence,
                    "repetition": version,
                    "sex": sex,
                    "age": age,
                }
            )
    if not rows:
        raise CorpusError(root, "holds no EMO-DB recording", "Give the folder that holds wav/")
    return make_frame(rows, ("statement", "repetition", "sex", "age"))
