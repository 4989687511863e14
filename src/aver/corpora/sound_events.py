"""Sound events: read from ELAN, DCASE's tables, CSV and Audacity's labels, checked, and written.

COGNIMUSE tells what is heard in its films, and when; so does whoever annotates films of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aver.corpora.sound_event import SoundEvent
from aver.corpora.sound_event_checks import (
    EventSettings,
    apart,
    check_times,
    fold,
    named,
    of_recording,
    within,
)
from aver.corpora.sound_event_elan import read_eaf
from aver.corpora.sound_event_files import (
    RawEvents,
    events_audacity,
    events_csv,
    events_tsv,
    read_table,
)
from aver.corpora.table import nearest
from aver.errors import CorpusError, OutputError
from aver.report.files import write_files, writer_of

__all__ = [
    "COGNIMUSE_LABELS",
    "SUFFIXES",
    "EventFile",
    "EventSettings",
    "SoundEvent",
    "read_event_file",
    "read_events",
    "write_events",
    "write_events_audacity",
    "write_events_tsv",
]

SUFFIXES: Final = (".eaf", ".tsv", ".csv", ".txt")
"""Of files of events: ELAN, DCASE, CSV, Audacity."""

COGNIMUSE_LABELS: Final[Mapping[str, str]] = {
    "crowd noise": "crowd",
    "crowd": "crowd",
    "speech male": "speech_male",
    "male speech": "speech_male",
    "speech female": "speech_female",
    "female speech": "speech_female",
    "singing": "singing",
    "shouting": "shouting",
    "crying": "crying",
    "cry": "crying",
    "breathing": "breathing",
    "laughter": "laughter",
    "laughing": "laughter",
}
"""Human sounds as the paper on sound semantics names them (Table I and its introduction), and as
this project does."""


@dataclass(frozen=True)
class EventFile:
    """What a file tells, checked.

    Attributes:
        events: in order of time.
        recordings: those the file names, in its order; also those in which nothing is heard.
    """

    events: tuple[SoundEvent, ...]
    recordings: tuple[str, ...]


def read_events(
    path: str | Path,
    *,
    labels: Mapping[str, str] | None = None,
    duration: float | None = None,
    recording: str = "",
    settings: EventSettings | None = None,
) -> list[SoundEvent]:
    """Read events; the suffix says how: ``.eaf`` ELAN, ``.tsv`` DCASE, ``.csv``, ``.txt`` Audacity.

    Args:
        path: of the file.
        labels: the file's words and the names wanted for them (empty: leave these out); case,
            blanks and underscores do not count. None takes the words as they are.
        duration: seconds of the recording, which no event may reach beyond.
        recording: name or path of the recording whose events are wanted; empty for all.
        settings: what is done with doubtful events.

    Returns:
        The events, recording by recording, in order of their times.

    Raises:
        CorpusError: if the file cannot be read or holds nothing; a time is missing, negative or
            beyond the recording; an event ends before it starts; a label is not in the map;
            events of one label overlap; the events are those of another recording.
    """
    return list(
        read_event_file(
            path, labels=labels, duration=duration, recording=recording, settings=settings
        ).events
    )


def read_event_file(
    path: str | Path,
    *,
    labels: Mapping[str, str] | None = None,
    duration: float | None = None,
    recording: str = "",
    settings: EventSettings | None = None,
) -> EventFile:
    """As :func:`read_events`, with the recordings that the file names."""
    path = Path(path)
    settings = settings or EventSettings()
    raw = _read(path, settings)
    if not raw.rows and not settings.allow_empty and not _lists_silence(path, raw):
        raise CorpusError(path, "holds no events", "Annotate some, or leave the file out")
    check_times(path, raw.rows)
    rows = of_recording(path, raw, recording, settings)
    rows = within(path, rows, duration, settings)
    if labels is not None:
        rows = named(path, rows, labels, settings)
    events = tuple(apart(path, rows, settings))
    if recording:
        mine = [name for name in raw.recordings if fold(name) == fold(recording)]
        return EventFile(events, tuple(mine))
    return EventFile(events, tuple(raw.recordings))


def _read(path: Path, settings: EventSettings) -> RawEvents:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        known = "ELAN .eaf, DCASE .tsv, .csv, Audacity .txt"
        raise CorpusError(path, "is not a file of events that can be read", f"Known: {known}")
    if suffix == ".eaf":
        return read_eaf(path, settings.tiers, settings.label_from)
    return read_table(path)


def _lists_silence(path: Path, raw: RawEvents) -> bool:
    """Whether the file says of recordings that nothing is heard in them."""
    return bool(raw.recordings) and path.suffix.lower() != ".eaf"


def write_events_tsv(
    events: Iterable[SoundEvent], path: str | Path, recordings: Sequence[str] = ()
) -> Path:
    """Write DCASE's table ``filename onset offset event_label``, to the microsecond.

    Args:
        events: to write.
        path: of the file.
        recordings: all there are; one without events becomes a row with its name alone.

    Raises:
        OutputError: if it cannot be written.
    """
    return _write(Path(path), events_tsv(events, recordings))


def write_events_audacity(events: Iterable[SoundEvent], path: str | Path) -> Path:
    """Write a label track for Audacity, to the microsecond.

    Raises:
        OutputError: if the events are of several recordings, or it cannot be written.
    """
    events = list(events)
    several = sorted({event.recording for event in events})
    if len(several) > 1:
        problem = f"cannot hold the events of {len(several)} recordings"
        raise OutputError(path, problem, "A label track is of one: choose one, or write .tsv")
    return _write(Path(path), events_audacity(events))


def write_events(
    events: Iterable[SoundEvent], path: str | Path, recordings: Sequence[str] = ()
) -> Path:
    """Write events as the suffix says: ``.tsv``, ``.csv`` or ``.txt``.

    Raises:
        OutputError: if the suffix says nothing, or the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".txt":
        return write_events_audacity(events, path)
    if suffix == ".csv":
        return _write(path, events_csv(events, recordings))
    if suffix != ".tsv":
        advice = nearest(suffix, (".tsv", ".csv", ".txt"))
        raise OutputError(path, "has no suffix that events are written with", advice)
    return write_events_tsv(events, path, recordings)


def _write(path: Path, text: str) -> Path:
    return write_files([(path, writer_of(text.encode()))])[0]
