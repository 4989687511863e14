"""What the three voice recipes share: settings, data in memory, pre-training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from aver.models.voice_expression import VoiceExpressionNet, VoiceExpressionSettings
from aver.training.recipe import RecipeBase, Settings
from aver.training.speech_teacher import Lessons, listen
from aver.training.voice_data import SoundBank, VoiceClips, list_clips
from aver.training.voice_fit import (
    ClipHead,
    VoiceTraining,
    VoiceTrainingSettings,
    fit,
    new_network,
)


class VoiceDataSettings(Settings):
    """The voices.

    Attributes:
        corpora: their names, folders below the data folder.
        noise: corpus of backgrounds; empty for synthetic ones alone.
        versions: versions of each clip kept in memory, the recorded one included.
        teacher: speech encoder, a path or a name of the model cache; empty for none.
    """

    corpora: tuple[str, ...] = ("ravdess", "nemo", "emogator")
    noise: str = "esc10"
    versions: int = Field(6, ge=1)
    teacher: str = "whisper_base_encoder"


class VoiceRecipe(RecipeBase):
    """Base of the recipes of voice networks.

    ``pretraining`` is the training on nEMO and EmoGator (no word of RAVDESS is heard), from which
    the other trainings start.
    """

    data: VoiceDataSettings = VoiceDataSettings()
    model: VoiceExpressionSettings = VoiceExpressionSettings()
    pretraining: VoiceTrainingSettings = VoiceTrainingSettings()


class Voices:
    """Clips, their sound, and what the teacher says of them.

    Args:
        recipe: data settings and seed.
        root: folder of the corpora.
        out: the run's folder; transformed sound is kept in ``out/cache``.
    """

    def __init__(self, recipe: VoiceRecipe, root: Path, out: Path):
        data, cache = recipe.data, out / "cache"
        self.clips: VoiceClips = list_clips(root, data.corpora)
        self.bank = SoundBank(root, self.clips, data.versions, data.noise, cache, recipe.seed)
        self._said: tuple[NDArray[np.float16], NDArray[np.int64]] | None = None
        if data.teacher:
            values, ends, total = [], [], 0
            for corpus in data.corpora:
                files = self.clips.table["file"].iloc[self.clips.rows(corpus)].tolist()
                said, where = listen(files, data.teacher, cache, corpus)
                values.append(said)
                ends.append(where + total)
                total += len(said)
            self._said = np.concatenate(values), np.concatenate(ends)

    @property
    def teacher_width(self) -> int:
        """Width of the teacher's vectors, 0 without a teacher."""
        return 0 if self._said is None else int(self._said[0].shape[1])

    def lessons(self, rows: NDArray[np.intp]) -> Lessons | None:
        """The teacher's words on *rows* alone."""
        if self._said is None:
            return None
        return Lessons.of(self._said[0], self._said[1], rows)

    def train(
        self,
        rows: NDArray[np.intp],
        settings: VoiceTrainingSettings,
        recipe: VoiceRecipe,
        name: str,
        *,
        start: tuple[VoiceExpressionNet, ClipHead] | None = None,
        lessons: Lessons | None = None,
        out: Path | None = None,
    ) -> tuple[VoiceExpressionNet, ClipHead]:
        """Train on *rows*, from *start* (copied) or from random weights.

        With *out*, the result is kept there and read back by the next call.
        """
        net, head = new_network(recipe.model, self.teacher_width, recipe.seed)
        kept = None if out is None else out / "voice.pt"
        if kept is not None and kept.is_file():
            state = torch.load(kept, weights_only=True)
            net.load_state_dict(state["net"])
            head.load_state_dict(state["head"])
            return net, head
        if start is not None:
            net.load_state_dict(start[0].state_dict())
            head.load_state_dict(start[1].state_dict())
        lessons = self.lessons(rows) if lessons is None else lessons
        seed = recipe.seed
        fit(VoiceTraining(net, head, self.bank, rows, settings, lessons, seed, name), out)
        if kept is not None:
            beside = kept.with_suffix(".part")
            torch.save({"net": net.state_dict(), "head": head.state_dict()}, beside)
            beside.replace(kept)
        return net, head

    def pretrain(self, recipe: VoiceRecipe, out: Path) -> tuple[VoiceExpressionNet, ClipHead]:
        """Train on all corpora but RAVDESS, once a run folder."""
        rows = np.flatnonzero(self.clips.table["corpus"] != "ravdess")
        return self.train(rows, recipe.pretraining, recipe, "pretraining", out=out / "pretraining")
