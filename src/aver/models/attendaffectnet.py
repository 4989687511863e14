"""The Feature AttendAffectNet (Thao, Balamurali, Roig & Herremans 2021, "AttendAffectNet").

Every modality of a five-second segment (pictures, motion, sound) is one vector, reduced to 8
numbers; the modalities, in no order and without positions, are the sequence that a transformer
encoder attends over. The mean over the modalities gives the answer.

Six networks that the authors published (arousal or valence; sound, picture or both) are read by
:func:`load_published`, which uses the names of their files. Their layers are pre-norm; their layer
norm divides by the unbiased standard deviation plus 1e-6; their feed-forward part is one layer,
``relu(W x)`` in the audio-visual networks and ``W (x + tanh x)`` in the others, which also have a
tanh before the output.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from aver.errors import ModelError
from aver.models.blocks import SelfAttention, masked_mean
from aver.models.registry import ModelOutput, register_model
from aver.models.sequences import SequenceModel
from aver.models.settings import ModelSettings
from aver.models.streams import StreamModel

PUBLISHED_MODALITIES = {
    "resnet50": 2048,
    "flownet": 1024,
    "i3d": 1024,
    "vggish": 128,
    "emobase2010": 1582,
}
"""Modalities of the published networks in the order of their numbers 1 to 5, with their widths."""

# Far below any variance that occurs: keeps the root's slope finite where a vector is flat.
_LEAST_VARIANCE = 1e-30
# Made with the audio-visual networks and never used by them: the values are those of a fresh layer.
_NEVER_USED = {"src_embed.0.lut.weight", "src_embed.0.lut.bias"}


class AttendAffectNetSettings(ModelSettings):
    """Settings of ``attendaffectnet``; the defaults are the authors' audio-visual network.

    Attributes:
        width: numbers that each modality is reduced to (8).
        layers: encoder layers (6).
        heads: attention heads (2).
        dropout: in the feed-forward part and after each part (0.5).
        attention_dropout: on the attention weights (0.1).
        output_dropout: before the output (0.1).
        feed_forward_kind: ``relu`` is ``relu(W x)``; ``residual_tanh`` is ``W (x + tanh x)``, as
            in the authors' networks of sound alone and picture alone.
        output_tanh: tanh of the mean over modalities, as in the same networks.
    """

    width: int = Field(8, ge=2)
    layers: int = Field(6, ge=1)
    heads: int = Field(2, ge=1)
    dropout: float = Field(0.5, ge=0.0, lt=1.0)
    attention_dropout: float = Field(0.1, ge=0.0, lt=1.0)
    output_dropout: float = Field(0.1, ge=0.0, lt=1.0)
    feed_forward_kind: Literal["relu", "residual_tanh"] = "relu"
    output_tanh: bool = False


class UnbiasedLayerNorm(nn.Module):
    """``weight * (x - mean) / (deviation + 1e-6) + bias``, the deviation over n - 1.

    Args:
        width: of the vectors, at least 2.
    """

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = (centred * centred).sum(dim=-1, keepdim=True) / (x.shape[-1] - 1)
        deviation = variance.clamp(min=_LEAST_VARIANCE).sqrt()
        return self.weight * centred / (deviation + 1e-6) + self.bias


class ModalityLayer(nn.Module):
    """One pre-norm encoder layer over the modalities."""

    def __init__(self, settings: AttendAffectNetSettings):
        super().__init__()
        s = settings
        self.attention_norm = UnbiasedLayerNorm(s.width)
        self.attention = SelfAttention(s.width, s.heads, s.attention_dropout)
        self.feed_forward_norm = UnbiasedLayerNorm(s.width)
        self.feed_forward = nn.Linear(s.width, s.width)
        self.dropout = nn.Dropout(s.dropout)
        self.kind = s.feed_forward_kind

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """(rows, modalities, width) to the same, and the attention weights."""
        mixed, weights = self.attention(self.attention_norm(x), present)
        x = x + self.dropout(mixed)
        inner = self.feed_forward_norm(x)
        if self.kind == "relu":
            inner = self.dropout(self.feed_forward(inner).relu())
        else:
            inner = self.feed_forward(self.dropout(inner + inner.tanh()))
        return x + self.dropout(inner), weights


class AttendAffectNet(nn.Module):
    """Modalities to numbers; see the module's docstring.

    Args:
        settings: sizes and kind.
        dimensions: width of each modality.
        outputs: numbers that come out: 1 for a value, else one a class.

    Raises:
        ValueError: if the width does not divide into the heads.
    """

    def __init__(
        self, settings: AttendAffectNetSettings, dimensions: Mapping[str, int], outputs: int = 1
    ):
        super().__init__()
        s = settings
        self.modalities = tuple(dimensions)
        self.inputs = nn.ModuleDict({n: nn.Linear(d, s.width) for n, d in dimensions.items()})
        self.layers = nn.ModuleList(ModalityLayer(s) for _ in range(s.layers))
        self.norm = UnbiasedLayerNorm(s.width)
        self.dropout = nn.Dropout(s.output_dropout)
        self.output = nn.Linear(s.width, outputs)
        self.output_tanh = s.output_tanh

    def forward(
        self, features: Mapping[str, Tensor], present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Answer for each row.

        Args:
            features: (rows, dimension) by modality.
            present: (rows, modalities) bool, in the model's order; None if all are there. What is
                not there is neither attended to nor averaged.

        Returns:
            (rows, outputs) and the attention weights (rows, layers, heads, modalities, modalities).
        """
        x = torch.stack([self.inputs[name](features[name]) for name in self.modalities], dim=1)
        if present is None:
            present = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        weights = []
        for layer in self.layers:
            x, attention = layer(x, present)
            weights.append(attention)
        mean = masked_mean(self.norm(x), present)
        if self.output_tanh:
            mean = mean.tanh()
        return self.output(self.dropout(mean)), torch.stack(weights, dim=1)


