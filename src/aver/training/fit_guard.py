"""What keeps a run safe and the same each time: interruptions, seeds, a look at the weights."""

from __future__ import annotations

import random
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import numpy as np
import torch
from torch import nn


class Interrupts:
    """While it is entered, a first Ctrl-C is noted in ``asked``; a second one stops at once.

    Args:
        wanted: False leaves signals alone (nothing could be kept, or other processes wait).
    """

    def __init__(self, wanted: bool):
        self.wanted = wanted and threading.current_thread() is threading.main_thread()
        self.asked = False
        self.before: Any = None

    def __enter__(self) -> Interrupts:
        self.before = signal.getsignal(signal.SIGINT)
        if self.wanted and self.before is not None:
            signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, self.before)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.wanted and self.before is not None:
            signal.signal(signal.SIGINT, self.before)


def step_seeds(steps: int, *numbers: int) -> list[int]:
    """A seed for each step of an epoch, from *numbers*: seed, epoch, device's number."""
    return [int(s) for s in np.random.SeedSequence(numbers).generate_state(steps, np.uint64)]


def seed_everything(device: torch.device, seed: int) -> None:
    """Seed the global generators of torch (processor and *device*), numpy and Python."""
    # Not torch.manual_seed: where no GPU is in use it notes a stack trace for each kind of GPU
    # that may come, which takes longer than a step of a small network.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002 - a loss may draw from it
    random.seed(seed)


@torch.no_grad()
def weights_finite(module: nn.Module) -> bool:
    """Whether every weight is a finite number."""
    learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not learned:
        return True
    norms = torch._foreach_norm(learned)  # type: ignore[arg-type]
    return bool(torch.isfinite(torch.stack(norms)).all())
