"""RAVDESS in twelve actor-disjoint folds (task ``voice_expression_folds``).

Fold k holds actors 2k + 1 (a man) and 2k + 2 (a woman) out. The voice network is pre-trained on
the other corpora, then trained and taught on the fold's 22 actors alone; MATER's audio branch is
trained on its embeddings of the same 22. The two held-out actors are heard once, at the end, as
recorded, in the eight windows from the start of each clip. Nothing is chosen on them: the last
epoch counts.

With ``folds_a_network = 2`` one training serves two neighbouring folds: it hears only the twenty
actors that are held out in neither, which is harder than the protocol asks and half the work.

Held-out clips are scored twice: each alone, and as the analysis hears a longer recording, all
clips of an actor one after another in random order, their embeddings moved by the actor's own
mean so far (:mod:`aver.features.voice_centre`; no label is used).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from aver.evaluation.metrics import accuracy, recall_per_class
from aver.evaluation.results import Result, record
from aver.features.voice_centre import RunningCentre
from aver.labels import RAVDESS
from aver.models.mater import MaterSettings
from aver.models.voice_expression import EMBEDDING_SCALE
from aver.training.recipe import register_task
from aver.training.voice_data import VoiceClips
from aver.training.voice_fit import VoiceTrainingSettings, embed_rows
from aver.training.voice_mater import VoiceMaterSettings, train_voice_mater, voice_logits
from aver.training.voice_recipe import VoiceRecipe, Voices

ACTORS_A_FOLD = 2


class VoiceFoldsRecipe(VoiceRecipe):
    """The recipe of the twelve folds.

    Attributes:
        training: of the voice network on a fold's actors.
        mater: sizes of MATER.
        mater_training: training of its audio branch.
        folds: the folds to run, 0 to 11.
        folds_a_network: neighbouring folds that share a training on the actors of neither; 1 is
            a training of its own for each fold.
        validation_actors: with actors here, nothing is tested: one network is trained on the
            actors that are neither here nor held out in ``folds``, and scored on these. For
            choosing settings.
    """

    training: VoiceTrainingSettings = VoiceTrainingSettings()
    mater: MaterSettings = MaterSettings(modality="voice")
    mater_training: VoiceMaterSettings = VoiceMaterSettings()
    folds: tuple[int, ...] = Field(tuple(range(12)))
    folds_a_network: Literal[1, 2, 3] = 1
    validation_actors: tuple[int, ...] = ()


def run_fold(
    voices: Voices,
    recipe: VoiceFoldsRecipe,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    name: str,
    out: Path,
) -> dict[str, NDArray[np.float32]]:
    """Train network and branch on the clips *train*, score the clips *test*.

    Returns:
        Logits (clips, 8) of ``mater`` and of the training head ``head`` on clips alone, and of
        both (``mater_recording``, ``head_recording``) within a recording of the actor.
    """
    start = voices.pretrain(recipe, out)
    net, head = voices.train(
        train, recipe.training, recipe, name, start=start, out=out / name.replace(" ", "_")
    )
    net.eval()
    settings = recipe.mater_training
    generator = np.random.default_rng(recipe.seed)
    views, masks = [], []
    for view in range(settings.views):
        found = embed_rows(
            net, voices.bank, train, generator if view else None, settings.disturbance
        )
        views.append(found[0])
        masks.append(found[1])
    labels = torch.from_numpy(voices.clips.target[train])
    mater = train_voice_mater(
        torch.stack(views), torch.stack(masks), labels, recipe.mater, settings, recipe.seed, head
    )
    unseen, present = embed_rows(net, voices.bank, test)
    head.eval()
    mean = views[0][masks[0]].mean(dim=0)
    moved = as_recordings(unseen, present, voices.clips.subjects[test], mean, recipe.seed)
    scores = {}
    with torch.no_grad():
        for suffix, x in (("", unseen), ("_recording", moved)):
            scores[f"mater{suffix}"] = voice_logits(mater, x, present).numpy()
            scores[f"head{suffix}"] = head(x * EMBEDDING_SCALE, present)[0].numpy()
    truth = voices.clips.target[test]
    print(
        name,
        {k: round(accuracy(truth, v.argmax(axis=1)), 4) for k, v in scores.items()},
        flush=True,
    )
    return scores


def as_recordings(
    embeddings: Tensor, present: Tensor, speakers: NDArray[np.str_], centre: Tensor, seed: int
) -> Tensor:
    """Embeddings as if all clips of a speaker were one recording, in random order.

    Args:
        embeddings: (clips, windows, dimensions) of length 1.
        present: (clips, windows).
        speakers: (clips,).
        centre: (dimensions,) mean of the training voices.
        seed: of the order.
    """
    generator = np.random.default_rng(seed)
    moved = embeddings.clone()
    for speaker in np.unique(speakers):
        running = RunningCentre(centre.numpy())
        for clip in generator.permutation(np.flatnonzero(speakers == speaker)):
            for window in np.flatnonzero(present[clip].numpy()):
                found = running.step(embeddings[clip, window].numpy())
                moved[clip, window] = torch.from_numpy(found)
    return moved


def recalls(predicted: NDArray[np.int64], target: NDArray[np.int64]) -> dict[str, float]:
    """Recall of each RAVDESS class that occurs in *target*."""
    found = recall_per_class(target, predicted, range(len(RAVDESS)))
    return {name: float(r) for name, r in zip(RAVDESS, found, strict=True) if not np.isnan(r)}


@register_task("voice_expression_folds", VoiceFoldsRecipe)
def run_folds(recipe: VoiceFoldsRecipe, data_root: Path, out: Path) -> None:
    """Run the folds; those already in *out* are not run again.

    Leaves ``out/fold_<k>.npz``, and with all twelve ``out/heldout_logits.npz`` (``logits``,
    ``head_logits``, ``labels``, ``files``, ``folds``) and ``out/voice_expression.csv``.
    """
    voices = Voices(recipe, data_root, out)
    clips = voices.clips
    actor = np.where(
        clips.table["corpus"] == "ravdess",
        clips.table["subject"].where(clips.table["corpus"] == "ravdess", "0").astype(int),
        0,
    )
    if recipe.validation_actors:
        held = {ACTORS_A_FOLD * k + i for k in recipe.folds for i in (1, 2)}
        kept_out = [*recipe.validation_actors, *held]
        train = np.flatnonzero((actor > 0) & ~np.isin(actor, kept_out))
        run_fold(
            voices,
            recipe,
            train,
            np.flatnonzero(np.isin(actor, recipe.validation_actors)),
            "validation",
            out,
        )
        return
    for group in sorted({fold // recipe.folds_a_network for fold in recipe.folds}):
        together = range(group * recipe.folds_a_network, (group + 1) * recipe.folds_a_network)
        if all((out / f"fold_{fold}.npz").is_file() for fold in together):
            continue
        of_fold = (actor - 1) // ACTORS_A_FOLD
        test = np.flatnonzero((actor > 0) & np.isin(of_fold, together))
        train = np.setdiff1d(np.flatnonzero(actor > 0), test)
        scores = run_fold(voices, recipe, train, test, f"network {group}", out)
        for fold in together:
            here = of_fold[test] == fold
            kept = {name: logits[here] for name, logits in scores.items()}
            np.savez(out / f"fold_{fold}.npz", rows=test[here], **kept)  # type: ignore[arg-type]
    if all((out / f"fold_{fold}.npz").is_file() for fold in range(12)):
        _sum_up(recipe, clips, out)


def _sum_up(recipe: VoiceFoldsRecipe, clips: VoiceClips, out: Path) -> None:
    parts = [dict(np.load(out / f"fold_{fold}.npz")) for fold in range(12)]
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    rows = whole.pop("rows")
    target = clips.target[rows]
    kept: dict[str, Any] = {
        "logits": whole["mater"],
        "labels": target,
        "files": np.array([Path(file).name for file in clips.table["file"].iloc[rows]]),
        "folds": np.repeat(np.arange(12), [len(part["rows"]) for part in parts]),
    }
    kept |= {f"{name}_logits": value for name, value in whole.items() if name != "mater"}
    np.savez(out / "heldout_logits.npz", **kept)
    others = 24 - ACTORS_A_FOLD * recipe.folds_a_network
    protocol = (
        f"12 actor-disjoint folds of a man and a woman; {others} other actors, nEMO and EmoGator "
        "were heard; last epoch; mean of folds"
    )
    table: list[Result] = []
    for name, logits in whole.items():
        folds = np.array([accuracy(clips.target[p["rows"]], p[name].argmax(axis=1)) for p in parts])
        error = 1.96 * float(folds.std(ddof=1)) / np.sqrt(len(folds))
        mean = float(folds.mean())
        recording = name.endswith("_recording")
        told = (
            f"{protocol}; each actor's clips as one recording, no labels" if recording else protocol
        )
        per_class = recalls(logits.argmax(axis=1), target)
        common: dict[str, Any] = {
            "data": "RAVDESS speech, 1,440 clips, 24 actors",
            "protocol": told,
            "command": "aver train recipes/voice_expression_folds.toml --data DIR --out DIR",
            "seed": recipe.seed,
        }
        figures: dict[str, Any] = {"low": mean - error, "high": mean + error}
        if name.startswith("mater"):
            figures |= {"aim": 0.68, "paper": 0.592}
        recall = float(np.mean(list(per_class.values())))
        table += [
            Result(f"voice_folds_{name}", "accuracy", mean, **figures, **common),
            Result(f"voice_folds_{name}", "unweighted_average_recall", recall, **common),
        ]
        table += [
            Result(f"voice_folds_{name}", f"recall_{k}", v, **common) for k, v in per_class.items()
        ]
        print(f"{name}: accuracy {mean:.4f} +- {error:.4f}, recall {recall:.4f}", flush=True)
    record(out / "voice_expression.csv", table, packages=("torch", "lightning", "numpy"))
