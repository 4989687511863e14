"""Features as tokens, and the self- and cross-modal attention of sound semantics and pictures.

Tokens are (batch, time, tokens, width): every frame of a sequence has its own. See
:mod:`aver.models.scma` for what they are made of and why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from aver.models.blocks import MASKED
from aver.models.sequences import with_context

Product = Literal["matrix", "element"]


def allot(widths: Mapping[str, int], tokens: int) -> dict[str, int]:
    """How many of a side's *tokens* each of its streams gets: one, and more the wider it is.

    Raises:
        ValueError: if there are fewer tokens than streams, or fewer features than tokens.
    """
    if not len(widths) <= tokens <= sum(widths.values()):
        raise ValueError(
            f"{tokens} tokens for {len(widths)} streams of {sum(widths.values())} features: one "
            "each at least, and none without a feature"
        )
    found = dict.fromkeys(widths, 1)
    for _ in range(tokens - len(widths)):
        found[max(widths, key=lambda name: widths[name] / found[name])] += 1
    return found


class GroupTokens(nn.Module):
    """The features of a frame cut into groups side by side, each group a token.

    A group holds features of one stream, as many as the others of that stream (the last may have
    fewer), and has a linear layer of its own.

    Args:
        widths: features of each stream.
        tokens: groups of all streams together.
        width: of a token.
    """

    def __init__(self, widths: Mapping[str, int], tokens: int, width: int):
        super().__init__()
        self.groups = allot(widths, tokens)
        self.weights = nn.ParameterDict()
        self.biases = nn.ParameterDict()
        self.sizes: dict[str, int] = {}
        for name, count in self.groups.items():
            size = -(-widths[name] // count)
            self.sizes[name] = size
            bound = 1 / math.sqrt(size)
            self.weights[name] = nn.Parameter(torch.empty(count, size, width))
            self.biases[name] = nn.Parameter(torch.empty(count, width))
            nn.init.uniform_(self.weights[name], -bound, bound)
            nn.init.uniform_(self.biases[name], -bound, bound)

    def forward(
        self, clean: Mapping[str, Tensor], masks: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Tokens (batch, time, tokens, width), and which are there (batch, time, tokens)."""
        parts, there = [], []
        for name, count in self.groups.items():
            x, size = clean[name], self.sizes[name]
            x = functional.pad(x, (0, count * size - x.shape[2]))
            x = x.reshape(x.shape[0], x.shape[1], count, size)
            parts.append(torch.einsum("btgs,gsw->btgw", x, self.weights[name]) + self.biases[name])
            there.append(masks[name][:, :, None].expand(-1, -1, count))
        present = torch.cat(there, dim=2)
        return torch.cat(parts, dim=2) * present[..., None], present


class StepTokens(nn.Module):
    """Hidden features as tokens, each told by its course over the last steps of the sequence.

    All tokens share one linear layer from steps to width, so the order of the hidden features
    means nothing; *identity* adds a learned vector to each.

    Args:
        widths: features of each stream.
        tokens: hidden features.
        width: of a token.
        context: steps of a course, the labelled one last.
        identity: whether tokens are told apart.
    """

    def __init__(
        self, widths: Mapping[str, int], tokens: int, width: int, context: int, identity: bool
    ):
        super().__init__()
        self.streams = tuple(widths)
        self.context = context
        self.hidden = nn.Linear(sum(widths.values()), tokens)
        self.course = nn.Linear(context, width)
        self.identity = (
            nn.Parameter(torch.randn(tokens, width) / math.sqrt(width)) if identity else None
        )

    def forward(
        self, clean: Mapping[str, Tensor], masks: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """As :meth:`GroupTokens.forward`; a frame's tokens are all there, or none."""
        there = torch.stack([masks[name] for name in self.streams]).any(dim=0)
        hidden = self.hidden(torch.cat([clean[name] for name in self.streams], dim=2))
        courses = with_context(hidden * there[:, :, None], self.context).transpose(2, 3)
        tokens = self.course(courses)
        if self.identity is not None:
            tokens = tokens + self.identity
        present = there[:, :, None].expand(-1, -1, tokens.shape[2])
        return tokens * present[..., None], present


class FeatureMaps(nn.Module):
    """Query, key and value maps of one side: ``Q = S W^Q``, ``K = S W^K``, ``V = S W^V``.

    Args:
        width: d_s, of the tokens.
        dimensions: d_k and d_v.
    """

    def __init__(self, width: int, dimensions: int):
        super().__init__()
        self.query = nn.Linear(width, dimensions, bias=False)
        self.key = nn.Linear(width, dimensions, bias=False)
        self.value = nn.Linear(width, dimensions, bias=False)

    def attention(self, tokens: Tensor, present: Tensor) -> Tensor:
        """The attention map ``softmax(Q K^T / sqrt(d_k))``, (batch, time, tokens, tokens)."""
        query, key = self.query(tokens), self.key(tokens)
        logits = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        weights: Tensor = logits.masked_fill(~present[..., None, :], MASKED).softmax(dim=-1)
        return weights

    def values(self, tokens: Tensor, present: Tensor) -> Tensor:
        """V, (batch, time, tokens, dimensions), zeros where a token is not there."""
        value: Tensor = self.value(tokens)
        return value * present[..., None]


def multiplied(attention: Tensor, values: Tensor, product: Product) -> Tensor:
    """An attention map times V: the product of matrices, or of elements (then of equal shape)."""
    return attention @ values if product == "matrix" else attention * values


class FeatureSelfAttention(nn.Module):
    """Self-attention of one side's tokens (section II.D, equation 1), one head, nothing added.

    Args:
        width: of the tokens.
        dimensions: d_k and d_v.
        product: how the map is multiplied with V.
    """

    def __init__(self, width: int, dimensions: int, product: Product = "matrix"):
        super().__init__()
        self.maps = FeatureMaps(width, dimensions)
        self.product: Product = product

    def forward(self, tokens: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Attended tokens (batch, time, tokens, dimensions) and the attention map."""
        attention = self.maps.attention(tokens, present)
        return multiplied(attention, self.maps.values(tokens, present), self.product), attention


class CrossModalAttention(nn.Module):
    """Each side's attention map multiplies the other side's values (equations 3 and 4).

    ``F'_ass = softmax(Q_ass K_ass^T / sqrt(d)) V_avc`` and
    ``F'_avc = softmax(Q_avc K_avc^T / sqrt(d)) V_ass``. A map is (tokens, tokens) of one side and
    its values are of the other, so that both sides must have the same number of tokens.

    Args:
        width: of the tokens of both sides.
        dimensions: d_k and d_v.
        product: how a map is multiplied with V.
    """

    def __init__(self, width: int, dimensions: int, product: Product = "matrix"):
        super().__init__()
        self.semantics = FeatureMaps(width, dimensions)
        self.context = FeatureMaps(width, dimensions)
        self.product: Product = product

    def forward(
        self,
        semantics: Tensor,
        semantics_present: Tensor,
        context: Tensor,
        context_present: Tensor,
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """F'_ass and F'_avc (batch, time, tokens, dimensions), and both maps by name."""
        maps = {
            "semantics": self.semantics.attention(semantics, semantics_present),
            "context": self.context.attention(context, context_present),
        }
        of_semantics = self.semantics.values(semantics, semantics_present)
        of_context = self.context.values(context, context_present)
        return (
            multiplied(maps["semantics"], of_context, self.product),
            multiplied(maps["context"], of_semantics, self.product),
            maps,
        )
