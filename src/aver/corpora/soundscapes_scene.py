"""One soundscape: which labels, which recordings, where, over what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from aver.corpora.pseudo_films_sound import Reader, Sound, loop_to
from aver.corpora.soundscapes_cast import LABELS, SPLITS, SPOKEN, Cast
from aver.corpora.soundscapes_settings import SoundscapesSettings
from aver.corpora.soundscapes_sound import Excerpt, babble, excerpt, in_room, mix, reverberation
from aver.errors import CorpusError
from aver.media import SAMPLE_RATE

_TRIES: Final = 40
_PLAN: Final = 1_000_003


@dataclass(frozen=True)
class Readers:
    """Readers of recordings: a few backgrounds come again and again, voices seldom."""

    voices: Reader
    backgrounds: Reader


@dataclass(frozen=True, eq=False)
class _Placed:
    start: int
    sound: Excerpt
    label: str

    @property
    def end(self) -> int:
        return self.start + len(self.sound.samples)


def plan(settings: SoundscapesSettings, split: str) -> list[list[str]]:
    """Labels of every soundscape of a part, each label alike often."""
    random = np.random.default_rng((settings.seed, SPLITS.index(split), _PLAN))
    count = settings.counts[split]
    empty = round(settings.background_only * count)
    one = round(settings.one_event * count)
    several = random.integers(settings.events[0], settings.events[1] + 1, count - empty - one)
    numbers = random.permutation(np.concatenate([np.zeros(empty), np.ones(one), several])).astype(
        int
    )
    total = int(numbers.sum())
    labels = random.permutation(np.resize(LABELS, total)).tolist()
    ends = np.cumsum(numbers).tolist()
    return [labels[end - number : end] for number, end in zip(numbers, ends, strict=True)]


def make_scene(
    settings: SoundscapesSettings,
    cast: Cast,
    labels: list[str],
    random: np.random.Generator,
    readers: Readers,
) -> tuple[Sound, dict[str, Any]]:
    """One soundscape.

    Args:
        settings: how.
        cast: what may be heard.
        labels: what is to be heard; what finds no room is left out.
        random: of every draw in it.
        readers: of recordings.

    Returns:
        (samples,) at 16 kHz and what is in it: ``ratio``, ``background`` (names), ``room``
        (seconds of reverberation), ``overlap`` (whether events may), ``events`` (``onset``,
        ``offset``, ``label``, ``sources``) and ``left_out`` (labels without room).
    """
    length = round(settings.seconds * SAMPLE_RATE)
    room = float(random.uniform(*settings.reverberation_seconds))
    answer = reverberation(room, random)
    overlap = bool(random.random() < settings.overlap)
    placed: list[_Placed] = []
    left_out: list[str] = []
    sounds = [(label, _sound(settings, cast, label, random, readers.voices)) for label in labels]
    # The longest first: what is short finds room between.
    for label, sound in sorted(sounds, key=lambda one: -len(one[1].samples)):
        start = _place(settings, placed, label, len(sound.samples), length, overlap, random)
        if start is None:
            left_out.append(label)
        else:
            placed.append(_Placed(start, in_room(sound, answer), label))
    ratio = float(random.choice(np.array(settings.ratios)))
    background, names = loop_to(length, cast.draw_backgrounds(random), random, readers.backgrounds)
    level = float(random.uniform(*settings.levels))
    mixed = mix(background, [(one.start, one.sound) for one in placed], ratio, level)
    events = [
        {
            "onset": (one.start + start) / SAMPLE_RATE,
            "offset": (one.start + end) / SAMPLE_RATE,
            "label": one.label,
            "sources": list(one.sound.sources),
        }
        for one in sorted(placed, key=lambda one: one.start)
        for start, end in one.sound.spans
    ]
    return mixed, {
        "ratio": ratio,
        "background": names,
        "room": round(room, 3),
        "overlap": overlap,
        "events": events,
        "left_out": left_out,
    }


def _sound(
    settings: SoundscapesSettings,
    cast: Cast,
    label: str,
    random: np.random.Generator,
    reader: Reader,
) -> Excerpt:
    if label != "crowd":
        return _draw(settings, cast, label, random, reader)

    def somebody() -> Excerpt:
        return _draw(settings, cast, SPOKEN[int(random.integers(2))], random, reader)

    voices = int(random.integers(settings.crowd_voices[0], settings.crowd_voices[1] + 1))
    hundredths = round(random.uniform(*settings.crowd_seconds) * 100)
    return babble(voices, hundredths * SAMPLE_RATE // 100, somebody)


def _draw(
    settings: SoundscapesSettings,
    cast: Cast,
    label: str,
    random: np.random.Generator,
    reader: Reader,
) -> Excerpt:
    for _ in range(_TRIES):
        one = cast.draw(label, random)
        found = excerpt(
            reader.read(one.file), settings.longest_seconds, settings.bridge_seconds, one.name
        )
        if found is not None:
            return found
    raise CorpusError(one.file, f"and {_TRIES - 1} others of {label} are silent", "Check them")


def _place(
    settings: SoundscapesSettings,
    placed: list[_Placed],
    label: str,
    length: int,
    whole: int,
    overlap: bool,
    random: np.random.Generator,
) -> int | None:
    """The sample where a sound may begin; None if no room was found for it."""
    apart = round(settings.apart_seconds * SAMPLE_RATE)
    for _ in range(_TRIES):
        start = int(random.integers(0, whole - length + 1))
        end = start + length
        near = [one for one in placed if one.start - apart < end and start < one.end + apart]
        if not near:
            return start
        if overlap and len(near) == 1 and near[0].label != label:
            return start
    return None
