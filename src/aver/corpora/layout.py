"""What corpora share in how they lie on disk: finding their files, counting them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aver.corpora.registry import Count

if TYPE_CHECKING:
    import pandas as pd


def find_files(root: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Files below *root* with one of the *suffixes* (lower case), in order; hidden ones left out.

    Yields absolute paths; the root's own links are resolved, links below it are kept.
    """
    found: list[Path] = []
    for folder, folders, names in os.walk(root.resolve(), followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(folder, name)
            for name in names
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122
        ]
    yield from sorted(found)


def count_values(
    frame: pd.DataFrame, column: str, published: Mapping[str, int], what: str
) -> list[Count]:
    """The publishers' number of rows for each value of *column*, beside ours."""
    found = frame[column].value_counts().to_dict()
    return [Count(f"{what} {value}", n, int(found.get(value, 0))) for value, n in published.items()]


def same_for_all(values: Iterable[str], number: int) -> dict[str, int]:
    """The same published number for each of *values*."""
    return dict.fromkeys(values, number)
