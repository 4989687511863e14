"""The images of the joint audio-image CNNs: stills made into two frames, or frames of clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aver.corpora import load_corpus
from aver.corpora.takes import draw
from aver.errors import CorpusError, RecipeError
from aver.labels import FER2013_TO_RAVDESS
from aver.training.joint_cnn_recipe import PARTS, ImageData, Shares, SplitName

if TYPE_CHECKING:
    import pandas as pd

Pixels = NDArray[np.float32]
Sides = tuple[str, ...]

SIDES: Sides = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Images:
    """Joined images.

    Attributes:
        names: (images,) each once.
        faces: (images,) the still or the clip that an image is made of.
        subjects: (images,) who is seen; empty where nobody is named.
        labels: (images,) emotions.
        pixels: (images, side, 2 * side) grey in [0, 1].
        sides: (images,) ``train``, ``validation`` or ``test`` where the corpus's own parts
            decide, else empty.
    """

    names: NDArray[Any]
    faces: NDArray[Any]
    subjects: NDArray[Any]
    labels: NDArray[Any]
    pixels: Pixels
    sides: NDArray[Any]

    def __len__(self) -> int:
        return len(self.names)


def join_stills(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    moves: NDArray[np.integer],
    *,
    mirrored: bool,
    side: int,
) -> Pixels:
    """Two stills as two frames side by side.

    Args:
        first: (height, width) grey.
        second: the other still, or the same once more.
        moves: (2, 2) pixels down and to the right, of either still; edges are repeated.
        mirrored: mirror the second, left to right.
        side: pixels of a frame's side in the result.

    Returns:
        (side, 2 * side) in [0, 1].
    """
    halves = [
        _fitted(_moved(still, *move), side)
        for still, move in zip(
            (first, second[:, ::-1] if mirrored else second), moves.tolist(), strict=True
        )
    ]
    return np.concatenate(halves, axis=1)


def _moved(still: NDArray[np.uint8], down: int, right: int) -> NDArray[np.uint8]:
    height, width = still.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return still[rows][:, columns]


def _fitted(still: NDArray[np.uint8], side: int) -> Pixels:
    if still.shape != (side, side):
        import cv2

        shrinks = side < still.shape[0]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        still = cv2.resize(np.ascontiguousarray(still), (side, side), interpolation=how)
    return np.asarray(still, np.float32) / np.float32(255.0)


class Stills:
    """Faces of a corpus of stills, from which each division takes its own.

    Args:
        data: the recipe's table ``[images]``.
        manifest: of the corpus, labels in its own words.
        read: from rows of the manifest to (rows, height, width) grey.
    """

    def __init__(
        self,
        data: ImageData,
        manifest: pd.DataFrame,
        read: Callable[[pd.DataFrame], NDArray[np.uint8]],
    ):
        self.data, self.read = data, read
        words = [FER2013_TO_RAVDESS.get(str(label), str(label)) for label in manifest["label"]]
        self.manifest = manifest.assign(label=words).reset_index(drop=True)
        self.sides = _parts(self.manifest)

    @property
    def labels(self) -> set[str]:
        """Emotions of which there are faces."""
        found = set(self.manifest["label"])
        if self.data.calm == "neutral_faces" and "neutral" in found:
            found.add("calm")
        return found

    @property
    def files(self) -> list[Path]:
        """All files."""
        return [Path(file) for file in dict.fromkeys(self.manifest["file"])]

    def images(
        self, classes: tuple[str, ...], split: SplitName, shares: Shares, seed: int
    ) -> Images:
        """The joined images of one division.

        With the report's own split faces of all parts are taken alike, for pairs are divided
        later; else each side takes its share from its own part, or all there is.

        Raises:
            CorpusError: if a class has no face on a side that needs one.
        """
        rows, labels, sides = self._choose(classes, split, shares, seed)
        stills = self.read(self.manifest.iloc[rows])
        d = self.data
        names, pixels, faces, kept, where = [], [], [], [], []
        partners = (
            _partners(labels, sides, seed) if d.pair == "two_stills" else np.arange(len(rows))
        )
        for at, row in enumerate(rows.tolist()):
            face = str(self.manifest["recording"].iloc[row])
            random = np.random.default_rng(draw(seed, "joined", face))
            for view in range(d.views):
                moves = random.integers(-d.shift, d.shift + 1, (2, 2))
                same = d.pair == "same_still"
                pixels.append(
                    join_stills(stills[at], stills[partners[at]], moves, mirrored=same, side=d.side)
                )
                names.append(f"{face}#{view}")
                faces.append(face)
                kept.append(labels[at])
                where.append(sides[at])
        nobody = np.full(len(names), "", dtype=object)
        return Images(
            np.array(names, object),
            np.array(faces, object),
            nobody,
            np.array(kept, object),
            np.stack(pixels),
            np.array(where, object),
        )

    def _choose(
        self, classes: tuple[str, ...], split: SplitName, shares: Shares, seed: int
    ) -> tuple[NDArray[np.intp], NDArray[Any], NDArray[Any]]:
        """Rows of the manifest, the emotion each shows here, and its side (empty for ``text``)."""
        wanted = {"": 1.0} if split == "text" else dict(zip(SIDES, PARTS[shares], strict=True))
        names = self.manifest["recording"].astype(str).tolist()
        found: list[tuple[int, str, str]] = []
        for side, share in wanted.items():
            if not share:
                continue
            inside = np.ones(len(names), bool) if side == "" else self.sides == side
            for label, pool in self._pools(classes, inside).items():
                pool.sort(key=lambda row: (draw(seed, "still", names[row]), names[row]))
                count = round(share * self.data.per_class) or len(pool)
                if not pool:
                    where = f" for {side}" if side else ""
                    raise CorpusError(
                        self.data.corpus,
                        f"has recordings but no images of '{label}'{where}",
                        "Leave the class out of the recipe's classes, or add faces",
                    )
                found += [(row, label, side) for row in pool[:count]]
        rows, labels, sides = zip(*found, strict=True)
        return np.array(rows, np.intp), np.array(labels, object), np.array(sides, object)

    def _pools(self, classes: tuple[str, ...], inside: NDArray[np.bool_]) -> dict[str, list[int]]:
        """Rows to choose from, by emotion; calm and neutral share no face."""
        shown = self.manifest["label"].to_numpy()
        pools = {c: np.flatnonzero(inside & (shown == c)).tolist() for c in classes}
        if "calm" in pools and not pools["calm"] and self.data.calm == "neutral_faces":
            neutral = np.flatnonzero(inside & (shown == "neutral")).tolist()
            names = self.manifest["recording"].astype(str)
            calm = {row for row in neutral if draw(0, "calm", names.iloc[row]) % 2}
            pools["calm"] = [row for row in neutral if row in calm]
            if "neutral" in pools:
                pools["neutral"] = [row for row in neutral if row not in calm]
        return pools


def _partners(labels: NDArray[Any], sides: NDArray[Any], seed: int) -> NDArray[np.intp]:
    """For each still another of the same emotion and side: the next in a random circle."""
    partner = np.arange(len(labels))
    random = np.random.default_rng(seed)
    for key in sorted(set(zip(labels.tolist(), sides.tolist(), strict=True))):
        own = np.flatnonzero((labels == key[0]) & (sides == key[1]))
        order = random.permutation(own)
        partner[order] = np.roll(order, -1)
    return partner


def _parts(manifest: pd.DataFrame) -> NDArray[Any]:
    """Which side each still is for: the corpus's test part, and a held-out tenth of the rest.

    The held-out faces go by their names, so all recipes hold the same ones out.
    """
    from aver.corpora.fer2013 import held_out

    sides = manifest["group"].astype(str).to_numpy(dtype=object).copy()
    sides[held_out(manifest, HELD_OUT)] = "validation"
    unknown = sorted(set(sides.tolist()) - set(SIDES))
    if unknown:
        raise CorpusError(
            "stills",
            f"have the part '{unknown[0]}', not train, validation or test",
            "Use a corpus that has its own test part, or source = 'clips'",
        )
    return sides


HELD_OUT = 0.1
"""Share of the training part that validates."""


def load_stills(data: ImageData, data_root: Path) -> Stills:
    """The stills of the recipe's corpus.

    Raises:
        RecipeError: if the corpus is not one of stills.
        CorpusError: if it cannot be read.
    """
    from aver.corpora.fer2013 import read_faces

    if data.corpus != "fer2013":
        raise RecipeError(
            "images.corpus", f"'{data.corpus}' holds no stills", "Use fer2013, or source = 'clips'"
        )
    root = data_root / (data.folder or data.corpus)
    return Stills(data, load_corpus(data.corpus, root, **data.options), read_faces)
