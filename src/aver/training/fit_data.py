"""Rows in memory, and the batches of an epoch.

The training sets of the bench are small (a thousand clips of some windows), so they lie in memory
as whole tensors, on the training device, and a batch is one ``index_select`` a tensor. Workers
and collation would cost more than the step itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aver.errors import AverError, SettingError


@dataclass(frozen=True)
class TensorBatches:
    """Labelled rows (clips), or a batch of them; all tensors share their first axis.

    Attributes:
        streams: name -> (rows, time, dimensions) float32.
        masks: name -> (rows, time) bool, True where the window is there. Streams without a mask
            are there from end to end.
        labels: (rows,) int64 class numbers.
        extra: anything else a loss wants, (rows, ...) each: other targets, weights.

    Raises:
        AverError: if lengths or shapes do not fit, there is no row, or a window that is there
            holds a value that is not finite.
    """

    streams: Mapping[str, Tensor] = field(repr=False)
    masks: Mapping[str, Tensor] = field(repr=False)
    labels: Tensor = field(repr=False)
    extra: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        _check(self)

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def _unchecked(
        cls,
        streams: Mapping[str, Tensor],
        masks: Mapping[str, Tensor],
        labels: Tensor,
        extra: Mapping[str, Tensor],
    ) -> TensorBatches:
        made = object.__new__(cls)
        for name, value in zip(
            ("streams", "masks", "labels", "extra"), (streams, masks, labels, extra), strict=True
        ):
            object.__setattr__(made, name, value)
        return made

    def take(self, rows: Tensor) -> TensorBatches:
        """The rows numbered *rows* (count,) int64, in that order."""
        return TensorBatches._unchecked(
            {name: values.index_select(0, rows) for name, values in self.streams.items()},
            {name: values.index_select(0, rows) for name, values in self.masks.items()},
            self.labels.index_select(0, rows),
            {name: values.index_select(0, rows) for name, values in self.extra.items()},
        )

    def to(self, device: torch.device) -> TensorBatches:
        """The same rows on *device*."""
        return TensorBatches._unchecked(
            {name: values.to(device) for name, values in self.streams.items()},
            {name: values.to(device) for name, values in self.masks.items()},
            self.labels.to(device),
            {name: values.to(device) for name, values in self.extra.items()},
        )

    def digest(self) -> str:
        """Short hash over all values, so that a run is only taken up again on the same rows."""
        found = hashlib.sha256()
        for part in (self.streams, self.masks, {"labels": self.labels}, self.extra):
            for name, values in sorted(part.items()):
                found.update(f"{name} {tuple(values.shape)} {values.dtype}".encode())
                found.update(values.contiguous().view(-1).view(torch.uint8).numpy().data)
        return found.hexdigest()[:16]


def _check(rows: TensorBatches) -> None:
    count = len(rows.labels)
    if not count:
        raise AverError("has no rows", "Check the split and the corpus", subject="training data")
    if rows.labels.ndim != 1 or rows.labels.dtype != torch.int64:
        raise AverError("are not whole numbers, one a row", subject="labels")
    if rows.labels.min() < 0:
        raise AverError("hold a number below 0", "Leave rows without a label out", subject="labels")
    for name, values in (*rows.streams.items(), *rows.masks.items(), *rows.extra.items()):
        if len(values) != count:
            raise AverError(f"has {len(values)} rows, the labels {count}", subject=name)
    for name, values in rows.streams.items():
        mask = rows.masks.get(name)
        if mask is not None and (mask.dtype != torch.bool or mask.shape != values.shape[:2]):
            raise AverError(
                f"mask {tuple(mask.shape)} {mask.dtype} does not fit values {tuple(values.shape)}",
                subject=f"stream '{name}'",
            )
        finite = torch.isfinite(values).flatten(2).all(dim=2)
        if mask is not None:
            finite |= ~mask
        bad = ~finite.all(dim=1)
        if bad.any():
            raise AverError(
                f"is not finite in {int(bad.sum())} of {count} rows, first in row "
                f"{int(bad.nonzero()[0])}",
                "Extract these features again, or mask the windows",
                subject=f"stream '{name}'",
            )


def epoch_batches(
    rows: int, batch: int, seed: int, epoch: int, part: int = 0, parts: int = 1
) -> list[NDArray[np.int64]]:
    """Row numbers of each batch of an epoch; the order depends on *seed* and *epoch* alone.

    Args:
        rows: number of rows.
        batch: most rows a batch; batches differ by one row at most.
        seed: of the run.
        epoch: from 0.
        part: which device's share of each batch.
        parts: number of devices; each batch is dealt out to them.

    Raises:
        SettingError: if a batch has fewer rows than there are devices.
    """
    if min(batch, rows) < parts:
        raise SettingError(
            "batch", f"{min(batch, rows)} rows do not go round {parts} devices", "Use fewer devices"
        )
    order = np.random.default_rng((seed, epoch)).permutation(rows)
    count = min(-(-rows // batch), max(1, rows // parts))
    return [whole[part::parts] for whole in np.array_split(order, count)]
