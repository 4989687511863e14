"""Splits: which rows of a manifest train, validate and test, under a protocol with a name.

A split depends on what the rows say and on the seed, not on their order nor on the folder they lie
in. Rows of one take (one recording, overlapping stretches of a file) stay together, and every
split is checked for leaks before it is handed out.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from aver.corpora import leaks
from aver.corpora.published_folds import PUBLISHED
from aver.corpora.split_remarks import check_classes, unheard, unnamed
from aver.corpora.subject_groups import deal, pick_subjects, subject_units
from aver.corpora.takes import draw, item_keys, subjects_of, takes_of, texts
from aver.errors import CorpusError, SettingError

if TYPE_CHECKING:
    import pandas as pd

Rows = NDArray[np.intp]

_NOTHING: Final = np.empty(0, np.intp)


@dataclass(frozen=True)
class Fold:
    """One fold: row numbers of the manifest, each row at most once.

    Attributes:
        name: of the fold.
        train: rows to train on.
        validation: rows to choose checkpoints and settings on; may be empty.
        test: rows to test on.
    """

    name: str
    train: Rows
    validation: Rows
    test: Rows


@dataclass(frozen=True)
class Split:
    """All folds of a protocol.

    Attributes:
        name: of the scheme.
        folds: one or more.
        leaks: empty, or one sentence saying what stands on both sides.
        reason: why that was allowed; empty without leaks.
        remarks: what a reader of the figures should know, one line each.
    """

    name: str
    folds: tuple[Fold, ...]
    leaks: str
    reason: str = ""
    remarks: tuple[str, ...] = field(default=())


class SplitSettings(BaseModel):
    """How a manifest is split.

    Attributes:
        scheme: name of the protocol, one of :data:`SCHEMES`.
        folds: number of folds (scheme ``subjects``).
        seed: of every draw.
        validation: ``subjects`` takes whole people out of a fold's training rows.
        validation_subjects: how many.
        column: whose values name the test folds (scheme ``column``).
        allow_leak: why something may stand on both sides; empty refuses it.
        by_sound: compare files by their decoded sound as well, which reads each of them once.
        strict: refuse a fold whose test rows lack a class, instead of remarking on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheme: str = "subjects"
    folds: int = Field(12, ge=2)
    seed: int = 0
    validation: Literal["none", "subjects"] = "none"
    validation_subjects: int = Field(2, ge=1)
    column: str = ""
    allow_leak: str = ""
    by_sound: bool = False
    strict: bool = False

    @field_validator("scheme")
    @classmethod
    def _known(cls, scheme: str) -> str:
        if scheme not in SCHEMES:
            close = difflib.get_close_matches(scheme, SCHEMES, n=1)
            hint = f"Did you mean '{close[0]}'" if close else f"Known: {', '.join(SCHEMES)}"
            raise ValueError(f"'{scheme}' is not a known scheme. {hint}")
        return scheme


def make_split(manifest: pd.DataFrame, settings: SplitSettings | None = None) -> Split:
    """Split *manifest* and check the result.

    Args:
        manifest: rows with the columns :data:`aver.corpora.COLUMNS`.
        settings: see :class:`SplitSettings`.

    Returns:
        The folds, with what leaks and what is to be remarked.

    Raises:
        CorpusError: if the manifest does not suit the scheme; a class is absent from a fold's
            training rows; something stands on both sides and ``allow_leak`` is empty.
        SettingError: if the settings contradict each other.
    """
    settings = settings or SplitSettings()
    if manifest.empty:
        raise CorpusError("manifest", "has no rows", "Build it again")
    folds = SCHEMES[settings.scheme](manifest, settings)
    if settings.validation == "subjects":
        folds = [_with_validation(manifest, fold, settings) for fold in folds]
    split = Split(settings.scheme, tuple(folds), "")
    found = leaks.check(manifest, split, allow_leak=settings.allow_leak, by_sound=settings.by_sound)
    remarks = [
        *check_classes(manifest, folds, settings.strict),
        *unnamed(manifest),
        *(unheard(manifest) if settings.by_sound else []),
    ]
    reason = settings.allow_leak.strip() if found else ""
    return replace(split, leaks=found, reason=reason, remarks=tuple(remarks))


