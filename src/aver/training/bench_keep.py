"""One network of a bench recipe, trained to be kept: weights and all that is to be known of them.

``model.safetensors`` holds the weights; its metadata, and ``run.json`` beside it, hold what builds
the network again (name, settings, streams, classes), what its inputs are (extractors and their
settings, normalisation), and whom it has seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aver.corpora.splits import Fold
from aver.errors import ModelError, RecipeError
from aver.evaluation.predictions import write_predictions
from aver.evaluation.results import versions, write_report
from aver.models.registry import make_model, read_settings
from aver.models.streams import Normalised
from aver.training.bench import Bench
from aver.training.bench_data import BenchRows, Tell, load_rows, seen_by_extractors
from aver.training.bench_files import writing
from aver.training.bench_network import fit_network, scores_of
from aver.training.bench_normalise import Prepared
from aver.training.bench_recipe import BenchRecipe
from aver.training.bench_run import STORE, predictions_of, told
from aver.training.bench_system import System
from aver.training.bench_table import PACKAGES, describe_data, describe_protocol
from aver.training.fit_progress import show_progress

WEIGHTS = "model.safetensors"


def train_and_keep(recipe: BenchRecipe, data_root: Path, out: Path, tell: Tell = print) -> None:
    """Train the recipe's system ``train`` (its first network if it names none) into *out*.

    On all rows, or with ``train_on = "split"`` on the first fold's training rows; its test rows
    are then scored into ``predictions.parquet``. A run that was stopped goes on where it was.

    Raises:
        RecipeError: if the system is not a network.
        CorpusError: if the corpus cannot be used.
    """
    system = kept_system(recipe)
    streams = recipe.streams_of(system)
    data = load_rows(recipe, data_root, out, out / STORE, streams=streams, tell=tell)
    fold = data.split.folds[0]
    if recipe.train_on == "all":
        nobody = np.zeros(0, np.intp)
        fold = Fold("all", np.arange(len(data.items)), nobody, nobody)
    there = data.there(streams)
    train, validation = (rows[there[rows]] for rows in (fold.train, fold.validation))
    prepared = Bench(recipe, data).prepared(system, fold.train)
    about = describe(recipe, system, data, fold, prepared, data_root)
    with show_progress(system.name) as progress:
        network, result = fit_network(
            recipe,
            system,
            data,
            prepared,
            train,
            validation,
            recipe.seeds[0] * 1000,
            out=out,
            about=about,
            progress=progress,
        )
    if len(fold.test):
        scores = np.full((len(fold.test), len(data.classes)), 1.0 / len(data.classes))
        able = there[fold.test]
        scores[able] = scores_of([network], prepared, fold.test[able])
        predictions = predictions_of(recipe, system, data, fold, scores)
        write_predictions(predictions, out / "predictions.parquet")
        tell(told(system, [predictions]))
    told_of = {
        **{key: _plain(value) for key, value in about.items() if key != "normalisation"},
        "weights": WEIGHTS,
        "epochs_run": result.epochs_run,
        "best_epoch": result.best_epoch,
        "seconds": round(result.seconds, 1),
        "seed": recipe.seeds[0],
        "versions": versions(*PACKAGES),
        "history": result.history,
    }
    with writing(out / "run.json"):
        write_report(out / "run.json", told_of)
    tell(f"{system.name}: {result.epochs_run} epochs on {len(train)} clips, in {out}")


def kept_system(recipe: BenchRecipe) -> System:
    """The system that ``aver train`` trains.

    Raises:
        RecipeError: if it is not a network, or the recipe has none.
    """
    if recipe.train:
        system = recipe.system(recipe.train)
        if system.kind == "network":
            return system
        problem = f"train = '{system.name}' is no network but {system.model or system.fusion}"
        raise RecipeError(recipe.name, problem, "Name a network; aver reproduce runs the others")
    networks = [system for system in recipe.systems if system.kind == "network"]
    if not networks:
        problem = "has no network that could be trained and kept"
        raise RecipeError(recipe.name, problem, "Use aver reproduce, or add a network")
    return networks[0]


def describe(
    recipe: BenchRecipe,
    system: System,
    data: BenchRows,
    fold: Fold,
    streams: Mapping[str, Prepared],
    data_root: Path,
) -> dict[str, str]:
    """What is kept with the weights: text, lists and mappings as JSON."""
    people = {
        side: sorted(set(data.subjects[getattr(fold, side)].tolist()))
        for side in ("train", "validation", "test")
    }
    seen = {*people["train"], *people["validation"]}
    seen |= seen_by_extractors(recipe, streams, data_root)
    extractors = {
        name: {"name": recipe.features[name].extractor, **recipe.features[name].settings}
        for name in streams
    }
    normalisation = {
        name: {
            "mean": stream.normaliser.mean.tolist(),
            "scale": stream.normaliser.scale.tolist(),
            "unit_length": stream.normaliser.unit_length,
            "bound": stream.normaliser.bound,
            "transform": recipe.features[name].transform,
            "person": recipe.person_of(name),
        }
        for name, stream in streams.items()
    }
    about: dict[str, Any] = {
        "model": system.model,
        "settings": read_settings(system.model, system.settings).model_dump(mode="json"),
        "dimensions": {name: stream.values.shape[2] for name, stream in streams.items()},
        "windows": {name: stream.values.shape[1] for name, stream in streams.items()},
        "labels": list(data.classes),
        "system": system.name,
        "fold": fold.name,
        "recipe": recipe.name,
        "protocol": describe_protocol(recipe, data, system)
        if len(fold.test)
        else "trained on all clips; figures are those of the recipe's folds",
        "data": describe_data(recipe, data),
        "data_sha256": data.data_sha256,
        "train_subjects": people["train"],
        "validation_subjects": people["validation"],
        "test_subjects": people["test"],
        "seen_subjects": sorted(seen),
        "extractors": extractors,
        "normalisation": normalisation,
        "person": {name: recipe.person_of(name) for name in streams},
        "leak": data.split.leaks and (data.split.reason or recipe.split.allow_leak),
    }
    if len(fold.test):
        about["predictions"] = "predictions.parquet"
    return {key: v if isinstance(v, str) else json.dumps(v) for key, v in about.items()}


def load_kept(folder: str | Path) -> tuple[Normalised, dict[str, Any]]:
    """The network in a run folder, with its normalisation inside, and what is known of it.

    The result takes features as the extractors give them (calibrated per person first, where
    ``person`` says so).

    Raises:
        ModelError: if the folder holds no such run, or it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(folder) / WEIGHTS
    try:
        with safe_open(path, "pt") as file:
            about = {k: _plain(v) for k, v in (file.metadata() or {}).items()}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network = make_model(
            about["model"],
            about["settings"],
            about["dimensions"],
            about["windows"],
            len(about["labels"]),
        )
        network.load_state_dict(weights)
        normal = about["normalisation"]
        whole = Normalised(
            network,
            {name: torch.tensor(normal[name]["mean"]) for name in normal},
            {name: torch.tensor(normal[name]["scale"]) for name in normal},
            {name: bool(normal[name]["unit_length"]) for name in normal},
            {name: float(normal[name]["bound"]) for name in normal},
            {name: normal[name]["transform"] for name in normal},
        )
    except FileNotFoundError:
        raise ModelError(path, "is not there", "Give the folder of 'aver train'") from None
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise ModelError(path, f"is no run of the bench ({error})", "Train it again") from error
    return whole.eval(), about


def _plain(text: str) -> Any:
    """The list or mapping that *text* is JSON of, else the text."""
    return json.loads(text) if text[:1] in ("[", "{") else text
