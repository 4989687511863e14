"""RAVDESS in twelve actor-disjoint folds (task ``voice_expression_folds``).

Fold k holds actors 2k + 1 (a man) and 2k + 2 (a woman) out. The voice network is pre-trained on
the other corpora, then trained and taught on the fold's 22 actors alone; MATER's audio branch is
trained on its embeddings of the same 22. The two held-out actors are heard once, at the end, as
recorded, in the eight windows from the start of each clip. Nothing is chosen on them: the last
epoch counts.

With ``folds_a_network = 2`` one training serves two neighbouring folds: it hears only the twenty
actors that are held out in neither, which is harder than the protocol asks and half the work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from aver.evaluation.results import Result, record
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
        Logits (clips, 8) of ``mater`` and of the training head ``head``.
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
    with torch.no_grad():
        scores = {
            "mater": voice_logits(mater, unseen, present).numpy(),
            "head": head(unseen * EMBEDDING_SCALE, present)[0].numpy(),
        }
    truth = voices.clips.target[test]
    print(name, {k: round(accuracy(v, truth), 4) for k, v in scores.items()}, flush=True)
    return scores


def accuracy(logits: NDArray[np.float32], target: NDArray[np.int64]) -> float:
    """Share of clips whose largest logit is the target's."""
    return float((logits.argmax(axis=1) == target).mean())


def recalls(predicted: NDArray[np.int64], target: NDArray[np.int64]) -> dict[str, float]:
    """Recall of each RAVDESS class that occurs in *target*."""
    return {
        RAVDESS[c]: float((predicted[target == c] == c).mean()) for c in np.unique(target).tolist()
    }


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
            np.savez(
                out / f"fold_{fold}.npz",
                rows=test[here],
                mater=scores["mater"][here],
                head=scores["head"][here],
            )
    if all((out / f"fold_{fold}.npz").is_file() for fold in range(12)):
        _sum_up(recipe, clips, out)


def _sum_up(recipe: VoiceFoldsRecipe, clips: VoiceClips, out: Path) -> None:
    parts = [dict(np.load(out / f"fold_{fold}.npz")) for fold in range(12)]
    rows = np.concatenate([part["rows"] for part in parts])
    mater = np.concatenate([part["mater"] for part in parts])
    head = np.concatenate([part["head"] for part in parts])
    target = clips.target[rows]
    np.savez(
        out / "heldout_logits.npz",
        logits=mater,
        head_logits=head,
        labels=target,
        files=[Path(file).name for file in clips.table["file"].iloc[rows]],
        folds=np.repeat(np.arange(12), [len(part["rows"]) for part in parts]),
    )
    folds = np.array([accuracy(part["mater"], clips.target[part["rows"]]) for part in parts])
    error = 1.96 * float(folds.std(ddof=1)) / np.sqrt(len(folds))
    mean = float(folds.mean())
    common = {
        "data": "RAVDESS speech, 1,440 clips, 24 actors",
        "protocol": "12 actor-disjoint folds of a man and a woman; network and branch heard "
        f"{24 - ACTORS_A_FOLD * recipe.folds_a_network} other actors, nEMO and EmoGator; "
        "last epoch; mean of folds",
        "command": "aver train recipes/voice_expression_folds.toml --data DIR --out DIR",
        "seed": recipe.seed,
    }
    table = [
        Result(
            "mater_voice_folds",
            "accuracy",
            mean,
            low=mean - error,
            high=mean + error,
            aim=0.68,
            paper=0.592,
            **common,  # type: ignore[arg-type]
        ),
        Result(
            "voice_head_folds",
            "accuracy",
            accuracy(head, target),
            **common,  # type: ignore[arg-type]
        ),
    ]
    predicted = mater.argmax(axis=1)
    per_class = recalls(predicted, target)
    table.append(
        Result(
            "mater_voice_folds",
            "unweighted_average_recall",
            float(np.mean(list(per_class.values()))),
            **common,  # type: ignore[arg-type]
        )
    )
    table += [
        Result("mater_voice_folds", f"recall_{name}", value, **common)  # type: ignore[arg-type]
        for name, value in per_class.items()
    ]
    record(out / "voice_expression.csv", table, packages=("torch", "lightning", "numpy"))
    print(f"12 folds: accuracy {mean:.4f} +- {error:.4f}", flush=True)
