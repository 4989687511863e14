"""The loop that trains the voice network: windows in the context of their clip.

Each clip of a batch is eight windows. The network embeds each on its own; a small head pools a
clip's embeddings by attention and classifies the clip, so that a window need not bear the emotion
of its clip alone. Three things are asked at once: the emotion (of the clip, and of each window),
EmoGator's thirty categories, and what a speech encoder says of each window (distillation,
see :mod:`aver.training.speech_teacher`). A corpus that lacks a class does not speak against it:
its clips are scored among the classes the corpus knows.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.utils.data import DataLoader

from aver.labels import EMOGATOR
from aver.models.voice_expression import (
    EMBEDDING_SCALE,
    VoiceExpressionNet,
    VoiceExpressionSettings,
)
from aver.training.recipe import Settings
from aver.training.speech_teacher import Lessons
from aver.training.voice_data import Drawn, SoundBank

WINDOWS = 8
"""Windows of a clip, as MATER has them on RAVDESS."""

_NEVER = -1.0e4


class VoiceTrainingSettings(Settings):
    """How the voice network is trained.

    Attributes:
        epochs: passes over the clips.
        batch: clips a step.
        learning_rate: highest of AdamW; rises over the first tenth, falls to zero along a cosine.
        weight_decay: of AdamW.
        window_weight: of the cross entropy of single windows.
        category_weight: of the cross entropy of EmoGator's categories.
        teacher_weight: of the squared error against the teacher, window by window.
        teacher_clip_weight: of the squared error of the clip's means. A window's vector tells
            mostly which sounds are spoken; the mean over a clip who speaks, and how.
        disturbance: strength of the disturbances of sound (0 to 1), reached after ``ramp``.
        ramp: share of the epochs over which it rises from nothing: what is hard from the first
            step on is not learned at all in a short training.
        half_precision: bfloat16 products.
        threads: threads of the tensor library; 0 leaves its own choice.
    """

    epochs: int = Field(10, ge=1)
    batch: int = Field(24, ge=2)
    learning_rate: float = Field(1.5e-3, gt=0)
    weight_decay: float = Field(2e-2, ge=0)
    window_weight: float = Field(0.3, ge=0)
    category_weight: float = Field(0.5, ge=0)
    teacher_weight: float = Field(0.3, ge=0)
    teacher_clip_weight: float = Field(0.5, ge=0)
    disturbance: float = Field(0.5, ge=0, le=1)
    ramp: float = Field(0.4, gt=0, le=1)
    half_precision: bool = True
    threads: int = Field(1, ge=0)


class ClipHead(nn.Module):
    """What stands on the embeddings in training and is thrown away after it.

    Args:
        dimensions: width of the embeddings.
        classes: RAVDESS classes.
        teacher: width of the teacher's vectors; 0 for no teacher.
    """

    def __init__(self, dimensions: int = 512, classes: int = 8, teacher: int = 512):
        super().__init__()
        heads, hidden = 4, 256
        self.dropout = nn.Dropout(0.3)
        self.attend = nn.Linear(dimensions, heads)
        self.hidden = nn.Sequential(
            nn.Linear(heads * dimensions, hidden), nn.ReLU(), nn.Dropout(0.3)
        )
        self.classify = nn.Linear(hidden, classes)
        self.categorise = nn.Linear(hidden, len(EMOGATOR))
        self.imitate = nn.Linear(dimensions, teacher) if teacher else None

    def forward(self, embeddings: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Class and category logits of clips.

        Args:
            embeddings: (batch, windows, dimensions), scaled.
            present: (batch, windows) bool.
        """
        x = self.dropout(embeddings)
        weights = self.attend(x).masked_fill(~present[..., None], _NEVER).softmax(dim=1)
        pooled = self.hidden(torch.einsum("bwh,bwd->bhd", weights, x).flatten(1))
        return self.classify(pooled), self.categorise(pooled)


