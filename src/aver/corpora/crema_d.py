"""CREMA-D: 91 actors speak twelve sentences in six emotions (Cao et al. 2014).

A file is named ``actor_sentence_emotion_level``: ``1001_DFA_ANG_XX.flv`` is actor 1001, "Don't
forget a jacket", anger, level unspecified. The publishers' folders are ``VideoFlash`` (.flv,
picture and sound), ``AudioWAV`` and ``AudioMP3``; the same take is in each: 7,442 files each.

Beside them lie ``VideoDemographics.csv`` (who the actors are) and the crowd's answers
(:mod:`aver.corpora.crema_d_votes`), which are read where they are there.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from aver.corpora.crema_d_votes import VOTE_COLUMNS, read_votes, winner
from aver.corpora.layout import count_values, find_files
from aver.corpora.registry import CorpusOptions, Count, register_corpus
from aver.corpora.table import make_frame, nearest, report
from aver.errors import CorpusError
from aver.labels import CREMA_D

if TYPE_CHECKING:
    import pandas as pd

EMOTIONS: Final = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
LEVELS: Final = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"}
SENTENCES: Final = tuple("IEO TIE IOM IWW TAI MTI IWL ITH DFA ITS TSI WSI".split())
MODALITIES: Final = {
    ".flv": "audio-video",
    ".mp4": "audio-video",
    ".wav": "audio",
    ".mp3": "audio",
}
PUBLISHED: Final = {label: 1087 if label == "neutral" else 1271 for label in CREMA_D}
"""Clips of each emotion: 7,442 in all."""

# The crowd answered to the sound alone, the picture alone, and both.
_HEARD_OR_SEEN = {"audio-video": "multimodal", "audio": "voice"}
_NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{1,2})")
_PERSON = ("sex", "age", "race", "ethnicity")


class CremaDOptions(CorpusOptions):
    """What to list.

    Args:
        labels: ``intended``, what the actor was asked for, or ``crowd``, what most listeners or
            viewers answered; clips without one answer given most often are left out then.
        votes: to what the crowd answered: ``voice``, ``face``, ``multimodal``; ``auto`` takes
            ``multimodal`` for video and ``voice`` for sound files.
        modality: ``audio-video`` (VideoFlash), ``audio`` (AudioWAV, AudioMP3), or ``any``.
        suffix: only files of this kind.
    """

    labels: Literal["intended", "crowd"] = "intended"
    votes: Literal["auto", "voice", "face", "multimodal"] = "auto"
    modality: Literal["any", "audio-video", "audio"] = "any"
    suffix: Literal["any", "flv", "mp4", "wav", "mp3"] = "any"


def beside(root: Path, name: str) -> Path | None:
    """One of the publishers' tables, in *root* or, where that is AudioWAV, one folder up."""
    places = [root / name, root.resolve().parent / name]
    return next((place for place in places if place.is_file()), None)


def read_people(root: Path) -> dict[str, dict[str, object]]:
    """Sex, age, race and ethnicity of each actor; empty where the table is not there.

    Raises:
        CorpusError: if ``VideoDemographics.csv`` is not the publishers'.
    """
    table = beside(root, "VideoDemographics.csv")
    if table is None:
        return {}
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            return {
                row["ActorID"]: {
                    "sex": row["Sex"].lower(),
                    "age": int(row["Age"]),
                    "race": row["Race"],
                    "ethnicity": row["Ethnicity"],
                }
                for row in csv.DictReader(stream)
            }
    except (KeyError, AttributeError, ValueError) as error:
        problem = f"is not CREMA-D's table of actors ({error})"
        raise CorpusError(table, problem, "Take the publishers' file, or remove it") from error


def _missing(root: Path, frame: pd.DataFrame) -> list[str]:
    table = beside(root, "SentenceFilenames.csv")
    if table is None:
        return []
    with table.open(newline="", encoding="utf-8-sig") as stream:
        wanted = [row["Filename"].strip() for row in csv.DictReader(stream) if row.get("Filename")]
    missing = []
    for suffix in sorted({Path(file).suffix for file in frame["file"]}):
        there = {_regular(Path(f).stem) for f in frame["file"] if f.endswith(suffix)}
        missing += [f"{stem}{suffix}" for stem in wanted if _regular(stem) not in there]
    return missing


