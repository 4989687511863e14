"""A timeline as a table in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aver.errors import one_line
from aver.timeline import Segment, Timeline

COLOURS = {
    "neutral": "white",
    "calm": "cyan",
    "happy": "yellow",
    "sad": "blue",
    "angry": "red",
    "fearful": "magenta",
    "disgust": "green",
    "surprised": "bright_yellow",
}
MOST_ROWS = 24


@dataclass
class Stretch:
    """Neighbouring windows of one person with the same strongest label."""

    start: float
    end: float
    label: str
    score: float
    weak: bool


def stretches(segments: list[Segment], labels: tuple[str, ...]) -> Iterator[Stretch]:
    """Join windows that follow each other with the same label; scores are averaged by length."""
    current: Stretch | None = None
    for s in segments:
        label, score = labels[s.best], s.scores[s.best]
        if current and current.label == label and abs(s.start - current.end) < 1e-3:
            before, more = current.end - current.start, s.end - s.start
            current.score = (current.score * before + score * more) / (before + more)
            current.end = s.end
            current.weak = current.weak and s.weak
            continue
        if current:
            yield current
        current = Stretch(s.start, s.end, label, score, s.weak)
    if current:
        yield current


def clock(seconds: float) -> str:
    """Seconds as m:ss.s, or h:mm:ss from an hour on."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    if minutes < 60:
        return f"{minutes}:{rest // 10:02d}.{rest % 10}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 10:02d}"


def render(timeline: Timeline) -> RenderableType:
    """Who shows which emotion when, one table a person, with the warnings below."""
    parts: list[RenderableType] = []
    people: list[int | None] = [p.id for p in timeline.people]
    if any(s.person is None for s in timeline.segments):
        people.append(None)
    for person in people:
        fused = timeline.select(person=person, modality="fused")
        if not fused:
            continue
        title = "Voice without a face" if person is None else f"Person {person}"
        parts.append(_table(title, list(stretches(fused, timeline.labels))))
    if not parts:
        parts.append(Text("Neither a face nor a voice was found."))
    if timeline.events:
        parts.append(Text(sounds(timeline)))
    parts += [Text(f"note: {one_line(w)}", style="dim") for w in timeline.warnings]
    return Group(*parts)


def sounds(timeline: Timeline) -> str:
    """One line on the human sounds, whoever made them: how often and for how long, most first."""
    lengths: dict[str, list[float]] = {}
    for event in timeline.events:
        lengths.setdefault(event.label, []).append(event.end - event.start)
    parts = [
        f"{one_line(label).replace('_', ' ')} {clock(sum(each))} ({len(each)} times)"
        if len(each) > 1
        else f"{one_line(label).replace('_', ' ')} {clock(sum(each))}"
        for label, each in sorted(lengths.items(), key=lambda item: -sum(item[1]))
    ]
    return f"Human sounds: {', '.join(parts)}"


def _table(title: str, rows: list[Stretch]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    table.add_column("from", justify="right")
    table.add_column("to", justify="right")
    table.add_column("expressed", min_width=10)
    table.add_column("score", justify="right")
    table.add_column("", min_width=20)
    table.add_column("evidence")
    for row in rows[:MOST_ROWS]:
        colour = COLOURS.get(row.label, "white")
        table.add_row(
            clock(row.start),
            clock(row.end),
            Text(row.label, style=colour),
            f"{row.score:.2f}",
            Text("█" * round(row.score * 20), style="dim" if row.weak else colour),
            Text("weak", style="dim") if row.weak else "",
        )
    if len(rows) > MOST_ROWS:
        table.add_row("…", "…", f"{len(rows) - MOST_ROWS} more", "", "", "see the files")
    return table
