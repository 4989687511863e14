"""Epochs per minute of the training engine against a plain torch loop, as a ratio in one run.

    python benchmarks/training.py [--record] [--rounds N] [--threads N] [--trainer]

The rows are noise of the bench's sizes (1,300 clips, 200 of them for validation). The plain loop
does the same work: batches by ``index_select``, the same optimiser, clipping and schedule, and a
validation loss after each epoch. Both are timed whole, with set-up; the engine also writes its
log, checkpoints and weights. Rounds alternate, the median counts. ``--trainer`` measures
Lightning's ``Trainer`` as well, with logger, progress bar and checkpoints off.
"""

from __future__ import annotations

import argparse
import logging
import math
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import lightning
import torch
import torch.nn.functional as functional
from torch.utils.data import DataLoader

from aver.evaluation.results import Result, record
from aver.models.registry import make_model
from aver.training.fit import FitSettings, TensorBatches, fit

ROOT = Path(__file__).resolve().parents[1]
CLIPS, HELD_OUT, WINDOWS, CLASSES, BATCH = 1300, 200, 8, 8, 64
AIM = 0.8

# name -> (model, settings, width of the windows, epochs a round)
MODELS = {
    "mean_pool": ("mean_pool", {}, 768, 60),
    "lstm": ("lstm", {}, 512, 10),
    "mater": ("mater", {"layers": 2, "feed_forward": 512}, 512, 4),
}


def rows(count: int, width: int, seed: int) -> TensorBatches:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(count, WINDOWS, width, generator=random)
    mask = torch.ones(count, WINDOWS, dtype=torch.bool)
    return TensorBatches({"voice": x}, {"voice": mask}, torch.arange(count) % CLASSES)


def loss_of(model: torch.nn.Module, batch: TensorBatches) -> torch.Tensor:
    return functional.cross_entropy(model(batch.streams, batch.masks).logits, batch.labels)


def plain(model: torch.nn.Module, train: TensorBatches, held: TensorBatches, epochs: int) -> None:
    """What one would write by hand."""
    torch.manual_seed(0)
    optimiser = torch.optim.AdamW(model.parameters(), 3e-4, weight_decay=0.01, fused=True)
    steps = math.ceil(len(train) / BATCH)
    warm, total = math.ceil(0.1 * steps * epochs), steps * epochs

    def rate(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / (total - warm)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    best = math.inf
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(train)).tensor_split(steps):
            loss = loss_of(model, train.take(batch))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            found = loss_of(model, held).item()
        if found < best:
            best, kept = found, deepcopy(model.state_dict())
    model.load_state_dict(kept)


def engine(model: torch.nn.Module, train: TensorBatches, held: TensorBatches, epochs: int) -> None:
    with tempfile.TemporaryDirectory() as out:
        settings = FitSettings(epochs=epochs, batch=BATCH)
        fit(model, None, train, held, settings, 0, Path(out))


class Task(lightning.LightningModule):
    """The same for Lightning's Trainer."""

    def __init__(self, model: torch.nn.Module, train: TensorBatches, held: TensorBatches):
        super().__init__()
        self.model, self.rows, self.held = model, train, held

    def training_step(self, batch: torch.Tensor, _: int) -> torch.Tensor:
        """Loss of the rows numbered *batch*."""
        return loss_of(self.model, self.rows.take(batch))

    def validation_step(self, batch: torch.Tensor, _: int) -> None:
        """Loss of the held-out rows."""
        loss = loss_of(self.model, self.held.take(batch))
        self.log("validation_loss", loss, batch_size=len(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """As everywhere here."""
        return torch.optim.AdamW(self.parameters(), 3e-4, weight_decay=0.01, fused=True)


def trainer(model: torch.nn.Module, train: TensorBatches, held: TensorBatches, epochs: int) -> None:
    batches = torch.randperm(len(train)).tensor_split(math.ceil(len(train) / BATCH))
    order = DataLoader(list(batches), batch_size=None)  # type: ignore[arg-type]
    whole = DataLoader([torch.arange(len(held))], batch_size=None)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = lightning.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            gradient_clip_val=1.0,
        )
        run.fit(Task(model, train, held), order, whole)


Way = Callable[[torch.nn.Module, TensorBatches, TensorBatches, int], None]


def epochs_per_minute(way: Way, name: str, epochs: int) -> tuple[float, float]:
    """By the clock, and by the processor's time, which other work on the machine blurs less."""
    model_name, settings, width, _ = MODELS[name]
    torch.manual_seed(0)
    model = make_model(model_name, settings, {"voice": width}, {"voice": WINDOWS}, CLASSES)
    train, held = rows(CLIPS - HELD_OUT, width, 0), rows(HELD_OUT, width, 1)
    start, busy = time.perf_counter(), time.process_time()
    way(model, train, held, epochs)
    busy, wall = time.process_time() - busy, time.perf_counter() - start
    return 60 * epochs / wall, 60 * epochs / busy


def main() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--trainer", action="store_true")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    ways: dict[str, Way] = {"plain": plain, "engine": engine}
    if asked.trainer:
        ways["trainer"] = trainer
    table = []
    for name in asked.models:
        epochs = MODELS[name][3]
        for way in ways.values():  # the first time of everything is slower
            epochs_per_minute(way, name, 1)
        speeds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(asked.rounds):
            for way, function in ways.items():
                speeds[way].append(epochs_per_minute(function, name, epochs))
        for way in list(ways)[1:]:
            table += judged(name, way, speeds[way], speeds["plain"], asked)
        if asked.record:
            packages = ("torch", "lightning", "numpy")
            record(ROOT / "results" / "training_speed.csv", table, packages=packages)


def judged(
    name: str,
    way: str,
    speeds: list[tuple[float, float]],
    plains: list[tuple[float, float]],
    asked: argparse.Namespace,
) -> list[Result]:
    """Print and give the rows of one model trained one way."""
    wall, busy = ([a[k] / b[k] for a, b in zip(speeds, plains, strict=True)] for k in (0, 1))
    speed = statistics.median(s[0] for s in speeds)
    print(
        f"{name}: {way} {speed:.1f} epochs a minute, {statistics.median(wall):.3f} of the plain "
        f"loop ({min(wall):.3f} to {max(wall):.3f}), by processor time "
        f"{statistics.median(busy):.3f} ({min(busy):.3f} to {max(busy):.3f})",
        flush=True,
    )
    common = {
        "data": f"noise: {CLIPS - HELD_OUT} clips and {HELD_OUT} for validation, "
        f"{WINDOWS} windows of {MODELS[name][2]}",
        "protocol": f"{asked.rounds} alternating rounds of {MODELS[name][3]} epochs, whole call, "
        f"median (low, high: least and greatest); processor, {asked.threads} threads, "
        f"batch {BATCH}",
        "command": " ".join(["python", "benchmarks/training.py", *sys.argv[1:]]),
        "seed": 0,
    }
    row = f"training/{name}" if way == "engine" else f"training/{name}, lightning Trainer"
    aim = f">= {AIM}" if way == "engine" else ""
    found = [
        Result(
            row,
            metric,
            round(statistics.median(ratios), 3),
            low=round(min(ratios), 3),
            high=round(max(ratios), 3),
            aim=aim,
            **common,
        )
        for metric, ratios in (
            ("ratio_to_plain_loop", wall),
            ("ratio_to_plain_loop_processor_time", busy),
        )
    ]
    return [*found, Result(row, "epochs_per_minute", round(speed, 1), **common)]


if __name__ == "__main__":
    main()
