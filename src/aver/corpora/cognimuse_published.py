"""What is published of COGNIMUSE's segments: Table 1 of Wu, Li & Lee."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aver.corpora.cognimuse_files import FILMS, FIRST_RELEASE
from aver.corpora.registry import Count
from aver.labels import COGNIMUSE_3

if TYPE_CHECKING:
    import pandas as pd

SEGMENTS: Final = 4414
"""Segments of five seconds in all twelve films."""
WANTED: Final[dict[str, tuple[str, ...]]] = {"12": FILMS, "7": FIRST_RELEASE, "any": ()}
"""Films by the option ``films``."""
TABLE_1: Final[dict[tuple[str, str], tuple[int, int, int]]] = {
    ("experienced", "arousal"): (2845, 1480, 89),
    ("experienced", "valence"): (695, 2257, 1462),
    ("intended", "arousal"): (1801, 1428, 1185),
    ("intended", "valence"): (1578, 874, 1962),
}
"""Segments of the levels low, mid, high."""


def published(frame: pd.DataFrame) -> list[Count]:
    """Films, and, for five-second segments of all films, Table 1 beside what was found."""
    options: dict[str, Any] = frame.attrs.get("options", {})
    wanted = WANTED[options.get("films", "12")]
    if not wanted:
        return []
    counts = [Count("films", len(wanted), frame["subject"].nunique())]
    if len(wanted) < len(FILMS) or options.get("segment_seconds", 5.0) != 5.0:
        return counts
    counts.append(Count("segments", SEGMENTS, len(frame)))
    if options.get("levels") == "7":
        return counts
    emotion = options.get("emotion", "intended")
    for dimension in ("arousal", "valence"):
        found = frame[f"{dimension}_level"].value_counts()
        counts += [
            Count(f"{emotion} {dimension} {level}", number, int(found.get(level, 0)))
            for level, number in zip(COGNIMUSE_3, TABLE_1[emotion, dimension], strict=True)
        ]
    return counts


def missing(root: Path, frame: pd.DataFrame) -> list[str]:
    """Films without a usable trace."""
    options: dict[str, Any] = frame.attrs.get("options", {})
    wanted = WANTED[options.get("films", "12")]
    there = set(frame["subject"])
    return [f"trace of {film}" for film in wanted if film not in there]
