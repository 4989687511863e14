"""Who is heard in which pseudo-film: speakers and background sources, each in one film alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aver.corpora.pseudo_films_levels import MOODS, levels_of, mood_of
from aver.corpora.registry import load_corpus
from aver.errors import CorpusError

if TYPE_CHECKING:
    from aver.corpora.pseudo_films_sound import Reader

VOICES = ("ravdess", "nemo", "emogator")
NOISES = "esc10"
HUMAN = frozenset({"baby cry", "person sneeze"})
"""Sounds of ESC-10 that people make: they are no background."""
SPEAKER_LEVEL = 0.05
"""Root mean square that a speaker's recordings are brought to on average; full scale is 1."""
_HEARD_FOR_LEVEL = 8


@dataclass(frozen=True)
class Take:
    """One acted recording.

    Attributes:
        file: where it lies.
        name: ``corpus/stem``.
        speaker: ``corpus/subject``.
        valence: constructed, from -1 to 1.
        arousal: constructed, from -1 to 1.
        label: acted class, as its corpus names it.
    """

    file: Path
    name: str
    speaker: str
    valence: float
    arousal: float
    label: str

    @property
    def mood(self) -> str:
        """Its third of arousal."""
        return mood_of(self.arousal)


@dataclass
class Cast:
    """What one film may use.

    Attributes:
        takes: recordings of its speakers.
        backgrounds: file and source of its background sounds.
    """

    takes: list[Take]
    backgrounds: list[tuple[Path, str]]
    _gains: dict[str, float] = field(default_factory=dict)

    @property
    def speakers(self) -> set[str]:
        """``corpus/subject``."""
        return {take.speaker for take in self.takes}

    @property
    def sources(self) -> set[str]:
        """Recordings that the backgrounds were cut from."""
        return {source for _, source in self.backgrounds}

    @property
    def moods(self) -> list[str]:
        """Thirds of arousal that a scene can be about."""
        there = {take.mood for take in self.takes}
        return [mood for mood in MOODS if mood in there]

    def names(self) -> list[str]:
        """Names of all that may be heard."""
        return [*(t.name for t in self.takes), *(f.stem for f, _ in self.backgrounds)]

    def draw(
        self,
        mood: str | None,
        speakers: Sequence[str],
        random: np.random.Generator,
        used: set[str],
    ) -> Take:
        """A recording of *mood* (None: of any) that was not heard yet, while there are any.

        The corpora are drawn alike often, so that a language or a kind of sound says nothing of
        the mood; of each, the first three of *speakers* are in the scene.
        """
        corpora = sorted({take.speaker.partition("/")[0] for take in self.takes})
        corpus = corpora[random.integers(len(corpora))]
        here = [s for s in speakers if s.startswith(f"{corpus}/")][:3]
        pool = [
            take for take in self.takes if take.speaker in here and mood in (None, take.mood)
        ] or [take for take in self.takes if mood in (None, take.mood)]
        fresh = [take for take in pool if take.name not in used] or pool
        take = fresh[random.integers(len(fresh))]
        used.add(take.name)
        return take

    def gain(self, take: Take, reader: Reader) -> float:
        """Factor that brings the speaker's recordings to one level on average.

        One factor a speaker: that they are louder when angry stays.
        """
        if take.speaker not in self._gains:
            own = [t for t in self.takes if t.speaker == take.speaker]
            some = own[:: max(1, len(own) // _HEARD_FOR_LEVEL)][:_HEARD_FOR_LEVEL]
            level = float(np.median([reader.level(t) for t in some]))
            self._gains[take.speaker] = SPEAKER_LEVEL / max(level, 1e-4)
        return self._gains[take.speaker]


def make_casts(roots: Mapping[str, Path], films: int, seed: int) -> list[Cast]:
    """Speakers and background sources of every film, none of them in two.

    Raises:
        CorpusError: if a corpus is missing or has fewer speakers (sources) than there are films.
    """
    wanted = {*VOICES, NOISES}
    if set(roots) != wanted:
        odd = sorted(set(roots) ^ wanted)[0]
        raise CorpusError("folders", f"'{odd}' is not one of {', '.join(sorted(wanted))}")
    random = np.random.default_rng((seed, 999))
    takes: list[list[Take]] = [[] for _ in range(films)]
    for corpus in VOICES:
        rows = load_corpus(corpus, roots[corpus])
        dealt = _deal(sorted(set(rows["subject"])), films, random, roots[corpus])
        for row in rows.sort_values("file").to_dict("records"):
            take = _take(corpus, row)
            if take is not None:
                takes[dealt[str(row["subject"])]].append(take)
    rows = load_corpus(NOISES, roots[NOISES])
    rows = rows[~rows["label"].isin(HUMAN)].sort_values("file")
    dealt = _deal(sorted(set(rows["recording"])), films, random, roots[NOISES])
    noises: list[list[tuple[Path, str]]] = [[] for _ in range(films)]
    for row in rows.to_dict("records"):
        noises[dealt[str(row["recording"])]].append((Path(row["file"]), str(row["recording"])))
    return [Cast(*parts) for parts in zip(takes, noises, strict=True)]


def _take(corpus: str, row: Mapping[Any, Any]) -> Take | None:
    label = str(row["label"])
    found = levels_of(corpus, label, str(row["intensity"]))
    if found is None:
        return None
    file = Path(row["file"])
    return Take(file, f"{corpus}/{file.stem}", f"{corpus}/{row['subject']}", *found, label)


def _deal(
    names: Sequence[str], films: int, random: np.random.Generator, root: Path
) -> dict[str, int]:
    """Which film each of *names* goes to, dealt out like cards."""
    if len(names) < films:
        raise CorpusError(
            root,
            f"has {len(names)} different speakers or sources for {films} films",
            "Make fewer films, or bring the whole corpus",
        )
    return {str(name): at % films for at, name in enumerate(random.permutation(list(names)))}
