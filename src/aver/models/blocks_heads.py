"""From feature maps to classes: flatten-and-dense, class activation maps, decisions of streams.

Maps are (batch, time, channels, height, width) by stream; a clip's windows are pooled with weights
(batch, time) that sum to 1 over the windows there and are 0 elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

Shape = tuple[int, int, int]
DecisionFusion = Literal["decision_mean", "decision_vote", "decision_weighted"]

# A vote's share must not be beaten by what breaks ties.
_TIE = 0.01
_LEAST = 1e-9


def mean_weights(present: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """(batch, time) weights of the plain mean over the windows there; zeros without any."""
    there = present.to(dtype)
    return there / there.sum(dim=1, keepdim=True).clamp(min=1.0)


class FlattenHead(nn.Module):
    """Maps laid out in a row, streams side by side, then dense layers (the review's usual way).

    Time is pooled first, with the given weights, because clips differ in length; a place keeps
    its own weights. A stream that is missing is zeros.

    Args:
        shapes: (channels, height, width) of each stream's maps.
        hidden: cells of the hidden layer; 0 for none.
        classes: number of classes.
        dropout: before each layer.
    """

    def __init__(self, shapes: Mapping[str, Shape], hidden: int, classes: int, dropout: float):
        super().__init__()
        self.streams = tuple(shapes)
        width = sum(channels * height * wide for channels, height, wide in shapes.values())
        layers: list[nn.Module] = [nn.Dropout(dropout)]
        if hidden:
            layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden or width, classes))

    def forward(
        self, maps: dict[str, Tensor], weights: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (batch, classes), and no maps."""
        rows = [
            (maps[name].flatten(2) * weights[name][:, :, None]).sum(dim=1) for name in self.streams
        ]
        return self.layers(torch.cat(rows, dim=1)), {}


class ClassActivationHead(nn.Module):
    """Mean over all places, then one linear layer (Zhou et al. 2016, section 2).

    The same layer read at each place says how much that place speaks for each class: the class
    activation map ``M_c(t, y, x) = sum_k w_ck f_k(t, y, x)``. The maps' means, weighed over time as
    the clip was pooled and added over the streams, are the logits without their bias.

    Args:
        shapes: (channels, height, width) of each stream's maps.
        classes: number of classes.
    """

    def __init__(self, shapes: Mapping[str, Shape], classes: int):
        super().__init__()
        self.layers = nn.ModuleDict(
            {name: nn.Linear(shape[0], classes, bias=False) for name, shape in shapes.items()}
        )
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(
        self, maps: dict[str, Tensor], weights: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits, and class activation maps (batch, classes, time, height, width) by stream."""
        total, found = self.bias, {}
        for name, layer in self.layers.items():
            there = (weights[name] > 0)[:, :, None, None, None]
            each = layer(maps[name].movedim(2, -1)) * there
            found[name] = each.movedim(-1, 1)
            total = total + (each.mean(dim=(2, 3)) * weights[name][:, :, None]).sum(dim=1)
        return total, found


def fuse_decisions(
    kind: DecisionFusion, logits: Tensor, there: Tensor, weights: Tensor, *, training: bool
) -> Tensor:
    """Logarithms of the fused probabilities of several classifiers.

    ``decision_mean`` averages the probabilities, ``decision_weighted`` weighs them with *weights*.
    ``decision_vote`` counts whom each classifier finds likeliest; what is tied, the mean decides.
    Counting has no gradient, so a vote is trained as a mean.

    Args:
        kind: which.
        logits: (streams, batch, classes).
        there: (streams, batch) bool, whether the clip has the stream; others do not count. A clip
            without any gets the same probability for every class.
        weights: (streams,) not negative, used by ``decision_weighted``.
        training: whether gradients are needed.

    Returns:
        (batch, classes).
    """
    has = there.to(logits.dtype)
    share = has
    if kind == "decision_weighted":
        # A stream that is left alone decides, however little it weighs.
        share = has * weights.clamp(min=1e-6)[:, None]
    share = (share / share.sum(dim=0).clamp(min=_LEAST))[:, :, None]
    probabilities = logits.softmax(dim=2)
    fused = (share * probabilities).sum(dim=0)
    if kind == "decision_vote" and not training:
        likeliest = functional.one_hot(logits.argmax(dim=2), logits.shape[2]).to(logits.dtype)
        fused = ((share * likeliest).sum(dim=0) + _TIE * fused) / (1 + _TIE)
    none = ~there.any(dim=0)[:, None]
    fused = torch.where(none, 1.0 / logits.shape[2], fused)
    return fused.clamp(min=_LEAST).log()
