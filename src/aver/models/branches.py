"""Branches: from a stream as its extractor gives it to feature maps, one for each representation.

A stream is (batch, time, dimension): each window's numbers in one row, as the bench keeps them.
A branch knows what the row is (a picture, samples, functionals), and gives feature maps (batch,
time, channels, height, width) with the mask of their windows. The names are those of the review
"Audio-Visual Emotion Recognition" (Matveev et al. 2023), section 2: five ways to represent sound,
self-supervised speech, and five ways to represent a face.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar, TypeVar

from torch import Tensor, nn

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class BranchSettings:
    """Sizes that all branches share.

    Attributes:
        width: channels of the feature maps that come out.
        channels: channels of the convolutions before the last.
        hidden: cells of the hidden layer of dense branches.
        dropout: on the features, before dense layers.
        picture: (height, width) of a window's picture; None leaves it to the branch.
        shrink: a picture is averaged over so many rows and columns first.
    """

    width: int = 32
    channels: tuple[int, ...] = (8, 16)
    hidden: int = 64
    dropout: float = 0.2
    picture: tuple[int, int] | None = None
    shrink: tuple[int, int] = (1, 1)


class Branch(nn.Module):
    """Base of the branches.

    Args:
        dimension: width of the stream.
        settings: sizes.

    Attributes:
        shape: (channels, height, width) of the maps.
        picture: whether the stream's windows are pictures, so that ``picture`` and ``shrink``
            mean something.

    Raises:
        ValueError: if the branch cannot read a stream of this width.
    """

    shape: Shape
    picture: ClassVar[bool] = False

    def __init__(self, dimension: int, settings: BranchSettings):
        super().__init__()
        del dimension, settings

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Feature maps.

        Args:
            x: (batch, time, dimension), zeros where nothing is present.
            present: (batch, time) bool.

        Returns:
            (batch, time, channels, height, width), zeros where nothing is present, and
            (batch, time) bool.
        """
        raise NotImplementedError


AnyBranch = TypeVar("AnyBranch", bound=type[Branch])

_BRANCHES: dict[str, type[Branch]] = {}
_HOMES: dict[str, str] = {
    "waveform": "aver.models.branches_sound",
    "acoustic_features": "aver.models.branches_sound",
    "spectrogram": "aver.models.branches_picture",
    "log_mel": "aver.models.branches_picture",
    "mfcc": "aver.models.branches_sound",
    "speech_embedding": "aver.models.branches_sound",
    "frame_cnn": "aver.models.branches_picture",
    "cnn_recurrent": "aver.models.branches_picture",
    "cnn_3d": "aver.models.branches_picture",
    "optical_flow": "aver.models.branches_picture",
    "action_units": "aver.models.branches_sound",
    "projection": "aver.models.branches_sound",
}


def register_branch(*names: str) -> Callable[[AnyBranch], AnyBranch]:
    """Register the decorated class under *names*."""

    def keep(kind: AnyBranch) -> AnyBranch:
        for name in names:
            _BRANCHES[name] = kind
        return kind

    return keep


def branch_names() -> list[str]:
    """Names of all branches."""
    return sorted({*_HOMES, *_BRANCHES})


def branch_class(name: str) -> type[Branch]:
    """The class of the branch *name*.

    Raises:
        ValueError: if there is none; the nearest is named.
    """
    if name not in _BRANCHES and name in _HOMES:
        import_module(_HOMES[name])
    if name not in _BRANCHES:
        raise ValueError(f"there is no branch '{name}'; {nearest(name, branch_names())}")
    return _BRANCHES[name]


def make_branch(name: str, dimension: int, settings: BranchSettings) -> Branch:
    """Build the branch *name* for a stream that is *dimension* wide.

    Raises:
        ValueError: if there is no such branch, or it cannot read such a stream.
    """
    kind = branch_class(name)
    for key, default in (("picture", None), ("shrink", (1, 1))):
        if getattr(settings, key) != default and not kind.picture:
            raise ValueError(f"'{key}' says nothing to the branch '{name}', which has no pictures")
    return kind(dimension, settings)


def nearest(word: str, known: list[str]) -> str:
    """A hint: the nearest of *known*, or all of them."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"
