"""MATER's audio branch alone on voice embeddings: how good the voice network is for it."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from aver.models.mater import Mater, MaterSettings
from aver.training.recipe import Settings


class VoiceMaterSettings(Settings):
    """How the audio branch is trained.

    Attributes:
        epochs: passes over the clips.
        batch: clips a step.
        learning_rate: highest of AdamW; short rise, cosine fall.
        weight_decay: of AdamW.
        views: views of each training clip (one as recorded, the others disturbed).
        disturbance: strength of their disturbances.
        drop_window: probability of a window to be missing in training.
        label_smoothing: of the cross entropy.
        half_precision: bfloat16 products.
    """

    epochs: int = Field(12, ge=1)
    batch: int = Field(48, ge=2)
    learning_rate: float = Field(2e-4, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    views: int = Field(6, ge=1)
    disturbance: float = Field(0.5, ge=0, le=1)
    drop_window: float = Field(0.1, ge=0, lt=1)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    half_precision: bool = True


def train_voice_mater(
    views: Tensor,
    masks: Tensor,
    labels: Tensor,
    model: MaterSettings,
    settings: VoiceMaterSettings,
    seed: int,
) -> Mater:
    """Train the audio branch.

    A plain loop: a fold takes half a minute, and a trainer's bookkeeping would be a good part of
    it.

    Args:
        views: (views, clips, windows, dimensions) embeddings.
        masks: (views, clips, windows) presence.
        labels: (clips,).
        model: MATER's settings, of modality ``voice``.
        settings: how to train.
        seed: of weights and draws.
    """
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    network = Mater(model)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    count = len(labels)
    per_epoch = max(1, count // settings.batch)
    steps = settings.epochs * per_epoch

    def rate(step: int) -> float:
        rise = max(1, steps // 10)
        fall = 0.5 + 0.5 * math.cos(math.pi * max(0, step - rise) / max(1, steps - rise))
        return min(1.0, (step + 1) / rise) * fall

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    network.train()
    for step in range(steps):
        if step % per_epoch == 0:
            order = generator.permutation(count)
        rows = torch.from_numpy(order[step % per_epoch * settings.batch :][: settings.batch])
        view = torch.from_numpy(generator.integers(len(views), size=len(rows)))
        x, present = views[view, rows], masks[view, rows]
        kept = present & (torch.rand(present.shape) > settings.drop_window)
        present = torch.where(kept.any(1, keepdim=True), kept, present)
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.half_precision):
            logits = voice_logits(network, x, present)
        loss = F.cross_entropy(
            logits.float(), labels[rows], label_smoothing=settings.label_smoothing
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network.eval()


def voice_logits(network: Mater, embeddings: Tensor, present: Tensor) -> Tensor:
    """Logits (clips, classes) of the audio branch."""
    logits: Tensor = network(embeddings, present & False, embeddings, present).voice
    return logits
