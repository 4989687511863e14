"""The files of a training run: a checkpoint while it lasts, the weights when it is over.

Both are safetensors: numbers and text, so reading one runs nobody's code. Both are written beside
and renamed, so a run that is killed while writing keeps the checkpoint before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from pydantic import BaseModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from aver.errors import ModelError, OutputError, SettingError
from aver.report.files import write_files

CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "model.safetensors"
FORMAT = "aver training 1"

# What may change between a run and its continuation: it decides where and how fast, not what.
_FREE = {"accelerator", "devices", "threads", "checkpoint_every", "logger"}


@dataclass
class FitState:
    """Where a run stands; everything but the tensors.

    Attributes:
        epoch: epochs that are over.
        step: steps of the running epoch that are over.
        learning_rate: rate of the plateau schedule.
        plateau: state of the plateau schedule.
        scaler: state of half precision's loss scaling.
        best_epoch: epoch of the kept weights, from 1; 0 before the first.
        best_loss: its validation loss.
        history: one entry an epoch.
        seconds: time so far.
        finished: no epoch is left to do.
        settings: the settings of the run, the seed and what else must be the same to go on.
        about: what the caller wants kept with the weights.
    """

    epoch: int = 0
    step: int = 0
    learning_rate: float = 0.0
    plateau: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    best_epoch: int = 0
    best_loss: float = float("inf")
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    finished: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)


def write(path: Path, state: FitState, tensors: Mapping[str, Tensor]) -> None:
    """Write a checkpoint or the weights.

    Raises:
        OutputError: if the disk is full or the file cannot be written; an older one stays.
    """
    # Copies: a safetensors file cannot hold two names for one piece of memory.
    copies = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    about = {"format": FORMAT, "state": json.dumps(asdict(state)), **state.about}
    content = save(copies, about)
    del copies

    def put(stream: BinaryIO) -> None:
        stream.write(content)

    try:
        write_files([(path, put)])
    except OutputError as error:
        advice = [error.advice] if error.advice else []
        if path.with_name(CHECKPOINT).exists():
            advice.append("The checkpoint before is kept: start again to go on from it")
        raise OutputError(error.subject or path, error.problem, ". ".join(advice)) from error


def read(path: Path, device: str = "cpu") -> tuple[FitState, dict[str, Tensor]]:
    """Read what :func:`write` wrote.

    Raises:
        ModelError: if the file is missing, damaged, not of a training run, or of a newer version.
    """
    again = "Delete it to begin anew"
    try:
        with safe_open(path, framework="pt", device=device) as content:
            about = content.metadata() or {}
            if about.get("format", "").rpartition(" ")[0] != FORMAT.rpartition(" ")[0]:
                raise ModelError(path, "is not of a training run of aver", "Name another file")
            if about["format"] != FORMAT:
                raise ModelError(path, "was written by a newer version of aver", "Update aver")
            stored = json.loads(about["state"])
            known = {entry.name for entry in fields(FitState)}
            state = FitState(**{k: v for k, v in stored.items() if k in known})
            return state, {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise ModelError(path, "is not there", "Check the path") from error
    except OSError as error:
        raise ModelError(path, f"cannot be read ({error.strerror or error})", "") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(path, f"is damaged ({error})", again) from error


def check_same_run(path: Path, state: FitState, settings: Mapping[str, Any]) -> None:
    """Refuse to go on with other settings than the run was begun with.

    Raises:
        SettingError: naming the settings that differ.
    """
    old, new = _fixed(state.settings), _fixed(settings)
    changed = [
        f"{name} was {old.get(name)!r}, is {new.get(name)!r}"
        for name in sorted({*old, *new})
        # What one side does not tell (a checkpoint of before, a loss that is a function) cannot
        # be held against it.
        if name in old and name in new and old[name] != new[name]
    ]
    if changed:
        raise SettingError(
            str(path),
            f"was begun with other settings ({'; '.join(changed)})",
            "Choose another folder, or delete this file to begin anew",
        )


def says(thing: object) -> str:
    """What settings, or a loss, say of themselves: part of what must be the same to go on.

    Settings of pydantic and dataclasses tell their values; empty for all else (a function, say).
    """
    if not isinstance(thing, BaseModel) and not is_dataclass(thing):
        return ""

    def plain(value: Any) -> Any:
        if isinstance(value, BaseModel):
            return value.model_dump(mode="json")
        if isinstance(value, Tensor):
            return value.tolist()
        if is_dataclass(value) and not isinstance(value, type):
            return {entry.name: getattr(value, entry.name) for entry in fields(value)}
        return type(value).__name__

    return json.dumps(thing, default=plain, sort_keys=True)


def _fixed(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in _FREE}


def pack_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's memory as named tensors: ``optimiser/<parameter>/<name>``."""
    return {
        f"optimiser/{parameter}/{name}": torch.as_tensor(value)
        for parameter, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
        if value is not None
    }


def unpack_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give the optimiser its memory back; its settings stay as they are."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser/"):
            _, parameter, key = name.split("/", 2)
            state.setdefault(int(parameter), {})[key] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with *prefix*, without it."""
    return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}
