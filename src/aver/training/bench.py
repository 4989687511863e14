"""Systems of a bench recipe: trained on some rows, they score others.

Everything that is learned is learned from the rows given as training rows: normalisation, weights,
the calibration of a support vector machine, the weights of a fusion. A fitted fusion learns from
scores of systems that had not seen the clip: the training subjects are cut into ``inner_folds``
parts, and each part is scored by systems trained on the others.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.corpora.splits import Fold
from aver.errors import AverError, CorpusError
from aver.fusion import make_fusion
from aver.training.bench_data import BenchRows, Rows
from aver.training.bench_files import writing
from aver.training.bench_normalise import Prepared, prepare
from aver.training.bench_recipe import BenchRecipe
from aver.training.bench_system import System
from aver.training.estimators import make_estimator, pool_windows, subject_parts

Scores = NDArray[np.float64]


@dataclass(eq=False)
class Bench:
    """Runs systems on folds; scores that several fusions need are computed once and kept.

    Attributes:
        recipe: the recipe.
        data: its rows.
        cache: folder for scores of parts of the training rows, or None.
        labelled: what tells these labels from others of the same files, see
            :func:`aver.training.bench_files.labelling`.
        step: called with the number of trainings that are over, or were before.
    """

    recipe: BenchRecipe
    data: BenchRows
    cache: Path | None = None
    labelled: str = ""
    step: Callable[[int], None] = field(default=lambda _: None)
    _known: dict[str, Scores] = field(default_factory=dict)
    _prepared_by: str = ""
    _prepared: dict[str, Prepared] = field(default_factory=dict)

    def test_scores(self, system: System, fold: Fold, seed: int) -> Scores:
        """Probabilities (test rows, classes); rows without any of the system's streams get the
        training rows' shares of the classes.

        Raises:
            AverError: naming system and fold, if the system cannot be trained there.
        """
        try:
            scores = self.scores(system, fold.train, fold.validation, fold.test, seed)
        except AverError as error:
            subject = f"system '{system.name}', fold {fold.name}"
            told = f"{error.subject}: {error.problem}" if error.subject else error.problem
            raise AverError(told, error.advice, subject=subject) from error
        counts = np.bincount(self.data.labels[fold.train], minlength=len(self.data.classes))
        scores[np.isnan(scores).any(axis=1)] = counts / counts.sum()
        return scores

    def scores(
        self, system: System, train: Rows, validation: Rows, rows: Rows, seed: int
    ) -> Scores:
        """Probabilities (rows, classes) of *rows*, learned from *train*.

        Rows without any of the system's streams are NaN.
        """
        if system.fusion:
            return self._fused(system, train, validation, rows, seed)
        return self._kept(
            ("scores", system, train, validation, rows, seed),
            lambda: self._scored(system, train, validation, rows, seed),
        )

    def _scored(
        self, system: System, train: Rows, validation: Rows, rows: Rows, seed: int
    ) -> Scores:
        there = self.data.there(self.recipe.streams_of(system))
        missing = sorted(set(self.data.labels.tolist()) - set(self.data.labels[train].tolist()))
        if missing:
            raise CorpusError(
                "training rows",
                f"hold no clip of the class '{self.data.classes[missing[0]]}'",
                "Use fewer folds, or leave the class out with data.classes",
            )
        train, validation = train[there[train]], validation[there[validation]]
        if not len(train):
            raise CorpusError(
                "training rows", "have no value in any stream", "Check the extractors' files"
            )
        found: Scores = np.full((len(rows), len(self.data.classes)), np.nan)
        able = rows[there[rows]]
        if len(able):
            score = self._network if system.kind == "network" else self._estimator
            found[there[rows]] = score(system, train, validation, able, seed)
        return found

    def prepared(self, system: System, train: Rows) -> dict[str, Prepared]:
        """The system's streams, normalised by the rows *train*."""
        key = hashlib.sha256(train.tobytes()).hexdigest()
        if key != self._prepared_by:
            self._prepared_by, self._prepared = key, {}
        for name in self.recipe.streams_of(system):
            if name not in self._prepared:
                self._prepared[name] = prepare(self.recipe, self.data, name, train)
        return {name: self._prepared[name] for name in self.recipe.streams_of(system)}

    def _network(
        self, system: System, train: Rows, validation: Rows, rows: Rows, seed: int
    ) -> Scores:
        from aver.training.bench_network import scores_of, train_networks

        streams = self.prepared(system, train)
        networks = train_networks(self.recipe, system, self.data, streams, train, validation, seed)
        return scores_of(networks, streams, rows)

    def _estimator(
        self, system: System, train: Rows, validation: Rows, rows: Rows, seed: int
    ) -> Scores:
        estimator = make_estimator(system.model, system.settings)
        spread = estimator.settings.spread
        parts = [
            pool_windows(stream.values, stream.present, spread)
            for stream in self.prepared(system, train).values()
        ]
        weights = estimator.settings.stream_weights
        if weights:
            names = self.recipe.streams_of(system)
            estimator.factors = np.concatenate(
                [
                    np.full(part.shape[1], weights.get(name, 1.0), np.float32)
                    for name, part in zip(names, parts, strict=True)
                ]
            )
        table = np.concatenate(parts, axis=1)
        estimator.fit(table[train], self.data.labels[train], self.data.subjects[train], seed)
        return estimator.predict(table[rows], len(self.data.classes))

    def _fused(
        self, system: System, train: Rows, validation: Rows, rows: Rows, seed: int
    ) -> Scores:
        fusion = make_fusion(system.fusion, **system.settings)
        parts = [self.recipe.system(name) for name in system.of]
        if fusion.fitted:
            held_out = np.stack([self.held_out_scores(part, train, seed) for part in parts])
            fusion.fit(held_out, self.data.labels[train])
        scores = np.stack([self.scores(part, train, validation, rows, seed) for part in parts])
        fused = np.array(fusion.predict(scores), np.float64)
        fused[np.isnan(scores).any(axis=2).all(axis=0)] = np.nan
        return fused

    def held_out_scores(self, system: System, train: Rows, seed: int) -> Scores:
        """Scores (train, classes) of the training rows by systems trained on other subjects."""
        if system.fusion:
            fusion = make_fusion(system.fusion, **system.settings)
            of = [self.recipe.system(name) for name in system.of]
            return fusion.predict(np.stack([self.held_out_scores(s, train, seed) for s in of]))
        return self._kept(
            ("held out", system, train, train[:0], train, seed, self.recipe.inner_folds),
            lambda: self._held_out(system, train, seed),
        )

    def _held_out(self, system: System, train: Rows, seed: int) -> Scores:
        scores: Scores = np.full((len(train), len(self.data.classes)), np.nan)
        labels, subjects = self.data.labels[train], self.data.subjects[train]
        # The parts are the same for every system and seed, so that their scores can be stacked.
        for inside, outside in subject_parts(labels, subjects, self.recipe.inner_folds, 0):
            nothing = train[:0]
            scores[outside] = self._scored(system, train[inside], nothing, train[outside], seed)
        return scores

    def _kept(self, what: tuple[Any, ...], compute: Callable[[], Scores]) -> Scores:
        """Scores known from before (in memory or in the cache), or computed now and kept."""
        kind, system, *rest = what
        key = self.key(kind, system, *rest)
        if key not in self._known:
            trainings = self.recipe.inner_folds if kind == "held out" else 1
            file = self.cache / f"{key}.npy" if self.cache else None
            scores = None if file is None else _read(file)
            if scores is None:
                scores = compute()
                if file is not None:
                    _write(file, scores)
            self._known[key] = scores
            self.step(trainings)
        return self._known[key].copy()

    def key(self, kind: str, system: System, *rest: Any) -> str:
        """A hash of all that the scores of *system* depend on."""
        digest = hashlib.sha256(kind.encode())
        digest.update((self.recipe_key(system) + self.labelled).encode())
        for part in rest:
            if isinstance(part, np.ndarray):
                digest.update("\n".join(self.data.items[part].tolist()).encode())
            digest.update(repr(None if isinstance(part, np.ndarray) else part).encode())
        return digest.hexdigest()[:32]

    def recipe_key(self, system: System) -> str:
        """The settings that *system* depends on, with those of the systems it fuses."""
        about: dict[str, Any] = {
            "data": self.data.data_sha256,
            "classes": self.data.classes,
            "system": system.model_dump(
                mode="json", exclude={"name", "paper", "aim", "note", "training", "augment", "of"}
            ),
            "streams": {
                name: (
                    self.data.streams[name].identity,
                    self.recipe.standardise_of(name),
                    self.recipe.person_of(name),
                )
                for name in self.recipe.streams_of(system)
            },
            "normalise": (self.recipe.normalise.clip, self.recipe.normalise.prior_windows),
        }
        if system.kind == "network":
            fitted = self.recipe.fit_settings(system).model_dump(
                mode="json", exclude={"logger", "checkpoint_every", "threads"}
            )
            about["training"] = fitted
            about["augment"] = self.recipe.augmentation(system).model_dump(mode="json")
        if system.fusion:
            about["of"] = [self.recipe_key(self.recipe.system(name)) for name in system.of]
            about["inner_folds"] = self.recipe.inner_folds
        return json.dumps(about, sort_keys=True)


def _read(file: Path) -> Scores | None:
    try:
        return np.asarray(np.load(file, allow_pickle=False), np.float64)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError):
        file.unlink(missing_ok=True)  # half a file of a crashed disk: computed again
        return None


def _write(file: Path, scores: Scores) -> None:
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as stream:
            np.save(stream, scores)
        beside.replace(file)
