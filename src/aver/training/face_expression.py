"""Train the face network on FER-2013 (task ``face_expression``).

Labels of FER-2013 are noisy, so the network is not held to them to the end: the target of a face
moves from its label towards the running mean of what the network itself said about it under other
augmentations (temporal ensembling, Laine & Aila 2017; as a target beside the label, Kim et al.
2021). What is validated, tested and exported is the exponential moving average of the weights.

The learning rate, the size of the faces and how much they are changed follow plans written down
by epoch in the recipe. A run that is stopped goes on where it was, and what lies ahead of it may be
planned anew: the recipe then still says what was done from the beginning.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from pydantic import Field
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from aver.models.face_expression import FaceExpressionNet, FaceExpressionSettings
from aver.training.face_augment import FaceAugmentSettings, augment
from aver.training.face_data import FaceSplit, ShuffledIndices, load_split
from aver.training.recipe import RecipeBase, Settings, register_task

Number = TypeVar("Number", int, float)


class FaceDataSettings(Settings):
    """Where the faces come from and which are held out.

    Attributes:
        folder: the corpus's folder inside the data folder.
        validation_part: share of ``train`` held out (see corpora.fer2013.held_out).
    """

    folder: str = "fer2013"
    validation_part: float = Field(default=0.05, gt=0, lt=1)


class FaceTrainingSettings(Settings):
    """How the face network is trained.

    Attributes:
        epochs: passes over the training faces.
        batch: faces a step.
        learning_rate: highest learning rate of stochastic gradient descent (Nesterov).
        momentum: its momentum.
        weight_decay: on the weights of convolutions and the classifier alone.
        rates: the learning rate as parts of the highest, ``[[epoch, part], ...]``, in straight
            lines between these points.
        sizes: side of the faces in pixels, from each epoch on: ``[[0, 36], [24, 44]]``.
        strengths: strength of the augmentation, from each epoch on, written alike.
        balances: from each epoch on, how far a class's weight in the loss follows its rarity:
            (mean class size / class size) to this power; 0 weighs all faces alike.
        label_smoothing: share of the target spread over all classes.
        own_shares: the weight of the network's own mean prediction in the target, as points of
            straight lines like ``rates``.
        own_memory: weight of the old mean when a new prediction comes in.
        average: decay of the moving average of the weights, a step.
        half_precision: bfloat16 products (needs a processor that has them to be fast).
        threads: threads of the tensor library; 0 leaves its own choice.
    """

    epochs: int = Field(default=48, ge=1)
    batch: int = Field(default=128, ge=2)
    learning_rate: float = Field(default=0.1, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=5e-4, ge=0)
    rates: tuple[tuple[float, float], ...] = ((0, 0.0), (2, 1.0), (14, 1.0), (48, 0.0))
    sizes: tuple[tuple[int, int], ...] = ((0, 48),)
    strengths: tuple[tuple[int, float], ...] = ((0, 1.0),)
    balances: tuple[tuple[int, float], ...] = ((0, 0.0),)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    own_shares: tuple[tuple[float, float], ...] = ((6, 0.0), (18, 0.3))
    own_memory: float = Field(default=0.7, ge=0, lt=1)
    average: float = Field(default=0.998, ge=0, lt=1)
    half_precision: bool = True
    threads: int = Field(default=1, ge=0)


class FaceExpressionRecipe(RecipeBase):
    """The recipe of the face network."""

    data: FaceDataSettings = FaceDataSettings()
    model: FaceExpressionSettings = FaceExpressionSettings()
    augment: FaceAugmentSettings = FaceAugmentSettings()
    training: FaceTrainingSettings = FaceTrainingSettings()


def _on_lines(points: Sequence[tuple[float, float]], epoch: float) -> float:
    epochs, values = zip(*points, strict=True)
    return float(np.interp(epoch, epochs, values))


def class_weights(sizes: Tensor, power: float) -> Tensor:
    """Weights of the classes in the loss, 1 in the mean over the faces.

    Args:
        sizes: (classes,) number of faces of each class.
        power: 0 weighs faces alike, 1 weighs classes alike.
    """
    weights = sizes.clamp(min=1).float() ** -power
    mean: Tensor = (weights * sizes).sum() / sizes.sum()
    return weights / mean


class FaceTraining(L.LightningModule):
    """The loop: augment, moving target, step, moving average.

    Args:
        recipe: all settings.
        split: the faces.
    """

    own: Tensor

    def __init__(self, recipe: FaceExpressionRecipe, split: FaceSplit):
        super().__init__()
        self.recipe, self.split = recipe, split
        self.net = FaceExpressionNet(recipe.model)
        self.average = FaceExpressionNet(recipe.model)
        for net in (self.net, self.average):
            net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average.load_state_dict(self.net.state_dict())
        self.average.requires_grad_(False)
        self.register_buffer("own", torch.zeros(len(split.train), recipe.model.classes))
        self.generator = torch.Generator()
        self.sizes = torch.bincount(split.train.labels, minlength=recipe.model.classes)
        self.sums = torch.zeros(3)

    def train_dataloader(self) -> DataLoader[Tensor]:
        """Row numbers of the epoch that begins now."""
        rows, settings = len(self.split.train), self.recipe.training
        epoch = self.current_epoch
        indices = ShuffledIndices(rows, settings.batch, self.recipe.seed, epoch)
        return DataLoader(indices, batch_size=None)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """The held-out faces."""
        return DataLoader(TensorDataset(*self.split.validation), batch_size=256)

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's sums; draw the epoch's changes of faces by its number alone."""
        self.generator.manual_seed(self.recipe.seed * 100_019 + self.current_epoch + 1)
        self.sums.zero_()
        self.average.eval()

    def _now(self, plan: tuple[tuple[int, Number], ...]) -> Number:
        """The value of a plan ``[[epoch, value], ...]`` in this epoch."""
        return [value for start, value in plan if start <= self.current_epoch][-1]

    def _targets(self, rows: Tensor, labels: Tensor) -> Tensor:
        settings, classes = self.recipe.training, self.recipe.model.classes
        hard = F.one_hot(labels, classes).float()
        hard = hard * (1 - settings.label_smoothing) + settings.label_smoothing / classes
        weight = _on_lines(settings.own_shares, self.current_epoch)
        own = self.own[rows]
        known = own.sum(dim=1, keepdim=True)
        share = weight * (known > 0)
        target: Tensor = (1 - share) * hard + share * own / known.clamp(min=1e-6)
        return target

    def training_step(self, rows: Tensor, batch_idx: int) -> Tensor:
        """One step on the faces *rows*; returns the loss."""
        labels = self.split.train.labels[rows]
        faces = self.split.train.images[rows].float() / 255.0
        settings = self.recipe.augment.scaled(self._now(self.recipe.training.strengths))
        size = self._now(self.recipe.training.sizes)
        faces = augment(faces, size, settings, self.generator)
        # Dropout draws from the global state, which data loaders draw from too.
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.global_step)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.training.half_precision):
            logits = self.net(faces.to(memory_format=torch.channels_last)).logits.float()
        losses = F.cross_entropy(logits, self._targets(rows, labels), reduction="none")
        weights = class_weights(self.sizes, self._now(self.recipe.training.balances))[labels]
        loss: Tensor = (losses * weights).mean()
        with torch.no_grad():
            said, memory = logits.softmax(dim=1), self.recipe.training.own_memory
            self.own[rows] = memory * self.own[rows] + (1 - memory) * said
            right = (said.argmax(dim=1) == labels).float().sum()
            self.sums += torch.tensor([float(loss) * len(rows), float(right), float(len(rows))])
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Tensor, batch_idx: int) -> None:
        """Move the average towards the weights; faster at first, when they still move far."""
        step = self.global_step
        rate = 1 - min(self.recipe.training.average, (1 + step) / (10 + step))
        old, new = self.average.state_dict(), self.net.state_dict()
        # Norm statistics are averaged too; their step counters are whole numbers and are not.
        names = [name for name in old if old[name].is_floating_point()]
        torch._foreach_lerp_([old[n] for n in names], [new[n] for n in names], rate)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """Accuracy and cross entropy of the averaged weights."""
        faces, labels = batch
        logits = self.average(faces.float() / 255.0).logits
        right = (logits.argmax(dim=1) == labels).float().mean()
        self.log("validation_accuracy", right, batch_size=len(labels), on_epoch=True)
        loss = F.cross_entropy(logits, labels)
        self.log("validation_loss", loss, batch_size=len(labels), on_epoch=True)

    def configure_optimizers(self) -> Any:
        """Nesterov momentum; no weight decay on norms and biases."""
        settings = self.recipe.training
        weights = [p for p in self.net.parameters() if p.ndim > 1]
        rest = [p for p in self.net.parameters() if p.ndim <= 1]
        optimizer = torch.optim.SGD(
            [
                {"params": weights, "weight_decay": settings.weight_decay},
                {"params": rest, "weight_decay": 0.0},
            ],
            lr=settings.learning_rate,
            momentum=settings.momentum,
            nesterov=settings.momentum > 0,
        )
        steps = len(self.split.train) // settings.batch

        def rate(step: int) -> float:
            # The middle of the step: the first is not lost to a rate of zero, nor is the last.
            return _on_lines(settings.rates, (step + 0.5) / steps)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


