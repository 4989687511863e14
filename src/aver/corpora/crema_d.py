"""CREMA-D: 91 actors speak twelve sentences in six emotions (Cao et al. 2014).

A file is named ``actor_sentence_emotion_level``: ``1001_DFA_ANG_XX.flv`` is actor 1001, "Don't
forget a jacket", anger, level unspecified. The publishers' folders are ``VideoFlash`` (.flv,
picture and sound), ``AudioWAV`` and ``AudioMP3``; the same take is in each.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora import make_frame, register_corpus
from aver.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"}
SENTENCES = frozenset("IEO TIE IOM IWW TAI MTI IWL ITH DFA ITS TSI WSI".split())
SUFFIXES = frozenset({".flv", ".mp4", ".wav", ".mp3"})

_NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{1,2})")


@register_corpus("crema_d")
def load(root: Path) -> pd.DataFrame:
    """List the clips under *root*.

    Returns:
        One row a file with the columns of every corpus. ``subject`` is the actor, ``1001`` to
        ``1091``; ``intensity`` is ``low``, ``medium``, ``high`` or ``unspecified``.

    Raises:
        CorpusError: if no clip lies there, or a name breaks the scheme.
    """
    rows: list[dict[str, object]] = []
    for file in sorted(Path(root).rglob("*")):
        if file.suffix.lower() not in SUFFIXES or file.name.startswith("."):
            continue
        match = _NAME.fullmatch(file.stem)
        if match is None:
            raise CorpusError(file, "is not named as CREMA-D files are", "actor_DFA_ANG_XX")
        actor, sentence, emotion, level = match.groups()
        # One published file carries the level "X" instead of "XX".
        level = "XX" if level == "X" else level
        if emotion not in EMOTIONS or level not in LEVELS or sentence not in SENTENCES:
            raise CorpusError(file, "has a sentence, emotion or level CREMA-D does not know")
        rows.append(
            {
                "file": str(file.resolve()),
                "subject": actor,
                "label": EMOTIONS[emotion],
                "intensity": LEVELS[level],
                "source_label": emotion,
                "recording": file.stem,
            }
        )
    if not rows:
        raise CorpusError(root, "holds no CREMA-D clip", "Give the folder that holds VideoFlash")
    return make_frame(rows)
