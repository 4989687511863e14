"""RAVDESS: 24 actors speak and sing two sentences in eight emotions (Livingstone & Russo 2018).

A file is named ``modality-channel-emotion-intensity-statement-repetition-actor``, each two
digits: ``03-01-06-01-02-01-12.wav`` is audio only (03), speech (01), fearful (06), normal (01),
"dogs" (02), first repetition (01), actor 12, a woman (even). Files are listed in the publishers'
folders ``Actor_01`` to ``Actor_24`` or beside each other.

Published are, of speech, 1,440 takes (60 an actor), and of song, 1,012 (44 an actor, six emotions,
actor 18 sings nothing), each as sound, as picture, and as both: 7,356 files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from aver.corpora.layout import count_values, find_files, same_for_all
from aver.corpora.registry import CorpusOptions, Count, register_corpus
from aver.corpora.table import make_frame, report
from aver.errors import CorpusError
from aver.labels import RAVDESS

if TYPE_CHECKING:
    import pandas as pd

MODALITIES: Final = {1: "audio-video", 2: "video", 3: "audio"}
CHANNELS: Final = {1: "speech", 2: "song"}
INTENSITIES: Final = {1: "normal", 2: "strong"}
STATEMENTS: Final = {1: "kids", 2: "dogs"}
SUFFIXES = frozenset({".wav", ".flac", ".mp4"})
SUNG: tuple[str, ...] = RAVDESS[:6]
"""Emotions of the songs."""
_SILENT_SINGER = 18

_NAME = re.compile(r"(\d{2})-(\d{2})-(\d{2})-(\d{2})-(\d{2})-(\d{2})-(\d{2})")

# Published twice: actor 7, happy, normal, "dogs": repetition 2 is repetition 1, sample for sample.
_SAME_TAKE = {(3, 1, 2, 2, 7): (3, 1, 2, 1, 7)}


class RavdessOptions(CorpusOptions):
    """What to list.

    Args:
        channel: ``speech``, ``song``, or ``any``.
        modality: ``audio-video`` (01), ``video`` (02), ``audio`` (03), or ``any``.
    """

    channel: Literal["speech", "song", "any"] = "speech"
    modality: Literal["any", "audio-video", "video", "audio"] = "any"


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


def published_stems(modality: str, channel: str) -> list[str]:
    """Names, without suffix, of all files the publishers made of a modality and a channel."""
    first = next(number for number, name in MODALITIES.items() if name == modality)
    second = next(number for number, name in CHANNELS.items() if name == channel)
    emotions = range(1, 1 + len(RAVDESS if channel == "speech" else SUNG))
    return [
        f"{first:02d}-{second:02d}-" + "-".join(f"{f:02d}" for f in (*fields, actor))
        for actor in range(1, 25)
        if channel == "speech" or actor != _SILENT_SINGER
        for fields in product(emotions, (1, 2), (1, 2), (1, 2))
        # Neutral has no strong form.
        if not (fields[0] == 1 and fields[1] == 2)
    ]


def _parts(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Modalities and channels of which at least one file is there."""
    return sorted(set(zip(frame["modality"], frame["channel"], strict=True)))


def _missing(root: Path, frame: pd.DataFrame) -> list[str]:
    there = {Path(file).stem for file in frame["file"]}
    wanted = [stem for part in _parts(frame) for stem in published_stems(*part)]
    return [stem for stem in wanted if stem not in there]


def _published(frame: pd.DataFrame) -> list[Count]:
    counts: list[Count] = []
    for modality, channel in _parts(frame):
        part = frame[(frame["modality"] == modality) & (frame["channel"] == channel)]
        speech, name = channel == "speech", f"{channel}, {modality}:"
        labels = same_for_all(RAVDESS if speech else SUNG, 192 if speech else 184)
        labels["neutral"] //= 2
        actors = [f"{a:02d}" for a in range(1, 25) if speech or a != _SILENT_SINGER]
        counts.append(Count(f"{name} files", 1440 if speech else 1012, len(part)))
        counts += count_values(part, "label", labels, f"{name} label")
        each = same_for_all(actors, 60 if speech else 44)
        counts += count_values(part, "subject", each, f"{name} actor")
    return counts


@register_corpus(
    "ravdess",
    title="RAVDESS: 24 actors, speech and song, sound and picture, 8 emotions",
    options=RavdessOptions,
    labels=RAVDESS,
    published=_published,
    missing=_missing,
)
def load(root: Path, options: RavdessOptions | None = None) -> pd.DataFrame:
    """List the files under *root*; the speech in all modalities if nothing else is asked for.

    Returns:
        One row a file with the columns of every corpus. ``subject`` is the actor, ``01`` to
        ``24``; ``group`` the sex; ``source_label`` the emotion field; ``intensity`` ``normal`` or
        ``strong``. Then ``modality``, ``channel``, ``statement`` (``kids``, ``dogs``),
        ``repetition`` (1, 2) and ``sex``.

    Raises:
        CorpusError: if no such RAVDESS file lies there, or a name breaks the scheme.
    """
    options = options or RavdessOptions()
    rows: list[dict[str, object]] = []
    for file in find_files(Path(root), SUFFIXES):
        try:
            take = parse_name(file.stem)
        except ValueError as error:
            report(CorpusError(file, f"is not named as RAVDESS files are: {error}"))
            continue
        if options.channel not in ("any", take.channel):
            continue
        if options.modality not in ("any", take.modality):
            continue
        rows.append(
            {
                "file": str(file),
                "subject": f"{take.actor:02d}",
                "label": take.emotion,
                "intensity": take.intensity,
                "group": take.sex,
                "source_label": file.stem.split("-")[2],
                "recording": recording_of(file.stem),
                "modality": take.modality,
                "channel": take.channel,
                "statement": take.statement,
                "repetition": take.repetition,
                "sex": take.sex,
            }
        )
    if not rows:
        what = "" if options.modality == "any" else f" of modality '{options.modality}'"
        kind = "" if options.channel == "any" else f" {options.channel}"
        raise CorpusError(
            root, f"holds no RAVDESS{kind}{what}", "Give the folder that holds Actor_01 to Actor_24"
        )
    return make_frame(rows, ("modality", "channel", "statement", "repetition", "sex"))