def _published(frame: pd.DataFrame) -> list[Count]:
    counts: list[Count] = []
    suffixes = frame["file"].str.lower().str.rsplit(".", n=1).str[-1]
    intended = frame.assign(label=frame["source_label"].map(EMOTIONS))
    for suffix in sorted(suffixes.unique()):
        part = intended[suffixes == suffix]
        counts.append(Count(f"{suffix}: files", sum(PUBLISHED.values()), len(part)))
        counts.append(Count(f"{suffix}: actors", 91, part["subject"].nunique()))
        counts += count_values(part, "label", PUBLISHED, f"{suffix}: label")
    return counts


def _regular(stem: str) -> str:
    """One published file carries the level "X" instead of "XX"."""
    return f"{stem}X" if re.search(r"_X$", stem) else stem


@register_corpus(
    "crema_d",
    title="CREMA-D: 91 actors, 12 sentences, sound and picture, 6 emotions, crowd's votes",
    options=CremaDOptions,
    labels=CREMA_D,
    published=_published,
    missing=_missing,
)
def load(root: Path, options: CremaDOptions | None = None) -> pd.DataFrame:
    """List the clips under *root*.

    Returns:
        One row a file with the columns of every corpus. ``subject`` is the actor, ``1001`` to
        ``1091``; ``intensity`` is ``low``, ``medium``, ``high`` or ``unspecified``; ``group`` the
        sex; ``source_label`` the emotion of the name, intended. Then ``modality``, ``statement``
        (``DFA``), ``sex``, ``age``, ``race``, ``ethnicity``, and the crowd's answers
        (:data:`aver.corpora.crema_d_votes.VOTE_COLUMNS`). What the publishers' tables do not
        tell, or tables that are not there, is empty.

    Raises:
        CorpusError: if no clip lies there, a name breaks the scheme, a table is damaged, or the
            crowd's labels are wanted and its tables are not there.
    """
    options = options or CremaDOptions()
    root = Path(root)
    people, votes = read_people(root), read_votes(root)
    if options.labels == "crowd" and not votes:
        raise CorpusError(
            root,
            "holds no answers of the crowd, so there are no labels of it",
            "Give the folder with processedResults/tabulatedVotes.csv, or labels = 'intended'",
        )
    rows: list[dict[str, object]] = []
    files = 0
    for file in find_files(root, MODALITIES.keys()):
        modality = MODALITIES[file.suffix.lower()]
        fields = _read_name(file)
        if fields is None or not _is_wanted(file, modality, options):
            continue
        files += 1
        row = _row(file, modality, *fields) | people.get(fields[0], {})
        row["group"] = row.get("sex", "")
        row |= (answers := votes.get(_regular(file.stem), {}))
        if options.labels == "crowd":
            to_what = _HEARD_OR_SEEN[modality] if options.votes == "auto" else options.votes
            label = winner(answers, to_what)
            if not label:
                continue
            row["label"] = label
        rows.append(row)
    if not files:
        raise CorpusError(root, "holds no CREMA-D clip", "Give the folder that holds VideoFlash")
    if not rows:
        raise CorpusError(root, "the crowd agreed on none of these clips", "Take 'intended'")
    extra: tuple[str, ...] = ("modality", "statement", *_PERSON, *(VOTE_COLUMNS if votes else ()))
    frame = make_frame(rows, extra)
    if files > len(rows):
        frame.attrs["notes"] = [f"{files - len(rows)} clips without one most frequent answer"]
    return frame


def _is_wanted(file: Path, modality: str, options: CremaDOptions) -> bool:
    suffix = file.suffix.lower().removeprefix(".")
    return options.modality in ("any", modality) and options.suffix in ("any", suffix)


def _read_name(file: Path) -> tuple[str, str, str, str] | None:
    match = _NAME.fullmatch(_regular(file.stem))
    if match is None:
        report(CorpusError(file, "is not named as CREMA-D files are", "actor_DFA_ANG_XX"))
        return None
    actor, sentence, emotion, level = match.groups()
    known: list[tuple[str, Any, str]] = [
        (sentence, SENTENCES, "sentence"),
        (emotion, EMOTIONS, "emotion"),
        (level, LEVELS, "level"),
    ]
    for value, values, what in known:
        if value not in values:
            problem = f"has the {what} '{value}', which CREMA-D does not know"
            report(CorpusError(file, problem, nearest(value, values)))
            return None
    return actor, sentence, emotion, level


def _row(
    file: Path, modality: str, actor: str, sentence: str, emotion: str, level: str
) -> dict[str, object]:
    return {
        "file": str(file),
        "subject": actor,
        "label": EMOTIONS[emotion],
        "intensity": LEVELS[level],
        "source_label": emotion,
        "recording": _regular(file.stem),
        "modality": modality,
        "statement": sentence,
    }
