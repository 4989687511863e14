"""The loss of a classifier of clips: cross entropy, weighted, smoothed, with branches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from aver.training.fit_data import TensorBatches
from aver.training.fit_settings import FitSettings

Loss = Callable[[nn.Module, TensorBatches], Tensor]
"""Called with the network and a batch; gives the batch's mean loss, a scalar. To train on several
devices it must call the network itself (not one of its parts) and be picklable: a function of a
module or a dataclass, no closure. ``module.training`` tells training from validation."""


@dataclass(frozen=True)
class CrossEntropy:
    """Mean cross entropy of ``module(batch.streams, batch.masks)``; the default loss.

    The network gives the logits (batch, classes), or something with the attribute ``logits`` and
    perhaps ``branches``, a mapping from a stream's name to its own logits.

    Attributes:
        class_weights: (classes,) weight of each class, or None. A row weighs as its own class
            does, its smoothed target too. torch's own function weighs what is spread over the
            other classes by theirs, so that a rare class is said of every row.
        label_smoothing: share of the target that is spread over all classes.
        branch_loss: weight of each branch's own cross entropy, over the rows where the branch's
            stream has a window at all.
    """

    class_weights: Tensor | None = None
    label_smoothing: float = 0.0
    branch_loss: float = 0.0

    @classmethod
    def of(cls, settings: FitSettings, labels: Tensor) -> CrossEntropy:
        """The loss that *settings* describe, weights from the training rows' *labels* (rows,)."""
        weights = balanced_weights(labels) if settings.class_weights == "balanced" else None
        return cls(weights, settings.label_smoothing, settings.branch_loss)

    def __call__(self, module: nn.Module, batch: TensorBatches) -> Tensor:
        """The mean loss of *batch*."""
        output: Any = module(batch.streams, batch.masks)
        loss = self._of(output if isinstance(output, Tensor) else output.logits, batch.labels)
        branches: Mapping[str, Tensor] = getattr(output, "branches", None) or {}
        if self.branch_loss:
            for name, logits in branches.items():
                there = batch.masks[name].any(dim=1) if name in batch.masks else None
                loss = loss + self.branch_loss * self._of(logits, batch.labels, there)
        return loss

    def _of(self, logits: Tensor, labels: Tensor, there: Tensor | None = None) -> Tensor:
        weights = self.class_weights
        if weights is not None:
            # Classes without a training row have no weight, and no row that would need it.
            missing = logits.shape[1] - len(weights)
            weights = functional.pad(weights.to(logits.device), (0, max(0, missing)))
        each = functional.cross_entropy(
            logits.float(), labels, label_smoothing=self.label_smoothing, reduction="none"
        )
        # The mean over some rows, without asking a GPU how many they are.
        share = torch.ones_like(each) if there is None else there.to(each.dtype)
        if weights is not None:
            share = share * weights[labels]
        return (each * share).sum() / share.sum().clamp(min=1e-9)


def balanced_weights(labels: Tensor) -> Tensor:
    """Weight of each class: rows / (classes that occur x rows of the class), 0 where it has none.

    With these every class counts the same; the mean over the rows is 1.

    Args:
        labels: (rows,) int64.

    Returns:
        (highest label + 1,) float32.
    """
    counts = torch.bincount(labels).float()
    occur = (counts > 0).sum()
    return torch.where(counts > 0, len(labels) / (occur * counts.clamp(min=1)), 0.0)
