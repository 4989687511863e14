"""Clips as sequences of window embeddings, for networks that fuse them.

There is no free corpus here with pictures of faces that speak in all eight RAVDESS classes, so the
default weights are trained on *composed* clips: the voice is a real recording, and the face is a
sequence made of FER-2013 stills of the same class. What a still cannot show (movement, the link
between lips and sound, one person's face and voice together) such clips cannot teach; the card
says so. True clips, where a user has them, come as :class:`Sequences` with both modalities from
:func:`embed_clips`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aver.errors import AverError, CorpusError

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Sequences:
    """Embedded clips.

    Attributes:
        face: (clips, windows, dimensions), l2-normalised where present; None without pictures.
        face_mask: (clips, windows), True where there is a face; None without pictures.
        voice: (clips, windows, dimensions), l2-normalised where present.
        voice_mask: (clips, windows).
        labels: (clips,) index of the class.
        subjects: (clips,) whose clip it is.
        opinion: (clips, classes) what a better informed network says of each clip's voice, as
            probabilities; None for none.
    """

    voice: Floats
    voice_mask: Mask
    labels: NDArray[np.int64]
    subjects: NDArray[np.str_]
    face: Floats | None = None
    face_mask: Mask | None = None
    opinion: Floats | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.intp] | Mask) -> Sequences:
        """The clips at *rows*."""
        return Sequences(
            self.voice[rows],
            self.voice_mask[rows],
            self.labels[rows],
            self.subjects[rows],
            None if self.face is None else self.face[rows],
            None if self.face_mask is None else self.face_mask[rows],
            None if self.opinion is None else self.opinion[rows],
        )


@dataclass(frozen=True)
class FaceBank:
    """Embeddings of several altered views of many stills.

    Attributes:
        views: (stills, views, dimensions) float16 or float32, not normalised.
        labels: (stills,) index of the class.
    """

    views: NDArray[np.floating]
    labels: NDArray[np.int64]

    def compose(
        self,
        labels: NDArray[np.int64],
        windows: int,
        random: np.random.Generator,
        *,
        one_still: float = 0.7,
        relaxed: float = 0.15,
        relaxed_label: int | None = None,
    ) -> Floats:
        """A face sequence for each label.

        A window is the normalised mean of two random views of a still, as a real window is the
        mean of its frames (MATER 2.1.1).

        Args:
            labels: (clips,) class of each clip; every one must occur in the bank.
            windows: windows of a clip.
            random: source of all randomness.
            one_still: share of clips that show one still throughout; the others change between
                two stills of the class.
            relaxed: probability of a window at either end of a clip to show *relaxed_label*
                instead, as expressions begin and end.
            relaxed_label: class of a relaxed face, None for none.

        Returns:
            (clips, windows, dimensions) l2-normalised.

        Raises:
            CorpusError: if the bank has no still of a label.
        """
        stills = np.empty((len(labels), windows), np.intp)
        for label in np.unique(labels):
            rows = np.flatnonzero(labels == label)
            first, second = self._draw(label, (2, len(rows)), random)
            change = random.integers(1, windows, len(rows)) if windows > 1 else 0
            change = np.where(random.random(len(rows)) < one_still, windows, change)
            late = np.arange(windows)[None, :] >= np.broadcast_to(change, len(rows))[:, None]
            stills[rows] = np.where(late, second[:, None], first[:, None])
        if relaxed_label is not None and relaxed > 0:
            ends = random.random((len(labels), windows)) < relaxed
            ends[:, 1 : windows - 1] = False
            stills[ends] = self._draw(relaxed_label, int(ends.sum()), random)
        pick = random.integers(0, self.views.shape[1], (2, *stills.shape))
        mean = self.views[stills, pick[0]].astype(np.float32)
        mean += self.views[stills, pick[1]]
        length = np.linalg.norm(mean, axis=-1, keepdims=True)
        return np.asarray(mean / np.maximum(length, 1e-9), np.float32)

    def _draw(
        self, label: int, shape: int | tuple[int, ...], random: np.random.Generator
    ) -> NDArray[np.intp]:
        pool = np.flatnonzero(self.labels == label)
        if not len(pool):
            raise CorpusError("faces", f"no still of class {label}", "Map the class onto another")
        return pool[random.integers(0, len(pool), shape)]


def drop_windows(mask: Mask, random: np.random.Generator, *, share: float, shorten: float) -> Mask:
    """Windows that go missing as they do in real recordings.

    Args:
        mask: (clips, windows) what is present.
        random: source of all randomness.
        share: probability of each window to go missing.
        shorten: share of clips cut to a random stretch of at least one window, as at the
            beginning and end of a recording.

    Returns:
        (clips, windows); a clip that had a window keeps at least one.
    """
    clips, windows = mask.shape
    kept: Mask = mask & (random.random(mask.shape) >= share)
    length = random.integers(1, windows + 1, clips)
    start = random.integers(0, windows - length + 1)
    position = np.arange(windows)[None, :]
    inside = (position >= start[:, None]) & (position < (start + length)[:, None])
    cut: Mask = np.asarray(random.random(clips) < shorten)
    kept &= inside | ~cut[:, None]
    lost = mask.any(1) & ~kept.any(1)
    kept[lost] = mask[lost]
    return kept


ClipEmbedder = Callable[[Path], tuple[Floats, Mask, Floats, Mask]]


def embed_clips(
    files: Sequence[Path],
    labels: Sequence[int],
    subjects: Sequence[str],
    windows: int,
    embed: ClipEmbedder,
    warn: Callable[[str], None],
) -> Sequences:
    """Embed true clips, face and voice together, with the analysis's own front end.

    A clip is cut or padded (masked) to *windows*. A clip that cannot be read is left out with a
    warning.

    Raises:
        CorpusError: if not one clip could be read.
    """
    parts: list[tuple[Floats, Mask, Floats, Mask]] = []
    kept: list[int] = []
    for row, file in enumerate(files):
        try:
            parts.append(tuple(_fit(x, windows) for x in embed(file)))  # type: ignore[arg-type]
            kept.append(row)
        except AverError as error:
            warn(f"left out: {error}")
    if not kept:
        raise CorpusError(files[0].parent if files else "clips", "no clip could be read")
    face, face_mask, voice, voice_mask = (np.stack(x) for x in zip(*parts, strict=True))
    return Sequences(
        voice,
        voice_mask,
        np.asarray(labels, np.int64)[kept],
        np.asarray(subjects, np.str_)[kept],
        face,
        face_mask,
    )


def _fit(x: NDArray[np.generic], windows: int) -> NDArray[np.generic]:
    short = max(0, windows - len(x))
    return np.pad(x[:windows], [(0, short), *[(0, 0)] * (x.ndim - 1)])
