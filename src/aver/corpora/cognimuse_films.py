"""A film beside its trace: whether it has sound, and how much of it is annotated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aver.errors import CorpusError, MediaError


@dataclass(frozen=True)
class Film:
    """What segments are cut from.

    Attributes:
        file: the film.
        seconds: how much of it is annotated.
    """

    file: Path
    seconds: float

    def segments(self, seconds: float) -> int:
        """Whole segments of so many *seconds* in it."""
        return int(self.seconds / seconds + 1e-6)


def look_at(file: Path, annotated: float, mismatch: float, remarks: list[str]) -> Film:
    """The part of a film that its trace covers.

    Args:
        file: the film.
        annotated: seconds of its trace.
        mismatch: seconds by which the film may be shorter or longer.
        remarks: told of films that are not as long as their trace.

    Raises:
        CorpusError: if the film cannot be read, has no sound, or differs by more.
    """
    from aver.media import probe

    try:
        facts = probe(file)
    except MediaError as error:
        raise CorpusError(file, error.problem, error.advice) from error
    if not facts.has_audio:
        raise CorpusError(file, "has no sound", "Bring the film with its sound track")
    if facts.duration is None:
        remarks.append(f"{file.name}: does not say how long it is; its trace was taken at its word")
        return Film(file, annotated)
    longer = facts.duration - annotated
    if abs(longer) > mismatch:
        what = "longer" if longer > 0 else "shorter"
        both = f"lasts {facts.duration:.1f} s, its trace {annotated:.1f} s"
        raise CorpusError(
            file,
            f"{both}: {abs(longer):.1f} s {what}",
            "Bring the half-hour clip that was annotated, or raise -o mismatch_seconds",
        )
    if longer < -1.0:
        remarks.append(
            f"{file.name}: is {-longer:.1f} s shorter than its trace; the trace's end is left out"
        )
    elif longer > 1.0:
        remarks.append(
            f"{file.name}: is {longer:.1f} s longer than its trace; the film's end has no labels"
        )
    return Film(file, min(annotated, facts.duration))
