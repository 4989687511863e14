"""Models that label every window of a sequence: each segment of a film, in its context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from aver.models.settings import ModelSettings
from aver.models.streams import StreamModel


class SequenceModel(StreamModel):
    """Base of the models whose logits are (batch, time, classes), one label a window.

    The streams run side by side: window 3 of each is the same stretch of time, so they all have
    the same number of windows. Logits of windows that are not there are zeros; they, and what lies
    in them, take no part in anything else, and a loss must leave them out.

    Args:
        settings: an instance of the class's ``Settings``.
        dimensions: width of each stream.
        windows: length of the sequences, the same for every stream.
        classes: number of classes.

    Raises:
        ValueError: as :class:`StreamModel`, and if the streams differ in length.
    """

    labels_windows: ClassVar[bool] = True

    def __init__(
        self,
        settings: ModelSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        if len(set(self.windows.values())) > 1:
            lengths = ", ".join(f"{name} {count}" for name, count in self.windows.items())
            raise ValueError(f"streams of a sequence must have the same windows, not {lengths}")
        self.time = next(iter(self.windows.values()))

    def any_there(self, masks: dict[str, Tensor]) -> Tensor:
        """(batch, time) bool: whether a window has any of the model's streams."""
        return torch.stack([masks[name] for name in self.dimensions]).any(dim=0)

    def side_by_side(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> Tensor:
        """(batch, time, sum of dimensions); zeros where a stream has no window."""
        return torch.cat(list(self.clean(streams, masks).values()), dim=2)


def reorder(x: Tensor, order: Tensor) -> Tensor:
    """(batch, time, feature) with its windows in the *order* (batch, time)."""
    return x.gather(1, order[:, :, None].expand(-1, -1, x.shape[2]))


def present_first(present: Tensor) -> tuple[Tensor, Tensor]:
    """Orders that bring the windows that are there to the front, and back again.

    Args:
        present: (batch, time) bool.

    Returns:
        Two (batch, time) int64: ``reorder(reorder(x, first), second)`` is ``x``.
    """
    time = torch.arange(present.shape[1], device=present.device)
    order = torch.where(present, time, time + present.shape[1]).argsort(dim=1)
    return order, order.argsort(dim=1)


def with_context(x: Tensor, context: int) -> Tensor:
    """Each window with those before it.

    Args:
        x: (batch, time, ...) of any kind.
        context: windows, the window itself among them.

    Returns:
        (batch, time, context, ...), the window itself last; zeros (False) before the start.
    """
    time = x.shape[1]
    before = torch.zeros_like(x[:, :1]).repeat_interleave(context - 1, dim=1)
    padded = torch.cat([before, x], dim=1) if context > 1 else x
    return torch.stack([padded[:, at : at + time] for at in range(context)], dim=2)
