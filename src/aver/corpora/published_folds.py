"""Folds that publications used, as lists of actors."""

from __future__ import annotations

from typing import Final

Folds = tuple[tuple[str, ...], ...]


def _numbers(first: int, last: int, width: int) -> tuple[str, ...]:
    return tuple(f"{number:0{width}d}" for number in range(first, last + 1))


RAVDESS_5_FOLDS: Final[Folds] = (
    ("02", "05", "14", "15", "16"),
    ("03", "06", "07", "13", "18"),
    ("10", "11", "12", "19", "20"),
    ("08", "17", "21", "23", "24"),
    ("01", "04", "09", "22"),
)
"""Actors tested in folds 0 to 4 of Luna-Jiménez et al. (Applied Sciences 12(1):327, 2022).

Read off the per-clip scores they published (MIT licence), whose rows name fold, side and clip.
"""

RAVDESS_6_FOLDS: Final[Folds] = tuple(_numbers(4 * k + 1, 4 * k + 4, 2) for k in range(6))
"""Four consecutive actors a fold: 01-04, 05-08, ..., 21-24; two men and two women each."""

RAVDESS_12_PAIRS: Final[Folds] = tuple(_numbers(2 * k + 1, 2 * k + 2, 2) for k in range(12))
"""A man and the woman after him: 01-02, 03-04, ..., 23-24.

MATER's twelve folds of equal size (section 3.1, evaluation protocols), whose actors the paper does
not list; the recipe ``voice_expression_folds`` uses the same pairs.
"""

CREMA_D_5_BLOCKS: Final[Folds] = (
    _numbers(1001, 1018, 4),
    _numbers(1019, 1036, 4),
    _numbers(1037, 1054, 4),
    _numbers(1055, 1072, 4),
    _numbers(1073, 1091, 4),
)
"""Consecutive CREMA-D actors: 1001-1018, -1036, -1054, -1072, -1091."""

PUBLISHED: Final[dict[str, Folds]] = {
    "ravdess_5_folds": RAVDESS_5_FOLDS,
    "ravdess_6_folds": RAVDESS_6_FOLDS,
    "ravdess_12_pairs": RAVDESS_12_PAIRS,
    "crema_d_5_blocks": CREMA_D_5_BLOCKS,
}
"""The lists by the name of their scheme."""
