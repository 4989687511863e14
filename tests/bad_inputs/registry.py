"""The table of hostile files: who makes each, and what reading it must come to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Maker = Callable[[Path], Path]
MAKERS: dict[str, Maker] = {}
REFUSED: set[str] = set()
WARNED: set[str] = set()


def maker(*, refused: bool = False, warned: bool = False) -> Callable[[Maker], Maker]:
    """Enter a function that makes a file under its name."""

    def register(make: Maker) -> Maker:
        MAKERS[make.__name__] = make
        if refused:
            REFUSED.add(make.__name__)
        if warned:
            WARNED.add(make.__name__)
        return make

    return register
