"""Fusion of several models' scores (decision fusion) and of their features (early fusion).

Scores are probabilities, (models, items, classes). A model that could not score an item (no face
was found, the file has no sound) has NaN in that whole row: ``mean``, ``log_mean``, ``vote``,
``weighted`` and ``log_weighted`` leave it out and share its weight among the others; ``stacking``
puts that model's mean over the training items in its place. An item that no model scored gets
equal probabilities from all but ``stacking``, which then says how often each class came.
"""

from __future__ import annotations

import difflib
from typing import Any

from aver.errors import SettingError
from aver.fusion.base import Fusion, check_scores
from aver.fusion.early import early
from aver.fusion.rules import LogMean, Mean, Vote
from aver.fusion.stacking import Stacking
from aver.fusion.weights import LogWeighted, Weighted

__all__ = [
    "Fusion",
    "LogMean",
    "LogWeighted",
    "Mean",
    "Stacking",
    "Vote",
    "Weighted",
    "check_scores",
    "early",
    "fusion_names",
    "make_fusion",
]

FUSIONS: dict[str, type[Fusion]] = {
    kind.name: kind for kind in (Mean, LogMean, Vote, Weighted, LogWeighted, Stacking)
}


def fusion_names() -> list[str]:
    """Names that :func:`make_fusion` knows."""
    return sorted(FUSIONS)


def make_fusion(name: str, **settings: Any) -> Fusion:
    """The fusion called *name* with its settings.

    Raises:
        SettingError: if there is none of that name (the nearest is named) or it has no such
            setting.
    """
    if name not in FUSIONS:
        close = difflib.get_close_matches(name, FUSIONS, n=1, cutoff=0.5)
        advice = f"Did you mean '{close[0]}'" if close else f"Known: {', '.join(fusion_names())}"
        raise SettingError("fusion", f"there is no '{name}'", advice)
    try:
        return FUSIONS[name](**settings)
    except TypeError as error:
        raise SettingError("fusion", f"'{name}': {str(error).split('() ')[-1]}") from error