def embed_present(
    net: VoiceExpressionNet, log_mel: Tensor, present: Tensor, half_precision: bool
) -> Tensor:
    """(batch, windows, dimensions) embeddings of length 1; zeros where nothing is present."""
    with torch.autocast("cpu", torch.bfloat16, enabled=half_precision):
        found = net.features(log_mel[present])
    embeddings = found.new_zeros(*present.shape, net.settings.dimensions, dtype=torch.float32)
    embeddings[present] = F.normalize(found.float(), dim=-1)
    return embeddings


class VoiceTraining(L.LightningModule):
    """The loop.

    Args:
        net: the network, trained in place.
        head: the head, trained in place.
        bank: the clips.
        rows: which of them to train on.
        settings: how.
        lessons: what the teacher says; None for no teacher.
        seed: of every draw.
        name: what the run is called where it tells of itself.
    """

    def __init__(
        self,
        net: VoiceExpressionNet,
        head: ClipHead,
        bank: SoundBank,
        rows: NDArray[np.intp],
        settings: VoiceTrainingSettings,
        lessons: Lessons | None,
        seed: int,
        name: str = "voice",
    ):
        super().__init__()
        self.name = name
        self.net = net
        nn.Module.to(net, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.head, self.bank, self.rows, self.settings = head, bank, rows, settings
        self.lessons, self.seed = lessons, seed
        self.generator = np.random.default_rng(seed)
        self.sums: dict[str, list[float]] = {}

    @property
    def steps(self) -> int:
        """Steps an epoch."""
        return max(1, len(self.rows) // self.settings.batch)

    def train_dataloader(self) -> DataLoader[Any]:
        """Rows of the batches of the epoch that begins now, in random order."""
        shuffle = np.random.default_rng([self.seed, self.current_epoch])
        order = shuffle.permutation(self.rows)
        size = min(self.settings.batch, len(order))
        batches = [order[size * i : size * (i + 1)] for i in range(self.steps)]
        return DataLoader(batches, batch_size=None)  # type: ignore[arg-type]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """One step on the clips whose rows are *batch*."""
        rows = np.asarray(batch)
        s, clips = self.settings, self.bank.clips
        ramp = self.global_step / max(1.0, s.ramp * s.epochs * self.steps)
        strength = s.disturbance * min(1.0, ramp)
        drawn = self.bank.draw(rows, WINDOWS, self.generator, strength)
        present = torch.from_numpy(drawn.present)
        unit = embed_present(self.net, torch.from_numpy(drawn.log_mel), present, s.half_precision)
        scaled = unit * EMBEDDING_SCALE
        classes, categories = self.head(scaled, present)
        loss = self._emotion(scaled, classes, present, rows)
        category = torch.from_numpy(clips.category[rows])
        bursts = category >= 0
        if bursts.any():
            part = F.cross_entropy(categories[bursts], category[bursts])
            loss = loss + s.category_weight * bursts.float().mean() * part
            self._note("category", part)
        if self.lessons is not None and self.head.imitate is not None:
            loss = loss + self._imitate(self.lessons, scaled, present, rows, drawn)
        return loss

    def _emotion(
        self, scaled: Tensor, classes: Tensor, present: Tensor, rows: NDArray[np.intp]
    ) -> Tensor:
        clips = self.bank.clips
        target = torch.from_numpy(clips.target[rows])
        known = target >= 0
        if not known.any():
            return classes.sum() * 0.0
        unknown_class = torch.from_numpy(~clips.allowed[rows])
        classes = classes.masked_fill(unknown_class, _NEVER)
        loss = F.cross_entropy(classes[known], target[known])
        self._note("emotion", loss)
        self._note("accuracy", (classes[known].argmax(1) == target[known]).float().mean())
        windows = self.net.classify(self.head.dropout(scaled))
        windows = windows.masked_fill(unknown_class[:, None], _NEVER)
        chosen = present & known[:, None]
        each = target[:, None].expand(-1, WINDOWS)[chosen]
        return loss + self.settings.window_weight * F.cross_entropy(windows[chosen], each)

    def _imitate(
        self,
        lessons: Lessons,
        scaled: Tensor,
        present: Tensor,
        rows: NDArray[np.intp],
        drawn: Drawn,
    ) -> Tensor:
        assert self.head.imitate is not None
        said, there = lessons.of_windows(rows, drawn.starts, drawn.speeds, WINDOWS)
        heard = torch.from_numpy(there) & present
        error = (self.head.imitate(scaled) - torch.from_numpy(said)) * heard[..., None]
        count = heard.sum(dim=1, keepdim=True)
        window = error.square().sum() / (heard.sum() * error.shape[-1]).clamp(min=1)
        stretch = torch.from_numpy(lessons.deviation / lessons.clip_deviation)
        clip = (error.sum(dim=1) / count.clamp(min=1) * stretch).square().mean()
        self._note("teacher", window)
        self._note("teacher_clip", clip)
        s = self.settings
        loss: Tensor = s.teacher_weight * window + s.teacher_clip_weight * clip
        return loss

    def _note(self, name: str, value: Tensor) -> None:
        self.sums.setdefault(name, []).append(float(value.detach()))

    def on_train_epoch_end(self) -> None:
        """Tell the epoch's means."""
        figures = " ".join(f"{k} {np.mean(values):.3f}" for k, values in self.sums.items())
        epoch = f"epoch {self.current_epoch + 1}/{self.settings.epochs}"
        print(f"{self.name} {epoch} {figures}", flush=True)
        self.sums = {}

    def configure_optimizers(self) -> Any:
        """AdamW with a rise and a cosine fall."""
        s = self.settings
        parameters = [*self.net.parameters(), *self.head.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=s.learning_rate, weight_decay=s.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, s.learning_rate, total_steps=s.epochs * self.steps + 1, pct_start=0.1
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def fit(training: VoiceTraining, out: Path | None) -> None:
    """Run the loop; with *out*, from the last checkpoint there, and leaving one each epoch."""
    if training.settings.threads:
        torch.set_num_threads(training.settings.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    callbacks: list[Callback] = []
    last = None
    if out is not None:
        callbacks.append(ModelCheckpoint(out, filename="last", enable_version_counter=False))
        last = out / "last.ckpt" if (out / "last.ckpt").is_file() else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = L.Trainer(
            max_epochs=training.settings.epochs,
            accelerator="cpu",
            logger=False,
            callbacks=callbacks,
            enable_checkpointing=out is not None,
            enable_progress_bar=False,
            enable_model_summary=False,
            gradient_clip_val=5.0,
            reload_dataloaders_every_n_epochs=1,
        )
        trainer.fit(training, ckpt_path=last)


@torch.no_grad()
def embed_rows(
    net: VoiceExpressionNet,
    bank: SoundBank,
    rows: NDArray[np.intp],
    generator: np.random.Generator | None = None,
    strength: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Embeddings (clips, 8, dimensions) and presence (clips, 8) of *rows*.

    As recorded; with a *generator*, one random view of each, as drawn in training with
    disturbances of *strength*.
    """
    net.eval()
    found, masks = [], []
    for at in range(0, len(rows), 64):
        some = rows[at : at + 64]
        if generator is None:
            drawn = bank.plain(some, WINDOWS)
        else:
            drawn = bank.draw(some, WINDOWS, generator, strength)
        present = torch.from_numpy(drawn.present)
        found.append(embed_present(net, torch.from_numpy(drawn.log_mel), present, False))
        masks.append(present)
    return torch.cat(found), torch.cat(masks)


def new_network(
    model: VoiceExpressionSettings, teacher_width: int, seed: int
) -> tuple[VoiceExpressionNet, ClipHead]:
    """A network and its head with random weights of *seed*."""
    torch.manual_seed(seed)
    return VoiceExpressionNet(model), ClipHead(model.dimensions, model.classes, teacher_width)
