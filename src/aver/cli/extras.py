"""What a command says where a package of an extra is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from aver.errors import AverError


def needs_train(what: str) -> AbstractContextManager[None]:
    """Turn a missing package of the extra ``train`` into one line; see :func:`needs`."""
    return needs(what, "train")


@contextmanager
def needs(what: str, extra: str) -> Iterator[None]:
    """Turn a missing package of an extra into one line.

    Args:
        what: what needs it, as the beginning of the line (``training``).
        extra: the extra's name.

    Raises:
        AverError: naming the package and how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("aver"):
            raise
        raise AverError(
            f"{what} needs the package '{error.name}'", f'Run: pip install "aver[{extra}]"'
        ) from error
