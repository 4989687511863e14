"""A sound with a beginning, an end and a name: what files of events hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class SoundEvent:
    """A stretch of a recording in which something is heard.

    Attributes:
        start: seconds from the recording's beginning.
        end: seconds; after *start*.
        label: what is heard.
        recording: of which recording, as the file of events calls it; empty where it names none.
    """

    start: float
    end: float
    label: str
    recording: str = ""

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end - self.start
