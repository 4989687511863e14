"""RAVDESS: 24 actors speak two sentences in eight emotions (Livingstone & Russo 2018).

A file is named ``modality-channel-emotion-intensity-statement-repetition-actor``, each two
digits: ``03-01-06-01-02-01-12.wav`` is audio only (03), speech (01), fearful (06), normal (01),
"dogs" (02), first repetition (01), actor 12, a woman (even). Speech files of any modality are
listed, in the publishers' folders ``Actor_01`` to ``Actor_24`` or beside each other. Songs
(channel 02) are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora import make_frame, register_corpus
from aver.errors import CorpusError
from aver.labels import RAVDESS

if TYPE_CHECKING:
    import pandas as pd

MODALITIES = {1: "audio-video", 2: "video", 3: "audio"}
CHANNELS = {1: "speech", 2: "song"}
INTENSITIES = {1: "normal", 2: "strong"}
STATEMENTS = {1: "kids", 2: "dogs"}
SUFFIXES = frozenset({".wav", ".flac", ".mp4"})

_NAME = re.compile(r"(\d{2})-(\d{2})-(\d{2})-(\d{2})-(\d{2})-(\d{2})-(\d{2})")

# Published twice: actor 7, happy, normal, "dogs": repetition 2 is repetition 1, sample for sample.
_SAME_TAKE = {(3, 1, 2, 2, 7): (3, 1, 2, 1, 7)}


@dataclass(frozen=True)
class Take:
    """The seven fields of a RAVDESS file name, as the publishers define them."""

    modality: str
    channel: str
    emotion: str
    intensity: str
    statement: str
    repetition: int
    actor: int

    @property
    def sex(self) -> str:
        """``male`` for odd actors, ``female`` for even ones."""
        return "female" if self.actor % 2 == 0 else "male"


def parse_name(stem: str) -> Take:
    """Read a file name without its suffix.

    Raises:
        ValueError: if it is not seven two-digit fields, or a field is out of its range.
    """
    match = _NAME.fullmatch(stem)
    if match is None:
        raise ValueError(f"'{stem}' is not seven two-digit fields joined by '-'")
    modality, channel, emotion, intensity, statement, repetition, actor = map(int, match.groups())
    try:
        take = Take(
            MODALITIES[modality],
            CHANNELS[channel],
            dict(enumerate(RAVDESS, start=1))[emotion],
            INTENSITIES[intensity],
            STATEMENTS[statement],
            repetition,
            actor,
        )
    except KeyError as error:
        raise ValueError(f"'{stem}' has a field out of range ({error})") from None
    if repetition not in (1, 2) or not 1 <= actor <= 24:
        raise ValueError(f"'{stem}' has a repetition or an actor out of range")
    return take


def recording_of(stem: str) -> str:
    """Identity of the take: the name without its modality, the known duplicate led back.

    ``01-01-x`` is the picture of ``03-01-x``: the same take.
    """
    _, channel, *rest = (int(field) for field in stem.split("-"))
    if channel == 1:
        rest = list(_SAME_TAKE.get(tuple(rest), rest))  # type: ignore[arg-type, call-overload]
    return "-".join(f"{field:02d}" for field in (channel, *rest))


@register_corpus("ravdess")
def load(root: Path) -> pd.DataFrame:
    """List the speech files under *root*.

    Returns:
        One row a file with the columns of every corpus. ``subject`` is the actor, ``01`` to
        ``24``; ``group`` the sex; ``source_label`` the emotion field; ``intensity`` ``normal`` or
        ``strong``.

    Raises:
        CorpusError: if no RAVDESS speech file lies there, or a name breaks the scheme.
    """
    rows: list[dict[str, object]] = []
    for file in sorted(Path(root).rglob("*")):
        if file.suffix.lower() not in SUFFIXES or file.name.startswith("."):
            continue
        try:
            take = parse_name(file.stem)
        except ValueError as error:
            raise CorpusError(file, f"is not named as RAVDESS files are: {error}") from None
        if take.channel != "speech":
            continue
        rows.append(
            {
                "file": str(file.resolve()),
                "subject": f"{take.actor:02d}",
                "label": take.emotion,
                "intensity": take.intensity,
                "group": take.sex,
                "source_label": file.stem.split("-")[2],
                "recording": recording_of(file.stem),
            }
        )
    if not rows:
        raise CorpusError(
            root, "holds no RAVDESS speech", "Give the folder that holds Actor_01 to Actor_24"
        )
    return make_frame(rows)
