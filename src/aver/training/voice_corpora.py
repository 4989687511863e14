"""Leave one corpus out (task ``voice_expression_corpora``): strangers, another language and studio.

Two networks: one trained and taught on nEMO and EmoGator, heard on RAVDESS; one on RAVDESS and
EmoGator, heard on nEMO. The six classes that RAVDESS and nEMO share are scored by the head the
network was trained with, its two other classes left out. No label of the target is used. Beside
the plain figure, three that use the target's sound without labels: embeddings shifted so that
their mean over the target, or over each of its speakers, is that over the source; and what the
analysis does, all clips of a speaker as one recording (:mod:`aver.features.voice_centre`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from aver.evaluation.results import Result, record
from aver.labels import NEMO, RAVDESS
from aver.models.voice_expression import EMBEDDING_SCALE, VoiceExpressionNet
from aver.training.recipe import register_task
from aver.training.voice_fit import ClipHead, VoiceTrainingSettings, embed_rows
from aver.training.voice_folds import as_recordings, recalls
from aver.training.voice_recipe import VoiceRecipe, Voices


class VoiceCorporaRecipe(VoiceRecipe):
    """The recipe of leave-one-corpus-out.

    Attributes:
        training: on RAVDESS and EmoGator; ``pretraining`` is that on nEMO and EmoGator.
    """

    training: VoiceTrainingSettings = VoiceTrainingSettings()


def shift_means(
    embeddings: Tensor, present: Tensor, groups: NDArray[np.str_], centre: Tensor
) -> Tensor:
    """Embeddings whose mean over each group's present windows is moved to *centre*.

    Args:
        embeddings: (clips, windows, dimensions) of length 1.
        present: (clips, windows).
        groups: (clips,).
        centre: (dimensions,).

    Returns:
        (clips, windows, dimensions), of length 1 again.
    """
    moved = embeddings.clone()
    for group in np.unique(groups):
        rows = torch.from_numpy(np.flatnonzero(groups == group))
        mean = embeddings[rows][present[rows]].mean(dim=0)
        moved[rows] = embeddings[rows] - mean + centre
    return F.normalize(moved, dim=-1)


def score_corpus(
    voices: Voices,
    net: VoiceExpressionNet,
    head: ClipHead,
    source: NDArray[np.intp],
    target: str,
) -> dict[str, dict[str, float]]:
    """Recall of each shared class on the corpus *target*: plain, and with means moved."""
    clips = voices.clips
    shared = [RAVDESS.index(name) for name in NEMO]
    rows = clips.rows(target)
    rows = rows[np.isin(clips.target[rows], shared)]
    embeddings, present = embed_rows(net, voices.bank, rows)
    known, known_present = embed_rows(net, voices.bank, source[:: max(1, len(source) // 2000)])
    centre = known[known_present].mean(dim=0)
    whole = np.full(len(rows), target)
    versions = {
        "plain": embeddings,
        "corpus_mean": shift_means(embeddings, present, whole, centre),
        "speaker_mean": shift_means(embeddings, present, clips.subjects[rows], centre),
        "recording": as_recordings(embeddings, present, clips.subjects[rows], centre, 0),
    }
    head.eval()
    found = {}
    for name, version in versions.items():
        with torch.no_grad():
            logits = head(version * EMBEDDING_SCALE, present)[0][:, shared]
        predicted = np.array(shared)[logits.argmax(dim=1).numpy()]
        found[name] = recalls(predicted, clips.target[rows])
    return found


@register_task("voice_expression_corpora", VoiceCorporaRecipe)
def run_corpora(recipe: VoiceCorporaRecipe, data_root: Path, out: Path) -> None:
    """Train both networks, score each on the corpus it did not hear; ``out/voice_corpora.csv``."""
    voices = Voices(recipe, data_root, out)
    clips = voices.clips
    rows_a = np.flatnonzero(clips.table["corpus"] != "ravdess")
    rows_b = np.flatnonzero(clips.table["corpus"] != "nemo")
    net_a, head_a = voices.pretrain(recipe, out)
    figures = {"ravdess": score_corpus(voices, net_a, head_a, rows_a, "ravdess")}
    net_b, head_b = voices.train(
        rows_b, recipe.training, recipe, "ravdess+emogator", out=out / "without_nemo"
    )
    figures["nemo"] = score_corpus(voices, net_b, head_b, rows_b, "nemo")
    aims, table = {"ravdess": 0.55, "nemo": 0.40}, []
    for target, versions in figures.items():
        for version, per_class in versions.items():
            mean = float(np.mean(list(per_class.values())))
            print(target, version, round(mean, 4), flush=True)
            common = {
                "data": f"{target}, the six classes of nEMO; not heard in training",
                "protocol": f"no target label used; {version}",
                "command": "aver train recipes/voice_expression_corpora.toml --data DIR --out DIR",
                "seed": recipe.seed,
            }
            experiment = f"voice_to_{target}_{version}"
            table.append(
                Result(
                    experiment,
                    "unweighted_average_recall",
                    mean,
                    aim=aims[target],
                    **common,  # type: ignore[arg-type]
                )
            )
            table += [
                Result(experiment, f"recall_{k}", v, **common)  # type: ignore[arg-type]
                for k, v in per_class.items()
            ]
    record(out / "voice_corpora.csv", table, packages=("torch", "lightning", "numpy"))
