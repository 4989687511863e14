"""Train the shipped voice network (task ``voice_expression``).

Pre-trained on nEMO and EmoGator, then trained on all corpora and every actor, RAVDESS drawn more
often; exported with int8-stored weights. All of RAVDESS has been heard, so no figure of this very
network on RAVDESS is an estimate for strangers: that is what the twelve folds
(``voice_expression_folds``) and leave-one-corpus-out (``voice_expression_corpora``) are for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from aver.features.log_mel import BANDS
from aver.features.voice_embedding import FRAMES
from aver.labels import RAVDESS
from aver.models.voice_expression import VoiceExpressionNet
from aver.training.export import export_onnx
from aver.training.export_outputs import add_voice_outputs
from aver.training.recipe import register_task
from aver.training.voice_fit import VoiceTrainingSettings, embed_rows
from aver.training.voice_recipe import VoiceRecipe, Voices


class VoiceExpressionRecipe(VoiceRecipe):
    """The recipe of the shipped voice network.

    Attributes:
        training: on all corpora.
        ravdess_times: how often an epoch goes through RAVDESS.
    """

    training: VoiceTrainingSettings = VoiceTrainingSettings()
    ravdess_times: int = Field(2, ge=1)


def export_voice(
    net: VoiceExpressionNet,
    path: Path,
    description: str,
    centre: NDArray[np.floating[Any]] | None = None,
) -> VoiceExpressionNet:
    """Write ``log_mel`` (batch, 48, 64) to ``embedding`` (batch, 512), ``logits`` (batch, 8).

    Args:
        net: the network.
        path: the file.
        description: kept in the file.
        centre: (512,) mean embedding of the training voices, kept in the file.

    Returns:
        The network with the rounded weights that the file holds.
    """
    generator = torch.Generator().manual_seed(0)
    example = 2.0 * torch.randn(4, FRAMES, BANDS, generator=generator)
    # Plain strides: half of the exporter's work goes wrong on channels-last weights.
    plain = net.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    metadata = {"labels": json.dumps(RAVDESS), "description": description}
    if centre is not None:
        metadata["centre"] = json.dumps([round(float(x), 5) for x in centre])
    rounded = export_onnx(
        plain,
        (example,),
        path,
        inputs=("log_mel",),
        outputs=("embedding", "logits"),
        metadata=metadata,
        free={1: "frames"},
        further=add_voice_outputs,
    )
    assert isinstance(rounded, VoiceExpressionNet)
    return rounded


def training_centre(net: VoiceExpressionNet, voices: Voices) -> NDArray[np.float32]:
    """Mean embedding of the voices heard, every corpus counting the same; (512,)."""
    means = []
    for corpus in dict.fromkeys(voices.clips.table["corpus"]):
        rows = voices.clips.rows(corpus)
        embeddings, present = embed_rows(net, voices.bank, rows[:: max(1, len(rows) // 1500)])
        means.append(embeddings[present].mean(dim=0).numpy())
    return np.mean(means, axis=0).astype(np.float32)  # type: ignore[no-any-return]


@register_task("voice_expression", VoiceExpressionRecipe)
def train_voice_expression(recipe: VoiceExpressionRecipe, data_root: Path, out: Path) -> None:
    """Train and export to ``out/voice_expression.onnx``; resumes from checkpoints in *out*."""
    voices = Voices(recipe, data_root, out)
    start = voices.pretrain(recipe, out)
    ravdess = voices.clips.rows("ravdess")
    everything = np.arange(len(voices.clips))
    rows = np.concatenate([everything, np.tile(ravdess, recipe.ravdess_times - 1)])
    net, _ = voices.train(
        rows,
        recipe.training,
        recipe,
        "all corpora",
        start=start,
        lessons=voices.lessons(everything),
        out=out / "all",
    )
    export_voice(
        net, out / "voice_expression.onnx", recipe.description, training_centre(net, voices)
    )
    print(f"wrote {out / 'voice_expression.onnx'}", flush=True)
