"""What is to be explained, and what an explanation holds."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from aver.errors import SettingError
from aver.inference.explain_attention import SUMMARIES, Summary
from aver.inference.explain_moments import Moment
from aver.inference.explain_sound import Sound
from aver.timeline import Timeline


@dataclass(frozen=True)
class Share:
    """How much the predictions around a window drew from it.

    Attributes:
        start: seconds.
        end: seconds.
        share: 1 is an even share; 2 is twice as much as from the other windows on average.
    """

    start: float
    end: float
    share: float


@dataclass
class Looked:
    """What was looked at in one person.

    Attributes:
        person: the person's number, None for a voice that belongs to nobody in view.
        emotion: the emotion the maps are of.
        shares: ``face`` and ``voice``: attention over the recording, in time order.
        moments: the most telling moments, in time order.
    """

    person: int | None
    emotion: str
    shares: dict[str, list[Share]]
    moments: list[Moment]


@dataclass
class Explanation:
    """What the networks looked at in one recording.

    Attributes:
        timeline: the scores.
        attention: how attention was summed up, ``mean`` or ``rollout``.
        people: in the timeline's order, nobody last.
        sounds: the sound with its maps: as a whole, or around each moment of a long recording.
        notes: what could not be drawn, one sentence each.
    """

    timeline: Timeline
    attention: Summary
    people: list[Looked]
    sounds: list[Sound] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """What is to be drawn.

    Attributes:
        emotion: draw this one; empty draws each person's strongest.
        person: draw this person alone.
        at: draw the window that holds this time, in seconds; None draws the most telling.
        moments: at most so many a person.
        attention: ``mean`` or ``rollout``.
        sound: draw the sound.
    """

    emotion: str = ""
    person: int | None = None
    at: float | None = None
    moments: int = 3
    attention: Summary = "mean"
    sound: bool = True

    def check(self, labels: tuple[str, ...]) -> None:
        """Refuse what cannot be drawn by a network with *labels*.

        Raises:
            SettingError: naming the setting and what is known.
        """
        if self.emotion and self.emotion not in labels:
            raise SettingError("emotion", f"there is no {self.emotion!r}", _nearest(self, labels))
        if self.attention not in SUMMARIES:
            raise SettingError(
                "attention", f"there is no {self.attention!r}", f"Use {' or '.join(SUMMARIES)}"
            )
        if self.at is not None and not 0 <= self.at < float("inf"):
            raise SettingError("at", f"{self.at:g} is no time in seconds", "Use 0 or more")
        if self.person is not None and self.person < 1:
            raise SettingError("person", f"there is no person {self.person}", "Use 1, 2, ...")
        if self.moments < 1:
            raise SettingError("moments", f"is {self.moments}", "Use 1 or more")


def _nearest(wanted: Wanted, labels: tuple[str, ...]) -> str:
    word = wanted.emotion.strip().lower()
    close = difflib.get_close_matches(word, labels, n=1, cutoff=0.5)
    alike = [label for label in labels if len(word) > 2 and label.startswith(word[:3])]
    nearest = next(iter(close or alike), None)
    known = f"Known are {', '.join(labels)}"
    return f"Did you mean {nearest}? {known}" if nearest else known
