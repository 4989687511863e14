"""One network trained and tested on one division; what is done is kept and not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aver.errors import PredictionsError, TrainingError
from aver.evaluation.predictions import Predictions, read_predictions, write_predictions
from aver.evaluation.results import write_report
from aver.models.joint_cnn import JointCnn
from aver.models.joint_cnn_settings import find_network
from aver.models.registry import ModelOutput
from aver.training.fit import fit
from aver.training.fit_data import TensorBatches, epoch_batches
from aver.training.fit_progress import Progress
from aver.training.joint_cnn_cost import Cost, measure_cost
from aver.training.joint_cnn_data import Divided, JointData
from aver.training.joint_cnn_loss import JointCnnLoss
from aver.training.joint_cnn_recipe import JointCnnRecipe, Shares, SplitName

PREDICTIONS, REPORT, COST = "predictions.parquet", "report.json", "cost.json"
TEACHERS = {"audio": "audio_cnn", "image": "image_cnn"}

_ROWS = 256


@dataclass(frozen=True)
class Place:
    """Which run: network, split, shares, seed."""

    network: str
    split: SplitName
    shares: Shares
    seed: int

    def __str__(self) -> str:
        return f"{self.network}, {self.split} {self.shares}, seed {self.seed}"


@dataclass(frozen=True)
class Report:
    """Figures of one run.

    Attributes:
        accuracy: of the pairs, by side (``train``, ``validation``, ``test``).
        heads: of each modality by itself, by ``side/modality``, where the network has heads.
        curves: validation accuracy after each epoch: ``pair``, ``audio``, ``image``.
        rows: pairs by side.
        parameters: trained weights.
        epoch: whose weights are tested.
        seconds_per_epoch: by the clock, of the fastest epoch.
        warnings: what went on in training that the reader should know.
    """

    accuracy: dict[str, float]
    heads: dict[str, float]
    curves: dict[str, list[float]]
    rows: dict[str, int]
    parameters: int
    epoch: int
    seconds_per_epoch: float
    warnings: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Runner:
    """Runs places of a recipe, each once.

    Attributes:
        data: what they are trained on.
        home: folder of the runs.
        progress: told how far each training is.
    """

    data: JointData
    home: Path
    progress: Progress | None = None
    _divided: dict[tuple[SplitName, Shares, int], Divided] = field(default_factory=dict)

    @property
    def recipe(self) -> JointCnnRecipe:
        """The recipe."""
        return self.data.recipe

    def folder(self, place: Place) -> Path:
        """Where the run's files lie; other settings or other data have another folder."""
        recipe = self.recipe
        about = {
            "place": str(place),
            "classes": self.data.classes,
            "data": self.data.data_sha256,
            "recipe": recipe.model_dump(
                mode="json",
                include={"audio", "images", "standardise", "epoch", "model", "loss"},
            ),
            "training": recipe.training.model_dump(
                mode="json", exclude={"logger", "checkpoint_every", "threads", "accelerator"}
            ),
        }
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
        return self.home / f"{place.network}-{place.split}-{place.shares}-{place.seed}-{digest}"

    def divided(self, place: Place) -> Divided:
        """The place's division; the last one is kept, for networks in turn share it."""
        key = (place.split, place.shares, place.seed)
        if key not in self._divided:
            self._divided = {key: self.data.divided(*key)}
        return self._divided[key]

    def run(self, place: Place) -> tuple[Predictions, Report]:
        """Predictions and figures of *place*, from its folder or made now.

        Raises:
            TrainingError: naming the place, if the loss is no longer finite; the last good
                checkpoint stays.
        """
        folder = self.folder(place)
        try:
            known = json.loads((folder / REPORT).read_text(encoding="utf-8"))
            report = Report(**{f.name: known[f.name] for f in fields(Report)})
            return read_predictions(folder / PREDICTIONS), report
        except (OSError, ValueError, KeyError, TypeError, PredictionsError):
            pass  # not there yet, or damaged: done (again)
        try:
            predictions, report = self._train(place, folder)
        except TrainingError as error:
            subject = f"{place}: {error.subject}"
            raise TrainingError(subject, error.problem, error.advice) from error
        write_predictions(predictions, folder / PREDICTIONS)
        write_report(folder / REPORT, asdict(report))
        return predictions, report

    def cost(self, place: Place) -> Cost:
        """What training and using the network of *place* costs, measured once and kept."""
        file = self.folder(place) / COST
        try:
            return Cost(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            pass
        rows = self._rows(place)
        network = self._network(place, rows["train"])
        loss = JointCnnLoss(network.kind.loss, self.recipe.loss)
        found = measure_cost(network, loss, rows["train"], self.recipe.training)
        write_report(file, asdict(found))
        return found

    def _rows(self, place: Place) -> dict[str, TensorBatches]:
        """What the network of *place* reads, with its teachers' logits where it has teachers."""
        kind = find_network(place.network)
        rows = self.divided(place).rows(kind)
        if kind.loss != "distilled":
            return rows
        taught = self.teacher_logits(place)
        return {
            side: TensorBatches(r.streams, r.masks, r.labels, taught[side])
            for side, r in rows.items()
        }

    def teacher_logits(self, place: Place) -> dict[str, dict[str, Tensor]]:
        """Logits of the single-modality networks of the same division, by side and modality."""
        divided = self.divided(place)
        found: dict[str, dict[str, Tensor]] = {}
        for modality, name in TEACHERS.items():
            teacher = Place(name, place.split, place.shares, place.seed)
            self.run(teacher)
            rows = divided.rows(find_network(name))
            network = self._network(teacher, rows["train"])
            fitted = self._fit(teacher, network, rows, self.folder(teacher))
            assert fitted.epochs_run
            for side, batch in rows.items():
                found.setdefault(side, {})[f"{modality}_teacher"] = outputs(network, batch)["pair"]
        return found

    def _network(self, place: Place, train: TensorBatches) -> JointCnn:
        shapes = {n: (x.shape[1], x.shape[2]) for n, x in train.streams.items()}
        torch.manual_seed(place.seed)
        return JointCnn(place.network, self.recipe.model, shapes, len(self.data.classes))

    def _fit(
        self, place: Place, network: JointCnn, rows: Mapping[str, TensorBatches], folder: Path
    ) -> Any:
        judged = rows.get("validation")
        return fit(
            network,
            JointCnnLoss(network.kind.loss, self.recipe.loss),
            rows["train"],
            judged if self.recipe.epoch == "validation" else None,
            self.recipe.training,
            place.seed,
            folder,
            progress=self.progress,
            measure=None if judged is None else partial(accuracies, rows=judged),
        )

    def _train(self, place: Place, folder: Path) -> tuple[Predictions, Report]:
        divided = self.divided(place)
        rows = self._rows(place)
        warnings = single_class_batches(rows["train"], self.recipe, place.seed)
        network = self._network(place, rows["train"])
        result = self._fit(place, network, rows, folder)
        accuracy, heads = {}, {}
        for side, batch in rows.items():
            for head, value in accuracies(network, batch).items():
                if head == "pair":
                    accuracy[side] = value
                else:
                    heads[f"{side}/{head}"] = value
        curves = {
            head: [entry[head] for entry in result.history]
            for head in ("pair", *network.kind.heads)
            if head in result.history[0]
        }
        report = Report(
            accuracy,
            heads,
            curves,
            {side: len(batch) for side, batch in rows.items()},
            network.parameters_count,
            result.best_epoch,
            min(entry["seconds"] for entry in result.history),
            warnings,
        )
        return self._predictions(place, divided, network, rows["test"]), report

    def _predictions(
        self, place: Place, divided: Divided, network: JointCnn, test: TensorBatches
    ) -> Predictions:
        pairs = divided.division.sides["test"]
        scores = outputs(network, test)["pair"].double().softmax(dim=1).numpy()
        classes = self.data.classes
        return Predictions(
            classes=classes,
            item=divided.items(pairs),
            subject=divided.subjects(pairs),
            fold=np.full(len(pairs), f"seed {place.seed}", dtype=object),
            label=np.array(classes, object)[divided.labels(pairs)],
            scores=np.asarray(scores, np.float64),
            system=place.network,
            recipe=self.recipe.name,
            data_sha256=self.data.data_sha256,
        )


@torch.no_grad()
def outputs(network: nn.Module, rows: TensorBatches) -> dict[str, Tensor]:
    """Logits (rows, classes) of ``pair`` and of each head."""
    network.eval()
    found: dict[str, list[Tensor]] = {}
    for at in range(0, len(rows), _ROWS):
        some = rows.take(torch.arange(at, min(at + _ROWS, len(rows))))
        out: ModelOutput = network(some.streams, some.masks)
        for head, logits in {"pair": out.logits, **out.branches}.items():
            found.setdefault(head, []).append(logits.float().cpu())
    return {head: torch.cat(parts) for head, parts in found.items()}


def accuracies(network: nn.Module, rows: TensorBatches) -> dict[str, float]:
    """Share of *rows* that are classified rightly, of ``pair`` and of each head."""
    device = next(network.parameters()).device
    return {
        head: float((logits.argmax(dim=1) == rows.labels.cpu()).float().mean())
        for head, logits in outputs(network, rows.to(device)).items()
    }


def single_class_batches(train: TensorBatches, recipe: JointCnnRecipe, seed: int) -> list[str]:
    """Remarks on batches of the first epoch that hold one class alone.

    Raises:
        TrainingError: if all of them do: nothing is learned from them but that class.
    """
    labels: NDArray[Any] = train.labels.numpy()
    batches = epoch_batches(len(train), recipe.training.batch, seed, 0)
    single = sum(len(np.unique(labels[rows])) == 1 for rows in batches)
    if single == len(batches):
        raise TrainingError(
            "training rows",
            f"all {single} batches of an epoch hold a single class",
            "Set training.batch higher, or check the classes",
        )
    return [f"{single} of {len(batches)} batches hold a single class"] * bool(single)
