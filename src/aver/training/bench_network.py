"""Networks of a bench recipe: training one on some rows, scoring others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aver.models.registry import ModelOutput, make_model
from aver.models.streams import StreamModel
from aver.training.bench_data import BenchRows, Rows
from aver.training.bench_normalise import Prepared
from aver.training.bench_recipe import BenchRecipe
from aver.training.bench_system import Augment, System
from aver.training.fit import CrossEntropy, FitResult, Loss, TensorBatches, fit
from aver.training.fit_progress import Progress

_SCORED_AT_ONCE = 1024


@dataclass(frozen=True)
class AugmentedCrossEntropy(CrossEntropy):
    """Cross entropy on batches that are disturbed in training.

    Attributes:
        augment: how.
        size: root mean square of each stream's normalised features, what noise is relative to.
    """

    augment: Augment = field(default_factory=Augment)
    size: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, module: nn.Module, batch: TensorBatches) -> Tensor:
        """The mean loss of *batch*, disturbed if the module is in training."""
        if not module.training:
            return super().__call__(module, batch)
        batch = self.disturbed(batch)
        if not self.augment.mix:
            return super().__call__(module, batch)
        order = torch.randperm(len(batch), device=batch.labels.device)
        other = batch.take(order)
        share = float(torch.rand(())) * self.augment.mix
        mixed = {
            name: x + share * (other.streams[name] - x) * other.masks[name][:, :, None]
            for name, x in batch.streams.items()
        }
        mixed = {name: x * batch.masks[name][:, :, None] for name, x in mixed.items()}
        output = module(mixed, batch.masks)
        known = _Known(output)
        first, second = (
            super().__call__(known, batch),
            super().__call__(known, replace(batch, labels=other.labels)),
        )
        return (1 - share) * first + share * second

    def disturbed(self, batch: TensorBatches) -> TensorBatches:
        """Noise added, windows and streams taken away."""
        streams, masks = dict(batch.streams), dict(batch.masks)
        if self.augment.noise:
            for name, x in streams.items():
                deviation = self.augment.noise * self.size.get(name, 1.0)
                noise = torch.randn_like(x) * deviation
                streams[name] = x + noise * masks[name][:, :, None]
        if self.augment.drop_window:
            for name, mask in masks.items():
                lot = torch.rand(mask.shape, device=mask.device).masked_fill(~mask, -1.0)
                # The luckiest window stays, whatever happens to the others.
                stays = lot >= lot.amax(dim=1, keepdim=True).clamp(max=self.augment.drop_window)
                masks[name] = mask & stays
        if self.augment.drop_stream and len(masks) > 1:
            masks = _without_one(masks, self.augment.drop_stream)
        return TensorBatches(streams, masks, batch.labels, batch.extra)


class _Known(nn.Module):
    """Gives an output that was computed before."""

    def __init__(self, output: ModelOutput):
        super().__init__()
        self.output = output

    def forward(self, *_: object) -> ModelOutput:
        """The output."""
        return self.output


def _without_one(masks: Mapping[str, Tensor], probability: float) -> dict[str, Tensor]:
    """Masks with one of the streams that a clip has gone, never its only one."""
    there = torch.stack([mask.any(dim=1) for mask in masks.values()])  # (streams, batch)
    lot = torch.rand(there.shape, device=there.device).masked_fill(~there, -1.0)
    goes = torch.rand(there.shape[1], device=there.device) < probability
    goes &= there.sum(dim=0) > 1
    which = lot.argmax(dim=0)
    return {
        name: mask & ~(goes & (which == number))[:, None]
        for number, (name, mask) in enumerate(masks.items())
    }


Streams = Mapping[str, Prepared]


def scores_of(networks: Sequence[StreamModel], streams: Streams, rows: Rows) -> NDArray[np.float64]:
    """Probabilities (rows, classes); the networks' log-probabilities are averaged."""
    total = torch.zeros(len(rows), networks[0].classes, dtype=torch.float64)
    batches = batches_of(streams, rows, np.zeros(len(rows), np.intp))
    for network in networks:
        network.eval()
        with torch.no_grad():
            for at in range(0, len(rows), _SCORED_AT_ONCE):
                part = batches.take(torch.arange(at, min(at + _SCORED_AT_ONCE, len(rows))))
                logits = network(dict(part.streams), dict(part.masks)).logits
                total[at : at + len(part)] += logits.double().log_softmax(dim=1)
    scores: NDArray[np.float64] = (total / len(networks)).softmax(dim=1).numpy()
    return scores


def batches_of(streams: Streams, rows: Rows, labels: NDArray[np.intp]) -> TensorBatches:
    """The windows of *rows* as tensors, with their *labels* (rows,)."""
    return TensorBatches(
        {name: torch.from_numpy(stream.values[rows]) for name, stream in streams.items()},
        {name: torch.from_numpy(stream.present[rows]) for name, stream in streams.items()},
        torch.from_numpy(labels.astype(np.int64)),
    )


def train_networks(
    recipe: BenchRecipe,
    system: System,
    data: BenchRows,
    streams: Streams,
    train: Rows,
    validation: Rows,
    seed: int,
) -> list[StreamModel]:
    """Train the networks of *system*; arguments as of :func:`fit_network`.

    Member k of the system has the seed ``seed * 1000 + k``.
    """
    return [
        fit_network(recipe, system, data, streams, train, validation, seed * 1000 + member)[0]
        for member in range(system.members)
    ]


def fit_network(
    recipe: BenchRecipe,
    system: System,
    data: BenchRows,
    streams: Streams,
    train: Rows,
    validation: Rows,
    seed: int,
    *,
    out: Path | None = None,
    about: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> tuple[StreamModel, FitResult]:
    """Train one network of *system* on the rows *train*.

    Args:
        recipe: training settings.
        system: a network system.
        data: labels and split.
        streams: the system's streams, normalised by the same training rows.
        train: training rows, each with a window of one of the streams.
        validation: rows that choose the epoch, or none.
        seed: of weights and draws.
        out: folder of checkpoint and weights, or None.
        about: kept with the weights.
        progress: told how far it is.
    """
    rows = batches_of(streams, train, data.labels[train])
    judged = batches_of(streams, validation, data.labels[validation]) if len(validation) else None
    settings = recipe.fit_settings(system)
    if judged is None and any(len(fold.validation) for fold in data.split.folds):
        # Parts of the training rows (for stacking, say) have no validation rows of their own.
        settings = settings.model_copy(update={"patience": 0})
    plain = CrossEntropy.of(settings, rows.labels)
    loss: Loss = plain
    augment = recipe.augmentation(system)
    if augment != Augment():
        size = {name: _size(x, rows.masks[name]) for name, x in rows.streams.items()}
        loss = AugmentedCrossEntropy(
            plain.class_weights, plain.label_smoothing, plain.branch_loss, augment, size
        )
    torch.manual_seed(seed)
    network = make_model(
        system.model,
        system.settings,
        {name: stream.values.shape[2] for name, stream in streams.items()},
        {name: stream.values.shape[1] for name, stream in streams.items()},
        len(data.classes),
    )
    result = fit(network, loss, rows, judged, settings, seed, out, about=about, progress=progress)
    return network.eval(), result


def _size(x: Tensor, mask: Tensor) -> float:
    return float(x[mask].pow(2).mean().sqrt()) if bool(mask.any()) else 1.0
