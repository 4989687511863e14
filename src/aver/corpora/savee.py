"""SAVEE: four men speak TIMIT sentences in seven emotions (Haq & Jackson 2009).

Two layouts are read: the publishers' ``AudioData/DC/a01.wav`` (and ``AudioVisualClip/DC/a1.avi``),
and the flat one it is passed on in, ``DC_a01.wav``. Letters: a anger, d disgust, f fear,
h happiness, n neutral, sa sadness, su surprise. Each man speaks 120: 30 neutral, 15 of each other.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aver.corpora.layout import count_values, find_files, same_for_all
from aver.corpora.registry import CorpusOptions, Count, register_corpus
from aver.corpora.table import make_frame, report
from aver.errors import CorpusError
from aver.labels import SAVEE

if TYPE_CHECKING:
    import pandas as pd

SPEAKERS: tuple[str, ...] = ("DC", "JE", "JK", "KL")
EMOTIONS = {
    "a": "angry",
    "d": "disgust",
    "f": "fearful",
    "h": "happy",
    "n": "neutral",
    "sa": "sad",
    "su": "surprised",
}
MODALITIES = {".wav": "audio", ".flac": "audio", ".avi": "audio-video", ".mp4": "audio-video"}
_NAME = re.compile(r"(?:(DC|JE|JK|KL)_)?(sa|su|[adfhn])(\d{1,2})")


class SaveeOptions(CorpusOptions):
    """What to list.

    Args:
        modality: ``audio`` (AudioData), ``audio-video`` (AudioVisualClip), or ``any``.
    """

    modality: Literal["any", "audio", "audio-video"] = "any"


def published_takes() -> list[str]:
    """All takes: ``DC_a01`` to ``KL_su15``."""
    return [
        f"{speaker}_{letter}{number:02d}"
        for speaker in SPEAKERS
        for letter in EMOTIONS
        for number in range(1, 31 if letter == "n" else 16)
    ]


def _missing(root: Path, frame: pd.DataFrame) -> list[str]:
    missing = []
    for modality in sorted(set(frame["modality"])):
        there = set(frame["recording"][frame["modality"] == modality])
        missing += [f"{take} ({modality})" for take in published_takes() if take not in there]
    return missing


def _published(frame: pd.DataFrame) -> list[Count]:
    counts: list[Count] = []
    labels = {label: 120 if label == "neutral" else 60 for label in SAVEE}
    for modality in sorted(set(frame["modality"])):
        part = frame[frame["modality"] == modality]
        counts.append(Count(f"{modality}: files", 480, len(part)))
        counts += count_values(part, "label", labels, f"{modality}: label")
        each = same_for_all(SPEAKERS, 120)
        counts += count_values(part, "subject", each, f"{modality}: speaker")
    return counts


@register_corpus(
    "savee",
    title="SAVEE: 4 men speak English, 7 emotions",
    options=SaveeOptions,
    labels=SAVEE,
    published=_published,
    missing=_missing,
)
def load(root: Path, options: SaveeOptions | None = None) -> pd.DataFrame:
    """List the recordings under *root*, in either layout.

    Returns:
        One row a file with the columns of every corpus; ``subject`` is the speaker (``DC``),
        ``source_label`` the letters of the name, ``recording`` the take (``DC_a01``). Then
        ``modality``, ``statement`` (number of the sentence within its emotion) and ``sex``.

    Raises:
        CorpusError: if there is none, or a sound is not named as SAVEE's are.
    """
    options = options or SaveeOptions()
    rows: list[dict[str, object]] = []
    for file in find_files(Path(root), MODALITIES):
        modality = MODALITIES[file.suffix.lower()]
        match = _NAME.fullmatch(file.stem)
        speaker = (match and match[1]) or file.parent.name
        if match is None or speaker not in SPEAKERS:
            problem = "is not named as SAVEE files are"
            report(CorpusError(file, problem, "DC/a01.wav or DC_a01.wav; speakers DC, JE, JK, KL"))
            continue
        if options.modality not in ("any", modality):
            continue
        letters, number = match[2], int(match[3])
        rows.append(
            {
                "file": str(file),
                "subject": speaker,
                "label": EMOTIONS[letters],
                "group": "male",
                "source_label": letters,
                "recording": f"{speaker}_{letters}{number:02d}",
                "modality": modality,
                "statement": str(number),
                "sex": "male",
            }
        )
    if not rows:
        raise CorpusError(root, "holds no SAVEE recording", "Give the folder that holds AudioData")
    return make_frame(rows, ("modality", "statement", "sex"))
