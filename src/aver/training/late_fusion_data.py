"""Published per-clip scores of several models over folds: read, checked, brought to one shape.

The file is a Parquet table with one row a clip, fold, part (``train`` or ``test``) and model, and a
column of scores for each class, logits or posteriors. Of the training part's scores one must
know that the models were trained on these very clips: they are far surer than scores of new
clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aver.corpora.ravdess import parse_name
from aver.errors import CorpusError
from aver.labels import RAVDESS

Kind = Literal["logits", "probabilities"]
Person = Literal["none", "mean", "mean_and_spread"]
COLUMNS = ("clip", "fold", "split", "model")
FLOOR = 1e-8


@dataclass(frozen=True, eq=False)
class Scored:
    """Clips of one part of one fold.

    Attributes:
        given: (models, clips, classes) scores as published, logits or posteriors.
        probabilities: the same as probabilities; NaN where a model has not scored a clip.
        labels: (clips,) class numbers.
        subjects: (clips,) who speaks.
        clips: (clips,) file stems.
    """

    given: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    labels: NDArray[np.intp]
    subjects: NDArray[Any]
    clips: NDArray[Any]

    def select(self, rows: NDArray[Any]) -> Scored:
        """Those clips alone."""
        return Scored(
            self.given[:, rows],
            self.probabilities[:, rows],
            self.labels[rows],
            self.subjects[rows],
            self.clips[rows],
        )

    def of_models(self, numbers: Sequence[int]) -> Scored:
        """Those models alone."""
        rows = list(numbers)
        return replace(self, given=self.given[rows], probabilities=self.probabilities[rows])


@dataclass(frozen=True)
class ScoredFold:
    """One fold: what the models were trained on, and the people they had not met."""

    name: str
    train: Scored
    test: Scored


def join(parts: Sequence[Scored]) -> Scored:
    """Clips of several folds as one."""
    return Scored(
        np.concatenate([p.given for p in parts], axis=1),
        np.concatenate([p.probabilities for p in parts], axis=1),
        np.concatenate([p.labels for p in parts]),
        np.concatenate([p.subjects for p in parts]),
        np.concatenate([p.clips for p in parts]),
    )


def read_fold_scores(path: Path, models: Sequence[tuple[str, Kind]]) -> list[ScoredFold]:
    """The folds of a file of published scores of RAVDESS clips.

    Args:
        path: Parquet file with the columns clip, fold, split, model and the eight classes.
        models: name and kind of the scores of each model wanted, in the order of the result.

    Raises:
        CorpusError: if the file cannot be read, lacks a column, a model or a part of a fold, has
            a clip twice, scores that are no numbers or clip names that are not RAVDESS', or the
            same person in both parts of a fold.
    """
    table = _read(path)
    missing = [c for c in (*COLUMNS, *RAVDESS) if c not in table.columns]
    if missing:
        raise CorpusError(path, f"lacks the columns {', '.join(missing)}", "Is it the right file?")
    known = sorted(set(table["model"]))
    for name, _ in models:
        if name not in known:
            raise CorpusError(path, f"has no model '{name}'", f"It has {', '.join(known)}")
    table = table[table["model"].isin([name for name, _ in models])]
    twice = table.duplicated(list(COLUMNS))
    if twice.any():
        raise CorpusError(path, f"has the clip {table.loc[twice, 'clip'].iloc[0]} twice in a part")
    folds = []
    for fold, rows in table.groupby("fold", sort=True):
        parts = {
            part: _scored(path, rows[rows["split"] == part], models) for part in ("train", "test")
        }
        for part, scored in parts.items():
            if not len(scored.clips):
                raise CorpusError(path, f"has no {part} clips in the fold {fold}")
        both = sorted(set(parts["train"].subjects) & set(parts["test"].subjects))
        if both:
            raise CorpusError(
                path,
                f"has subject {both[0]} in both parts of the fold {fold}",
                "A fusion fitted on them would know the people it is tested on",
            )
        folds.append(ScoredFold(str(fold), parts["train"], parts["test"]))
    if len(folds) < 2:
        raise CorpusError(path, f"has {len(folds)} fold", "Two or more are needed")
    return folds


def _read(path: Path) -> pd.DataFrame:
    import pyarrow as pa

    try:
        return pd.read_parquet(path)
    except FileNotFoundError as error:
        raise CorpusError(path, "is not there", "Check --data and the recipe's file") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        advice = "If it is a Git LFS pointer, fetch the file itself"
        raise CorpusError(path, "is no Parquet file that can be read", advice) from error


def _scored(path: Path, rows: pd.DataFrame, models: Sequence[tuple[str, Kind]]) -> Scored:
    clips = np.array(sorted(set(rows["clip"])), dtype=object)
    given = np.full((len(models), len(clips), len(RAVDESS)), np.nan)
    probabilities = given.copy()
    for number, (name, kind) in enumerate(models):
        own = rows[rows["model"] == name].set_index("clip").reindex(clips)
        try:
            given[number] = own[list(RAVDESS)].to_numpy(dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise CorpusError(path, f"has scores of {name} that are no numbers") from error
        probabilities[number] = _probabilities(path, name, kind, given[number])
    try:
        takes = [parse_name(clip) for clip in clips]
    except ValueError as error:
        raise CorpusError(path, f"names a clip that is not RAVDESS': {error}") from error
    return Scored(
        given=given,
        probabilities=probabilities,
        labels=np.array([RAVDESS.index(take.emotion) for take in takes], dtype=np.intp),
        subjects=np.array([f"{take.actor:02d}" for take in takes], dtype=object),
        clips=clips,
    )


def _probabilities(
    path: Path, name: str, kind: Kind, given: NDArray[np.float64]
) -> NDArray[np.float64]:
    scored = given[~np.isnan(given).all(axis=1)]
    if not np.isfinite(scored).all():
        raise CorpusError(path, f"has scores of {name} that are not finite")
    if kind == "logits":
        return softmax(given)
    if (scored < 0).any() or (np.abs(scored.sum(axis=1) - 1) > 1e-3).any():
        raise CorpusError(
            path, f"has scores of {name} that are no probabilities", 'Set kind = "logits"'
        )
    return np.asarray(given / given.sum(axis=1, keepdims=True))


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities over the last axis; NaN stays NaN."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def normalise_by_person(scored: Scored, person: Person) -> Scored:
    """Scores less the person's own mean, and by spread, over that person's clips in this part.

    No label is used, but all of a person's clips are: a system so treated needs several
    recordings of a person before it judges one, and gains from people showing every class about
    equally often. Done on log-probabilities, per model and class.
    """
    if person == "none":
        return scored
    logs = np.log(np.maximum(scored.probabilities, FLOOR))
    logs = logs - logs.mean(axis=2, keepdims=True)
    for subject in sorted(set(scored.subjects)):
        rows = np.flatnonzero(scored.subjects == subject)
        for model in range(len(logs)):
            own = rows[~np.isnan(logs[model, rows, 0])]
            if not len(own):
                continue
            part = logs[model, own] - logs[model, own].mean(axis=0)
            if person == "mean_and_spread":
                part = part / np.maximum(part.std(axis=0), 1e-6)
            logs[model, own] = part
    return replace(scored, given=logs, probabilities=softmax(logs))
