"""Who and what is heard in which part of the soundscapes: no speaker or source in two parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aver.corpora.esc10 import HUMAN
from aver.corpora.registry import load_corpus
from aver.corpora.subject_groups import deal, subject_units
from aver.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

SPLITS: Final = ("train", "validation", "test")
VERBAL: Final = ("speech_male", "speech_female", "crowd")
"""Human sounds with words."""
NON_VERBAL: Final = ("vocal_burst", "laughter", "crying", "sneeze")
"""Human sounds without words."""
LABELS: Final = (*VERBAL, *NON_VERBAL)
"""What is heard in the soundscapes, in the order of a detector's outputs."""

SPOKEN: Final = ("speech_male", "speech_female")
VOICES: Final = ("ravdess", "nemo", "emogator")
SURROUNDINGS: Final = "esc10"
_OF_ESC10: Final = {"baby cry": "crying", "person sneeze": "sneeze"}
_LAUGHED: Final = "amusement"
"""The category of EmoGator that is labelled laughter: by what was asked for, not by ear."""


@dataclass(frozen=True)
class Source:
    """One recording.

    Attributes:
        file: where it lies.
        name: ``corpus/stem``.
        origin: who or what it comes from: ``corpus/subject``, or ``esc10/`` and the longer
            recording it was cut from.
        label: what is heard.
    """

    file: Path
    name: str
    origin: str
    label: str


@dataclass
class Cast:
    """What one part may use.

    Attributes:
        sources: recordings of human sounds.
        backgrounds: file and origin of the background sounds, by their kind.
    """

    sources: list[Source]
    backgrounds: dict[str, list[tuple[Path, str]]]
    _trees: dict[str, dict[str, dict[str, list[Source]]]] = field(default_factory=dict)

    @property
    def origins(self) -> set[str]:
        """Speakers and longer recordings of all that may be heard."""
        places = {place for files in self.backgrounds.values() for _, place in files}
        return {source.origin for source in self.sources} | places

    def names(self) -> list[str]:
        """Names of all that may be heard."""
        sounds = [file.stem for files in self.backgrounds.values() for file, _ in files]
        return sorted([*(source.name for source in self.sources), *sounds])

    def draw(self, label: str, random: np.random.Generator) -> Source:
        """A recording of *label*: corpora alike often, of each its speakers, of each what he did.

        A corpus with more recordings, or a speaker with more, is so not heard more often.
        """
        if not self._trees:
            for one in self.sources:
                corpus = one.origin.partition("/")[0]
                tree = self._trees.setdefault(one.label, {}).setdefault(corpus, {})
                tree.setdefault(one.origin, []).append(one)
        corpora = self._trees[label]
        speakers = corpora[_any(sorted(corpora), random)]
        recordings = speakers[_any(sorted(speakers), random)]
        return recordings[int(random.integers(len(recordings)))]

    def draw_backgrounds(self, random: np.random.Generator) -> list[tuple[Path, str]]:
        """The recordings of one kind of background."""
        return self.backgrounds[_any(sorted(self.backgrounds), random)]


def _any(names: Sequence[str], random: np.random.Generator) -> str:
    return names[int(random.integers(len(names)))]


def make_casts(
    roots: Mapping[str, Path],
    parts: Mapping[str, int],
    esc10_folds: Mapping[str, Sequence[str]],
    seed: int,
) -> dict[str, Cast]:
    """Recordings of every part of the soundscapes.

    Args:
        roots: folder of each corpus.
        parts: into how many groups the speakers of each corpus are dealt, women and men alike;
            one group is tested on, one validated on, the rest trained on.
        esc10_folds: folds of ESC-10 of each part; pieces of one longer recording are in one fold.
        seed: of the deal.

    Raises:
        CorpusError: if a corpus is missing, has fewer speakers than groups, or a part would lack a
            label or a background.
    """
    split_of: dict[str, str] = {}
    frames: dict[str, pd.DataFrame] = {name: load_corpus(name, roots[name]) for name in VOICES}
    for corpus, frame in frames.items():
        try:
            groups = deal(frame, subject_units(frame), parts[corpus], seed)
        except CorpusError as error:
            problem = f"cannot be dealt to {parts[corpus]} groups of speakers: it {error.problem}"
            raise CorpusError(roots[corpus], problem, "Bring the whole corpus") from error
        for number, group in enumerate(groups):
            split = ("test", "validation")[number] if number < 2 else "train"
            split_of.update({f"{corpus}/{subject}": split for subject in group})
    sounds = load_corpus(SURROUNDINGS, roots[SURROUNDINGS])
    casts = {split: Cast([], {}) for split in SPLITS}
    for one in _voices(frames):
        casts[split_of[one.origin]].sources.append(one)
    of_fold = {fold: split for split, folds in esc10_folds.items() for fold in folds}
    for row in sounds.sort_values("file").to_dict("records"):
        if str(row["fold"]) in of_fold:
            _add_sound(casts[of_fold[str(row["fold"])]], row)
    _check(casts, roots)
    return casts


def _voices(frames: Mapping[str, pd.DataFrame]) -> Iterator[Source]:
    for corpus, frame in frames.items():
        for row in frame.sort_values("file").to_dict("records"):
            if corpus == "emogator":
                label = "laughter" if row["label"] == _LAUGHED else "vocal_burst"
            else:
                label = f"speech_{row['sex']}"
            file = Path(row["file"])
            yield Source(file, f"{corpus}/{file.stem}", f"{corpus}/{row['subject']}", label)


def _add_sound(cast: Cast, row: Mapping[Any, Any]) -> None:
    file, kind = Path(row["file"]), str(row["label"])
    origin = f"{SURROUNDINGS}/{row['recording']}"
    if kind in HUMAN:
        name = f"{SURROUNDINGS}/{file.stem}"
        cast.sources.append(Source(file, name, origin, _OF_ESC10[kind]))
    else:
        cast.backgrounds.setdefault(kind, []).append((file, origin))


def _check(casts: Mapping[str, Cast], roots: Mapping[str, Path]) -> None:
    needed = [label for label in LABELS if label != "crowd"]
    homes = {"speech_male": "ravdess", "speech_female": "ravdess"} | dict.fromkeys(
        ("vocal_burst", "laughter"), "emogator"
    )
    for split, cast in casts.items():
        there = {source.label for source in cast.sources}
        for label in needed:
            if label not in there:
                root = roots[homes.get(label, SURROUNDINGS)]
                problem = f"leaves the part '{split}' without {label}"
                raise CorpusError(root, problem, "Bring the whole corpus")
        if not cast.backgrounds:
            problem = f"leaves the part '{split}' without background"
            raise CorpusError(roots[SURROUNDINGS], problem, "Bring the whole corpus")
    check_disjoint({split: cast.origins for split, cast in casts.items()}, "the casts")


def check_disjoint(origins: Mapping[str, Iterable[str]], subject: str | Path) -> None:
    """Refuse parts that share a speaker or a source.

    Raises:
        CorpusError: naming the parts and what they share.
    """
    names = list(origins)
    for at, one in enumerate(names):
        for other in names[at + 1 :]:
            both = sorted(set(origins[one]) & set(origins[other]))
            if both:
                problem = f"{one} and {other} share {', '.join(both[:3])}"
                raise CorpusError(subject, problem, "Make them anew")
