"""Whether events make sense: their times, their labels, their recording."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from aver.corpora.sound_event import SoundEvent
from aver.corpora.sound_event_elan import LabelFrom
from aver.corpora.sound_event_files import RawEvents, Row
from aver.corpora.table import nearest
from aver.errors import CorpusError

_EPSILON: Final = 1e-9


class EventSettings(BaseModel):
    """What is done with the events of a file.

    Attributes:
        tiers: tiers of an ELAN file; none for all that have times of their own.
        label_from: in an ELAN file the annotation's text is the label (``value``), or its tier's
            name (``tier``).
        same_label: events of one label that overlap are refused (``refuse``), made one
            (``merge``), or left as they are (``keep``).
        unknown: labels that the map does not name are refused, left out (``leave_out``), or kept
            as they are (``keep``).
        tolerance_seconds: how far an event may reach beyond its recording's end; it is cut there.
        any_recording: take events that name another recording, where they name one alone.
        allow_empty: a file without events is no error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tiers: tuple[str, ...] = ()
    label_from: LabelFrom = "value"
    same_label: Literal["refuse", "merge", "keep"] = "refuse"
    unknown: Literal["refuse", "leave_out", "keep"] = "refuse"
    tolerance_seconds: float = Field(0.5, ge=0, allow_inf_nan=False)
    any_recording: bool = False
    allow_empty: bool = False


def check_times(path: Path, rows: Sequence[Row]) -> None:
    """Refuse events before the beginning, and events that end before or when they start.

    Raises:
        CorpusError: telling the first of them, and how many there are more.
    """
    wrong = [
        (f"{row.where} starts at {row.event.start:g} s, before the recording", "Correct its time")
        for row in rows
        if row.event.start < 0
    ]
    _refuse(path, wrong)
    wrong = []
    for row in rows:
        start, end = row.event.start, row.event.end
        if end < start:
            problem = f"{row.where} ends at {end:g} s, before it starts at {start:g} s"
            wrong.append((problem, "Exchange or correct its times"))
        elif end == start:
            problem = f"{row.where} is a point at {start:g} s that lasts no time"
            wrong.append((problem, "Give it an end, or remove it"))
    _refuse(path, wrong)
    wrong = [(f"{row.where} has no label", "Name what is heard") for row in rows]
    _refuse(path, [told for told, row in zip(wrong, rows, strict=True) if not row.event.label])


def of_recording(path: Path, raw: RawEvents, recording: str, settings: EventSettings) -> list[Row]:
    """The events of one recording; those that name none belong to it.

    Names are compared without folder, suffix, case, blanks and punctuation.

    Raises:
        CorpusError: if the file tells of others alone.
    """
    if not recording:
        return raw.rows
    wanted = fold(recording)
    mine = [row for row in raw.rows if fold(row.event.recording) in ("", wanted)]
    listed = wanted in map(fold, raw.recordings)
    if listed or mine or not raw.recordings:
        return mine
    if settings.any_recording and len(raw.recordings) == 1:
        return raw.rows
    told = ", ".join(raw.recordings[:3]) + (", ..." if len(raw.recordings) > 3 else "")
    problem = f"tells the events of {told}, not of {PurePosixPath(recording).name}"
    advice = "Bring its own events; where only the name differs, set any_recording"
    raise CorpusError(path, problem, advice)


def fold(name: str) -> str:
    """A recording's name without folder, suffix, case, blanks and punctuation."""
    stem = PurePosixPath(name.replace("\\", "/")).stem
    return "".join(c for c in stem.casefold() if c.isalnum())


def within(
    path: Path, rows: Sequence[Row], duration: float | None, settings: EventSettings
) -> list[Row]:
    """Events cut at the recording's end.

    Raises:
        CorpusError: if one reaches further beyond it than may be.
    """
    if duration is None:
        return list(rows)
    late = max(rows, key=lambda row: row.event.end, default=None)
    if late is not None and late.event.end > duration + settings.tolerance_seconds:
        many = sum(row.event.end > duration + settings.tolerance_seconds for row in rows)
        more = f" (and {many - 1} more)" if many > 1 else ""
        problem = (
            f"{late.where} ends at {late.event.end:.2f} s{more}, beyond the recording's end at "
            f"{duration:.2f} s"
        )
        advice = "Are they of another recording? Bring its own, or raise tolerance_seconds"
        raise CorpusError(path, problem, advice)
    cut = [replace(row, event=replace(row.event, end=min(row.event.end, duration))) for row in rows]
    return [row for row in cut if row.event.end > row.event.start]


def named(
    path: Path, rows: Sequence[Row], labels: Mapping[str, str], settings: EventSettings
) -> list[Row]:
    """Events by the names of *labels*; those that it names with an empty text are left out.

    Case, blanks and underscores do not count.

    Raises:
        CorpusError: for a label that it does not name, with the nearest that it does.
    """
    folded = {_plain(name): own for name, own in labels.items()}
    known: list[Row] = []
    unknown: list[Row] = []
    for row in rows:
        own = folded.get(_plain(row.event.label))
        if own is None:
            unknown.append(row)
            if settings.unknown == "keep":
                known.append(row)
        elif own:
            known.append(replace(row, event=replace(row.event, label=own)))
    if unknown and settings.unknown == "refuse":
        names = list(dict.fromkeys(row.event.label for row in unknown))
        more = f", and {len(names) - 1} more are not" if len(names) > 1 else ""
        problem = f"label '{names[0]}' ({unknown[0].where}) is not in the map of labels{more}"
        raise CorpusError(path, problem, nearest(names[0], labels))
    return known


def _plain(label: str) -> str:
    return " ".join(label.casefold().replace("_", " ").replace("-", " ").split())


def apart(path: Path, rows: Sequence[Row], settings: EventSettings) -> list[SoundEvent]:
    """Events in order; what overlaps in one label of one recording as the settings say.

    Raises:
        CorpusError: if some overlap and that is refused.
    """
    if settings.same_label == "keep":
        return sorted((row.event for row in rows), key=_order)
    last: dict[tuple[str, str], Row] = {}
    found: list[SoundEvent] = []
    wrong: list[tuple[str, str]] = []
    for row in sorted(rows, key=lambda row: row.event):
        key = (row.event.recording, row.event.label)
        before = last.get(key)
        if before is None or row.event.start >= before.event.end - _EPSILON:
            last[key] = row
            if before is not None:
                found.append(before.event)
            continue
        problem = (
            f"{row.where} and {before.where} are both '{row.event.label}' and overlap at "
            f"{row.event.start:g} s"
        )
        wrong.append((problem, "Correct them, or make them one with same_label=merge"))
        end = max(before.event.end, row.event.end)
        last[key] = replace(before, event=replace(before.event, end=end))
    if settings.same_label == "refuse":
        _refuse(path, wrong)
    return sorted([*found, *(row.event for row in last.values())], key=_order)


def _order(event: SoundEvent) -> tuple[str, SoundEvent]:
    return event.recording, event


def _refuse(path: Path, wrong: Iterable[tuple[str, str]]) -> None:
    """The first of what is wrong, and how much more of it there is.

    Raises:
        CorpusError: if anything is.
    """
    told = list(wrong)
    if told:
        problem, advice = told[0]
        more = f" (and {len(told) - 1} more like it)" if len(told) > 1 else ""
        raise CorpusError(path, problem + more, advice)
