"""Recordings and images divided into sides, and paired class by class.

The report pairs first and divides then (section 4.1, 5.1.1): recordings are copied until each
class has as many as images, so copies of one recording come to stand on both sides. Here pairs
are made within each side; the report's way is the split ``text``, and its figures say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aver.corpora import leaks
from aver.corpora.splits import Fold, Split, SplitSettings, make_split
from aver.corpora.takes import subjects_of
from aver.errors import CorpusError
from aver.training.joint_cnn_images import SIDES, Images
from aver.training.joint_cnn_recipe import PARTS, Shares, SplitName

if TYPE_CHECKING:
    import pandas as pd

Rows = NDArray[np.intp]

REASON = "the report's own division, shown beside the one without leaks"


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of one class each.

    Attributes:
        recordings: (pairs,) row numbers.
        images: (pairs,) row numbers; each pair occurs once.
    """

    recordings: Rows
    images: Rows

    def __len__(self) -> int:
        return len(self.recordings)


@dataclass(frozen=True)
class Division:
    """One division of the data.

    Attributes:
        sides: pairs of ``train``, ``validation`` (may be missing) and ``test``.
        leaks: empty, or what stands on both sides.
    """

    sides: dict[str, Pairs]
    leaks: str = ""


def pair_by_class(
    recordings: Sequence[str] | NDArray[Any],
    images: Sequence[str] | NDArray[Any],
    classes: Sequence[str],
    seed: int,
    where: str = "",
) -> Pairs:
    """Pair each image with a recording of its class, recordings copied to as many as images.

    Within a class both are shuffled, and every recording is used as often as any other, to one.
    Where a class has more recordings than images, which the report does not have, it is the
    images that are copied, so that nothing is lost.

    Args:
        recordings: (recordings,) classes.
        images: (images,) classes.
        classes: those that must be there.
        seed: of the shuffling.
        where: side of the division, for messages.

    Raises:
        CorpusError: if there are no recordings, or no images, of all or of one class.
    """
    heard, seen = np.asarray(recordings, object), np.asarray(images, object)
    inside = f" for {where}" if where else ""
    for what, there, other in (("recordings", heard, seen), ("images", seen, heard)):
        if not len(there):
            rest = "" if not len(other) else f", beside {len(other)} of the other modality"
            raise CorpusError(
                "pairing", f"there are no {what}{inside}{rest}", "Check the corpora and the split"
            )
    random = np.random.default_rng((seed, 1 + SIDES.index(where) if where else 0))
    left: list[Rows] = []
    right: list[Rows] = []
    for name in classes:
        own = [random.permutation(np.flatnonzero(x == name)) for x in (heard, seen)]
        for rows, what, beside in (
            (own[0], "recordings", "images"),
            (own[1], "images", "recordings"),
        ):
            if not len(rows):
                raise CorpusError(
                    "pairing",
                    f"the class '{name}' has {beside} but no {what}{inside}"
                    if len(own[0]) + len(own[1])
                    else f"the class '{name}' has neither recordings nor images{inside}",
                    "Leave it out of the recipe's classes, or use other shares",
                )
        count = max(len(own[0]), len(own[1]))
        left.append(np.resize(own[0], count))
        right.append(np.resize(own[1], count))
    return Pairs(np.concatenate(left), np.concatenate(right))


def divide(
    recordings: pd.DataFrame,
    images: Images,
    classes: Sequence[str],
    split: SplitName,
    shares: Shares,
    seed: int,
) -> Division:
    """Divide recordings and images, and pair them.

    Args:
        recordings: manifest rows.
        images: with sides of their own (stills), or with subjects (clips).
        classes: emotions.
        split: see :class:`~aver.training.joint_cnn_recipe.JointCnnRecipe`.
        shares: of the sides.
        seed: of every draw.

    Raises:
        CorpusError: if a side lacks a class of either modality, or there are too few subjects.
    """
    if len(classes) < 2:
        raise CorpusError(
            "classes", f"only {', '.join(classes) or 'none'} is left", "Two or more are needed"
        )
    if split == "text":
        return _as_in_the_text(recordings, images, classes, shares, seed)
    by_people = _by_people(images)
    whole = _with_images(recordings, images) if by_people else recordings
    fold, sentence = _fold(whole, split, shares, seed)
    labels = recordings["label"].astype(str).to_numpy(dtype=object)
    sides = {}
    for side in SIDES:
        rows = getattr(fold, side)
        if not PARTS[shares][SIDES.index(side)]:
            continue
        heard = rows[rows < len(recordings)]
        if by_people:
            seen = rows[rows >= len(recordings)] - len(recordings)
        else:
            seen = np.flatnonzero(images.sides == side)
        pairs = pair_by_class(labels[heard], images.labels[seen], classes, seed, side)
        sides[side] = Pairs(heard[pairs.recordings], seen[pairs.images])
    return Division(sides, sentence)


