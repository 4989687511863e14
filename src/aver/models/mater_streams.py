"""MATER (Ghaleb et al. 2020) over any number of named streams.

The paper has two streams, face and voice, of 512-d embeddings. Here each stream has a branch of
its own, built of the same parts as :mod:`aver.models.mater`: positions, six encoder layers, mean
over the windows, two fully connected layers; the branches' predictions are averaged over the
streams that a clip has (equation 3). A stream of another width than ``width`` passes through one
linear layer first. A stream of one row, a feature of the whole clip, is a sequence of length 1:
its attention is the identity and only the feed-forward parts work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from pydantic import Field
from torch import Tensor, nn

from aver.models.blocks import masked_mean
from aver.models.mater import Branch, MaterSettings
from aver.models.registry import ModelOutput, register_model
from aver.models.settings import ModelSettings
from aver.models.streams import StreamModel, has_any


class MaterStreamsSettings(ModelSettings):
    """Settings of MATER over streams; the defaults are the paper's.

    Attributes:
        width: width of the encoders; 0 takes each stream's own width, as the paper does.
        layers: encoder layers (6).
        heads: attention heads.
        feed_forward: hidden width of the encoders' feed-forward part.
        prediction_hidden: hidden width of the two fully connected layers.
        dropout: dropout inside the encoder.
        input_dropout: dropout on the features before the branch.
        positional_encoding: False is the ablation without it (Table 1).
        attention: False is the ablation without it, feed-forward kept (Table 1, section 3.2).
        scale_embeddings: multiply embeddings by sqrt(width) before adding positions; right for
            l2-normalised embeddings, wrong for standardised ones.
        norm_first: layer norm before each part (easier to train) instead of after.
    """

    width: int = Field(0, ge=0)
    layers: int = Field(6, ge=0)
    heads: int = Field(8, ge=1)
    feed_forward: int = Field(2048, ge=1)
    prediction_hidden: int = Field(256, ge=1)
    dropout: float = Field(0.1, ge=0.0, lt=1.0)
    input_dropout: float = Field(0.0, ge=0.0, lt=1.0)
    positional_encoding: bool = True
    attention: bool = True
    scale_embeddings: bool = True
    norm_first: bool = False


@register_model("mater")
class MaterStreams(StreamModel):
    """One MATER branch a stream, averaged; see the module's docstring and :class:`StreamModel`.

    Raises:
        ValueError: if a width is odd or does not divide into the heads.
    """

    Settings = MaterStreamsSettings
    settings: MaterStreamsSettings

    def __init__(
        self,
        settings: MaterStreamsSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        s = settings
        self.inputs, self.branches = nn.ModuleDict(), nn.ModuleDict()
        for name, dimension in self.dimensions.items():
            width = s.width or dimension
            if width % 2 or (s.attention and width % s.heads):
                raise ValueError(
                    f"stream '{name}' is {width} wide, which is odd or does not divide into "
                    f"{s.heads} heads (set width)"
                )
            projection = nn.Linear(dimension, width) if width != dimension else nn.Identity()
            self.inputs[name] = nn.Sequential(nn.Dropout(s.input_dropout), projection)
            sizes = s.model_dump(exclude={"width", "input_dropout"})
            self.branches[name] = Branch(
                MaterSettings(
                    classes=classes, dimensions=width, windows=self.windows[name], **sizes
                )
            )

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """Average of the branches of the streams a clip has; zeros where it has none."""
        logits: dict[str, Tensor] = {}
        attention: dict[str, Tensor] = {}
        there = []
        for name, x in self.clean(streams, masks).items():
            branch, mask = cast(Branch, self.branches[name]), masks[name]
            encoded, weights = branch.encode(self.inputs[name](x), mask)
            has = has_any(mask).to(x.dtype)
            there.append(has)
            logits[name] = branch.predict(masked_mean(encoded, mask)) * has
            if weights:
                attention[name] = torch.stack(weights, dim=1)
        total = torch.stack(list(logits.values())).sum(dim=0)
        count = torch.stack(there).sum(dim=0).clamp(min=1.0)
        return ModelOutput(total / count, logits, attention)
