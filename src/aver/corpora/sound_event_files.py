"""Files of sound events: DCASE's table, CSV, Audacity's labels; read and written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aver.corpora.sound_event import SoundEvent

TSV_COLUMNS = ("filename", "onset", "offset", "event_label")


def events_tsv(events: Iterable[SoundEvent], recordings: Sequence[str] = ()) -> str:
    """DCASE's table: ``filename onset offset event_label``, seconds, tabs between.

    Args:
        events: in the order of their recordings and times, whatever order they come in.
        recordings: all there are, in order; one without events is a row with its name alone.
    """
    by_recording: dict[str, list[SoundEvent]] = {name: [] for name in recordings}
    for event in events:
        by_recording.setdefault(event.recording, []).append(event)
    lines = ["\t".join(TSV_COLUMNS)]
    for name, some in by_recording.items():
        lines += [f"{name}\t{e.start:.6f}\t{e.end:.6f}\t{e.label}" for e in sorted(some)]
        if not some:
            lines.append(f"{name}\t\t\t")
    return "\n".join(lines) + "\n"
