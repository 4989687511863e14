"""Rows and a small network that the engine's tests share; run as a script, it fits them."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from aver.training.fit import CrossEntropy, FitSettings, TensorBatches, fit

# Everything with a memory is on: momentum, moving average, warm-up, dropout, the best epoch.
EVERYTHING = FitSettings(
    epochs=6, batch=16, learning_rate=0.02, average=0.9, label_smoothing=0.1, checkpoint_every=1
)


class Net(nn.Module):
    """Mean over the windows, a hidden layer with dropout, logits."""

    def __init__(self, classes: int = 3, dropout: float = 0.3):
        super().__init__()
        self.hidden = nn.Linear(6, 12)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(12, classes)

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        weight = masks["voice"].float()[:, :, None]
        mean = (streams["voice"] * weight).sum(1) / weight.sum(1).clamp(min=1)
        return self.out(self.drop(torch.relu(self.hidden(mean))))


def rows(count: int, seed: int = 0) -> TensorBatches:
    """Rows whose class is an axis of the voice."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    x = torch.randn(count, 4, 6, generator=random)
    x[torch.arange(count), :, labels] += 1.5
    mask = torch.ones(count, 4, dtype=torch.bool)
    mask[::3, 2:] = False
    return TensorBatches({"voice": x}, {"voice": mask}, labels)


def network(seed: int = 0, **settings: float) -> Net:
    torch.manual_seed(seed)
    return Net(**settings)


def run(out: Path | None, settings: FitSettings = EVERYTHING, **more: object) -> Net:
    """Fit the network on 100 rows, 30 for validation."""
    net = network()
    fit(net, None, rows(100), rows(30, seed=1), settings, 7, out, **more)
    return net


if __name__ == "__main__":
    # Slow enough to be killed between two epochs, or while one runs.
    def slow(module: nn.Module, batch: TensorBatches) -> Tensor:
        time.sleep(0.005)
        return CrossEntropy.of(EVERYTHING, batch.labels)(module, batch)

    longer = EVERYTHING.model_copy(update={"epochs": 40})
    fit(network(), slow, rows(100), rows(30, seed=1), longer, 7, Path(sys.argv[1]))
