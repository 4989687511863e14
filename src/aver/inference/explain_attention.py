"""How much each window gave to the others: MATER's attention weights, summed up.

The encoder of each modality mixes the windows of its context in every layer; the network then
averages over the windows that are there. So a window's weight here is the mean over the windows
that are there of what they drew from it. Two ways to sum up the layers:

* ``mean``: the weights averaged over layers and heads;
* ``rollout``: attention rollout (Abnar & Zuidema 2020, *Quantifying attention flow in
  transformers*, section 3): each layer's weights, averaged over heads, are mixed half and half with
  the identity, for the shortcut around the attention, and the layers are multiplied.

Either says where the network *mixed from*, not why it decided as it did: a window of high weight
may change nothing (Jain & Wallace 2019). :func:`without_each_window` tries what does: it leaves
each window out and asks the network again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from aver.inference.networks import Floats

Summary = Literal["mean", "rollout"]
SUMMARIES: tuple[Summary, ...] = get_args(Summary)
Bools = NDArray[np.bool_]


def present_only(weights: Floats, present: Bools) -> Floats:
    """Attention between windows that are there; everything else is 0.

    Args:
        weights: (..., windows, windows), rows adding up to 1 over the windows that are there.
        present: (windows,).

    Returns:
        The same shape; rows of windows that are there add up to 1, all others are 0.
    """
    return np.asarray(weights * (present[:, None] & present[None, :]), np.float32)


def summarise(layers: Floats, present: Bools, how: Summary) -> Floats:
    """One matrix out of all layers and heads.

    Args:
        layers: (layers, heads, windows, windows).
        present: (windows,).
        how: ``mean`` or ``rollout``, see the module's docstring.

    Returns:
        (windows, windows): row *i* is what window *i* drew from each. Rows of windows that are
        there add up to 1, all others are 0.
    """
    per_layer = present_only(layers, present).mean(axis=1)
    if how == "mean":
        return np.asarray(per_layer.mean(axis=0))
    kept = np.diag(present.astype(np.float32))
    found = kept
    for weights in per_layer:
        found = (0.5 * weights + 0.5 * kept) @ found
    return np.asarray(found, np.float32)


def window_weights(matrix: Floats, present: Bools) -> Floats:
    """(windows,) what the prediction drew from each window: adds up to 1 (to 0 if none is there).

    Args:
        matrix: (..., windows, windows) of :func:`summarise` or :func:`present_only`.
        present: (windows,).
    """
    return np.asarray(matrix.sum(axis=-2) / max(1, int(present.sum())), np.float32)


def without_each_window(
    ask: Callable[[Floats, Bools, Floats, Bools], Mapping[str, Floats]],
    face: Floats,
    face_mask: Bools,
    voice: Floats,
    voice_mask: Bools,
) -> tuple[Floats, Floats]:
    """How the fused scores change when a window is left out: occlusion, one window at a time.

    Args:
        ask: the fusion network.
        face: (windows, dimensions) of one person.
        face_mask: (windows,).
        voice: (windows, dimensions).
        voice_mask: (windows,).

    Returns:
        (windows, classes) without each window of the face, and of the voice: the new scores less
        the old. Not a number where the window is not there, or is all there is.
    """
    there = [("face", t) for t in np.flatnonzero(face_mask)]
    there += [("voice", t) for t in np.flatnonzero(voice_mask)]
    masks = {
        "face": np.tile(face_mask, (len(there) + 1, 1)),
        "voice": np.tile(voice_mask, (len(there) + 1, 1)),
    }
    for row, (branch, t) in enumerate(there, start=1):
        masks[branch][row, t] = False
    fused = ask(
        np.tile(face, (len(there) + 1, 1, 1)),
        masks["face"],
        np.tile(voice, (len(there) + 1, 1, 1)),
        masks["voice"],
    )["fused"]
    changes = {b: np.full((len(face_mask), fused.shape[1]), np.nan, np.float32) for b in masks}
    if len(there) > 1:
        for row, (branch, t) in enumerate(there, start=1):
            changes[branch][t] = fused[row] - fused[0]
    return changes["face"], changes["voice"]
