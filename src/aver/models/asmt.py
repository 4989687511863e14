"""The audio-saliency masking transformer (Wu, Li & Lee) and its rivals of Table 2.

Acoustic descriptors of a sequence of T segments are brought to a hidden width by one linear layer,
weighed element by element with learned masks, and read by a transformer encoder that labels every
segment. One mask refers to the descriptors themselves, the other to an auditory saliency map.

**Equation 4.** ``A[i, j] = W (H_a[:, i] || H_b[:, j])`` with W of size 1 x 2T, then a softmax
``exp(A[i, j]) / sum_{k=0}^{D2-1} exp(A[i, k])``. The sum's bound D2 is the number of reference
features, which are the first index; the summed index k stands in the place of the second, of which
there are D1. Both readings are here:

- ``softmax_over = "reference"`` (the default) keeps the bound and sums over the first index. Each
  column of the matrix sums to 1, so that ``M = H_a A`` (equation 3) is a weighted mean of the
  reference features.
- ``softmax_over = "descriptors"`` keeps the place and sums over the second. Each row sums to 1: a
  segment's reference features are handed out over the hidden descriptors.

**What follows from W being linear.** ``A[i, j] = u[i] + v[j]``: one half of W makes u out of the
reference, the other v out of the descriptors, and the softmax over one index cancels the other's
term. With ``reference`` the weights are ``softmax(u)``, the same for every j, and the mask is one
number a segment, shared by all hidden descriptors. With ``descriptors`` they are ``softmax(v)``,
and the mask is a segment's sum of reference features times one weight a hidden descriptor. Only
the second tells descriptors apart, as Table 3 does. ``pooling_activation = "leaky_relu"`` bends the
scores before the softmax as graph attention does (Velickovic et al. 2018, equation 3, the same
form of score), after which both readings tell them apart; the text has no such bend.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as functional
from pydantic import Field
from torch import Tensor, nn

from aver.models.blocks import EncoderLayer, sinusoidal_positions
from aver.models.registry import ModelOutput, register_model
from aver.models.sequences import SequenceModel
from aver.models.settings import ModelSettings

Variant = Literal["tfm", "sa", "asm", "asm_sa", "aas", "asmt"]
SoftmaxOver = Literal["reference", "descriptors"]
Activation = Literal["none", "leaky_relu"]

# Whether a variant has a mask from the saliency map (as it is, or pooled) and one from itself.
_SALIENCY_MASK = {"asm": "as_is", "asm_sa": "as_is", "aas": "pooled", "asmt": "pooled"}
_SELF_MASK = ("sa", "asm_sa", "asmt")
_LEAK = 0.2


class AsmtSettings(ModelSettings):
    """Settings of ``asmt``; the defaults are the paper's where it gives them.

    Attributes:
        variant: which row of Table 2 (section 3.2). ``tfm``: no mask. ``sa``: the self-adjusted
            mask. ``aas``: the mask pooled with the saliency map. ``asmt``: both of these.
            ``asm``: a linear layer of the saliency map is the mask, nothing is pooled.
            ``asm_sa``: that and the self-adjusted mask.
        softmax_over: how equation 4 is read; see the module's docstring.
        pooling_activation: bend of equation 4's scores; the paper has none.
        width: D1, the hidden width of descriptors and transformer (32 or 64 in the paper).
        saliency_width: D2, the hidden width of the saliency map.
        layers: layers of the transformer encoder (2).
        heads: its heads (2).
        feed_forward: hidden width of its feed-forward parts (32 or 64 in the paper).
        input_dropout: dropout on the hidden descriptors (0.5).
        saliency_dropout: dropout on the hidden saliency; the paper names none.
        dropout: dropout inside the encoder; the paper names none, this is the usual one.
        positional_encoding: add sinusoidal positions before the encoder; the paper names none.
        descriptors: name of the stream of acoustic descriptors (1,582 in the paper).
        saliency: name of the stream of pooled saliency maps (257 in the paper).
    """

    variant: Variant = "asmt"
    softmax_over: SoftmaxOver = "reference"
    pooling_activation: Activation = "none"
    width: int = Field(64, ge=2)
    saliency_width: int = Field(64, ge=1)
    layers: int = Field(2, ge=1)
    heads: int = Field(2, ge=1)
    feed_forward: int = Field(64, ge=1)
    input_dropout: float = Field(0.5, ge=0.0, lt=1.0)
    saliency_dropout: float = Field(0.0, ge=0.0, lt=1.0)
    dropout: float = Field(0.1, ge=0.0, lt=1.0)
    positional_encoding: bool = False
    descriptors: str = "emobase2010"
    saliency: str = "auditory_saliency"

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that the variant reads."""
        if self.variant in _SALIENCY_MASK:
            return (self.descriptors, self.saliency)
        return (self.descriptors,)