@register_model("attendaffectnet")
class AttendAffectNetSequence(SequenceModel):
    """AttendAffectNet on every segment of a sequence, each by itself, as a classifier.

    ``attention`` of the output holds ``modalities``, (batch, time, layers, heads, modalities,
    modalities), in the order of the streams.
    """

    Settings = AttendAffectNetSettings

    def __init__(
        self,
        settings: AttendAffectNetSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        self.network = AttendAffectNet(settings, dimensions, classes)

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """Label every segment; logits (batch, time, classes)."""
        flat = {name: x.flatten(0, 1) for name, x in self.clean(streams, masks).items()}
        present = torch.stack([masks[name].flatten() for name in self.dimensions], dim=1)
        logits, weights = self.network(flat, present)
        shape = next(iter(masks.values())).shape
        logits = logits.reshape(-1, shape[1], self.classes) * self.any_there(masks)[:, :, None]
        return ModelOutput(logits, {}, {"modalities": weights.unflatten(0, (-1, shape[1]))})


@register_model("attendaffectnet_clip")
class AttendAffectNetClip(StreamModel):
    """AttendAffectNet on whole clips: the mean over each stream's windows is its modality.

    The authors average the features of frames and sound windows over the segment in the same way.
    ``attention`` of the output holds ``modalities``.
    """

    Settings = AttendAffectNetSettings

    def __init__(
        self,
        settings: AttendAffectNetSettings,
        dimensions: Mapping[str, int],
        windows: Mapping[str, int],
        classes: int,
    ):
        super().__init__(settings, dimensions, windows, classes)
        self.network = AttendAffectNet(settings, dimensions, classes)

    def forward(self, streams: dict[str, Tensor], masks: dict[str, Tensor]) -> ModelOutput:
        """Classify the clips; logits (batch, classes)."""
        means = {
            name: masked_mean(x, masks[name]) for name, x in self.clean(streams, masks).items()
        }
        present = torch.stack([masks[name].any(dim=1) for name in self.dimensions], dim=1)
        logits, weights = self.network(means, present)
        return ModelOutput(logits, {}, {"modalities": weights})


def load_published(path: str | Path) -> AttendAffectNet:
    """One of the authors' networks, ready to be asked: ``network(features)[0]`` is (rows, 1).

    Which modalities it has, and with them its kind, is read off the file. Every parameter of the
    network must be in the file, and every tensor in the file is used but one layer that the
    authors' audio-visual program makes and never runs (``src_embed``; its values are within
    ``1 / sqrt(8)``, as a fresh layer's are, after training).

    Raises:
        ModelError: if the file is missing, no safetensors, or not one of these networks.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(path)
    if not path.is_file():
        raise ModelError(path, "does not exist", "Check the path")
    try:
        found = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(path, f"is not a safetensors file ({error})") from None
    single = any(name.startswith("reduced_") for name in found)
    prefix = "reduced_" if single else "linear"
    numbers = {name: f"{prefix}{at}" for at, name in enumerate(PUBLISHED_MODALITIES, start=1)}
    there = {name: theirs for name, theirs in numbers.items() if f"{theirs}.weight" in found}
    settings = AttendAffectNetSettings(
        feed_forward_kind="residual_tanh" if single else "relu", output_tanh=single
    )
    network = AttendAffectNet(settings, {name: PUBLISHED_MODALITIES[name] for name in there})
    try:
        state = _renamed(found, there, settings.layers)
        left = set(found) - (set() if single else _NEVER_USED)
        if left or not there:
            raise KeyError(min(left, default="linear1.weight"))
        network.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        reason = str(error.args[0]).splitlines()[-1].strip()
        raise ModelError(
            path, f"is none of the published AttendAffectNet networks ({reason})"
        ) from None
    return network.eval()


def _renamed(found: dict[str, Tensor], inputs: Mapping[str, str], layers: int) -> dict[str, Any]:
    """Their tensors, taken out of *found*, under our names."""
    state: dict[str, Tensor] = {}

    def take(ours: str, theirs: str, weight: str = "weight", bias: str = "bias") -> None:
        state[f"{ours}.weight"] = found.pop(f"{theirs}.{weight}")
        state[f"{ours}.bias"] = found.pop(f"{theirs}.{bias}")

    for name, theirs in inputs.items():
        take(f"inputs.{name}", theirs)
    for at in range(layers):
        ours, theirs = f"layers.{at}", f"encoder.layers.{at}"
        take(f"{ours}.attention_norm", f"{theirs}.sublayer.0.norm", "a_2", "b_2")
        take(f"{ours}.feed_forward_norm", f"{theirs}.sublayer.1.norm", "a_2", "b_2")
        take(f"{ours}.feed_forward", f"{theirs}.feed_forward.w")
        take(f"{ours}.attention.output", f"{theirs}.self_attn.linears.3")
        for kind in ("weight", "bias"):
            state[f"{ours}.attention.query_key_value.{kind}"] = torch.cat(
                [found.pop(f"{theirs}.self_attn.linears.{part}.{kind}") for part in range(3)]
            )
    take("norm", "encoder.norm", "a_2", "b_2")
    take("output", "linear")
    return state
