"""The training engine: one function that fits any network to rows in memory.

Lightning is underneath as `Fabric`, which brings precision, devices and strategies, and leaves
the loop to us. Its `Trainer` calls dozens of hooks a step; with networks whose step takes a
millisecond or two that is most of the time (``benchmarks/training.py`` measures both).

    result = fit(network, None, train, validation, FitSettings(epochs=60), seed=0, out=folder)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from aver.training.fit_data import TensorBatches
from aver.training.fit_loss import CrossEntropy, Loss
from aver.training.fit_progress import Progress
from aver.training.fit_settings import FitSettings

__all__ = ["CrossEntropy", "FitResult", "FitSettings", "Loss", "TensorBatches", "fit"]


@dataclass(frozen=True)
class FitResult:
    """What a run came to.

    Attributes:
        epochs_run: epochs done; fewer than asked for when it stopped early.
        best_epoch: epoch, from 1, whose weights the network has now: the one of the lowest
            validation loss, without validation rows the last.
        history: one entry an epoch: ``epoch``, ``loss`` (mean over the steps), ``learning_rate``
            (of its last step), ``seconds``, and with validation rows ``validation_loss``.
        seconds: time of all epochs, those before a resumption too.
    """

    epochs_run: int
    best_epoch: int
    history: list[dict[str, float]]
    seconds: float


def fit(
    module: nn.Module,
    loss: Loss | None,
    train: TensorBatches,
    validation: TensorBatches | None,
    settings: FitSettings,
    seed: int,
    out: Path | None = None,
    *,
    about: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Fit *module* in place; it ends in ``eval`` mode with the best weights, where it was before.

    The order of the rows, dropout and all other draws depend on *seed*, the epoch and the step
    alone. The weights that *module* comes with are the caller's: seed before building it.

    With *out*, a run that was stopped, killed or interrupted goes on from its last checkpoint
    (``checkpoint.safetensors``) and ends bit for bit where it would have ended on the same
    machine; a run that is over is not run again. The end leaves ``model.safetensors``.

    Args:
        module: the network, called as ``module(streams, masks)`` by the default loss.
        loss: mean loss of a batch, a scalar; None for :class:`CrossEntropy` by the settings.
        train: training rows.
        validation: rows of training subjects that choose the epoch, or None. Never test rows.
        settings: how to train.
        seed: of every draw.
        out: folder of checkpoints, log and weights, or None to leave no file.
        about: text entries to keep with the weights (see :mod:`aver.training.run_export`).
        progress: called some times a second; see :func:`aver.training.fit_progress.show_progress`.

    Raises:
        TrainingError: if loss or weights are no longer finite, or memory runs out; the last good
            checkpoint stays.
        SettingError: if settings cannot be used here, or *out* holds another run.
        OutputError: if a checkpoint cannot be written; the one before stays.
        ModelError: if the checkpoint in *out* is damaged.
        KeyboardInterrupt: when interrupted, after writing a checkpoint of this very step.
    """
    raise NotImplementedError