def _by_subjects(manifest: pd.DataFrame, settings: SplitSettings) -> list[Fold]:
    """K folds of whole subjects, equal in number (or one apart), and in each sex where told."""
    units = subject_units(manifest, by_sound=settings.by_sound)
    parts = deal(manifest, units, settings.folds, settings.seed)
    width = len(str(len(parts) - 1))
    return [
        _test_fold(f"{number:0{width}d}", manifest, set(part)) for number, part in enumerate(parts)
    ]


def _leave_one_out(manifest: pd.DataFrame, settings: SplitSettings) -> list[Fold]:
    units = subject_units(manifest, by_sound=settings.by_sound)
    if len(units) < 2:
        raise CorpusError("manifest", "has one subject alone", "A split needs two or more")
    return [_test_fold("+".join(unit), manifest, set(unit)) for unit in units]


def _leave_one_movie_out(manifest: pd.DataFrame, settings: SplitSettings) -> list[Fold]:
    """A fold for each film; films are the subjects of a corpus of films."""
    units = subject_units(manifest, by_sound=settings.by_sound)
    if len(units) < 2:
        films = "+".join(unit[0] for unit in units)
        raise CorpusError(
            "manifest",
            f"has one film alone ({films}): none can be left out",
            "A split by films needs two or more",
        )
    return [_test_fold("+".join(unit), manifest, set(unit)) for unit in units]


def _test_fold(name: str, manifest: pd.DataFrame, tested: set[str]) -> Fold:
    inside = np.array([subject in tested for subject in subjects_of(manifest)])
    return Fold(name, np.flatnonzero(~inside), _NOTHING, np.flatnonzero(inside))


def _published(manifest: pd.DataFrame, settings: SplitSettings) -> list[Fold]:
    """Folds of named actors (:mod:`aver.corpora.published_folds`)."""
    lists = PUBLISHED[settings.scheme]
    known = {actor for part in lists for actor in part}
    actors = [subject.rpartition("/")[2] for subject in subjects_of(manifest)]
    strangers = sorted(set(actors) - known)
    if strangers:
        raise CorpusError(
            "manifest",
            f"has subject '{strangers[0]}', whom the scheme '{settings.scheme}' does not know",
            "Use it on the whole corpus it was published for, or choose the scheme subjects",
        )
    folds = []
    for number, part in enumerate(lists):
        inside = np.isin(np.array(actors), part)
        if not inside.any():
            raise CorpusError(
                f"fold {number}",
                f"has no rows to test: the manifest holds none of {part[0]} to {part[-1]}"
                if len(part) > 1
                else f"has no rows to test: the manifest does not hold {part[0]}",
                "Complete the corpus",
            )
        folds.append(Fold(str(number), np.flatnonzero(~inside), _NOTHING, np.flatnonzero(inside)))
    return folds


_SHARES: Final[Mapping[str, tuple[float, float]]] = {
    "random_80_10_10": (0.8, 0.1),
    "random_50_50": (0.5, 0.0),
    "random_25_75": (0.25, 0.0),
}
"""Shares of the takes to train and to validate on; the rest is tested."""


