"""Subjects dealt to folds: equal in number, and in each sex where the manifest tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aver.corpora.takes import components, draw, sex_of_subjects, subjects_of, takes_of
from aver.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

    from aver.corpora.splits import SplitSettings

Unit = tuple[str, ...]
"""Subjects that must stay together because they share a take; nearly always one."""


def subject_units(manifest: pd.DataFrame, *, by_sound: bool = False) -> list[Unit]:
    """The subjects, sorted; those that share a take in one unit.

    Raises:
        CorpusError: if a row names nobody.
    """
    subjects = subjects_of(manifest)
    if "" in subjects:
        raise CorpusError(
            "manifest",
            f"row {subjects.index('')} names nobody, so it cannot be split by subjects",
            "Fill the column subject or choose another scheme",
        )
    parts = components(len(subjects), [subjects, takes_of(manifest, by_sound=by_sound).tolist()])
    members: dict[int, set[str]] = {}
    for subject, part in zip(subjects, parts.tolist(), strict=True):
        members.setdefault(part, set()).add(subject)
    return sorted(tuple(sorted(unit)) for unit in members.values())


def deal(manifest: pd.DataFrame, units: Sequence[Unit], folds: int, seed: int) -> list[Unit]:
    """Deal subjects to folds.

    Numbers of subjects differ by at most one between folds, and so do those of women and of men
    where every subject's sex is told; only subjects that share takes can break that.

    Raises:
        CorpusError: if there are fewer units than folds.
    """
    if len(units) < folds:
        raise CorpusError(
            "manifest",
            f"has {len(units)} subjects for {folds} folds",
            f"Set folds to {len(units)} or fewer" if len(units) > 1 else "Add subjects",
        )
    sexes = sex_of_subjects(manifest)
    order = sorted(
        units,
        key=lambda unit: (-len(unit), sexes[unit[0]], draw(seed, *unit), unit),
    )
    parts: list[list[str]] = [[] for _ in range(folds)]
    for unit in order:
        sex = sexes[unit[0]]
        least = min(
            range(folds),
            key=lambda k: (len(parts[k]), sum(sexes[s] == sex for s in parts[k]), k),
        )
        parts[least].extend(unit)
    return [tuple(sorted(part)) for part in parts]


def pick_subjects(
    manifest: pd.DataFrame, rows: NDArray[np.intp], settings: SplitSettings, fold: str
) -> set[str]:
    """Subjects of *rows* to validate on, women and men in turn where sexes are told.

    Raises:
        CorpusError: if that would leave nobody to train on.
    """
    among = manifest.iloc[rows]
    units = subject_units(among, by_sound=settings.by_sound)
    sexes = sex_of_subjects(manifest)
    waiting = sorted(units, key=lambda unit: (draw(settings.seed, fold, *unit), unit))
    chosen: list[str] = []
    while len(chosen) < settings.validation_subjects:
        if len(waiting) < 2:
            raise CorpusError(
                f"fold {fold}",
                f"{settings.validation_subjects} validation subjects leave nobody to train on",
                "Set validation_subjects lower",
            )
        taken = [sexes[subject] for subject in chosen]
        unit = min(waiting, key=lambda u: (taken.count(sexes[u[0]]), waiting.index(u)))
        waiting.remove(unit)
        chosen.extend(unit)
    return set(chosen)
