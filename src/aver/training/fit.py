"""The training engine: one function that fits any network to rows in memory.

Lightning is underneath as `Fabric`, which brings precision, devices and strategies, and leaves
the loop to us. Its `Trainer` calls dozens of hooks a step, about a fifth of the time of a network
whose step takes a few milliseconds (``benchmarks/training.py --trainer`` measures it).

    result = fit(network, None, train, validation, FitSettings(epochs=60), seed=0, out=folder)
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from aver.errors import AverError, ModelError, OutputError, SettingError, TrainingError
from aver.training import fit_checkpoint
from aver.training.fit_checkpoint import WEIGHTS, FitState, says
from aver.training.fit_data import TensorBatches
from aver.training.fit_devices import (
    deterministic,
    find_devices,
    find_precision,
    make_fabric,
    quiet_lightning,
    quiet_processes,
)
from aver.training.fit_loss import CrossEntropy, Loss
from aver.training.fit_progress import Progress
from aver.training.fit_run import FitRun, Measure
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
            (of its last step), ``seconds``, with validation rows ``validation_loss``, and what
            ``measure`` found.
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
    measure: Measure | None = None,
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
        measure: called with the network (``eval`` mode, no gradients) after every epoch; the
            figures it gives join the epoch's entry in the history and choose nothing. Its time is
            not counted.

    Raises:
        TrainingError: if loss or weights are no longer finite, or memory runs out; the last good
            checkpoint stays.
        SettingError: if settings cannot be used here, or *out* holds another run.
        OutputError: if a checkpoint cannot be written; the one before stays.
        ModelError: if the checkpoint in *out* is damaged.
        KeyboardInterrupt: when interrupted, after writing a checkpoint of this very step.
    """
    if settings.patience and validation is None:
        raise SettingError(
            "patience", "needs validation rows", "Set split.validation, or patience = 0"
        )
    device, devices = find_devices(settings)
    precision = find_precision(settings, device)
    loss = loss or CrossEntropy.of(settings, train.labels)
    identity = {**settings.model_dump(mode="json"), "precision": precision, "seed": seed}
    if out is not None:
        identity |= {
            "network": _shape(module),
            "training rows": train.digest(),
            "validation rows": "" if validation is None else validation.digest(),
        }
        parts = {"network settings": getattr(module, "settings", None), "loss": loss}
        identity |= {name: said for name, part in parts.items() if (said := says(part))}
        _make_folder(out)
        if (out / WEIGHTS).exists():
            return _take(out / WEIGHTS, module, identity)
    job = _Job(
        module, loss, train, validation, settings, seed, identity, out, dict(about or {}), measure
    )
    threads = torch.get_num_threads()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    try:
        with deterministic():
            if devices > 1:
                return _on_several(job, device, devices, precision, progress)
            fabric = make_fabric(device, 1, precision)
            home = next((p.device for p in module.parameters()), torch.device("cpu"))
            state = job.run(fabric, progress).go()
            module.to(home)
            return _result(state)
    finally:
        torch.set_num_threads(threads)


@dataclass
class _Job:
    """What a process needs to run its part; goes to it by pickle."""

    module: nn.Module
    loss: Loss
    train: TensorBatches
    validation: TensorBatches | None
    settings: FitSettings
    seed: int
    identity: dict[str, Any]
    out: Path | None
    about: dict[str, str]
    measure: Measure | None = None

    def run(self, fabric: Any, progress: Progress | None) -> FitRun:
        """The run on the device of *fabric*."""
        return FitRun(
            fabric,
            self.module,
            self.loss,
            self.train,
            self.validation,
            self.settings,
            self.seed,
            self.identity,
            self.out,
            self.about,
            progress,
            self.measure,
        )


class _Parcel:
    """Holds a job so that Lightning, which copies the dataclasses it sees, leaves it alone."""

    def __init__(self, job: _Job):
        self.job = job

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpacked in the other process: the first that can be told there what not to tell."""
        quiet_lightning()
        self.__dict__.update(state)


def _on_several(
    job: _Job, device: str, devices: int, precision: str, progress: Progress | None
) -> FitResult:
    """Run on several devices, a process each; files bring the result back."""
    with tempfile.TemporaryDirectory() as spare:
        out = job.out or Path(spare)
        news = torch.multiprocessing.get_context("spawn").SimpleQueue()
        told: list[AverError] = []
        listener = threading.Thread(target=_listen, args=(news, progress, told), daemon=True)
        listener.start()
        fabric = make_fabric(device, devices, precision)
        try:
            with quiet_processes():
                fabric.launch(_part, _Parcel(replace(job, out=out)), news)
        except Exception as error:
            news.put(None)
            listener.join()
            if told:
                raise told[0] from error
            raise TrainingError(
                f"{devices} devices",
                f"a process failed ({type(error).__name__})",
                str(error)[-300:],
            ) from error
        news.put(None)
        listener.join()
        return _take(out / WEIGHTS, job.module, job.identity)


def _part(fabric: Any, parcel: _Parcel, news: Any) -> None:
    """What each process runs."""
    job = parcel.job
    try:
        with deterministic():
            # What is pickled to a process on the same machine shares its memory with it: the
            # rows may, the weights of two processes may not.
            job = replace(job, module=deepcopy(job.module))
            job.run(fabric, news.put if fabric.global_rank == 0 else None).go()
        fabric.barrier()
    except AverError as error:
        news.put(error)
        raise


def _listen(news: Any, progress: Progress | None, told: list[AverError]) -> None:
    while (item := news.get()) is not None:
        if isinstance(item, AverError):
            told.append(item)
        elif progress is not None:
            progress(item)


def _take(path: Path, module: nn.Module, identity: dict[str, Any]) -> FitResult:
    """The result of a run that is over, its weights into *module*."""
    state, weights = fit_checkpoint.read(path)
    fit_checkpoint.check_same_run(path, state, identity)
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(path, "does not fit this network", "Choose another folder") from error
    module.eval()
    return _result(state)


def _result(state: FitState) -> FitResult:
    return FitResult(state.epoch, state.best_epoch, state.history, state.seconds)


def _shape(module: nn.Module) -> str:
    """Short hash over names and shapes of the weights."""
    told = "; ".join(f"{name} {tuple(v.shape)}" for name, v in module.state_dict().items())
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            out, f"cannot be made ({error.strerror})", "Choose another folder with --out"
        ) from error
