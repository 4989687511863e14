"""MATER's audio branch alone on voice embeddings: how good the voice network is for it.

The voice network's own training head has seen every clip under thousands of disturbances; the
branch, trained after it on a few views of each, is shown what that head says (soft targets,
Hinton et al. 2015) beside the label. Head and branch have heard the same people.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from aver.models.mater import Mater, MaterSettings
from aver.models.voice_expression import EMBEDDING_SCALE
from aver.training.recipe import Settings
from aver.training.voice_fit import ClipHead


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
        head_weight: share of the training head's opinion in the target; the rest is the label.
        half_precision: bfloat16 products.
    """

    epochs: int = Field(5, ge=1)
    batch: int = Field(48, ge=2)
    learning_rate: float = Field(3e-4, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    views: int = Field(6, ge=1)
    disturbance: float = Field(0.5, ge=0, le=1)
    drop_window: float = Field(0.1, ge=0, lt=1)
    head_weight: float = Field(0.8, ge=0, le=1)
    half_precision: bool = True


def train_voice_mater(
    views: Tensor,
    masks: Tensor,
    labels: Tensor,
    model: MaterSettings,
    settings: VoiceMaterSettings,
    seed: int,
    head: ClipHead | None = None,
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
        head: the head the embeddings were trained with; None for labels alone.
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
    if head is not None:
        head.eval()
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
        target = F.one_hot(labels[rows], model.classes).float()
        if head is not None:
            with torch.no_grad():
                opinion = head(x * EMBEDDING_SCALE, present)[0].softmax(dim=1)
            target = torch.lerp(target, opinion, settings.head_weight)
        loss = F.cross_entropy(logits.float(), target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return network.eval()


def voice_logits(network: Mater, embeddings: Tensor, present: Tensor) -> Tensor:
    """Logits (clips, classes) of the audio branch."""
    logits: Tensor = network(embeddings, present & False, embeddings, present).voice
    return logits
