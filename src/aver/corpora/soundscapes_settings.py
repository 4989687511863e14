"""How soundscapes are made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, ValidationError, field_validator, model_validator

from aver.corpora.registry import CorpusOptions
from aver.corpora.soundscapes_cast import SPLITS, SURROUNDINGS, VOICES
from aver.corpora.table import nearest
from aver.errors import SettingError

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class SoundscapesSettings(CorpusOptions):
    """How soundscapes are made.

    Attributes:
        seed: of every draw.
        counts: soundscapes of each part.
        seconds: length of each.
        ratios: signal-to-noise ratios in decibels; each soundscape draws one, and every event in it
            is at this ratio: level over its active spans, to that of the background over all the
            soundscape.
        events: fewest and most events of a soundscape that has several.
        background_only: share of soundscapes in which nobody is heard.
        one_event: share of soundscapes with one event alone.
        overlap: share of the soundscapes with several events in which two of different labels may
            be heard at a time; never two of one label, never three. 0 allows none.
        longest_seconds: longer recordings are cut to this.
        bridge_seconds: longest pause within an event, see
            :func:`aver.corpora.soundscapes_sound.active_spans`.
        apart_seconds: shortest pause between two events of one label, and between any two where
            none may overlap.
        crowd_voices: fewest and most voices of a crowd.
        crowd_seconds: shortest and longest crowd.
        reverberation_seconds: shortest and longest time in which a room's answer dies away by
            60 dB; the rooms are made up, and labels are those of the dry sound. 0 and 0: no rooms.
        levels: lowest and highest level of a soundscape in decibels, full scale being 0.
        parts: into how many groups the speakers of each corpus are dealt; one group is tested on,
            one validated on, the rest trained on.
        esc10_folds: the folds of ESC-10 in each part.
        folders: folder of each corpus under the data folder.
    """

    seed: int = Field(0, ge=0)
    counts: dict[str, int] = Field(
        default_factory=lambda: {"train": 2000, "validation": 200, "test": 300}
    )
    seconds: float = Field(10.0, ge=2.0, le=600.0)
    ratios: tuple[float, ...] = (0.0, 6.0, 12.0, 20.0, 30.0)
    events: tuple[int, int] = (2, 4)
    background_only: Share = 0.1
    one_event: Share = 0.2
    overlap: Share = 0.5
    longest_seconds: float = Field(5.0, ge=0.5)
    bridge_seconds: float = Field(0.5, ge=0.0)
    apart_seconds: float = Field(0.3, ge=0.0)
    crowd_voices: tuple[int, int] = (6, 10)
    crowd_seconds: tuple[float, float] = (2.0, 5.0)
    reverberation_seconds: tuple[float, float] = (0.0, 0.0)
    levels: tuple[float, float] = (-36.0, -16.0)
    parts: dict[str, int] = Field(default_factory=lambda: {"ravdess": 6, "nemo": 4, "emogator": 5})
    esc10_folds: dict[str, tuple[str, ...]] = Field(
        default_factory=lambda: {"train": ("1", "2", "3"), "validation": ("4",), "test": ("5",)}
    )
    folders: dict[str, str] = Field(
        default_factory=lambda: {name: name for name in (*VOICES, SURROUNDINGS)}
    )

    @field_validator("events", "crowd_voices", "crowd_seconds", "reverberation_seconds", "levels")
    @classmethod
    def _rising(cls, ends: tuple[float, float]) -> tuple[float, float]:
        if not ends[0] <= ends[1]:
            raise ValueError("two numbers, the smaller first")
        return ends

    @field_validator("ratios")
    @classmethod
    def _some(cls, ratios: tuple[float, ...]) -> tuple[float, ...]:
        if not ratios:
            raise ValueError("one ratio at least")
        return ratios

    @model_validator(mode="after")
    def _names(self) -> SoundscapesSettings:
        wanted: dict[str, tuple[str, ...]] = {
            "counts": SPLITS,
            "esc10_folds": SPLITS,
            "parts": VOICES,
            "folders": (*VOICES, SURROUNDINGS),
        }
        for name, keys in wanted.items():
            if set(getattr(self, name)) != set(keys):
                raise ValueError(f"{name} must name {', '.join(keys)}, and nothing else")
        if min(self.counts.values()) < 0 or min(self.parts.values()) < 3:
            raise ValueError("counts cannot be below 0, parts not below 3")
        folds = [fold for folds in self.esc10_folds.values() for fold in folds]
        if len(folds) != len(set(folds)):
            raise ValueError("a fold of ESC-10 cannot be in two parts")
        if min(self.events) < 1 or min(self.crowd_voices) < 2:
            raise ValueError("events cannot be below 1, voices of a crowd not below 2")
        if min(self.crowd_seconds) < 0.5 or min(self.reverberation_seconds) < 0:
            raise ValueError("crowds cannot last less than 0.5 s, rooms not less than 0")
        if self.background_only + self.one_event > 1:
            raise ValueError("background_only and one_event together cannot be above 1")
        if max(self.longest_seconds, *self.crowd_seconds) > self.seconds:
            raise ValueError("an event cannot be longer than the soundscape")
        return self


def settings_of(values: Mapping[str, object]) -> SoundscapesSettings:
    """Settings from names and values, the values as they are or as text of a command line.

    Lists and tables are JSON (``[0, 10]``, ``{"test": 100}``); a table need not name all: the
    others keep their defaults.

    Raises:
        SettingError: for an unknown setting, with the nearest, or a value it cannot have.
    """
    fields = SoundscapesSettings.model_fields
    defaults = SoundscapesSettings().model_dump()
    given: dict[str, object] = {}
    for name, value in values.items():
        if name not in fields:
            raise SettingError(name, "is not a setting of soundscapes", nearest(name, fields))
        if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
            try:
                value = json.loads(value)
            except ValueError as error:
                problem = f"is not JSON ({error})"
                raise SettingError(name, problem, 'Write [0, 10] or {"test": 100}') from None
        both = isinstance(value, Mapping) and isinstance(defaults[name], dict)
        given[name] = {**defaults[name], **value} if both else value  # type: ignore[dict-item]
    try:
        return SoundscapesSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        problem = first["msg"].removeprefix("Value error, ").rstrip(".")
        where = ".".join(str(part) for part in first["loc"][:1]) or "soundscapes"
        raise SettingError(where, f"cannot be used: {problem}") from None
