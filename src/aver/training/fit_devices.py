"""Devices, arithmetic and determinism of a run: the part of the engine that is Lightning's."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments import LightningEnvironment
from lightning.fabric.strategies import DDPStrategy

from aver.errors import SettingError
from aver.training.fit_settings import FitSettings


def find_devices(settings: FitSettings) -> tuple[str, int]:
    """Kind and number of the devices.

    Raises:
        SettingError: if there are not so many.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if settings.accelerator == "gpu" and not gpus:
        raise SettingError("accelerator", "no GPU that torch can use is here", "Set 'auto'")
    if settings.accelerator == "cpu" or not gpus:
        return "cpu", 1 if settings.devices == "auto" else int(settings.devices)
    wanted = gpus if settings.devices == "auto" else int(settings.devices)
    if wanted > gpus:
        raise SettingError("devices", f"{wanted} GPUs are wanted, {gpus} are here", "Set 'auto'")
    return "cuda", wanted


def find_precision(settings: FitSettings, device: str) -> str:
    """Lightning's name of the arithmetic."""
    if settings.precision == "auto":
        if device == "cpu":
            return "32-true"
        return "bf16-mixed" if torch.cuda.is_bf16_supported(False) else "16-mixed"
    if settings.precision == "16-mixed" and device == "cpu":
        raise SettingError("precision", "'16-mixed' needs a GPU", "Set 'auto' or 'bf16-mixed'")
    return "32-true" if settings.precision == "32" else settings.precision


def make_fabric(device: str, devices: int, precision: str) -> Any:
    """Lightning's Fabric for so many devices, a process each where there are several."""
    quiet_lightning()
    several = DDPStrategy(start_method="spawn", find_unused_parameters=True)
    return Fabric(
        accelerator=device,
        devices=devices,
        strategy="auto" if devices == 1 else several,
        precision=precision,
        # Given, or a cluster's variables would make Fabric expect the cluster's processes.
        plugins=[LightningEnvironment()],
    )


def quiet_lightning() -> None:
    """Lightning tells of every device and process it finds; here only warnings count."""
    for name in ("lightning", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def quiet_processes() -> Iterator[None]:
    """Processes started meanwhile do not warn that every weight of a network was used."""
    before = os.environ.get("TORCH_CPP_LOG_LEVEL")
    os.environ["TORCH_CPP_LOG_LEVEL"] = "ERROR"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TORCH_CPP_LOG_LEVEL"]
        else:
            os.environ["TORCH_CPP_LOG_LEVEL"] = before


@contextmanager
def deterministic() -> Iterator[None]:
    """The same sums in the same order each time, where torch can; a warning where it cannot."""
    before = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    benchmark = torch.backends.cudnn.benchmark
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Filling memory that is about to be written anyway only takes time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = benchmark
