"""Optimisers and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from aver.training.fit_settings import FitSettings


def make_optimiser(
    settings: FitSettings, parameters: Iterable[nn.Parameter], precision: str
) -> torch.optim.Optimizer:
    """The optimiser of *settings*, in torch's fused form where it can be had.

    Args:
        settings: of the run.
        parameters: of the network.
        precision: ``16-mixed`` cannot clip gradients with a fused optimiser.
    """
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    rate, decay, fused = settings.learning_rate, settings.weight_decay, precision != "16-mixed"
    if settings.optimiser == "sgd":
        return torch.optim.SGD(
            learned, rate, momentum=settings.momentum, weight_decay=decay, fused=fused
        )
    kind = torch.optim.Adam if settings.optimiser == "adam" else torch.optim.AdamW
    return kind(learned, rate, weight_decay=decay, fused=fused)


def learning_rate(settings: FitSettings, step: int, total: int, highest: float) -> float:
    """Rate of a step: a linear rise over ``warm_up`` of all steps, then the schedule.

    Args:
        settings: of the run.
        step: number of the step in the whole run, from 0.
        total: steps of all epochs.
        highest: the rate after the rise; for ``plateau`` as reduced so far.
    """
    warm = warm_steps(settings, total)
    if step < warm:
        return highest * (step + 1) / warm
    if settings.schedule == "inverse_time":
        return highest / (1.0 + settings.rate_decay * (step - warm))
    if settings.schedule != "cosine":
        return highest
    return highest * 0.5 * (1.0 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


def warm_steps(settings: FitSettings, total: int) -> int:
    """Number of steps over which the rate rises."""
    return math.ceil(settings.warm_up * total)


class Plateau:
    """The rate of the schedule ``plateau``: torch's own rule, apart from the real optimiser.

    Args:
        settings: of the run.
        state: of an earlier part of the run.
    """

    def __init__(self, settings: FitSettings, state: dict[str, object] | None = None):
        # Its own optimiser, of nothing: the rise multiplies the rate that this one holds.
        self.holder = torch.optim.SGD([nn.Parameter(torch.zeros(1))], settings.learning_rate)
        self.rule = ReduceLROnPlateau(
            self.holder, factor=settings.plateau_factor, patience=settings.plateau_patience
        )
        if state:
            stored = dict(state)
            self.holder.param_groups[0]["lr"] = stored.pop("rate")
            self.rule.load_state_dict(stored)

    @property
    def rate(self) -> float:
        """The rate as reduced so far."""
        return float(self.holder.param_groups[0]["lr"])

    def step(self, loss: float) -> None:
        """Take note of an epoch's loss."""
        self.rule.step(loss)

    def state(self) -> dict[str, object]:
        """What :class:`Plateau` takes to go on; numbers and text."""
        return {**self.rule.state_dict(), "rate": self.rate}
