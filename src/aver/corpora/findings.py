"""What a check finds, and the list it is gathered in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or worth knowing.

    Args:
        kind: ``missing``, ``unreadable``, ``duplicate sound``, ...
        subject: the file from the corpus's root, or what a number is of.
        problem: one line.
        advice: what to do; may be empty.
        is_wrong: False for a note.
    """

    kind: str
    subject: str
    problem: str
    advice: str = ""
    is_wrong: bool = True


class Finds:
    """Gathers findings; files are named from *root*."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._kinds: set[tuple[str, str]] = set()
        self._found: dict[tuple[str, str, str], Finding] = {}

    def add(
        self, kind: str, subject: str, problem: str, advice: str = "", *, is_wrong: bool = True
    ) -> None:
        """Keep a finding; the same one twice is kept once."""
        name = self.name(subject)
        self._found.setdefault(
            (kind, name, problem), Finding(kind, name, problem, advice, is_wrong)
        )

    def has(self, kind: str, subject: str) -> bool:
        """Whether *subject* has a finding of that *kind*."""
        return (kind, self.name(subject)) in self._kinds

    def name(self, subject: str) -> str:
        """A file below the root by its path from there; anything else as it is."""
        path = Path(subject)
        if path.is_absolute() and path.is_relative_to(self._root) and path != self._root:
            return path.relative_to(self._root).as_posix()
        return subject

    def all(self) -> list[Finding]:
        """What was found, wrong things first, else in the order it was found."""
        return sorted(self._found.values(), key=lambda finding: not finding.is_wrong)
