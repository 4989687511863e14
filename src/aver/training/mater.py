"""Training MATER: settings, batches, loss and loop; :mod:`aver.training.mater_run` uses them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import lightning
import numpy as np
import torch
import torch.nn.functional as functional
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from pydantic import Field
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from aver.errors import AverError
from aver.models.mater import Mater, MaterSettings
from aver.training import mater_data
from aver.training.recipe import RecipeBase, Settings
from aver.training.sequences import FaceBank, Sequences, drop_windows


class MaterTraining(Settings):
    """How MATER is trained.

    The paper (section 3.1): Adam, batch 64, 300 epochs, learning rate 1e-6 reduced after 20 epochs
    without progress. A rate of 1e-6 barely moves the weights of a network trained from nothing;
    the default here is larger, with a short warm-up and a cosine decay, and far fewer epochs.

    Attributes:
        epochs: passes over the clips.
        batch: clips a step.
        learning_rate: highest learning rate.
        weight_decay: AdamW's.
        warm_up: part of all steps over which the rate rises.
        label_smoothing: of the cross entropy.
        opinion_weight: share of a better informed network's opinion in the voice branch's target,
            where the data bring one; the rest is the label.
        branch_loss: weight of each modality's own cross entropy (0 is the paper).
        drop_modality: share of the clips in which one modality, drawn by lot, is missing.
        drop_window: probability of a window to be missing.
        shorten: share of the clips cut to a random stretch.
        noise: standard deviation of the noise on the embeddings, relative to a feature's size.
        balance: draw classes equally often.
        precision: Lightning's name of the arithmetic.
        threads: torch threads, 0 for all cores.
    """

    epochs: int = Field(20, ge=1)
    batch: int = Field(64, ge=2)
    learning_rate: float = Field(3e-4, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    warm_up: float = Field(0.1, ge=0, lt=1)
    label_smoothing: float = Field(0.05, ge=0, lt=1)
    opinion_weight: float = Field(0.8, ge=0, le=1)
    branch_loss: float = Field(1.0, ge=0)
    drop_modality: float = Field(0.3, ge=0, le=1)
    drop_window: float = Field(0.1, ge=0, lt=1)
    shorten: float = Field(0.3, ge=0, le=1)
    noise: float = Field(0.3, ge=0)
    balance: bool = True
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "bf16-mixed"
    threads: int = Field(0, ge=0)


class MaterRecipe(RecipeBase):
    """A recipe of the task ``mater``."""

    data: mater_data.MaterData = mater_data.MaterData()
    model: MaterSettings = MaterSettings()
    training: MaterTraining = MaterTraining()


class ClipBatches(IterableDataset[dict[str, Tensor]]):
    """Batches of clips for one epoch; the order depends on the seed and the epoch alone."""

    def __init__(
        self,
        clips: Sequences,
        bank: FaceBank | None,
        settings: MaterTraining,
        faces_of: np.ndarray | None,
        seed: int,
        epoch: int = 0,
    ):
        self.clips, self.bank, self.settings = clips, bank, settings
        self.faces_of, self.seed, self.epoch = faces_of, seed, epoch

    def __len__(self) -> int:
        return max(1, len(self.clips) // self.settings.batch)

    def __iter__(self) -> Any:
        random = np.random.default_rng((self.seed, self.epoch))
        labels = self.clips.labels
        chance = np.ones(len(labels))
        if self.settings.balance:
            chance = 1.0 / np.bincount(labels, minlength=labels.max() + 1)[labels]
        chance /= chance.sum()
        for _ in range(len(self)):
            rows = random.choice(len(labels), self.settings.batch, p=chance)
            yield self.batch(self.clips.take(rows), random)

    def batch(self, clips: Sequences, random: np.random.Generator) -> dict[str, Tensor]:
        """Compose faces where there are none, and take away what goes missing."""
        s = self.settings
        windows = clips.voice.shape[1]
        if clips.face is None or clips.face_mask is None:
            assert self.bank is not None
            assert self.faces_of is not None
            face = self.bank.compose(
                self.faces_of[clips.labels], windows, random, relaxed_label=int(self.faces_of[0])
            )
            face_mask = np.ones(face.shape[:2], bool)
        else:
            face, face_mask = clips.face, clips.face_mask
        face_mask = drop_windows(face_mask, random, share=s.drop_window, shorten=s.shorten)
        voice_mask = drop_windows(clips.voice_mask, random, share=s.drop_window, shorten=s.shorten)
        missing = random.random(len(clips)) < s.drop_modality
        which = random.random(len(clips)) < 0.5
        # A modality goes missing only where the other is there.
        face_mask &= ~(missing & which & voice_mask.any(1))[:, None]
        voice_mask &= ~(missing & ~which & face_mask.any(1))[:, None]
        sizes = s.noise / np.sqrt(face.shape[-1])
        noisy = [
            x + sizes * random.standard_normal(x.shape, np.float32) for x in (face, clips.voice)
        ]
        face, voice = (
            x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9) for x in noisy
        )
        batch = {
            "face": torch.from_numpy(face.astype(np.float32)),
            "face_mask": torch.from_numpy(face_mask),
            "voice": torch.from_numpy(voice.astype(np.float32)),
            "voice_mask": torch.from_numpy(voice_mask),
            "labels": torch.from_numpy(clips.labels),
        }
        if clips.opinion is not None:
            batch["opinion"] = torch.from_numpy(clips.opinion)
        return batch


class MaterTask(lightning.LightningModule):
    """Data of each epoch, loss, optimiser and schedule."""

    def __init__(self, recipe: MaterRecipe, clips: Sequences, bank: FaceBank | None):
        super().__init__()
        self.network = Mater(recipe.model)
        self.settings, self.seed = recipe.training, recipe.seed
        self.clips, self.bank = clips, bank
        self.faces_of = mater_data.still_classes() if bank is not None else None
        self.steps = len(self._batches()) * recipe.training.epochs

    def _batches(self) -> ClipBatches:
        parts = (self.clips, self.bank, self.settings, self.faces_of, self.seed)
        return ClipBatches(*parts, epoch=self.current_epoch)

    def train_dataloader(self) -> Any:
        """This epoch's batches; asked for anew every epoch, so a resumed run goes on rightly."""
        return DataLoader(self._batches(), batch_size=None)

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """Cross entropy of the averaged prediction, plus the branches' own."""
        inputs = (batch["face"], batch["face_mask"], batch["voice"], batch["voice_mask"])
        out = self.network(*inputs)
        target = self._targets(batch["labels"])
        loss = functional.cross_entropy(out.fused.float(), target)
        if self.settings.branch_loss:
            own = target
            if "opinion" in batch:
                weight = self.settings.opinion_weight
                own = (1 - weight) * target + weight * batch["opinion"]
            for logits, mask, aim in ((out.face, inputs[1], target), (out.voice, inputs[3], own)):
                there = mask.any(1)
                if there.any():
                    branch = functional.cross_entropy(logits[there].float(), aim[there])
                    loss = loss + self.settings.branch_loss * branch
        accuracy = (out.fused.argmax(1) == batch["labels"]).float().mean()
        self.log_dict({"loss": loss, "accuracy": accuracy}, prog_bar=True, on_epoch=True)
        if not torch.isfinite(loss):
            raise AverError(
                "the loss is not finite",
                "Lower training.learning_rate and start again; the last checkpoint is kept",
            )
        return loss

    def _targets(self, labels: Tensor) -> Tensor:
        """Smoothed one-hot targets (batch, classes)."""
        classes, smoothing = self.network.settings.classes, self.settings.label_smoothing
        return functional.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and cosine decay."""
        s = self.settings
        optimizer = torch.optim.AdamW(
            self.network.parameters(), s.learning_rate, weight_decay=s.weight_decay
        )
        warm = max(1, int(s.warm_up * self.steps))

        def rate(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            part = (step - warm) / max(1, self.steps - warm)
            return 0.5 * (1 + float(np.cos(np.pi * min(part, 1.0))))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


class _Epochs(lightning.Callback):
    """Dropout too must not depend on whether the run was stopped before this epoch."""

    def __init__(self, seed: int, after_epoch: Callable[[Any], None] | None):
        self.seed, self.after_epoch = seed, after_epoch

    def on_train_batch_start(self, trainer: Any, _: Any, batch: Any, index: int) -> None:
        torch.manual_seed((self.seed * 100_003 + trainer.current_epoch) * 100_003 + index)

    def on_train_epoch_end(self, trainer: Any, _: Any) -> None:
        if self.after_epoch is not None:
            self.after_epoch(trainer)


def fit(
    recipe: MaterRecipe,
    clips: Sequences,
    bank: FaceBank | None,
    out: Path,
    *,
    after_epoch: Callable[[Any], None] | None = None,
) -> Mater:
    """Train; goes on from ``out/last.ckpt`` if it is there.

    Args:
        recipe: what to train.
        clips: training clips.
        bank: faces to compose from, where the clips have none.
        out: folder of checkpoints and logs.
        after_epoch: called with the trainer after each epoch (to stop it, say).

    Raises:
        AverError: if the loss is no longer finite (the last checkpoint stays).
    """
    lightning.seed_everything(recipe.seed, verbose=False)
    if recipe.training.threads:
        torch.set_num_threads(recipe.training.threads)
    task = MaterTask(recipe, clips, bank)
    last = out / "last.ckpt"
    trainer = lightning.Trainer(
        max_epochs=recipe.training.epochs,
        accelerator="auto",
        precision=recipe.training.precision,
        logger=CSVLogger(out, name="", version="log"),
        callbacks=[
            # The newest epoch's, always under the same name.
            ModelCheckpoint(out, "last", save_top_k=1, enable_version_counter=False),
            _Epochs(recipe.seed, after_epoch),
        ],
        gradient_clip_val=1.0,
        enable_model_summary=False,
        log_every_n_steps=10,
        reload_dataloaders_every_n_epochs=1,
    )
    trainer.fit(task, ckpt_path=str(last) if last.exists() else None)
    return task.network.eval()


@torch.no_grad()
def predict(network: Mater, clips: Sequences, batch: int = 256) -> dict[str, np.ndarray]:
    """Logits (clips, classes) of ``fused``, ``face`` and ``voice`` for clips with both."""
    assert clips.face is not None
    assert clips.face_mask is not None
    parts: dict[str, list[np.ndarray]] = {"fused": [], "face": [], "voice": []}
    for at in range(0, len(clips), batch):
        c = clips.take(np.arange(at, min(at + batch, len(clips))))
        assert c.face is not None
        assert c.face_mask is not None
        arrays = (c.face, c.face_mask, c.voice, c.voice_mask)
        out = network(*(torch.from_numpy(x) for x in arrays))
        for name, logits in out._asdict().items():
            parts[name].append(logits.numpy())
    return {name: np.concatenate(logits) for name, logits in parts.items()}
