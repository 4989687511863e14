"""Files of weights: read without running code in them, written as safetensors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aver.errors import ModelError, OutputError

Weights = dict[str, Tensor]


def read_weights(path: Path) -> Weights:
    """Tensors by name from safetensors, or from a pickle of torch's without running code in it.

    Raises:
        ModelError: if the file is missing, damaged, or a pickle that holds more than tensors.
    """
    if not path.is_file():
        raise ModelError(path, "does not exist", "Check the path")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found: Any = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's, zip's and safetensors' own
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(
            path,
            f"cannot be read as weights ({reason})",
            "Only safetensors and torch files that hold nothing but tensors are read",
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not found:
        raise ModelError(path, "holds no weights by name", "Give a file of a state_dict")
    tensors = {name: value for name, value in found.items() if isinstance(value, Tensor)}
    if len(tensors) < len(found):
        other = next(name for name in found if name not in tensors)
        raise ModelError(path, f"holds more than weights ({other})", "Give a file of a state_dict")
    # As a network trained on several devices names them.
    return {str(name).removeprefix("module."): value for name, value in tensors.items()}


def write_safetensors(weights: Path, out: Path | None = None) -> Path:
    """Rewrite the pickled *weights* as safetensors, beside them as ``model.safetensors``.

    Raises:
        ModelError: see :func:`read_weights`.
        OutputError: if the file cannot be written.
    """
    from safetensors.torch import save_file

    out = weights.with_name("model.safetensors") if out is None else out
    tensors = {name: value.contiguous().clone() for name, value in read_weights(weights).items()}
    with Beside(out) as beside:
        save_file(tensors, beside, metadata={"format": "pt"})
    return out


class Beside:
    """A file beside *target* that takes its place when nothing went wrong.

    Raises:
        OutputError: if it cannot be written.
    """

    def __init__(self, target: Path):
        self._target = target
        self._beside = target.with_name(f".{target.name}.{os.getpid()}.part")

    def __enter__(self) -> Path:
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._problem(error) from error
        return self._beside

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            if error is None:
                self._beside.replace(self._target)
        finally:
            self._beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise self._problem(error) from error

    def _problem(self, error: OSError) -> OutputError:
        return OutputError(
            self._target, f"cannot be written ({error.strerror or error})", "Choose another folder"
        )
