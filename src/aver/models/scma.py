"""Fea-TF SCMA and the transformers it is compared with (Upadhyay, Su & Lee).

*Improving induced valence recognition by integrating acoustic sound semantics in movies*, sections
II.C and II.D. Every frame of a film gets one of seven levels of valence, from its audio-visual
context (pictures, optical flow, acoustic descriptors) and from the sound semantics of human sounds
(the last hidden layer of detectors of verbal and of non-verbal sounds).

Variants, the columns of Table II:

- ``fea_tf``: a transformer encoder whose attention is over the features; sound semantics, where
  there are any, are further tokens. Mean over the tokens, two fully connected layers.
- ``temp_tf``: a transformer encoder whose attention is over the frames of the sequence, all
  features of a frame side by side; queries come from the layer below.
- ``cma``: ``fea_tf`` of the context, then cross-modal attention with the sound semantics
  (equations 3 and 4), fused, mean over the tokens, two fully connected layers.
- ``scma``: the same with a self-attention module of each side before the cross-modal attention.

**What the tokens are.** The text speaks of "spectral dependency among audio-visual descriptors", of
a "feature correlation in a different position" and of an input S in R^{k x d_s}, with d_s "an input
segment dimension", and does not say what the k positions are. Both readings are here:

- ``tokens_are = "groups"`` (the default): d_s is the width of a piece of the frame's own features.
  The features are cut into k groups, each brought to the width by its own layer; a frame is
  labelled by itself. With as many groups as streams, a token is a modality (Thao et al. 2021, whose
  Feature AttendAffectNet the text builds on).
- ``tokens_are = "courses"``: d_s is the length of the segment. Features are brought to k hidden
  ones; a token is one of these, told by its values over the last ``context`` frames. The layer from
  there to the width is shared; ``token_identity`` tells tokens apart, without it their order means
  nothing.

**What equations 3 and 4 ask for.** A map of one side, k x k, is multiplied with the values of the
other, so both sides have the same k. With the matrix product row i of F'_ass is a mean of the
context's values, weighed by how the sound semantics attend to each other: position j of one side
stands for position j of the other, though nothing but training brings them together.

**How a map is multiplied with V.** Equation 1 is a matrix product; the text of section II.D says
"the element-wise multiplication is done with attention map and V". ``product = "matrix"`` is the
equation, ``"element"`` the text; the latter asks for as many tokens as dimensions, which 64 of both
would be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from aver.models.blocks import EncoderLayer, sinusoidal_positions
from aver.models.registry import ModelOutput, register_model
from aver.models.scma_parts import (
    CrossModalAttention,
    FeatureSelfAttention,
    GroupTokens,
    Product,
    StepTokens,
)
from aver.models.sequences import SequenceModel
from aver.models.settings import ModelSettings

Variant = Literal["fea_tf", "temp_tf", "cma", "scma"]
TokensAre = Literal["groups", "courses"]
Fuse = Literal["side_by_side", "sum"]


class ScmaSettings(ModelSettings):
    """Settings of ``scma``; the defaults are the paper's where it gives them.

    Attributes:
        variant: which column of Table II.
        semantics: names of the streams that are sound semantics, those of them that are given;
            all others are audio-visual context.
        tokens_are: how attention over features is read; see the module's docstring.
        tokens: k, of each side; with ``groups`` no more than the narrower side has features.
        context: frames of a course (``courses``), the labelled one last; the paper names none.
        token_identity: a learned vector for each token (``courses``).
        product: how an attention map is multiplied with V in the two modules.
        fuse: F'_ass and F'_avc are put side by side, or added.
        width: of tokens and of all queries, keys and values of the two modules (64).
        layers: encoder layers; the paper names none.
        heads: heads of the encoder; the modules have one, as their equations do.
        feed_forward: hidden width of the encoder's feed-forward parts.
        prediction_hidden: width of the first of the two fully connected layers.
        dropout: in the encoder and before the last layer; the paper names none.
        input_dropout: of the features.
        positional_encoding: sinusoidal positions of the frames (``temp_tf``).
    """

    variant: Variant = "fea_tf"
    semantics: tuple[str, ...] = ("verbal", "non_verbal")
    tokens_are: TokensAre = "groups"
    tokens: int = Field(16, ge=1)
    context: int = Field(5, ge=1)
    token_identity: bool = True
    product: Product = "matrix"
    fuse: Fuse = "side_by_side"
    width: int = Field(64, ge=2)
    layers: int = Field(1, ge=1)
    heads: int = Field(4, ge=1)
    feed_forward: int = Field(64, ge=1)
    prediction_hidden: int = Field(64, ge=1)
    dropout: float = Field(0.1, ge=0.0, lt=1.0)
    input_dropout: float = Field(0.0, ge=0.0, lt=1.0)
    positional_encoding: bool = True


@register_model("scma")
class Scma(SequenceModel):
    """Labels every frame of a sequence; see the module's docstring.

    ``attention`` of the output holds ``features`` (batch, time, layers, heads, tokens, tokens), or
    ``frames`` (batch, layers, heads, time, time) with ``temp_tf``; with ``scma``
    ``self_semantics`` and ``self_context``, with both of the modules' variants ``cross_semantics``
    and ``cross_context``, each (batch, time, tokens, tokens).

    Raises:
        ValueError: if a variant with cross-modal attention has no stream of sound semantics or
            none of context, if the width does not divide into the heads, if tokens are fewer than
            streams, or if ``product = "element"`` has other tokens than width.
    """

    Settings = ScmaSettings
    settings: ScmaSettings

    def __init__(
        self,
        settings: ScmaSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        s = settings
        semantics = {name: d for name, d in dimensions.items() if name in s.semantics}
        context = {name: d for name, d in dimensions.items() if name not in semantics}
        crossed = s.variant in ("cma", "scma")
        if crossed and not (semantics and context):
            which = "sound semantics" if not semantics else "audio-visual context"
            raise ValueError(
                f"variant '{s.variant}' has no stream of {which} among {', '.join(dimensions)}; "
                f"'semantics' names {', '.join(s.semantics) or 'none'}"
            )
        if s.width % s.heads:
            raise ValueError(f"width {s.width} does not divide into {s.heads} heads")
        self.input_dropout = nn.Dropout(s.input_dropout)
        self.crossed = crossed
        if s.variant == "temp_tf":
            self.inputs = nn.Linear(sum(dimensions.values()), s.width)
            self.positions: Tensor
            table = sinusoidal_positions(self.time, s.width) * s.positional_encoding
            self.register_buffer("positions", table, persistent=False)
        else:
            sides = {"context": context, "semantics": semantics}
            self.tokens = nn.ModuleDict(_tokens(s, {n: w for n, w in sides.items() if w}))
        self.encoder = nn.ModuleList(
            EncoderLayer(s.width, s.heads, s.feed_forward, s.dropout) for _ in range(s.layers)
        )
        if s.variant == "scma":
            self.self_attention = nn.ModuleDict(
                {
                    side: FeatureSelfAttention(s.width, s.width, s.product)
                    for side in ("context", "semantics")
                }
            )
        if crossed:
            self.cross = CrossModalAttention(s.width, s.width, s.product)
        pooled = 2 * s.width if crossed and s.fuse == "side_by_side" else s.width
        self.predict = nn.Sequential(
            nn.Linear(pooled, s.prediction_hidden),
            nn.ReLU(),
            nn.Dropout(s.dropout),
            nn.Linear(s.prediction_hidden, classes),
        )

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """Label every frame; logits (batch, time, classes)."""
        there = self.any_there(masks)
        clean = {name: self.input_dropout(x) for name, x in self.clean(streams, masks).items()}
        if self.settings.variant == "temp_tf":
            frames, attention = self._over_frames(clean, there)
        else:
            frames, attention = self._over_features(clean, masks)
        return ModelOutput(self.predict(frames) * there[:, :, None], {}, attention)

    def _over_frames(
        self, clean: dict[str, Tensor], there: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        x = self.inputs(torch.cat(list(clean.values()), dim=2))
        x = x + self.positions[: x.shape[1]]
        weights = []
        for layer in self.encoder:
            x, found = layer(x, there)
            weights.append(found)
        return x, {"frames": torch.stack(weights, dim=1)}

    def _over_features(
        self, clean: dict[str, Tensor], masks: dict[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        sides = {side: tokens(clean, masks) for side, tokens in self.tokens.items()}
        if not self.crossed:
            tokens = torch.cat([x for x, _ in sides.values()], dim=2)
            present = torch.cat([mask for _, mask in sides.values()], dim=2)
            tokens, attention = self._encoded(tokens, present)
            return _mean(tokens, present), attention
        (context, context_there), (semantics, semantics_there) = (
            sides["context"],
            sides["semantics"],
        )
        context, attention = self._encoded(context, context_there)
        if self.settings.variant == "scma":
            context, attention["self_context"] = self.self_attention["context"](
                context, context_there
            )
            semantics, attention["self_semantics"] = self.self_attention["semantics"](
                semantics, semantics_there
            )
        of_semantics, of_context, maps = self.cross(
            semantics, semantics_there, context, context_there
        )
        attention |= {f"cross_{side}": weights for side, weights in maps.items()}
        if self.settings.fuse == "sum":
            return (of_semantics + of_context).mean(dim=2), attention
        return torch.cat([of_semantics, of_context], dim=3).mean(dim=2), attention

    def _encoded(self, tokens: Tensor, present: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Tokens after the encoder; it sees each frame by itself."""
        batch, time, count, width = tokens.shape
        x, mask = tokens.reshape(batch * time, count, width), present.reshape(batch * time, count)
        weights = []
        for layer in self.encoder:
            x, found = layer(x, mask)
            weights.append(found)
        stacked = torch.stack(weights, dim=1)
        shape = (batch, time, *stacked.shape[1:])
        return x.reshape(batch, time, count, width), {"features": stacked.reshape(shape)}


def _mean(tokens: Tensor, present: Tensor) -> Tensor:
    """Mean of the tokens there, (batch, time, width); zeros of a frame without any."""
    weight = present.to(tokens.dtype)[..., None]
    return (tokens * weight).sum(dim=2) / weight.sum(dim=2).clamp(min=1.0)


def _tokens(settings: ScmaSettings, sides: Mapping[str, Mapping[str, int]]) -> dict[str, nn.Module]:
    """What makes tokens of each side, as many of one as of the other."""
    s = settings
    count = s.tokens
    if s.tokens_are == "groups":
        count = min(count, *(sum(widths.values()) for widths in sides.values()))
    if s.product == "element" and s.variant in ("cma", "scma") and count != s.width:
        raise ValueError(
            f"product 'element' asks for as many tokens as width, not {count} and {s.width}"
        )
    if s.tokens_are == "groups":
        return {side: GroupTokens(widths, count, s.width) for side, widths in sides.items()}
    return {
        side: StepTokens(widths, count, s.width, s.context, s.token_identity)
        for side, widths in sides.items()
    }