def _random(manifest: pd.DataFrame, settings: SplitSettings) -> list[Fold]:
    """One fold of takes drawn at random, whoever speaks: subjects stand on both sides.

    The joint audio-visual CNNs were measured so (experiments 1 and 2: 80-10-10, then 50-50 and
    25-75 without validation). Their report does not say at what level was drawn; here the rows of
    one take stay together, which is the least that can be asked.
    """
    if settings.scheme == "random_80_10_10" and settings.validation != "none":
        raise SettingError(
            "validation", "random_80_10_10 has validation rows of its own", 'Leave it at "none"'
        )
    takes = takes_of(manifest, by_sound=settings.by_sound)
    keys = item_keys(manifest)
    members: dict[int, list[int]] = {}
    for row, take in enumerate(takes.tolist()):
        members.setdefault(take, []).append(row)
    named = {take: min(keys[row] for row in rows) for take, rows in members.items()}
    order = sorted(members, key=lambda take: (draw(settings.seed, named[take]), named[take]))
    train_share, validation_share = _SHARES[settings.scheme]
    first = round(train_share * len(order))
    second = round((train_share + validation_share) * len(order))
    if not 0 < first <= second < len(order):
        raise CorpusError("manifest", f"has too few takes ({len(order)}) to split", "Add more")

    def rows_of(some: list[int]) -> Rows:
        return np.array(sorted(row for take in some for row in members[take]), np.intp)

    return [
        Fold("0", rows_of(order[:first]), rows_of(order[first:second]), rows_of(order[second:]))
    ]


def _by_column(manifest: pd.DataFrame, settings: SplitSettings) -> list[Fold]:
    """A fold for each value of a column, tested there and trained on the rest."""
    column = settings.column
    if not column:
        raise SettingError("column", "is empty", "Name the column that tells the test folds")
    if column not in manifest.columns:
        close = difflib.get_close_matches(column, [str(c) for c in manifest.columns], n=1)
        hint = f"Did you mean '{close[0]}'" if close else "Name one of the manifest's columns"
        raise SettingError("column", f"the manifest has no column '{column}'", hint)
    values = np.array(texts(manifest, column))
    if (values == "").any():
        row = int(np.flatnonzero(values == "")[0])
        raise CorpusError("manifest", f"column '{column}' is empty in row {row}", "Fill it")
    names = sorted(set(values.tolist()))
    if len(names) < 2:
        raise CorpusError("manifest", f"column '{column}' has one value alone", "Use two or more")
    return [
        Fold(name, np.flatnonzero(values != name), _NOTHING, np.flatnonzero(values == name))
        for name in names
    ]


_PUBLISHED_SIDES: Final[Mapping[str, str]] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}


def _by_publisher(manifest: pd.DataFrame, settings: SplitSettings) -> list[Fold]:
    """The corpus's own training and test rows, from the column ``split``, else ``group``."""
    column = "split" if "split" in manifest.columns else "group"
    words = [text.strip().lower() for text in texts(manifest, column)]
    sides = np.array([_PUBLISHED_SIDES.get(word, "") for word in words])
    if not {"train", "test"} <= set(sides.tolist()) or (sides == "").any():
        raise CorpusError(
            "manifest",
            f"column '{column}' does not say train or test of every row, so the corpus has no "
            "split of its publishers here",
            "Choose another scheme",
        )
    rows = {side: np.flatnonzero(sides == side) for side in ("train", "validation", "test")}
    return [Fold("publisher", rows["train"], rows["validation"], rows["test"])]


Scheme = Callable[["pd.DataFrame", SplitSettings], list[Fold]]

SCHEMES: Final[dict[str, Scheme]] = {
    "subjects": _by_subjects,
    "leave_one_subject_out": _leave_one_out,
    "leave_one_movie_out": _leave_one_movie_out,
    **dict.fromkeys(PUBLISHED, _published),
    **dict.fromkeys(_SHARES, _random),
    "column": _by_column,
    "publisher": _by_publisher,
}
"""Every scheme by its name."""


def _with_validation(manifest: pd.DataFrame, fold: Fold, settings: SplitSettings) -> Fold:
    """Move whole subjects from the fold's training rows to its validation rows."""
    if len(fold.validation):
        raise SettingError(
            "validation", f"'{settings.scheme}' has validation rows of its own", 'Use "none"'
        )
    chosen = pick_subjects(manifest, fold.train, settings, fold.name)
    subjects = np.array(subjects_of(manifest))
    inside = np.isin(subjects[fold.train], sorted(chosen))
    return replace(fold, train=fold.train[~inside], validation=fold.train[inside])
