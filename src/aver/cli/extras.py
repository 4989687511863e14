"""What a command says where a package of an extra is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aver.errors import AverError


@contextmanager
def needs_train(what: str) -> Iterator[None]:
    """Turn a missing package of the extra ``train`` into one line.

    Args:
        what: what needs it, as the beginning of the line (``training``).

    Raises:
        AverError: naming the package and how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("aver"):
            raise
        raise AverError(
            f"{what} needs the package '{error.name}'", 'Run: pip install "aver[train]"'
        ) from error
