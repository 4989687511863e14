"""What extractors on transformers share: choosing layers, pooling their vectors over windows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from aver.features.extractor import ExtractorSettings

Floats = NDArray[np.float32]
Layer = int | Literal["last"]


class LayerSettings(ExtractorSettings):
    """Settings that extractors on transformers share.

    Attributes:
        layers: hidden layers to give: a number (0 is what goes into the first block, k what comes
            out of block k), ``last``, or several of them, as ``[4, 8, "last"]`` or ``4,8,last``.
        combine: several layers side by side (``concatenate``), or their ``mean``.
        pooling: ``mean`` of a window's vectors, or the same followed by their standard deviation
            (``mean_and_spread``).
        window_seconds: length of a window; 0 for one vector for the whole clip.
        windows: windows kept from the clip's start, at most; 0 for all.
    """

    layers: tuple[Layer, ...] = ("last",)
    combine: Literal["concatenate", "mean"] = "concatenate"
    pooling: Literal["mean", "mean_and_spread"] = "mean"
    window_seconds: float = Field(0.5, ge=0, le=600)
    windows: int = Field(0, ge=0)

    @field_validator("layers", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",")]
        elif isinstance(value, int) and not isinstance(value, bool):
            value = [value]
        if not isinstance(value, list | tuple) or not value:
            raise ValueError("is not a layer or a list of layers")
        read = [int(v) if isinstance(v, str) and v.lstrip("-").isdigit() else v for v in value]
        for layer in read:
            if layer != "last" and (isinstance(layer, bool) or not isinstance(layer, int)):
                raise ValueError(f"has {layer!r}; layers are numbers from 0, or 'last'")
            if layer != "last" and layer < 0:
                raise ValueError(f"has {layer}; layers are counted from 0")
        if len(set(read)) < len(read):
            raise ValueError("names a layer twice")
        return tuple(read)

    @field_validator("window_seconds")
    @classmethod
    def _some_steps(cls, value: float) -> float:
        if 0 < value < 0.1:
            raise ValueError("is too short for vectors that come every 20 ms; use 0.25 or 0.5")
        return value

    def width(self, of_layer: int) -> int:
        """Width of the values, where each layer is *of_layer* wide."""
        layers = len(self.layers) if self.combine == "concatenate" else 1
        return of_layer * layers * (2 if self.pooling == "mean_and_spread" else 1)


PIECE_SECONDS = 30
"""Longest sound that goes through an encoder at once."""


def pool_pieces(
    pieces: Iterable[Floats],
    times: NDArray[np.floating[Any]],
    steps_a_second: float,
    settings: LayerSettings,
) -> Floats:
    """:func:`pool` over sound that comes in pieces of :data:`PIECE_SECONDS`.

    Where windows do not reach over the seams, one piece is held at a time; only those that hold
    windows are asked for.

    Args:
        pieces: (layers, steps, width) each.
        times: (windows, 2) seconds.
        steps_a_second: how many steps a second holds.
        settings: how layers are combined, and steps pooled.
    """
    if not settings.window_seconds or PIECE_SECONDS % settings.window_seconds:
        return pool(np.concatenate(list(pieces), axis=1), times, steps_a_second, settings)
    at_once = round(PIECE_SECONDS / settings.window_seconds)
    rows = []
    for number, piece in enumerate(pieces):
        inside = times[number * at_once : (number + 1) * at_once]
        rows.append(pool(piece, inside - number * PIECE_SECONDS, steps_a_second, settings))
        if (number + 1) * at_once >= len(times):
            break
    return np.concatenate(rows)


def pool(
    hidden: Floats, times: NDArray[np.floating[Any]], steps_a_second: float, settings: LayerSettings
) -> Floats:
    """Pool vectors over windows.

    Args:
        hidden: (layers, steps, width).
        times: (windows, 2) seconds.
        steps_a_second: how many steps a second holds.
        settings: how layers are combined, and steps pooled.

    Returns:
        (windows, features); a window holds the steps from its start to its end, rounded, and at
        least one.
    """
    rows = []
    for start, end in times:
        first = min(round(float(start) * steps_a_second), hidden.shape[1] - 1)
        last = max(round(float(end) * steps_a_second), first + 1)
        inside = hidden[:, first:last]
        parts = [inside.mean(axis=1)]
        if settings.pooling == "mean_and_spread":
            parts.append(inside.std(axis=1))
        # (layers, width or twice that): a layer's mean and spread stay together.
        each = np.concatenate(parts, axis=1)
        rows.append(each.mean(axis=0) if settings.combine == "mean" else each.reshape(-1))
    return np.stack(rows).astype(np.float32, copy=False)
