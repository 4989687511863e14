"""Which segments train, validate and test; and sequences that stay on one side.

A side of a film is one or two contiguous stretches. Sequences are cut inside a stretch, so that no
sequence holds segments of two sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aver.corpora.leaks import check
from aver.corpora.splits import Fold, Split
from aver.errors import CorpusError
from aver.training.films_data import Film, FilmSet
from aver.training.films_recipe import PAPER_LEAK, Validation

Stretch = tuple[int, int, int]
"""Number of the film, first segment, and the one after the last."""


@dataclass(frozen=True)
class Sides:
    """One fold: stretches of films by side.

    Attributes:
        test_film: name of the film left out.
        train: stretches that weights are learned from.
        validation: stretches that learning rate, size and epoch are chosen on.
        test: stretches of the film left out.
    """

    test_film: str
    train: tuple[Stretch, ...]
    validation: tuple[Stretch, ...]
    test: tuple[Stretch, ...]


def tenth_of(film: Film, share: float, seed: int) -> tuple[int, int]:
    """A contiguous stretch of *share* of the film's segments, drawn by *seed* and the film's name.

    Raises:
        CorpusError: if the film is too short to give one.
    """
    length = round(share * len(film))
    if length < 1 or length >= len(film):
        raise CorpusError(
            film.name,
            f"has {len(film)} segments: no stretch of {100 * share:g} % validates",
            "Leave it out, or set validation_share higher",
        )
    random = np.random.default_rng([seed, *film.name.encode()])
    start = int(random.integers(0, len(film) - length + 1))
    return start, start + length


def sides_of(
    films: Sequence[Film], left_out: int, validation: Validation, share: float, seed: int
) -> Sides:
    """Sides of the fold in which film *left_out* is tested.

    With ``clean`` a tenth of each training film validates and the whole film is tested; with
    ``paper`` a tenth of the tested film validates, and its other nine tenths are tested.
    """
    train: list[Stretch] = []
    held: list[Stretch] = []
    test: list[Stretch] = [(left_out, 0, len(films[left_out]))]
    for number, film in enumerate(films):
        if number != left_out and validation == "paper":
            train.append((number, 0, len(film)))
        elif number != left_out:
            start, end = tenth_of(film, share, seed)
            held.append((number, start, end))
            train += _without(number, len(film), start, end)
    if validation == "paper":
        start, end = tenth_of(films[left_out], share, seed)
        held.append((left_out, start, end))
        test = _without(left_out, len(films[left_out]), start, end)
    return Sides(films[left_out].name, tuple(train), tuple(held), tuple(test))


def _without(number: int, length: int, start: int, end: int) -> list[Stretch]:
    return [(number, a, b) for a, b in ((0, start), (end, length)) if b > a]


def leaks_of(data: FilmSet, validation: Validation, share: float, seed: int) -> str:
    """What stands on two sides, in one sentence; empty where nothing does.

    The project's own leak check over films and stretches: what is tested is held against all
    that is learned from or chosen on. That a training film also validates is the plan of
    ``clean``, and no leak.

    Raises:
        CorpusError: if something stands on two sides with ``clean``.
    """
    import pandas as pd

    rows = [(film.name, n) for film in data.films for n in range(len(film))]
    first = np.cumsum([0, *(len(film) for film in data.films)])
    manifest = pd.DataFrame(
        {
            "file": [f"/{name}" for name, _ in rows],
            "start": [float(n) for _, n in rows],
            "end": [float(n + 1) for _, n in rows],
            "subject": [name for name, _ in rows],
            "recording": [name for name, _ in rows],
            "label": "",
        }
    )
    folds = []
    for left_out in range(len(data.films)):
        sides = sides_of(data.films, left_out, validation, share, seed)
        learned = _rows((*sides.train, *sides.validation), first)
        folds.append(Fold(sides.test_film, learned, np.zeros(0, np.intp), _rows(sides.test, first)))
    reason = PAPER_LEAK if validation == "paper" else ""
    return check(manifest, Split("leave one film out", tuple(folds), ""), allow_leak=reason)


def _rows(stretches: Sequence[Stretch], first: NDArray[np.int64]) -> NDArray[np.intp]:
    parts = [np.arange(first[number] + a, first[number] + b) for number, a, b in stretches]
    return np.concatenate(parts).astype(np.intp)


def starts_of(stretch: Stretch, time: int, stride: int) -> list[int]:
    """First segments of the sequences of a stretch.

    Sequences reach as far as there are segments; a stretch shorter than *time* is one, its rest
    not there. Without overlap (*stride* = *time*) the last one may be shorter, so that every
    segment is in exactly one sequence; with overlap all are full.
    """
    _, start, end = stretch
    if stride >= time:
        return list(range(start, end, time))
    last = max(start, end - time)
    return sorted({*range(start, last + 1, stride), last})


@dataclass(frozen=True, eq=False)
class SequenceRows:
    """Sequences of T segments.

    Attributes:
        streams: (sequences, T, dimension) float32 by stream, zeros where not present.
        masks: (sequences, T) bool by stream.
        labels: (sequences, T) level, -1 where none is known.
        places: (sequences, T, 2) film and segment, -1 beyond the end of a stretch.
    """

    streams: dict[str, NDArray[np.float32]]
    masks: dict[str, NDArray[np.bool_]]
    labels: NDArray[np.int64]
    places: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def sequences(
    films: Sequence[Film],
    labels: Sequence[NDArray[np.int64]],
    stretches: Sequence[Stretch],
    streams: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]],
    time: int,
    stride: int,
    bound: float = 10.0,
) -> SequenceRows:
    """Cut *stretches* into sequences.

    Args:
        films: all films.
        labels: (segments,) levels of every film.
        stretches: of one side.
        streams: mean and scale (dimension,) by stream; what they are learned from is the caller's.
        time: T.
        stride: from one sequence to the next.
        bound: standard deviations beyond which a value stays at that bound.
    """
    places = []
    for number, start, end in stretches:
        for first in starts_of((number, start, end), time, stride):
            segments = np.arange(first, first + time)
            inside = segments < end
            films_there = np.where(inside, number, -1)
            places.append(np.stack([films_there, np.where(inside, segments, -1)], axis=1))
    at: NDArray[np.int64] = np.array(places, np.int64).reshape(-1, time, 2)
    found: dict[str, NDArray[np.float32]] = {}
    masks: dict[str, NDArray[np.bool_]] = {}
    first_of = np.cumsum([0, *(len(film) for film in films)])
    rows = np.where(at[:, :, 0] >= 0, first_of[at[:, :, 0]] + at[:, :, 1], -1)
    for name, (mean, scale) in streams.items():
        whole = np.concatenate([film.streams[name] for film in films])
        there = np.concatenate([film.present[name] for film in films])
        normal = np.clip((whole - mean) / scale, -bound, bound) * there[:, None]
        masks[name] = np.where(rows >= 0, there[rows], False)
        found[name] = np.where(masks[name][:, :, None], normal[rows], 0).astype(np.float32)
    known = np.concatenate(list(labels))
    return SequenceRows(found, masks, np.where(rows >= 0, known[rows], -1), at)


def statistics(
    films: Sequence[Film], stretches: Sequence[Stretch], name: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation (1 where there is none) of a stream over *stretches*."""
    values = np.concatenate([films[n].streams[name][a:b] for n, a, b in stretches])
    there = np.concatenate([films[n].present[name][a:b] for n, a, b in stretches])
    kept = values[there].astype(np.float64)
    if not len(kept):
        raise CorpusError("training segments", f"have no '{name}'", "Check the extractor's lines")
    deviation = kept.std(axis=0)
    scale = np.where(deviation > 1e-8 * (1 + np.abs(kept.mean(axis=0))), deviation, 1.0)
    return kept.mean(axis=0).astype(np.float32), scale.astype(np.float32)
