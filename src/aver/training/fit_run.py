"""One run of the training engine on one device's process; :func:`aver.training.fit.fit` starts it.

Every draw is made from the seed, the epoch, the step and the device's number, so a run can be
left after any step and taken up again without storing a generator's state.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from aver.errors import ModelError, TrainingError
from aver.training import fit_checkpoint
from aver.training.fit_checkpoint import CHECKPOINT, WEIGHTS, FitState
from aver.training.fit_data import TensorBatches, epoch_batches
from aver.training.fit_guard import Interrupts, seed_everything, step_seeds, weights_finite
from aver.training.fit_log import Log
from aver.training.fit_loss import Loss
from aver.training.fit_progress import FitProgress, Progress
from aver.training.fit_schedule import Plateau, learning_rate, make_optimiser, warm_steps
from aver.training.fit_settings import FitSettings

Measure = Callable[[nn.Module], Mapping[str, float]]
"""Figures of a network after an epoch, by name."""

_SECONDS_FIRST, _SECONDS_BETWEEN = 5.0, 30.0
_VALIDATION_ROWS = 512


class FitRun:
    """State and loop of a run.

    Args:
        fabric: Lightning's, launched.
        module: the network.
        loss: mean loss of a batch.
        train: training rows.
        validation: validation rows, or None.
        settings: of the run.
        seed: of every draw.
        identity: what must be the same to go on from a checkpoint.
        out: folder, or None.
        about: text kept with the weights.
        progress: told how far the run is.
        measure: figures to keep of each epoch.
    """

    def __init__(
        self,
        fabric: Any,
        module: nn.Module,
        loss: Loss,
        train: TensorBatches,
        validation: TensorBatches | None,
        settings: FitSettings,
        seed: int,
        identity: Mapping[str, Any],
        out: Path | None,
        about: Mapping[str, str],
        progress: Progress | None,
        measure: Measure | None = None,
    ):
        self.fabric, self.loss, self.settings, self.seed = fabric, loss, settings, seed
        self.module, self.out, self.measure = module, out, measure
        self.first = fabric.global_rank == 0
        self.progress = progress if self.first else None
        self.train = train.to(fabric.device)
        self.validation = None if validation is None else validation.to(fabric.device)
        self.raw = make_optimiser(settings, module.parameters(), identity["precision"])
        wrapped, self.optimiser = fabric.setup(module, self.raw)
        # Where there is nothing to share, the wrapper would only look through every batch.
        self.network: nn.Module = module if fabric.world_size == 1 else wrapped
        self.average: AveragedModel | None = None
        if settings.average:
            self.average = AveragedModel(
                module,
                multi_avg_fn=get_ema_multi_avg_fn(settings.average),  # type: ignore[no-untyped-call]
                use_buffers=True,
            )
        self.state = FitState(settings=dict(identity), about=dict(about))
        self.best: dict[str, Tensor] = {}
        self.steps = len(self._batches(0))
        self.total = self.steps * settings.epochs
        self.losses = torch.zeros(self.steps, device=fabric.device)
        self._load()
        self.plateau = Plateau(settings, self.state.plateau)
        self.interrupts = Interrupts(out is not None and fabric.world_size == 1)
        self.clock = self.told = time.perf_counter()
        self.written, self.cost = self.clock, 0.0

    def go(self) -> FitState:
        """Run all epochs that are left; the network then has the weights that count."""
        log = Log(self.settings, self.out if self.first else None, self.state.history)
        try:
            with self.interrupts:
                while not self.state.finished:
                    self._epoch()
                    self._end_epoch(log)
        except RuntimeError as error:
            if isinstance(error, torch.cuda.OutOfMemoryError) or "allocate memory" in str(error):
                raise TrainingError(
                    self._where(), "memory is full", "Lower batch, or set another precision"
                ) from error
            raise
        finally:
            log.close()
        self._finish()
        return self.state

    # ---- an epoch

    def _batches(self, epoch: int) -> list[Any]:
        part, parts = self.fabric.global_rank, self.fabric.world_size
        return epoch_batches(
            len(self.train), self.settings.batch, self.seed, epoch, part=part, parts=parts
        )

    def _epoch(self) -> None:
        state, on_processor = self.state, self.fabric.device.type == "cpu"
        batches = [
            torch.from_numpy(rows).to(self.fabric.device) for rows in self._batches(state.epoch)
        ]
        self.seeds = step_seeds(self.steps, self.seed, state.epoch, self.fabric.global_rank)
        self.network.train()
        for step in range(state.step, self.steps):
            loss = self._step(step, batches[step])
            # On a GPU a look at each loss would make the processor wait for it: there, all are
            # looked at when the epoch is over.
            if on_processor and not bool(torch.isfinite(loss)):
                raise self._not_finite(step, "the loss is")
            self.losses[step] = loss
            state.step = step + 1
            if self.progress is not None and time.perf_counter() - self.told > 0.2:
                self._tell()
            if self.interrupts.asked and state.step < self.steps:
                self._stop()

    def _step(self, step: int, rows: Tensor) -> Tensor:
        """One step on *rows*; its loss, detached."""
        state, fabric = self.state, self.fabric
        seed_everything(fabric.device, self.seeds[step])
        rate = learning_rate(
            self.settings, state.epoch * self.steps + step, self.total, self.plateau.rate
        )
        for group in self.raw.param_groups:
            group["lr"] = rate
        with fabric.autocast():
            loss = self.loss(self.network, self.train.take(rows))
        if fabric.world_size > 1:
            # Devices' parts of a batch may differ by a row; the mean over devices is then the
            # mean over rows.
            loss = loss * (len(rows) * fabric.world_size / self._size(step))
        self.optimiser.zero_grad(set_to_none=True)
        fabric.backward(loss)
        if self.settings.gradient_clip:
            fabric.clip_gradients(
                self.network,
                self.optimiser,
                max_norm=self.settings.gradient_clip,
                error_if_nonfinite=False,
            )
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.module)
        return loss.detach()

    def _size(self, step: int) -> int:
        """Rows of a step over all devices."""
        whole, longer = divmod(len(self.train), self.steps)
        return whole + (step < longer)

    def _end_epoch(self, log: Log) -> None:
        state, settings = self.state, self.settings
        losses = self.losses
        if self.fabric.world_size > 1:
            losses = self.fabric.all_reduce(losses, reduce_op="mean")
        bad = (~torch.isfinite(losses)).nonzero()
        if len(bad):
            raise self._not_finite(int(bad[0]), "the loss is")
        if not weights_finite(self.module):
            raise self._not_finite(self.steps - 1, "a weight is")
        entry = {
            "epoch": float(state.epoch + 1),
            "loss": float(losses.double().mean()),
            "learning_rate": float(self.raw.param_groups[0]["lr"]),
        }
        judged = entry["loss"]
        if self.validation is not None:
            judged = entry["validation_loss"] = self._validate(self.validation)
            if not np.isfinite(judged):
                raise self._not_finite(self.steps - 1, "the validation loss is")
        if settings.schedule == "plateau" and (state.epoch + 1) * self.steps >= warm_steps(
            settings, self.total
        ):
            self.plateau.step(judged)
        state.epoch, state.step = state.epoch + 1, 0
        if self.validation is None:
            state.best_epoch = state.epoch
        elif judged < state.best_loss:
            state.best_loss, state.best_epoch = judged, state.epoch
            self.best = {k: v.detach().clone() for k, v in self._judged().state_dict().items()}
        late = state.epoch - state.best_epoch
        stop = settings.patience > 0 and late >= settings.patience
        state.finished = stop or state.epoch >= settings.epochs
        before = state.seconds
        self._tick()
        entry["seconds"] = state.seconds - before
        if self.measure is not None:
            with torch.no_grad():
                entry |= self.measure(self._judged().eval())
            self.clock = time.perf_counter()
        state.history.append(entry)
        log.add(entry)
        if not state.finished:
            if self.interrupts.asked:
                self._stop()
            if self._due():
                self._save()
        if self.progress is not None and (state.finished or time.perf_counter() - self.told > 0.2):
            self._tell()

    def _judged(self) -> nn.Module:
        """The network whose weights are validated and kept."""
        return self.module if self.average is None else self.average.module

    @torch.no_grad()
    def _validate(self, rows: TensorBatches) -> float:
        """Mean validation loss, in full precision as the network is used later."""
        network = self._judged().eval()
        total = 0.0
        for at in range(0, len(rows), _VALIDATION_ROWS):
            some = torch.arange(
                at, min(at + _VALIDATION_ROWS, len(rows)), device=self.fabric.device
            )
            total += float(self.loss(network, rows.take(some))) * len(some)
        # All devices have the same weights; one answer for all, so that all stop together.
        return float(self.fabric.broadcast(total / len(rows)))

    # ---- telling and keeping

    def _where(self) -> str:
        return f"epoch {self.state.epoch + 1}, step {self.state.step + 1} of {self.steps}"

    def _not_finite(self, step: int, what: str) -> TrainingError:
        kept = ""
        if self.out is not None and (self.out / CHECKPOINT).exists():
            kept = f"; {self.out / CHECKPOINT} still holds the last good one"
        return TrainingError(
            f"epoch {self.state.epoch + 1}, step {step + 1} of {self.steps}",
            f"{what} not finite (not a number, or beyond all bounds)",
            "Lower learning_rate, or set gradient_clip = 1 and precision = '32', and begin anew "
            f"in another folder{kept}",
        )

    def _tick(self) -> None:
        now = time.perf_counter()
        self.state.seconds += now - self.clock
        self.clock = now

    def _tell(self) -> None:
        assert self.progress is not None
        self.told = time.perf_counter()
        done = self.state.epoch * self.steps + self.state.step
        epoch = min(self.state.epoch + 1, self.settings.epochs)
        figures = self.state.history[-1] if self.state.history else {}
        self.progress(FitProgress(done, self.total, epoch, self.settings.epochs, figures))

    def _due(self) -> bool:
        if self.out is None:
            return False
        if self.settings.checkpoint_every:
            return self.state.epoch % self.settings.checkpoint_every == 0
        since = time.perf_counter() - self.written
        # The first comes sooner: until then a stop costs all there is.
        return since >= max(_SECONDS_BETWEEN if self.cost else _SECONDS_FIRST, 20 * self.cost)

    def _stop(self) -> None:
        """Interrupted by the user: keep all that was done."""
        self._tick()
        self._save()
        raise KeyboardInterrupt

    def _save(self) -> None:
        if self.out is None or not self.first:
            return
        began = time.perf_counter()
        self.state.plateau = dict(self.plateau.state())
        scaler = getattr(self.fabric.strategy.precision, "scaler", None)
        self.state.scaler = scaler.state_dict() if scaler is not None else {}
        tensors = {f"weights/{k}": v for k, v in self.module.state_dict().items()}
        tensors |= {f"best/{k}": v for k, v in self.best.items()}
        if self.average is not None:
            tensors |= {f"average/{k}": v for k, v in self.average.state_dict().items()}
        tensors |= fit_checkpoint.pack_optimiser(self.raw)
        tensors["losses"] = self.losses
        fit_checkpoint.write(self.out / CHECKPOINT, self.state, tensors)
        self.written = time.perf_counter()
        self.cost = self.written - began

    def _load(self) -> None:
        path = None if self.out is None else self.out / CHECKPOINT
        if path is None or not path.exists():
            return
        state, tensors = fit_checkpoint.read(path, str(self.fabric.device))
        fit_checkpoint.check_same_run(path, state, self.state.settings)
        try:
            self.module.load_state_dict(fit_checkpoint.under("weights/", tensors))
            if self.average is not None:
                self.average.load_state_dict(fit_checkpoint.under("average/", tensors))
            fit_checkpoint.unpack_optimiser(self.raw, tensors)
            self.losses.copy_(tensors["losses"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise ModelError(
                path, "does not fit this network", "Delete it to begin anew"
            ) from error
        self.best = fit_checkpoint.under("best/", tensors)
        scaler = getattr(self.fabric.strategy.precision, "scaler", None)
        if scaler is not None and state.scaler:
            scaler.load_state_dict(state.scaler)
        self.state = replace(state, about=self.state.about)

    def _finish(self) -> None:
        if self.best:
            self.module.load_state_dict(self.best)
        elif self.average is not None:
            self.module.load_state_dict(self.average.module.state_dict())
        self.module.eval()
        if self.out is not None and self.first:
            fit_checkpoint.write(self.out / WEIGHTS, self.state, self.module.state_dict())
            (self.out / CHECKPOINT).unlink(missing_ok=True)
