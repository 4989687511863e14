"""Tables of sound events: DCASE's, CSV, Audacity's labels; read and written.

What is read here is what the file says, each row with its place in it; whether it makes sense is
looked at in :mod:`aver.corpora.sound_event_checks`.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from aver.corpora.sound_event import SoundEvent
from aver.errors import CorpusError

TSV_COLUMNS: Final = ("filename", "onset", "offset", "event_label")
"""DCASE's header."""
_NAMES: Final[Mapping[str, frozenset[str]]] = {
    "start": frozenset({"onset", "start", "begin", "starttime", "begintime", "startseconds"}),
    "end": frozenset({"offset", "end", "stop", "endtime", "stoptime", "endseconds"}),
    "label": frozenset({"eventlabel", "label", "event", "class", "eventclass", "labels"}),
    "recording": frozenset({"filename", "file", "recording", "film", "audiofilename"}),
}
_ADVICE: Final = "Give columns onset, offset and event_label, and filename where there are several"


@dataclass(frozen=True)
class Row:
    """An event as a file tells it.

    Attributes:
        event: what it says, unchecked.
        where: its place in the file (``line 7``).
    """

    event: SoundEvent
    where: str


@dataclass
class RawEvents:
    """All that a file tells.

    Attributes:
        rows: its events.
        recordings: names of recordings in it, in order; those without events as well.
    """

    rows: list[Row] = field(default_factory=list)
    recordings: list[str] = field(default_factory=list)


def tidy(text: str) -> str:
    """Without blanks at its ends, and one blank for every run of blanks, tabs and line breaks."""
    return " ".join(text.split())


def read_bytes(path: Path) -> bytes:
    """What is in a file.

    Raises:
        CorpusError: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise CorpusError(path, problem, "Check its name and its folder") from error


def _read_text(path: Path) -> str:
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(path, "is not text in UTF-8", "Save it as UTF-8") from error


def read_table(path: Path) -> RawEvents:
    """Events of a table with or without a header, in tabs (``.tsv``, ``.txt``) or as CSV.

    Without a header, three columns are onset, offset, label (Audacity's labels), four have the
    recording before them. Audacity's lines of frequencies (they begin with a backslash) are left
    out. A row with a recording's name alone says that nothing is heard in it.

    Raises:
        CorpusError: if the file cannot be read, lacks a column, or a time is not a number.
    """
    text = _read_text(path)
    rows = _split(path, text)
    if not rows:
        return RawEvents()
    places = _header(path, rows[0][1])
    if places is None:
        places = _headerless(path, rows[0][1])
    else:
        rows = rows[1:]
    found = RawEvents()
    for line, cells in rows:
        _add(found, path, f"line {line}", cells, places)
    return found


def _split(path: Path, text: str) -> list[tuple[int, list[str]]]:
    if path.suffix.lower() == ".csv":
        first = text.partition("\n")[0]
        mark = max(",;\t", key=first.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        try:
            rows = [(reader.line_num, cells) for cells in reader]
        except csv.Error as error:
            raise CorpusError(path, f"is not CSV ({error})", _ADVICE) from error
    else:
        # No quotes here: a label may hold them.
        lines = text.splitlines()
        rows = [(number, line.split("\t")) for number, line in enumerate(lines, 1)]
    told = [(n, [tidy(cell) for cell in cells]) for n, cells in rows]
    frequencies = "\\" if path.suffix.lower() == ".txt" else None
    return [(n, cells) for n, cells in told if any(cells) and cells[0] != frequencies]


def _header(path: Path, cells: Sequence[str]) -> dict[str, int] | None:
    """Where each column stands; None if this is no header."""
    folded = ["".join(c for c in cell.casefold() if c.isalnum()) for cell in cells]
    places = {
        what: next(n for n, name in enumerate(folded) if name in names)
        for what, names in _NAMES.items()
        if any(name in names for name in folded)
    }
    if not {"start", "end"} & set(places):
        return None
    for what, told in (("start", "onset"), ("end", "offset"), ("label", "event_label")):
        if what not in places:
            raise CorpusError(path, f"has no column {told} (it has: {', '.join(cells)})", _ADVICE)
    return places


def _headerless(path: Path, cells: Sequence[str]) -> dict[str, int]:
    numbers = [_number(cell) is not None for cell in cells]
    if len(cells) >= 4 and not numbers[0] and numbers[1] and numbers[2]:
        return {"recording": 0, "start": 1, "end": 2, "label": 3}
    if len(cells) >= 2 and numbers[0] and numbers[1]:
        return {"start": 0, "end": 1, "label": 2}
    shown = ", ".join(cells)[:60]
    raise CorpusError(path, f"is not a table of events (it begins with: {shown})", _ADVICE)


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _add(
    found: RawEvents, path: Path, where: str, cells: Sequence[str], places: Mapping[str, int]
) -> None:
    told = {what: cells[n] if n < len(cells) else "" for what, n in places.items()}
    recording = told.get("recording", "")
    if recording and recording not in found.recordings:
        found.recordings.append(recording)
    # pandas writes what is not there as nan.
    absent = all(told[what].casefold() in ("", "nan") for what in ("start", "end", "label"))
    if recording and absent:
        return
    times = []
    for what in ("start", "end"):
        number = _number(told[what])
        if number is None:
            shown = f"'{told[what][:20]}'" if told[what] else "nothing"
            problem = f"{where} holds {shown} where the {what} in seconds belongs"
            raise CorpusError(path, problem, "Correct it; times are seconds such as 12.5")
        times.append(number)
    found.rows.append(Row(SoundEvent(times[0], times[1], told["label"], recording), where))


def events_tsv(events: Iterable[SoundEvent], recordings: Sequence[str] = ()) -> str:
    """DCASE's table: ``filename onset offset event_label``, seconds, tabs between.

    Args:
        events: in the order of their recordings and times, whatever order they come in.
        recordings: all there are, in order; one without events is a row with its name alone.
    """
    lines = ["\t".join(TSV_COLUMNS)]
    lines += ["\t".join(cells) for cells in _rows(events, recordings)]
    return "\n".join(lines) + "\n"


def events_csv(events: Iterable[SoundEvent], recordings: Sequence[str] = ()) -> str:
    """The same as comma-separated values."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(TSV_COLUMNS)
    writer.writerows(_rows(events, recordings))
    return out.getvalue()


def events_audacity(events: Iterable[SoundEvent]) -> str:
    """Audacity's label track: start, end and label of one recording, tabs between."""
    return "".join("\t".join(cells[1:]) + "\n" for cells in _rows(events, ()))


def _rows(events: Iterable[SoundEvent], recordings: Sequence[str]) -> list[tuple[str, ...]]:
    by_recording: dict[str, list[SoundEvent]] = {tidy(name): [] for name in recordings}
    for event in events:
        by_recording.setdefault(tidy(event.recording), []).append(event)
    rows: list[tuple[str, ...]] = []
    for name, some in by_recording.items():
        rows += [
            (name, f"{e.start:.6f}", f"{e.end:.6f}", tidy(e.label))
            for e in sorted(some, key=lambda e: (e.start, e.end, e.label))
        ]
        if not some:
            rows.append((name, "", "", ""))
    return rows