class ProgressFile(Callback):
    """Appends one line an epoch to a CSV file, also over several runs.

    Args:
        path: the file.
    """

    def __init__(self, path: Path):
        self.path = path

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the line of the epoch that has just been validated."""
        if trainer.sanity_checking:
            return
        loss, right, count = (float(v) for v in pl_module.sums)
        metrics = {k: float(v) for k, v in trainer.callback_metrics.items()}
        row = {
            "epoch": trainer.current_epoch,
            "train_loss": round(loss / max(count, 1), 4),
            "train_accuracy": round(right / max(count, 1), 4),
            "validation_loss": round(metrics["validation_loss"], 4),
            "validation_accuracy": round(metrics["validation_accuracy"], 4),
        }
        new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(row), lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)


@register_task("face_expression", FaceExpressionRecipe)
def train_face_expression(recipe: FaceExpressionRecipe, data_root: Path, out: Path) -> None:
    """Train, export and measure the face network.

    Writes into *out*: ``last.ckpt`` (run again, and training goes on from it), ``progress.csv``,
    ``face_expression.onnx``, and the figures of that file as ``report.json``, ``results.csv``
    (rows for the result table) and ``card.md`` (tables for the card).

    Args:
        recipe: all settings.
        data_root: folder that holds the corpora's folders.
        out: folder of the run, made if missing.
    """
    if recipe.training.threads:
        torch.set_num_threads(recipe.training.threads)
    L.seed_everything(recipe.seed, verbose=False)
    out.mkdir(parents=True, exist_ok=True)
    corpus = data_root / recipe.data.folder
    split = load_split(corpus, recipe.data.validation_part)
    training = FaceTraining(recipe, split)
    trainer = L.Trainer(
        max_epochs=recipe.training.epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        callbacks=[
            ProgressFile(out / "progress.csv"),
            ModelCheckpoint(
                dirpath=out,
                filename="last",
                enable_version_counter=False,
                save_on_train_epoch_end=True,
            ),
        ],
    )
    checkpoint = out / "last.ckpt"
    trainer.fit(training, ckpt_path=checkpoint if checkpoint.exists() else None)
    _finish(training, corpus, out)


def _finish(training: FaceTraining, corpus: Path, out: Path) -> None:
    from aver.training.face_export import export_and_measure

    export_and_measure(training.average.eval(), training.recipe, training.split, corpus, out)
