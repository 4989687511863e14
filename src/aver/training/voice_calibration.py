"""What per-person calibration is worth on strangers' voices (task ``voice_calibration``).

The networks are those of ``voice_expression_folds``: each is asked about the RAVDESS actors that
it was never trained on. Of each such actor some clips, drawn at random and unlabelled, are the
calibration; the others are scored by the training head of the network, which never saw calibrated
embeddings: what ``aver analyze --calibrate`` does with the shipped network, whose own figures
cannot be had from RAVDESS, as it has heard every actor. Each drawing is repeated; an item's score
is its share of right answers over the drawings that left it to be scored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from aver.errors import CorpusError
from aver.evaluation.intervals import bootstrap_over_subjects
from aver.evaluation.results import Result, record
from aver.features.person_calibration import (
    Mode,
    Statistics,
    apply,
    population_of,
    shrink,
    statistics_of,
)
from aver.labels import RAVDESS
from aver.models.voice_expression import EMBEDDING_SCALE, VoiceExpressionSettings
from aver.training.recipe import RecipeBase, register_task
from aver.training.voice_data import SoundBank, list_clips
from aver.training.voice_fit import ClipHead, embed_rows, new_network

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


class VoiceCalibrationRecipe(RecipeBase):
    """What is tried.

    Attributes:
        folds_run: output folder of ``voice_expression_folds``, below the data folder.
        folds_a_network: as in that recipe.
        clips: numbers of calibration clips.
        modes: what is mapped.
        prior_windows: windows that the training population counts for.
        repeats: drawings of the calibration clips.
    """

    folds_run: str = "voice_folds_run"
    folds_a_network: Literal[1, 2, 3] = 2
    clips: tuple[int, ...] = (1, 2, 4, 8, 16, 30)
    modes: tuple[Mode, ...] = ("mean", "mean_and_spread")
    prior_windows: tuple[float, ...] = (0.0, 5.0, 20.0, 80.0)
    repeats: int = Field(3, ge=1)


@register_task("voice_calibration", VoiceCalibrationRecipe)
def measure(recipe: VoiceCalibrationRecipe, data_root: Path, out: Path) -> None:
    """Write ``out/person_calibration.csv``.

    Raises:
        CorpusError: if RAVDESS or the folds' networks are missing.
    """
    clips = list_clips(data_root, ["ravdess"])
    actor = clips.table["subject"].astype(int).to_numpy()
    bank = SoundBank(data_root, clips, 1, "", out / "cache", 0)
    together = 2 * recipe.folds_a_network
    right = _Right(len(clips))
    for number in range(24 // together):
        file = data_root / recipe.folds_run / f"network_{number}" / "voice.pt"
        if not file.is_file():
            raise CorpusError(file, "is missing", "Run recipes/voice_expression_folds.toml first")
        state = torch.load(file, weights_only=True)
        teacher = state["head"].get("imitate.weight", torch.empty(0)).shape[0]
        net, head = new_network(VoiceExpressionSettings(), teacher, 0)
        net.load_state_dict(state["net"])
        head.load_state_dict(state["head"])
        head.eval()
        found, present = embed_rows(net, bank, np.arange(len(clips)))
        values, mask = found.numpy(), present.numpy()
        held = (actor - 1) // together == number
        population = population_of(values[~held], mask[~held], clips.subjects[~held].tolist())
        for one in np.unique(actor[held]):
            rows = np.flatnonzero(actor == one)
            _try_actor(recipe, right, rows, values, mask, population, head, clips.target)
        print(f"network {number} of {24 // together}", flush=True)
    record(
        out / "person_calibration.csv",
        list(_rows(recipe, right, clips.subjects)),
        packages=("torch", "numpy"),
    )


class _Right:
    """How often each item was scored, and rightly, in each condition."""

    def __init__(self, items: int):
        self._items = items
        self._sums: dict[str, NDArray[np.float64]] = {}

    def add(self, condition: str, rows: NDArray[np.intp], right: Mask) -> None:
        sums = self._sums.setdefault(condition, np.zeros((2, self._items)))
        sums[0, rows] += right
        sums[1, rows] += 1

    def share(self, condition: str) -> NDArray[np.float64]:
        """(items,) share of right answers, NaN for items never scored."""
        right, asked = self._sums[condition]
        nothing = np.full(self._items, np.nan)
        return np.asarray(np.divide(right, asked, out=nothing, where=asked > 0))


def _try_actor(
    recipe: VoiceCalibrationRecipe,
    right: _Right,
    rows: NDArray[np.intp],
    values: Floats,
    mask: Mask,
    population: Statistics,
    head: ClipHead,
    target: NDArray[np.int64],
) -> None:
    def score(condition: str, embeddings: Floats, some: NDArray[np.intp]) -> None:
        with torch.no_grad():
            x = torch.from_numpy(embeddings) * EMBEDDING_SCALE
            logits = head(x, torch.from_numpy(mask[some]))[0].numpy()
        right.add(condition, some, logits.argmax(axis=1) == target[some])

    for count in recipe.clips:
        for repeat in range(recipe.repeats):
            random = np.random.default_rng([recipe.seed, int(rows[0]), count, repeat])
            own = random.choice(rows, count, replace=False)
            rest = np.setdiff1d(rows, own)
            told = statistics_of(values[own], mask[own])
            score(f"none_{count}", values[rest], rest)
            for mode in recipe.modes:
                for prior in recipe.prior_windows:
                    person = shrink(told, population, prior)
                    moved = apply(values[rest], person, population, mode, unit=True)
                    score(f"{mode}_{count}_{prior:g}", moved, rest)


def _rows(
    recipe: VoiceCalibrationRecipe, right: _Right, subjects: NDArray[np.str_]
) -> list[Result]:
    table = []
    for count in recipe.clips:
        plain = right.share(f"none_{count}")
        conditions = [("none", f"none_{count}")] + [
            (f"{mode}_prior_{prior:g}", f"{mode}_{count}_{prior:g}")
            for mode in recipe.modes
            for prior in recipe.prior_windows
        ]
        for name, condition in conditions:
            share = right.share(condition)
            asked = ~np.isnan(share)
            found = {"accuracy": share, "gain": share - plain}
            for metric, items in found.items():
                if metric == "gain" and name == "none":
                    continue
                low, high = bootstrap_over_subjects(items[asked], subjects[asked])
                table.append(
                    Result(
                        f"voice_calibration_{count}_clips_{name}",
                        metric,
                        round(float(items[asked].mean()), 4),
                        low=round(low, 4),
                        high=round(high, 4),
                        data=f"RAVDESS speech, {int(asked.sum())} clips, 24 actors, "
                        f"{len(RAVDESS)} classes",
                        protocol="networks that never heard the actor; "
                        f"{count} unlabelled clips of the actor drawn at random "
                        f"{recipe.repeats} times, the others scored",
                        command="aver train recipes/voice_calibration.toml --data DATA --out OUT",
                        seed=recipe.seed,
                    )
                )
    return table
