"""What a reader of a split's figures should know, one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aver.corpora.sounds import missing_of
from aver.corpora.takes import subjects_of, texts
from aver.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

    from aver.corpora.splits import Fold


def check_classes(manifest: pd.DataFrame, folds: list[Fold], strict: bool) -> list[str]:
    """Refuse folds that lack a class where it matters; remark on the others.

    Raises:
        CorpusError: if training rows lack a class, or, where *strict*, test rows do.
    """
    labels = np.array(texts(manifest, "label"))
    classes = set(labels.tolist()) - {""}
    remarks = []
    for fold in folds:
        for side, rows in (("training", fold.train), ("test", fold.test)):
            absent = sorted(classes - set(labels[rows].tolist()))
            if not absent:
                continue
            problem = f"{side} rows hold no {', '.join(absent)}"
            if side == "training" or strict:
                raise CorpusError(
                    f"fold {fold.name}",
                    problem,
                    "Use fewer folds, another seed, or leave the class out of the manifest",
                )
            remarks.append(f"Fold {fold.name}: {problem}.")
    return remarks


def unnamed(manifest: pd.DataFrame) -> list[str]:
    """A remark where rows name nobody."""
    count = subjects_of(manifest).count("")
    if not count:
        return []
    return [f"{count} rows name nobody: the same person may stand on both sides."]


def unheard(manifest: pd.DataFrame) -> list[str]:
    """A remark where sounds could not be compared."""
    count = missing_of(texts(manifest, "file"))
    if not count:
        return []
    return [f"Sounds were not compared where files are missing: {count} of them."]
