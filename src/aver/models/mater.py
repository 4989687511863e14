"""MATER: multimodal attention-mechanism for temporal emotion recognition (Ghaleb et al. 2020).

Each modality has its own transformer encoder over the embeddings of the windows of a clip; the
encodings are averaged over the windows, two fully connected layers predict, and the predictions
of the modalities are averaged (section 2.2, equations 1 to 3).

Where the paper leaves a choice, it is a setting of :class:`MaterSettings`:

* **Heads and feed-forward width** are not given. "As suggested in the transformer [9]": 8 heads
  and 2048, that paper's base model.
* **Scale of the embeddings.** Embeddings are l2-normalised (section 2.1), so each of their 512
  features is about 0.04, while the positional encoding added to them is about 0.7. Vaswani et al.
  multiply the embeddings by sqrt(d_model) before adding (their section 3.4); MATER does not say.
  Read to the letter nothing is multiplied (``scale_embeddings = false``), but then position
  drowns content; the default follows Vaswani et al.
* **Equation 2** sums T + 1 windows (0 to T) and divides by T. Read as the mean over the windows
  that are there.
* **Equation 3** shows one matrix a modality, the text says two fully connected layers: two, with
  a ReLU between, ``prediction_hidden`` wide.
* **Windows.** Table 1 gives RAVDESS 8 and CREMA-D 6 windows of half a second; the text of section
  3.2 once says it the other way round. The lengths of the clips (3.8 and 2.6 s) fit the table.
* **Which loss.** The network is optimised on the averaged prediction. ``branch_loss`` adds the
  cross entropy of each modality's own prediction, 0 being the paper.

A window that is missing (no face, silence, the clip is over) is masked out of attention and of
the mean. A modality with no window at all takes no part in the average; it is never filled with
zeros.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from aver.models.blocks import EncoderLayer, masked_mean, sinusoidal_positions
from aver.models.settings import ModelSettings


class MaterSettings(ModelSettings):
    """Settings of MATER; the defaults are the paper's.

    Attributes:
        classes: number of emotions.
        dimensions: width of the window embeddings (512, section 2.1).
        windows: greatest number of windows in a clip (8 for RAVDESS, 6 for CREMA-D).
        layers: encoder layers (6).
        heads: attention heads.
        feed_forward: hidden width of the encoders' feed-forward part.
        prediction_hidden: hidden width of the two fully connected layers.
        dropout: dropout inside the encoder.
        positional_encoding: False is the ablation without it (Table 1).
        attention: False is the ablation without it, feed-forward kept (Table 1, section 3.2).
        modality: ``both``, or one alone (Table 3).
        scale_embeddings: multiply embeddings by sqrt(dimensions) before adding positions.
        norm_first: layer norm before each part (easier to train) instead of after.
    """

    classes: int = Field(8, ge=2)
    dimensions: int = Field(512, ge=2)
    windows: int = Field(8, ge=1)
    layers: int = Field(6, ge=0)
    heads: int = Field(8, ge=1)
    feed_forward: int = Field(2048, ge=1)
    prediction_hidden: int = Field(256, ge=1)
    dropout: float = Field(0.1, ge=0.0, lt=1.0)
    positional_encoding: bool = True
    attention: bool = True
    modality: Literal["both", "face", "voice"] = "both"
    scale_embeddings: bool = True
    norm_first: bool = False


class MaterOutput(NamedTuple):
    """Logits (batch, classes): averaged over the modalities present, and each modality's own."""

    fused: Tensor
    face: Tensor
    voice: Tensor


class Branch(nn.Module):
    """One modality's sub-network: positions, encoder, mean over windows, two linear layers."""

    positions: Tensor

    def __init__(self, settings: MaterSettings):
        super().__init__()
        s = settings
        self.scale = math.sqrt(s.dimensions) if s.scale_embeddings else 1.0
        table = sinusoidal_positions(s.windows, s.dimensions)
        if not s.positional_encoding:
            table = torch.zeros_like(table)
        self.register_buffer("positions", table, persistent=False)
        self.encoder = nn.ModuleList(
            EncoderLayer(
                s.dimensions,
                s.heads,
                s.feed_forward,
                s.dropout,
                attention=s.attention,
                norm_first=s.norm_first,
            )
            for _ in range(s.layers)
        )
        self.final_norm = nn.LayerNorm(s.dimensions) if s.norm_first else nn.Identity()
        self.predict = nn.Sequential(
            nn.Linear(s.dimensions, s.prediction_hidden),
            nn.ReLU(),
            nn.Dropout(s.dropout),
            nn.Linear(s.prediction_hidden, s.classes),
        )

    def encode(self, x: Tensor, present: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return (batch, time, dimensions) and each layer's attention weights."""
        weights = []
        x = x * self.scale + self.positions[: x.shape[1]]
        for layer in self.encoder:
            x, attended = layer(x, present)
            if attended is not None:
                weights.append(attended)
        return self.final_norm(x), weights

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Logits (batch, classes) of one modality."""
        encoded, _ = self.encode(x, present)
        return self.predict(masked_mean(encoded, present))  # type: ignore[no-any-return]


class Mater(nn.Module):
    """The two-branch network; see the module's docstring.

    Args:
        settings: sizes and ablations.
    """

    def __init__(self, settings: MaterSettings):
        super().__init__()
        self.settings = settings
        self.face = Branch(settings) if settings.modality != "voice" else None
        self.voice = Branch(settings) if settings.modality != "face" else None

    def forward(
        self, face: Tensor, face_mask: Tensor, voice: Tensor, voice_mask: Tensor
    ) -> MaterOutput:
        """Predict.

        Args:
            face: (batch, windows, dimensions) l2-normalised embeddings.
            face_mask: (batch, windows) bool, True where there is a face.
            voice: (batch, windows, dimensions) l2-normalised embeddings.
            voice_mask: (batch, windows) bool, True where there is a voice.

        Returns:
            Logits; where a modality has no window its own logits are zeros, and where neither
            has, all are.
        """
        face_logits, has_face = _logits_of(self.face, face, face_mask, self.settings.classes)
        voice_logits, has_voice = _logits_of(self.voice, voice, voice_mask, self.settings.classes)
        fused = (face_logits + voice_logits) / (has_face + has_voice).clamp(min=1.0)
        return MaterOutput(fused, face_logits, voice_logits)


def _logits_of(
    branch: Branch | None, x: Tensor, present: Tensor, classes: int
) -> tuple[Tensor, Tensor]:
    """Logits zeroed where nothing is present, and 1.0 or 0.0 for present or not, (batch, 1)."""
    if branch is None:
        zeros = x.new_zeros(x.shape[0], 1)
        return zeros.expand(-1, classes), zeros
    has = present.any(dim=1, keepdim=True).to(x.dtype)
    return branch(x, present) * has, has