class MaskPooling(nn.Module):
    """The trainable global pooling of section 2.3.2: equations 3 and 4.

    Args:
        time: T, segments of a sequence.
        softmax_over: the reading of equation 4.
        activation: bend of the scores.
    """

    def __init__(
        self, time: int, softmax_over: SoftmaxOver = "reference", activation: Activation = "none"
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, 2 * time))
        nn.init.uniform_(self.weight, -1 / math.sqrt(2 * time), 1 / math.sqrt(2 * time))
        self.softmax_over, self.activation = softmax_over, activation

    def matrix(self, reference: Tensor, descriptors: Tensor) -> Tensor:
        """The matrix of equation 4, (batch, D2, D1); sums to 1 over one of its axes.

        Args:
            reference: (batch, time, D2), zeros in segments that are not there.
            descriptors: (batch, time, D1), the same.
        """
        by_reference, by_descriptors = self.weight[0].chunk(2)
        time = reference.shape[1]
        u = (reference * by_reference[:time, None]).sum(dim=1)
        v = (descriptors * by_descriptors[:time, None]).sum(dim=1)
        scores = u[:, :, None] + v[:, None, :]
        if self.activation == "leaky_relu":
            scores = functional.leaky_relu(scores, _LEAK)
        return scores.softmax(dim=1 if self.softmax_over == "reference" else 2)

    def forward(self, reference: Tensor, descriptors: Tensor) -> Tensor:
        """The mask of equation 3, (batch, time, D1)."""
        return reference @ self.matrix(reference, descriptors)


class FrontEnd(NamedTuple):
    """What an ASMT makes of a batch before its encoder reads it.

    Attributes:
        hidden: H^b, the hidden descriptors, (batch, time, D1), zeros in absent segments.
        masks: each (batch, time, D1), zeros in absent segments. ``saliency`` is M^ab (the linear
            layer's mask with ``asm`` and ``asm_sa``), ``self`` is M^bb, and ``effective`` what the
            descriptors are multiplied with: equations 1 and 2 make
            ``alpha M^ab + (1 - alpha) M^bb`` of the two. Empty for ``tfm``.
        there: (batch, time) bool, the segments that are there.
    """

    hidden: Tensor
    masks: dict[str, Tensor]
    there: Tensor


@register_model("asmt")
class Asmt(SequenceModel):
    """The masking transformer and the variants it is compared with; see the module's docstring.

    A segment counts as there when every stream of the variant has it. ``attention`` of the output
    holds ``segments`` (batch, layers, heads, time, time).

    Raises:
        ValueError: if a stream is missing, or one given that the variant does not read; if the
            width does not divide into the heads, or is odd with positions.
    """

    Settings = AsmtSettings
    settings: AsmtSettings

    def __init__(
        self,
        settings: AsmtSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        s = settings
        _check_streams(s, dimensions)
        self.descriptors = nn.Linear(dimensions[s.descriptors], s.width)
        self.input_dropout = nn.Dropout(s.input_dropout)
        kind = _SALIENCY_MASK.get(s.variant)
        if kind is not None:
            width = s.saliency_width if kind == "pooled" else s.width
            self.saliency = nn.Linear(dimensions[s.saliency], width)
            self.saliency_dropout = nn.Dropout(s.saliency_dropout)
        pooling = (self.time, s.softmax_over, s.pooling_activation)
        self.saliency_pooling = MaskPooling(*pooling) if kind == "pooled" else None
        self.self_pooling = MaskPooling(*pooling) if s.variant in _SELF_MASK else None
        both = kind is not None and self.self_pooling is not None
        self.alpha = nn.Parameter(torch.tensor(0.5)) if both else None
        self.positions: Tensor
        if s.positional_encoding:
            table = sinusoidal_positions(self.time, s.width)
            self.register_buffer("positions", table, persistent=False)
        self.encoder = nn.ModuleList(
            EncoderLayer(s.width, s.heads, s.feed_forward, s.dropout) for _ in range(s.layers)
        )
        self.predict = nn.Linear(s.width, classes)

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """Label every segment; logits (batch, time, classes)."""
        x, found, there = self.front_end(streams, masks)
        if "effective" in found:
            x = x * found["effective"]
        if self.settings.positional_encoding:
            x = x + self.positions[: x.shape[1]]
        weights = []
        for layer in self.encoder:
            x, attention = layer(x, there)
            weights.append(attention)
        logits = self.predict(x) * there[:, :, None]
        return ModelOutput(logits, {}, {"segments": torch.stack(weights, dim=1)})

    def front_end(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> FrontEnd:
        """What stands before the encoder; arguments as of :meth:`forward`."""
        s = self.settings
        there = torch.stack([masks[name] for name in s.streams]).all(dim=0)
        present = there[:, :, None]
        clean = self.clean(streams, masks)
        hidden = self.input_dropout(self.descriptors(clean[s.descriptors])) * present
        found: dict[str, Tensor] = {}
        if s.saliency in s.streams:
            reference = self.saliency_dropout(self.saliency(clean[s.saliency])) * present
            pool = self.saliency_pooling
            found["saliency"] = reference if pool is None else pool(reference, hidden)
        if self.self_pooling is not None:
            found["self"] = self.self_pooling(hidden, hidden)
        if self.alpha is not None:
            found["effective"] = self.alpha * found["saliency"] + (1 - self.alpha) * found["self"]
        elif found:
            found["effective"] = next(iter(found.values()))
        return FrontEnd(hidden, found, there)


def _check_streams(settings: AsmtSettings, dimensions: Mapping[str, int]) -> None:
    needed = settings.streams
    for name in needed:
        if name not in dimensions:
            raise ValueError(
                f"variant '{settings.variant}' reads the streams {' and '.join(needed)}, "
                f"and there is only {', '.join(dimensions)}"
            )
    for name in dimensions:
        if name not in needed:
            raise ValueError(f"variant '{settings.variant}' does not read the stream '{name}'")
