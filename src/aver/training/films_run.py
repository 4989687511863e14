"""Every system on every fold; what is done lies in a folder and is not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save

from aver.errors import AverError, TrainingError
from aver.evaluation.predictions import Predictions, concatenate
from aver.evaluation.results import versions
from aver.models.sequences import SequenceModel
from aver.report.files import Writer, write_files, writer_of
from aver.training.films_data import FilmSet
from aver.training.films_network import Fitted, build, logistic_regression, majority, train
from aver.training.films_recipe import FilmsRecipeBase, FilmSystem, Validation
from aver.training.films_sides import SequenceRows, Sides, sequences, sides_of, statistics

Step = Callable[[str], None]


@dataclass(frozen=True)
class Candidate:
    """One training: learning rate (or C of the logistic regression) and hidden size."""

    rate: float
    width: int = 0

    def __str__(self) -> str:
        return f"{self.rate:g}" + (f", {self.width}" if self.width else "")


@dataclass(frozen=True)
class Chosen:
    """The candidate chosen in a fold, by validation segments alone."""

    fold: str
    seed: int
    candidate: Candidate
    recall: float
    epoch: int


@dataclass(eq=False)
class Cell:
    """One system on one target with one validation, all folds and seeds.

    Attributes:
        system: which.
        validation: which.
        seeds: its predictions over all films, one a seed.
        chosen: what was chosen in each fold.
    """

    system: FilmSystem
    validation: Validation
    seeds: list[Predictions]
    chosen: list[Chosen]


@dataclass(eq=False)
class Runner:
    """Runs the systems of a recipe on one target.

    Attributes:
        recipe: the recipe.
        data: films of the target.
        home: folder of what is done.
        step: called after each training, or finding it done, with what it was.
    """

    recipe: FilmsRecipeBase
    data: FilmSet
    home: Path
    step: Step = field(default=lambda _: None)
    _rows: dict[Any, tuple[SequenceRows, SequenceRows, SequenceRows]] = field(default_factory=dict)

    def cell(self, system: FilmSystem, validation: Validation) -> Cell:
        """Predictions of *system* over all films.

        Raises:
            AverError: naming system and film, if it cannot be trained there.
        """
        seeds, chosen = [], []
        for seed in self.recipe.seeds if system.model != "majority" else self.recipe.seeds[:1]:
            parts = []
            for left_out in range(len(self.data.films)):
                sides = self.sides(left_out, validation, seed)
                try:
                    choice, scores = self.fold(system, validation, sides, seed)
                except AverError as error:
                    subject = f"system '{system.name}', film {sides.test_film}"
                    told = f"{error.subject}: {error.problem}" if error.subject else error.problem
                    raise TrainingError(subject, told, error.advice) from error
                chosen.append(choice)
                parts.append(self._predictions(system, validation, sides, seed, scores))
            seeds.append(concatenate(parts))
        return Cell(system, validation, seeds, chosen)

    def sides(self, left_out: int, validation: Validation, seed: int) -> Sides:
        """The stretches of a fold."""
        share = self.recipe.validation_share
        return sides_of(self.data.films, left_out, validation, share, seed)

    def fold(
        self, system: FilmSystem, validation: Validation, sides: Sides, seed: int
    ) -> tuple[Chosen, NDArray[np.float64]]:
        """The candidate chosen on validation segments, and its scores of the test segments."""
        best: tuple[Candidate, dict[str, Any]] | None = None
        for candidate in self.candidates(system):
            found = self._done(system, validation, sides, seed, candidate)
            if best is None or self._better(found, best[1]):
                best = candidate, found
            for more in self._then(system, candidate, best[0]):
                found = self._done(system, validation, sides, seed, more)
                if self._better(found, best[1]):
                    best = more, found
        assert best is not None
        candidate, found = best
        choice = Chosen(
            sides.test_film, seed, candidate, float(found["recall"]), int(found["epoch"])
        )
        return choice, found["scores"]

    def candidates(self, system: FilmSystem) -> Iterator[Candidate]:
        """What is tried at first."""
        search = self.recipe.search
        if system.model == "majority":
            yield Candidate(1.0)
        elif system.model == "logistic_regression":
            yield from map(Candidate, search.penalties)
        else:
            widths = search.widths if system.width_settings else (0,)
            greedy = search.how == "greedy"
            for width, rate in product(widths[:1] if greedy else widths, search.learning_rates):
                yield Candidate(rate, width)

    def _then(
        self, system: FilmSystem, candidate: Candidate, best: Candidate
    ) -> Iterator[Candidate]:
        """After the last learning rate of a greedy search: the other widths at the best rate."""
        search = self.recipe.search
        last = candidate.rate == search.learning_rates[-1]
        if system.is_network and system.width_settings and search.how == "greedy" and last:
            yield from (Candidate(best.rate, width) for width in search.widths[1:])

    def _better(self, found: dict[str, Any], best: dict[str, Any]) -> bool:
        """Whether *found* is better by validation; of equals the lower loss, then the first."""
        keys = [(-float(one["recall"]), float(one["loss"])) for one in (found, best)]
        if self.recipe.search.choose == "loss":
            keys = [(loss, recall) for recall, loss in keys]
        return keys[0] < keys[1]

    def rows(
        self, streams: Sequence[str], validation: Validation, sides: Sides, seed: int
    ) -> tuple[SequenceRows, SequenceRows, SequenceRows]:
        """Training, validation and test sequences, scaled by the training segments alone."""
        key = (tuple(streams), validation, sides, seed)
        if key not in self._rows:
            films, recipe = self.data.films, self.recipe
            scale = {name: statistics(films, sides.train, name) for name in streams}
            labels = self.labels(sides)
            self._rows = {
                key: tuple(  # type: ignore[dict-item]
                    sequences(films, labels, stretches, scale, recipe.time, stride)
                    for stretches, stride in (
                        (sides.train, min(recipe.train_stride, recipe.time)),
                        (sides.validation, recipe.time),
                        (sides.test, recipe.time),
                    )
                )
            }
        return self._rows[key]

    def labels(self, sides: Sides) -> list[NDArray[np.int64]]:
        """Levels of every film; binned by the training segments where the recipe says so."""
        films = self.data.films
        if self.recipe.data.binning == "corpus":
            return [film.labels for film in films]
        values = np.concatenate([films[n].values[a:b] for n, a, b in sides.train])
        edges = np.quantile(values[np.isfinite(values)], [1 / 3, 2 / 3])
        return [np.where(f.labels >= 0, np.digitize(f.values, edges), -1) for f in films]

    def _done(
        self,
        system: FilmSystem,
        validation: Validation,
        sides: Sides,
        seed: int,
        candidate: Candidate,
    ) -> dict[str, Any]:
        path = self.path(system, validation, sides, seed, candidate)
        what = f"{system.name}, {sides.test_film}, {validation}, {candidate}"
        found = _read(path)
        if found is None:
            fitted = self.fit(system, validation, sides, seed, candidate)
            found = {
                "recall": np.float64(fitted.recall),
                "loss": np.float64(fitted.loss),
                "epoch": np.int64(fitted.epoch),
                "seconds": np.float64(fitted.seconds),
                "scores": fitted.scores,
            }
            files: list[tuple[Path, Writer]] = []
            if system.mask and fitted.network is not None:
                files.append((self._weights(path), writer_of(save(fitted.network.state_dict()))))
            # Weights and scores together: scores alone would pass as a training that is done.
            files.append((path, lambda stream: np.savez(stream, **found)))
            write_files(files)
        self.step(what)
        return found

    def fit(
        self,
        system: FilmSystem,
        validation: Validation,
        sides: Sides,
        seed: int,
        candidate: Candidate,
    ) -> Fitted:
        """Train one candidate, whether or not it was before; the same again on one machine."""
        rows = self.rows(self.recipe.streams_of(system), validation, sides, seed)
        if system.model == "majority":
            return majority(*rows, len(self.recipe.levels))
        if system.model == "logistic_regression":
            weights = self.recipe.training.class_weights
            return logistic_regression(*rows, len(self.recipe.levels), candidate.rate, weights)
        return train(self.recipe, system, *rows, candidate.rate, candidate.width, seed)

    def network(
        self,
        system: FilmSystem,
        validation: Validation,
        sides: Sides,
        seed: int,
        candidate: Candidate,
    ) -> SequenceModel:
        """The trained network of a candidate: as it was kept, or trained once more."""
        path = self._weights(self.path(system, validation, sides, seed, candidate))
        films = self.data.films
        if path.is_file():
            dimensions = {name: values.shape[1] for name, values in films[0].streams.items()}
            network = build(self.recipe, system, dimensions, candidate.width, seed)
            network.load_state_dict(load_file(path))
            return network.eval()
        fitted = self.fit(system, validation, sides, seed, candidate)
        assert fitted.network is not None
        return fitted.network

    @staticmethod
    def _weights(path: Path) -> Path:
        return path.with_suffix(".safetensors")

    def path(
        self,
        system: FilmSystem,
        validation: Validation,
        sides: Sides,
        seed: int,
        candidate: Candidate,
    ) -> Path:
        """Where a training is kept; other settings, data or versions have another file."""
        recipe = self.recipe
        about = {
            "system": system.model_dump(mode="json", exclude={"name", "note", "mask"}),
            "streams": {n: self.data.identity[n] for n in recipe.streams_of(system)},
            "data": self.data.data_sha256,
            "binning": recipe.data.binning,
            "sides": repr(sides),
            "time": (recipe.time, recipe.train_stride),
            "training": recipe.training.model_dump(
                mode="json", exclude={"learning_rate", "logger", "checkpoint_every", "threads"}
            ),
            "candidate": repr(candidate),
            "seed": seed,
            "versions": versions("torch", "scikit-learn"),
        }
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:20]
        return self.home / f"{system.name}-{validation}-{digest}.npz"

    def _predictions(
        self,
        system: FilmSystem,
        validation: Validation,
        sides: Sides,
        seed: int,
        scores: NDArray[np.float64],
    ) -> Predictions:
        *_, test = self.rows(self.recipe.streams_of(system), validation, sides, seed)
        known = test.labels >= 0
        film = sides.test_film
        numbers = test.places[known][:, 1]
        count = int(known.sum())
        if not count:
            raise TrainingError(film, "no segment that is tested has a level", "Leave it out")
        return Predictions(
            classes=self.recipe.levels,
            item=np.array([f"{film}/{number:04d}" for number in numbers], object),
            subject=np.full(count, film, object),
            fold=np.full(count, film, object),
            label=np.array(self.recipe.levels, object)[test.labels[known]],
            scores=scores[known] / scores[known].sum(axis=1, keepdims=True),
            system=system.name,
            recipe=self.recipe.name,
            data_sha256=self.data.data_sha256,
        )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("recall", "loss", "epoch", "scores")}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        path.unlink(missing_ok=True)  # half a file: done again
        return None
