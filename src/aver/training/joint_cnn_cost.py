"""What a network costs: processor time of training and of use, on one thread.

Processor time, because the clock also counts what else the machine does; the fastest of several
tries, because the rest still disturbs caches.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn

from aver.training.fit_data import TensorBatches
from aver.training.fit_loss import Loss
from aver.training.fit_schedule import make_optimiser
from aver.training.fit_settings import FitSettings

_STEPS, _USES = 30, 60


@dataclass(frozen=True)
class Cost:
    """Processor time on one thread.

    Attributes:
        seconds_per_epoch: the fastest of some training steps, times the steps of an epoch.
        milliseconds_per_clip: to classify one pair, its coefficients and image at hand.
    """

    seconds_per_epoch: float
    milliseconds_per_clip: float


def measure_cost(
    network: nn.Module, loss: Loss, train: TensorBatches, settings: FitSettings
) -> Cost:
    """Train a copy of *network* for some steps and use it some times; *network* stays as it is.

    Args:
        network: on the processor.
        loss: of a batch.
        train: training rows.
        settings: batch and optimiser.
    """
    copy = deepcopy(network)
    optimiser = make_optimiser(settings, copy.parameters(), "32")
    batch = min(settings.batch, len(train))
    some = train.take(torch.arange(batch))
    one = train.take(torch.zeros(1, dtype=torch.int64))

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss(copy.train(), some).backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    def use() -> None:
        with torch.no_grad():
            copy(one.streams, one.masks)

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        seconds = _fastest(step, _STEPS)
        copy = deepcopy(network).eval()
        return Cost(seconds * -(-len(train) // batch), 1000.0 * _fastest(use, _USES))
    finally:
        torch.set_num_threads(threads)


def _fastest(act: Callable[[], None], times: int) -> float:
    """Least processor seconds of *act*, after two tries that do not count."""
    best = float("inf")
    for number in range(times):
        began = time.process_time()
        act()
        if number >= 2:
            best = min(best, time.process_time() - began)
    return best
