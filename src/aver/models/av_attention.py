"""``av_attention``: representation, attention, fusion and head picked by name.

The parts that the review "Audio-Visual Emotion Recognition" (Matveev et al. 2023, section 2)
names, as settings of one network, so that each can be changed alone and compared:

- representation: the stream's extractor, and a branch that makes feature maps of it
  (:mod:`aver.models.branches`);
- attention within and between the streams (:mod:`aver.models.attention_stages`);
- fusion of the streams: of features laid side by side (``early``), by attention (``attention``), or
  of each stream's own decision (``decision_mean``, ``decision_vote``, ``decision_weighted``);
- head: flatten and dense layers, or class activation maps (:mod:`aver.models.blocks_heads`).

Windows have no positions: but for branches that reach over time, their order does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from aver.models.attention_stages import STAGES, Attention, JointStage, Stage, StageSettings
from aver.models.blocks_attention import TemporalAttention
from aver.models.blocks_heads import (
    ClassActivationHead,
    DecisionFusion,
    FlattenHead,
    fuse_decisions,
    mean_weights,
)
from aver.models.branches import (
    BranchSettings,
    Shape,
    branch_names,
    make_branch,
    nearest,
)
from aver.models.registry import ModelOutput, register_model
from aver.models.settings import ModelSettings
from aver.models.streams import StreamModel, has_any

Maps = dict[str, Tensor]
Fusion = Literal["early", "attention", "decision_mean", "decision_vote", "decision_weighted"]
Head = Literal["flatten", "class_activation_map"]
_MOST_FLAT = 1 << 16


class AvAttentionSettings(ModelSettings):
    """Settings of ``av_attention``.

    Attributes:
        branch: the branch of each stream by name; a stream left out gets ``projection``.
        picture: (height, width) of the pictures of a stream whose row does not say.
        shrink: by stream, pictures are averaged over so many rows and columns first.
        fused_by: how streams are fused; of no effect with a single stream. (A recipe's own
            ``fusion`` fuses whole systems.)
        attention: ``none``, within a stream ``channel`` (squeeze-and-excitation), ``spatial``,
            ``cbam`` (both), ``temporal`` (weights of the windows where they are pooled),
            ``augmented`` (attention-augmented convolution), or between streams ``cross`` or
            ``split``.
        head: ``flatten`` or ``class_activation_map``.
        width: channels of all feature maps.
        channels: channels of a branch's convolutions before the last.
        prediction_hidden: cells of hidden layers, of the flattening head (0 leaves it a single
            layer) and of dense branches.
        heads: heads of dot-product attention; they must divide ``width``.
        reduction: a gate's hidden layer is so many times smaller than what it gates.
        blocks: blocks of a stream's channels in split attention.
        dropout: before dense layers, and of attention weights.
    """

    branch: dict[str, str] = Field(default_factory=dict)
    picture: dict[str, tuple[int, int]] = Field(default_factory=dict)
    shrink: dict[str, tuple[int, int]] = Field(default_factory=dict)
    fused_by: Fusion = "early"
    attention: Attention = "none"
    head: Head = "flatten"
    width: int = Field(32, ge=1)
    channels: tuple[int, ...] = (8, 16)
    prediction_hidden: int = Field(64, ge=0)
    heads: int = Field(4, ge=1)
    reduction: int = Field(4, ge=1)
    blocks: int = Field(4, ge=1)
    dropout: float = Field(0.2, ge=0.0, lt=1.0)

    @field_validator("fused_by", "attention", "head", mode="before")
    @classmethod
    def _known(cls, value: Any, info: Any) -> Any:
        known = {"fused_by": Fusion, "attention": Attention, "head": Head}[info.field_name]
        names = list(get_args(known))
        if value not in names:
            raise ValueError(f"there is no '{value}'; {nearest(str(value), names)}")
        return value

    @field_validator("branch")
    @classmethod
    def _known_branches(cls, branch: dict[str, str]) -> dict[str, str]:
        for stream, name in branch.items():
            if name not in branch_names():
                hint = nearest(name, branch_names())
                raise ValueError(f"stream '{stream}': there is no branch '{name}'; {hint}")
        return branch

    @field_validator("channels")
    @classmethod
    def _positive(cls, channels: tuple[int, ...]) -> tuple[int, ...]:
        if any(width < 1 for width in channels):
            raise ValueError("a convolution needs one channel at least")
        return channels


@register_model("av_attention")
class AvAttention(StreamModel):
    """Branches, attention, fusion and head by name; see the module's docstring.

    ``branches`` of the output holds each stream's logits where decisions are fused. ``attention``
    holds, by ``<stream>_<what>``:

    - weights that sum to 1 over their last axis, (batch, layers, heads, queries, keys):
      ``_to_others`` (cross), ``_augmented``, ``_windows`` (temporal); and ``joint`` and ``streams``
      where streams are fused by attention;
    - ``_split`` (batch, blocks, channels), 1 over all streams' blocks together;
    - gates between 0 and 1: ``_channel_gate`` (batch, channels), ``_spatial_gate``
      (batch, time, height, width);
    - ``_class_map`` (batch, classes, time, height, width), how much each place speaks for a class.

    Raises:
        ValueError: if the parts do not fit each other or the streams.
    """

    Settings = AvAttentionSettings
    settings: AvAttentionSettings

    def __init__(
        self,
        settings: AvAttentionSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        s = settings
        for what in ("branch", "picture", "shrink"):
            for name in getattr(s, what):
                if name not in self.dimensions:
                    hint = nearest(name, list(self.dimensions))
                    raise ValueError(f"{what} names the stream '{name}', which is not read; {hint}")
        self.encoders, shapes = nn.ModuleDict(), {}
        for name, dimension in self.dimensions.items():
            encoder = self._branch(name, dimension)
            self.encoders[name], shapes[name] = encoder, encoder.shape
        self._check(shapes)
        sizes = StageSettings(s.heads, s.reduction, s.blocks, s.dropout)
        self.stage: Stage = STAGES[s.attention](shapes, self.windows, sizes)
        self.fuse: Stage | None = None
        if s.fused_by == "attention" and len(shapes) > 1:
            self.fuse = JointStage(shapes, self.windows, sizes)
        self.time = nn.ModuleDict()
        if s.attention == "temporal":
            self.time.update({name: TemporalAttention(s.width) for name in shapes})
        self.decides_late = s.fused_by.startswith("decision") and len(shapes) > 1
        each = [{name: shape} for name, shape in shapes.items()] if self.decides_late else [shapes]
        self.heads = nn.ModuleList(self._head(shape) for shape in each)
        self.stream_weights: nn.Parameter | None = None
        if self.decides_late and s.fused_by == "decision_weighted":
            self.stream_weights = nn.Parameter(torch.zeros(len(shapes)))

    def _branch(self, name: str, dimension: int) -> Any:
        s = self.settings
        kind = s.branch.get(name, "projection")
        sizes = BranchSettings(
            s.width,
            s.channels,
            max(1, s.prediction_hidden),
            s.dropout,
            s.picture.get(name),
            s.shrink.get(name, (1, 1)),
        )
        try:
            return make_branch(kind, dimension, sizes)
        except ValueError as error:
            raise ValueError(f"stream '{name}', branch '{kind}': {error}") from None

    def _check(self, shapes: Mapping[str, Shape]) -> None:
        """Refuse heads and attentions that cannot be of use with these maps."""
        s = self.settings
        attends = s.attention in ("cross", "augmented") or s.fused_by == "attention"
        if attends and (
            s.width % s.heads or (s.attention == "augmented" and s.width // 2 % s.heads)
        ):
            raise ValueError(
                f"width {s.width} (or half of it) does not divide into {s.heads} heads"
            )
        places = {name: shape[1] * shape[2] * self.windows[name] for name, shape in shapes.items()}
        if s.head == "class_activation_map" and max(places.values()) == 1:
            raise ValueError(
                "the head 'class_activation_map' needs maps, but every stream is one vector a "
                "clip; use windows, a branch with pictures, or the head 'flatten'"
            )
        if s.attention == "temporal" and max(self.windows.values()) == 1:
            raise ValueError(
                "temporal attention needs windows, but every stream is one vector a clip; use "
                "windows, or the attention 'channel'"
            )
        flat = sum(channels * height * width for channels, height, width in shapes.values())
        if s.head == "flatten" and flat > _MOST_FLAT:
            raise ValueError(
                f"the head 'flatten' would get {flat} values a window, more than {_MOST_FLAT}; "
                "shrink the pictures, or use the head 'class_activation_map'"
            )

    def _head(self, shapes: Mapping[str, Shape]) -> nn.Module:
        s = self.settings
        if s.head == "class_activation_map":
            return ClassActivationHead(shapes, self.classes)
        return FlattenHead(shapes, s.prediction_hidden, self.classes, s.dropout)

    def forward(self, streams: Maps, masks: Maps) -> ModelOutput:
        """Classify."""
        maps, present = {}, {}
        for name, x in self.clean(streams, masks).items():
            maps[name], present[name] = self.encoders[name](x, masks[name])
        maps, attention = self.stage(maps, present)
        if self.fuse is not None:
            maps, found = self.fuse(maps, present)
            attention = attention | found
        weights = {name: mean_weights(mask, maps[name].dtype) for name, mask in present.items()}
        for name, attend in self.time.items():
            weights[name] = attend(maps[name].mean(dim=(3, 4)), present[name])
            attention[f"{name}_windows"] = weights[name][:, None, None, None]
        results = [head(maps, weights) for head in self.heads]
        for _, found in results:
            attention |= {f"{name}_class_map": each for name, each in found.items()}
        if not self.decides_late:
            return ModelOutput(results[0][0], {}, attention)
        has = {name: has_any(mask) for name, mask in present.items()}
        logits = {
            name: one * has[name].to(one.dtype)
            for name, (one, _) in zip(present, results, strict=True)
        }
        shares = torch.ones(len(logits), device=results[0][0].device)
        if self.stream_weights is not None:
            shares = self.stream_weights.softmax(dim=0)
        fused = fuse_decisions(
            cast(DecisionFusion, self.settings.fused_by),
            torch.stack(list(logits.values())),
            torch.stack([each[:, 0] for each in has.values()]),
            shares,
            training=self.training,
        )
        return ModelOutput(fused, logits, attention)