def _by_people(images: Images) -> bool:
    return bool((images.subjects != "").any())


def _with_images(recordings: pd.DataFrame, images: Images) -> pd.DataFrame:
    """Recordings and images as one manifest, so that a person and a take stay on one side."""
    import pandas as pd

    seen = pd.DataFrame(
        {
            "file": images.faces,
            "start": np.nan,
            "end": np.nan,
            "subject": images.subjects,
            "label": images.labels,
            "recording": images.faces,
        }
    )
    return pd.concat([recordings, seen], ignore_index=True)


def _fold(manifest: pd.DataFrame, split: SplitName, shares: Shares, seed: int) -> tuple[Fold, str]:
    """The seed's fold, and what stands on both sides of it.

    By subjects, seeds go round the folds of one deal before the next, so that eight seeds of
    80-10-10 test everybody once (24 actors: 19 train, 2 validate, 3 are tested).
    """
    if split == "random":
        settings = SplitSettings(
            scheme=f"random_{shares.replace('-', '_')}", seed=seed, allow_leak=REASON
        )
        made = make_split(manifest, settings)
        return made.folds[0], made.leaks
    people = len(set(subjects_of(manifest)))
    count = {"80-10-10": min(8, max(people, 3)), "50-50": 2, "25-75": 4}[shares]
    settings = SplitSettings(
        folds=count,
        seed=seed // count,
        validation="subjects" if shares == "80-10-10" else "none",
        validation_subjects=max(1, round(0.1 * people)),
    )
    made = make_split(manifest, settings)
    fold = made.folds[seed % count]
    if shares == "25-75":  # the quarter that four folds test on is what is trained on here
        fold = Fold(fold.name, fold.test, fold.validation, fold.train)
        leaks.check(manifest, Split("subjects", (fold,), ""))
    return fold, made.leaks


def _as_in_the_text(
    recordings: pd.DataFrame, images: Images, classes: Sequence[str], shares: Shares, seed: int
) -> Division:
    """Copy, pair, then draw pairs at random for each side."""
    labels = recordings["label"].astype(str).to_numpy(dtype=object)
    pairs = pair_by_class(labels, images.labels, classes, seed)
    order = np.random.default_rng((seed, 9)).permutation(len(pairs))
    parts = PARTS[shares]
    first = round(parts[0] * len(order))
    second = round((parts[0] + parts[1]) * len(order))
    rows = dict(zip(SIDES, np.split(order, [first, second]), strict=True))
    sides = {
        side: Pairs(pairs.recordings[some], pairs.images[some])
        for side, some in rows.items()
        if parts[SIDES.index(side)]
    }
    for side, some in sides.items():
        missing = sorted(set(classes) - set(labels[some.recordings].tolist()))
        if missing:
            raise CorpusError(
                "pairing", f"the {side} side has no '{missing[0]}'", "Use more images of a class"
            )
    fold = Fold("0", rows["train"], rows["validation"], rows["test"])
    # By recording alone: where its file lies would say the same once more.
    copies = recordings.iloc[pairs.recordings].reset_index(drop=True).assign(file="")
    found = [leaks.check(copies, Split("text", (fold,), ""), allow_leak=REASON)]
    faces = set(images.faces[sides["train"].images]) & set(images.faces[sides["test"].images])
    if faces:
        found.append(f"{len(faces)} faces are in training and test rows")
    return Division(sides, "; ".join(part for part in found if part))
