"""Which corpora there are, what can be asked of each, and how to list one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from aver.corpora.lfs import ADVICE, is_lfs_pointer
from aver.corpora.table import COLUMNS, nearest, report
from aver.errors import CorpusError, one_line

if TYPE_CHECKING:
    import pandas as pd

Loader = Callable[..., "pd.DataFrame"]


class CorpusOptions(BaseModel):
    """Base of what may be asked of a corpus beside its folder; frozen, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Count:
    """A number the publishers give, beside what is there.

    Args:
        what: of what: ``files``, ``label happy``, ``subject 07``.
        published: their number.
        found: ours.
    """

    what: str
    published: int
    found: int


@dataclass(frozen=True)
class Corpus:
    """A corpus that can be listed.

    Args:
        name: what it is called in recipes and on the command line.
        load: ``load(root)`` or, with options, ``load(root, options)``.
        title: one line for people.
        options: its settings' class; None if it has none.
        labels: its classes in order; empty where they are the user's own.
        published: from a listed table, the publishers' numbers beside ours.
        missing: from the root and a listed table, the files that should be there and are not.
        files_are_media: False where ``file`` is a table that holds many items.
        root_may_be_file: whether the root may be a table instead of a folder.
        tells_counts: whether a check prints all the publishers' numbers, equal ones as well.
    """

    name: str
    load: Loader
    title: str = ""
    options: type[CorpusOptions] | None = None
    labels: tuple[str, ...] = ()
    published: Callable[[pd.DataFrame], list[Count]] | None = None
    missing: Callable[[Path, pd.DataFrame], list[str]] | None = None
    files_are_media: bool = True
    root_may_be_file: bool = False
    tells_counts: bool = False


_ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".part", ".crdownload"})

_CORPORA: dict[str, Corpus] = {}
_BUILT_IN: tuple[str, ...] = (
    "cognimuse",
    "crema_d",
    "emo_db",
    "emogator",
    "enjoyment",
    "esc10",
    "esc50",
    "fer2013",
    "folder",
    "forrest_gump",
    "nemo",
    "ravdess",
    "savee",
)


def register_corpus(name: str, **facts: Any) -> Callable[[Loader], Loader]:
    """Register the decorated ``load(root)`` as the corpus *name*.

    Args:
        name: its name.
        facts: further fields of :class:`Corpus`. With ``options=``, ``load`` takes a second
            argument of that class.
    """

    def keep(function: Loader) -> Loader:
        _CORPORA[name] = Corpus(name, function, **facts)
        return function

    return keep


def corpus_names() -> list[str]:
    """Names of all known corpora."""
    return sorted({*_BUILT_IN, *_CORPORA})


def get_corpus(name: str) -> Corpus:
    """The corpus *name*.

    Raises:
        CorpusError: if there is none; the nearest name is given.
    """
    if name not in _CORPORA and name in _BUILT_IN:
        import_module(f"aver.corpora.{name}")
    if name not in _CORPORA:
        raise CorpusError(name, "is not a known corpus", nearest(name, corpus_names()))
    return _CORPORA[name]


def make_options(corpus: Corpus, values: Mapping[str, object]) -> CorpusOptions | None:
    """The corpus's settings from *values*, checked.

    Raises:
        CorpusError: for an unknown option, with the nearest, or a value it cannot have.
    """
    known = list(corpus.options.model_fields) if corpus.options else []
    for name in values:
        if name not in known:
            advice = nearest(name, known, "It has") if known else "It has none"
            raise CorpusError(corpus.name, f"this corpus has no option '{name}'", advice)
    if corpus.options is None:
        return None
    try:
        return corpus.options.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(str(part) for part in first["loc"][:1])
        raise CorpusError(
            corpus.name,
            f"option '{option}' cannot be {first['input']!r}",
            first["msg"].removeprefix("Value error, ").rstrip("."),
        ) from error


def load_corpus(name: str, root: str | Path, **options: object) -> pd.DataFrame:
    """List the clips of the corpus *name* under *root*.

    Args:
        name: of the corpus.
        root: folder that the publishers' archives were unpacked into.
        options: the corpus's own, for example ``channel="song"`` for RAVDESS.

    Returns:
        One row a clip with the columns :data:`aver.corpora.COLUMNS`, then the corpus's own.
        ``attrs`` holds ``corpus``, ``root`` and ``options``.

    Raises:
        CorpusError: if there is no such corpus or option, *root* does not hold it, or files in it
            are Git LFS pointers in place of media.
    """
    corpus = get_corpus(name)
    settings = make_options(corpus, options)
    root = Path(root)
    if not root.is_dir() and not (corpus.root_may_be_file and root.is_file()):
        problem = "is not a folder" if root.exists() else "there is no such folder"
        raise CorpusError(root, problem, f"Unpack the corpus '{name}' there")
    try:
        frame = corpus.load(root) if settings is None else corpus.load(root, settings)
    except CorpusError as error:
        raise _with_archives(root, error) from error
    missing = [column for column in COLUMNS if column not in frame.columns]
    if missing:
        raise CorpusError(root, f"corpus '{name}' was listed without {', '.join(missing)}")
    _refuse_pointers(root, frame)
    frame.attrs |= {
        "corpus": name,
        "root": str(root.resolve()),
        "options": settings.model_dump(exclude_defaults=True) if settings else {},
    }
    return frame


def _with_archives(root: Path, error: CorpusError) -> CorpusError:
    """The same error; where nothing but packed files lie in *root*, with the advice to unpack."""
    packed = [f.name for f in sorted(root.glob("*")) if f.suffix.lower() in _ARCHIVES]
    is_of_root = error.subject == one_line(root) or error.subject == one_line(root.resolve())
    if not packed or not is_of_root:
        return error
    return CorpusError(root, error.problem, f"Unpack {packed[0]} there first")


def _refuse_pointers(root: Path, frame: pd.DataFrame) -> None:
    files = list(dict.fromkeys(frame["file"]))
    pointers = [file for file in files if is_lfs_pointer(file)]
    if pointers:
        report(
            CorpusError(
                root,
                f"{len(pointers)} of {len(files)} files are Git LFS pointers, not the media "
                f"themselves (the first: {Path(pointers[0]).name})",
                ADVICE,
            )
        )
