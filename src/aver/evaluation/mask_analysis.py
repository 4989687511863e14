"""Which acoustic feature families a masking network attends to (Wu, Li & Lee, section 3.3.2).

The text: "we retrieve the feature categories corresponding to the top largest 25% absolute value
in the learned masks". A mask has one value a hidden dimension, and a hidden dimension is a weighted
sum of all 1,582 descriptors, so three things are to be settled.

- **What is large.** A mask depends on the input, so its absolute value is averaged over the
  segments given (``values="mask"``). The text also speaks of what is attended to "in our masked
  representations": ``values="masked"`` averages the absolute masked descriptors, hidden times mask.
- **How many.** Each row of Table 3 adds up to 16, or to 32 where two labels are counted together:
  a quarter of 64 hidden dimensions, each counted once, for one family.
- **Whose a hidden dimension is**, traced back through the first layer's weights: the family whose
  descriptors have the largest mean absolute weight (``trace="mean"``), the family of the one
  descriptor with the largest absolute weight (``"strongest"``), or the family whose absolute
  weights add up to most (``"sum"``). The families differ in size (MFCC 630, shimmer 38), and the
  latter two favour large ones: of random weights, 41 in 100 dimensions are MFCC's with
  ``strongest`` and all are with ``sum``, while Table 3 has 0 to 2 of 16. So ``mean`` is the
  default. It favours small families instead, whose means vary more: of random weights, 21 in 100
  dimensions are final voicing's, 21 shimmer's, 19 loudness', 14 each jitter's and F0's, 3 MFCC's.
  Weights can be compared because descriptors are standardised before the layer; do so.

A count therefore means little without what counting any dimensions would give, and is near Table
3's for networks that were never trained: :func:`count_families` also counts over all hidden
dimensions, and the picture shows both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aver.errors import ModelError, SettingError
from aver.evaluation.pictures import new_figure, picture_path, save_figure
from aver.features.emobase_families import ABBREVIATIONS, FAMILIES, families_of

if TYPE_CHECKING:
    from torch import Tensor

    from aver.models.asmt import Asmt

Trace = Literal["mean", "strongest", "sum"]
Values = Literal["mask", "masked"]
Array = NDArray[np.floating[Any]]

_AT_ONCE = 256
# Differences between hidden dimensions below this share of the largest are rounding.
_SAME = 1e-4


@dataclass(frozen=True)
class FamilyCounts:
    """Hidden dimensions by family.

    Attributes:
        top: how many of the dimensions with the largest values belong to each family, int by
            family, in the order of :data:`~aver.features.emobase_families.FAMILIES`.
        expected: how many would if they were drawn by lot from all hidden dimensions, float.
    """

    top: pd.Series[int]
    expected: pd.Series[float]


def trace_families(weights: Array, names: Sequence[str], trace: Trace = "mean") -> tuple[str, ...]:
    """The family of each hidden dimension; see the module's docstring.

    Args:
        weights: (hidden, descriptors), the first layer's.
        names: of the descriptors, emobase2010's.
        trace: how.

    Raises:
        AverError: for a name that is not emobase2010's.
        SettingError: if there are not as many names as weights, or *trace* is unknown.
    """
    if weights.ndim != 2 or weights.shape[1] != len(names):
        raise SettingError("names", f"{len(names)} names for weights of the shape {weights.shape}")
    families = np.array([FAMILIES.index(family) for family in families_of(names)])
    size = np.abs(weights)
    if trace == "strongest":
        return tuple(FAMILIES[at] for at in families[size.argmax(axis=1)])
    if trace not in ("mean", "sum"):
        raise SettingError("trace", f"there is no '{trace}'", "Use mean, strongest or sum")
    total = np.stack([size[:, families == at].sum(axis=1) for at in range(len(FAMILIES))], axis=1)
    if trace == "mean":
        total = total / np.maximum(np.bincount(families, minlength=len(FAMILIES)), 1)
    return tuple(FAMILIES[at] for at in total.argmax(axis=1))


def count_families(
    values: Array,
    weights: Array,
    names: Sequence[str],
    *,
    share: float = 0.25,
    trace: Trace = "mean",
) -> FamilyCounts:
    """Count the families of the hidden dimensions with the largest values.

    Args:
        values: (hidden,) not negative: how large the mask is in each hidden dimension.
        weights: (hidden, descriptors), the first layer's.
        names: of the descriptors.
        share: part of the hidden dimensions that is counted, rounded, at least one.
        trace: how a hidden dimension gets its family.

    Raises:
        ModelError: if the values do not tell the dimensions apart.
        SettingError: see :func:`trace_families`; for a share outside (0, 1].
        AverError: for a name that is not emobase2010's.
    """
    if not 0 < share <= 1:
        raise SettingError("share", f"{share} is not above 0 and at most 1")
    if values.shape != weights.shape[:1]:
        raise SettingError("values", f"{values.shape} for weights of the shape {weights.shape}")
    if not np.isfinite(values).all():
        raise ModelError("mask", "is not finite", "Check the training run")
    if values.max() - values.min() <= _SAME * values.max():
        raise ModelError(
            "mask",
            "is equally large in all hidden dimensions, so none stands out",
            'As softmax_over = "reference" makes it: train with softmax_over = "descriptors" or '
            'pooling_activation = "leaky_relu", or count with values="masked"',
        )
    families = np.array([FAMILIES.index(f) for f in trace_families(weights, names, trace)])
    count = max(1, round(share * len(values)))
    largest = np.argsort(-values, kind="stable")[:count]
    top = np.bincount(families[largest], minlength=len(FAMILIES))
    everywhere = np.bincount(families, minlength=len(FAMILIES)) * (count / len(values))
    return FamilyCounts(pd.Series(top, FAMILIES), pd.Series(everywhere, FAMILIES))


def attended_families(
    network: Asmt,
    streams: Mapping[str, Tensor],
    masks: Mapping[str, Tensor],
    names: Sequence[str],
    *,
    mask: Literal["effective", "saliency", "self"] = "effective",
    values: Values = "mask",
    share: float = 0.25,
    trace: Trace = "mean",
) -> FamilyCounts:
    """Count the families that a trained ASMT, or a variant with a mask, attends to most.

    Args:
        network: the trained network.
        streams: what it reads, (sequences, time, dimension) by stream, normalised as for it.
        masks: (sequences, time) bool by stream.
        names: of the descriptors, in the order of the stream.
        mask: ``effective`` is what the descriptors are multiplied with; ``saliency`` and ``self``
            are M^ab and M^bb alone.
        values: what is ranked, ``mask`` or ``masked``.
        share: part of the hidden dimensions that is counted.
        trace: how a hidden dimension gets its family.

    Raises:
        ModelError: if the network has no such mask, the masks do not tell hidden dimensions apart,
            or no segment is there.
        SettingError: see :func:`count_families`.
        AverError: for a name that is not emobase2010's.
    """
    import torch

    if values not in ("mask", "masked"):
        raise SettingError("values", f"there is no '{values}'", "Use mask or masked")
    network.eval()
    total: Array = np.zeros(network.settings.width)
    segments = 0
    first = next(iter(streams.values()))
    with torch.no_grad():
        for at in range(0, len(first), _AT_ONCE):
            part = slice(at, at + _AT_ONCE)
            found = network.front_end(
                {name: x[part] for name, x in streams.items()},
                {name: x[part] for name, x in masks.items()},
            )
            if mask not in found.masks:
                raise ModelError(
                    f"variant '{network.settings.variant}'",
                    f"has no mask '{mask}'",
                    f"It has: {', '.join(found.masks) or 'none'}",
                )
            size = found.masks[mask] if values == "mask" else found.masks[mask] * found.hidden
            total += size[found.there].abs().double().sum(dim=0).cpu().numpy()
            segments += int(found.there.sum())
    if not segments:
        raise ModelError("mask", "no segment is there to look at", "Check the streams' masks")
    weights = network.descriptors.weight.detach().double().cpu().numpy()
    return count_families(total / segments, weights, names, share=share, trace=trace)


def family_table(counts: Mapping[str, FamilyCounts | Sequence[FamilyCounts]]) -> pd.DataFrame:
    """Table 3: a row for each of *counts*, a column for each family, and what lots would give.

    Args:
        counts: name of a row -> counts of one network, or of several (folds, labels), added.

    Returns:
        Columns ``LD`` to ``JT`` (counts) and ``LD expected`` to ``JT expected``; index ``mask``.
    """
    rows = {}
    for name, given in counts.items():
        parts = [given] if isinstance(given, FamilyCounts) else list(given)
        if not parts:
            raise SettingError(name, "has no counts")
        row: dict[str, float] = {}
        for family, short in ABBREVIATIONS.items():
            row[short] = int(sum(part.top[family] for part in parts))
            row[f"{short} expected"] = float(sum(part.expected[family] for part in parts))
        rows[name] = row
    columns = [*ABBREVIATIONS.values(), *(f"{short} expected" for short in ABBREVIATIONS.values())]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.index.name = "mask"
    return table.astype(dict.fromkeys(ABBREVIATIONS.values(), int))


def draw_families(table: pd.DataFrame, path: str | Path, *, title: str = "") -> None:
    """Draw a table of :func:`family_table`: counts as shades, with what lots would give below.

    Args:
        table: the table.
        path: a ``.png``, ``.svg`` or ``.pdf`` file, written beside and renamed.
        title: a line above.

    Raises:
        AverError: if matplotlib is not installed (extra ``train``).
        OutputError: if the file cannot be written.
        SettingError: for another suffix.
    """
    path = picture_path(path)
    save_figure(_figure(table, title), path)


def _figure(table: pd.DataFrame, title: str) -> Any:
    shorts = list(ABBREVIATIONS.values())
    counts = table[shorts].to_numpy(float)
    expected = table[[f"{short} expected" for short in shorts]].to_numpy(float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    top = float(shares.max())
    figure = new_figure(9.0, 1.6 + 0.62 * len(table))
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=top, aspect="auto")
    for row, column in np.ndindex(counts.shape):
        colour = "white" if shares[row, column] > 0.6 * top else "#1b2a3a"
        text: dict[str, Any] = {"ha": "center", "color": colour}
        axes.text(column, row, f"{counts[row, column]:.0f}", va="bottom", fontsize=11, **text)
        by_lot = f"by lot {expected[row, column]:.1f}"
        axes.text(column, row + 0.08, by_lot, va="top", fontsize=7, **text)
    wrapped = [family.replace("line spectral ", "line spectral\n") for family in ABBREVIATIONS]
    axes.set_xticks(range(len(shorts)), wrapped, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(
        range(len(table)),
        [f"{name}  ({total:.0f})" for name, total in zip(table.index, counts.sum(1), strict=True)],
    )
    axes.set_xticks(np.arange(len(shorts) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(table) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    for edge in axes.spines.values():
        edge.set_visible(False)
    heading = "hidden dimensions with the largest mask, by feature family"
    axes.set_title(f"{title}\n{heading}" if title else heading, fontsize=10, loc="left")
    return figure
