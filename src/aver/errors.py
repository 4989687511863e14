"""The error tree: every message says what was wrong with which input and what to do about it.

All errors that a user can cause derive from :class:`AverError`; the command line prints them as
one line and never as a traceback.
"""

from __future__ import annotations

from pathlib import Path


def one_line(text: object) -> str:
    """Return *text* with control characters and line breaks made visible, so it fits one line.

    File names may legally hold line breaks; an error about such a file must still be one line.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


class AverError(Exception):
    """Base of all errors that name an input, its problem, and the way out.

    Args:
        problem: what is wrong, without a final full stop.
        advice: what to do about it, without a final full stop.
        subject: the file, setting or name the problem is with.
    """

    def __init__(self, problem: str, advice: str = "", *, subject: str | Path | None = None):
        self.problem = one_line(problem)
        self.advice = one_line(advice)
        self.subject = None if subject is None else one_line(subject)
        text = self.problem if self.subject is None else f"{self.subject}: {self.problem}"
        super().__init__(f"{_stop(text)} {_stop(self.advice)}" if self.advice else _stop(text))

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.problem, self.advice, self.subject))


def _stop(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def _rebuild(kind: type[AverError], problem: str, advice: str, subject: str | None) -> AverError:
    error = AverError.__new__(kind)
    AverError.__init__(error, problem, advice, subject=subject)
    return error


class MediaError(AverError):
    """A recording cannot be read: missing, not media, refused by a limit, nothing in it."""

    def __init__(self, path: str | Path, problem: str, advice: str = ""):
        super().__init__(problem, advice, subject=path)


class OutputError(AverError):
    """A result cannot be written: folder missing or read-only, disk full."""

    def __init__(self, path: str | Path, problem: str, advice: str = ""):
        super().__init__(problem, advice, subject=path)


class ModelError(AverError):
    """A network is missing, damaged, or not the one that was asked for."""

    def __init__(self, name: str | Path, problem: str, advice: str = ""):
        super().__init__(problem, advice, subject=name)


class RecipeError(AverError):
    """A recipe cannot be used: unreadable, an unknown key, a value out of range."""

    def __init__(self, path: str | Path, problem: str, advice: str = ""):
        super().__init__(problem, advice, subject=path)


class CorpusError(AverError):
    """A corpus is not where it was said to be, or not laid out as its publishers lay it out."""

    def __init__(self, path: str | Path, problem: str, advice: str = ""):
        super().__init__(problem, advice, subject=path)


class TrainingError(AverError):
    """A training run cannot go on: its loss is not finite, memory is full."""

    def __init__(self, name: str | Path, problem: str, advice: str = ""):
        super().__init__(problem, advice, subject=name)


class SettingError(AverError):
    """A setting has a value that cannot be used."""

    def __init__(self, name: str, problem: str, advice: str = ""):
        super().__init__(problem, advice, subject=name)


class PredictionsError(AverError):
    """Stored predictions cannot be used: missing columns, scores that are no probabilities."""

    def __init__(self, path: str | Path, problem: str, advice: str = ""):
        super().__init__(problem, advice, subject=path)


class TimelineError(AverError):
    """A stored timeline cannot be read: not a timeline, or of a newer schema."""

    def __init__(self, path: str | Path, problem: str, advice: str = ""):
        super().__init__(problem, advice, subject=path)
