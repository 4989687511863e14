"""FER-2013 in memory, and batches of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from aver.corpora import fer2013
from aver.errors import CorpusError
from aver.labels import FER2013


class Faces(NamedTuple):
    """Faces (n, 1, 48, 48) uint8 and their labels (n,) int64, in the order of labels.FER2013."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


class FaceSplit(NamedTuple):
    """What is trained on, what is chosen on, and what is only measured on."""

    train: Faces
    validation: Faces
    test: Faces


def load_split(root: Path, validation_part: float) -> FaceSplit:
    """Read FER-2013 and hold the validation part of ``train`` out.

    Args:
        root: folder of the corpus.
        validation_part: see :func:`aver.corpora.fer2013.held_out`.

    Raises:
        CorpusError: if the corpus is not there, or nothing is held out.
    """
    manifest = fer2013.load(root)
    images = torch.from_numpy(fer2013.read_faces(manifest))[:, None]
    labels = torch.tensor([FER2013.index(label) for label in manifest["label"]])
    held = torch.from_numpy(fer2013.held_out(manifest, validation_part))
    test = torch.from_numpy((manifest["group"] == "test").to_numpy(dtype=bool).copy())
    parts = [Faces(images[rows], labels[rows]) for rows in (~held & ~test, held, test)]
    if not all(len(part) for part in parts):
        raise CorpusError(root, "leaves train, validation or test empty", "Is it complete?")
    return FaceSplit(*parts)


class ShuffledIndices(IterableDataset[Tensor]):
    """One epoch of row numbers in batches; the order depends on the seed and the epoch alone.

    A run that is stopped and resumed at an epoch's end so sees the same batches as one that ran
    through. The last, smaller batch is left out.
    """

    def __init__(self, rows: int, batch: int, seed: int, epoch: int):
        self.rows, self.batch, self.seed, self.epoch = rows, batch, seed, epoch

    def __len__(self) -> int:
        return self.rows // self.batch

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        order = torch.randperm(self.rows, generator=generator)
        for n in range(len(self)):
            yield order[n * self.batch : (n + 1) * self.batch]
