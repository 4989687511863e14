"""Films as rows of segments: their features, their levels, and what is not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aver.corpora import load_corpus
from aver.errors import AverError, CorpusError
from aver.features.extractor import Extractor, Features, make_extractor
from aver.features.store import FeatureStore
from aver.training.films_recipe import FilmsRecipe, Target

if TYPE_CHECKING:
    import pandas as pd

LEVELS = ("low", "mid", "high")
Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Film:
    """One film, or one run of one: segments in a row, without a gap.

    Attributes:
        name: of the film.
        streams: (segments, dimension) float32 by stream; zeros where not present.
        present: (segments,) bool by stream.
        labels: (segments,) level, 0 to 2; -1 where nobody gave one.
        values: (segments,) what the level was binned from; NaN where it is not known.
    """

    name: str
    streams: dict[str, NDArray[np.float32]]
    present: dict[str, NDArray[np.bool_]]
    labels: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class FilmSet:
    """All films with the labels of one target.

    Attributes:
        target: which.
        films: in the order of their names.
        names: names of the features by stream, where they have any.
        identity: by stream, what made its values.
        data_sha256: hash of labels and features.
    """

    target: Target
    films: tuple[Film, ...]
    names: dict[str, tuple[str, ...] | None]
    identity: dict[str, str]
    data_sha256: str

    @property
    def segments(self) -> int:
        """Labelled segments."""
        return sum(int((film.labels >= 0).sum()) for film in self.films)


@dataclass(frozen=True, eq=False)
class Stream:
    """Features of one stream for every film."""

    by_film: dict[str, Features]
    names: tuple[str, ...] | None
    identity: str


def load_films(
    recipe: FilmsRecipe, root: Path, store: Path, *, jobs: int = 1, tell: Tell = print
) -> list[FilmSet]:
    """The films of every target, features measured once.

    Args:
        recipe: the recipe.
        root: folder of the corpus.
        store: folder of the feature store.
        jobs: processes that measure.
        tell: told of films that had to be left out.

    Raises:
        CorpusError: if there are fewer than two films, or a film's features do not reach its
            labels.
        AverError: if an extractor cannot be used.
    """
    options = recipe.data.options
    manifests = [
        load_corpus(recipe.data.corpus, root, **{**options, **t.options}) for t in recipe.targets
    ]
    films = manifests[0].drop_duplicates("subject")
    if len(films) < 2:
        raise CorpusError(
            root,
            f"holds {len(films)} film: with one film, none can be left out",
            "Bring two films or more",
        )
    whole = films.assign(start=np.nan, end=np.nan).sort_values("subject").reset_index(drop=True)
    streams = {
        name: _stream(recipe, name, root, store, whole, jobs, tell) for name in recipe.features
    }
    return [
        film_set(recipe, target, manifest, streams, tell)
        for target, manifest in zip(recipe.targets, manifests, strict=True)
    ]


def _stream(
    recipe: FilmsRecipe,
    name: str,
    root: Path,
    store: Path,
    films: pd.DataFrame,
    jobs: int,
    tell: Tell,
) -> Stream:
    extractor = stream_extractor(recipe, name, root)
    with _bar(f"{name} ({extractor.name})", len(films)) as progress:
        found = FeatureStore(store, warn=tell).load(films, extractor, jobs=jobs, progress=progress)
    by_film = {
        str(film): features
        for film, features in zip(films["subject"], found, strict=True)
        if features is not None
    }
    if len(by_film) < 2:
        raise CorpusError(
            root,
            f"'{extractor.name}' could be measured in {len(by_film)} of {len(films)} films",
            "The lines above say why; two films at least are needed",
        )
    about = {
        "extractor": extractor.name,
        "version": extractor.version,
        "settings": extractor.settings.model_dump(
            mode="json", exclude=set(extractor.ignored_settings)
        ),
        "depends_on": dict(extractor.depends_on),
    }
    return Stream(by_film, extractor.names, json.dumps(about, sort_keys=True))


def stream_extractor(recipe: FilmsRecipe, name: str, root: Path | None = None) -> Extractor:
    """The extractor of a stream, cutting into the recipe's segments."""
    feature = recipe.features[name]
    settings: dict[str, Any] = {"window_seconds": recipe.data.segment_seconds, **feature.settings}
    extractor = make_extractor(feature.extractor, **settings)
    if root is not None and "folder" in type(extractor.settings).model_fields:
        settings.setdefault("folder", str(root))
        extractor = make_extractor(feature.extractor, **settings)
    return extractor


def film_set(
    recipe: FilmsRecipe,
    target: Target,
    manifest: pd.DataFrame,
    streams: Mapping[str, Stream],
    tell: Tell = print,
) -> FilmSet:
    """Put labels and features side by side.

    Raises:
        CorpusError: if fewer than two films are left, a label is none of low, mid and high, or a
            segment does not begin at a multiple of its length.
    """
    films = []
    for name, rows in manifest.groupby("subject", sort=True):
        parts = {key: stream.by_film.get(str(name)) for key, stream in streams.items()}
        missing = [key for key, features in parts.items() if features is None]
        if missing:
            tell(f"{name}: left out, it has no '{missing[0]}'.")
            continue
        films.append(
            _film(
                recipe,
                str(name),
                target.dimension,
                rows,
                {k: f for k, f in parts.items() if f},
                tell,
            )
        )
    if len(films) < 2:
        raise CorpusError(
            recipe.name,
            f"{len(films)} film is left: with one, none can be left out",
            "Bring two films or more",
        )
    digest = hashlib.sha256()
    for film in films:
        digest.update(film.name.encode() + film.labels.tobytes())
        for key in sorted(film.streams):
            digest.update(film.streams[key].tobytes() + film.present[key].tobytes())
    return FilmSet(
        target,
        tuple(films),
        {key: stream.names for key, stream in streams.items()},
        {key: stream.identity for key, stream in streams.items()},
        digest.hexdigest(),
    )


def _film(
    recipe: FilmsRecipe,
    name: str,
    dimension: str,
    rows: pd.DataFrame,
    features: Mapping[str, Features],
    tell: Tell,
) -> Film:
    length = recipe.data.segment_seconds
    at = rows["start"].to_numpy(np.float64) / length
    numbers = np.rint(at).astype(np.intp)
    if np.abs(at - numbers).max() > 1e-6 or len(set(numbers.tolist())) < len(numbers):
        raise CorpusError(
            name,
            f"its segments are not one after the other, {length:g} s each",
            "Set data.segment_seconds to the corpus's own",
        )
    unknown = sorted(set(rows["label"]) - set(LEVELS))
    if unknown:
        raise CorpusError(name, f"has the label '{unknown[0]}'", "Levels are low, mid and high")
    count = int(numbers.max()) + 1
    measured = min(len(part) for part in features.values())
    if measured < count:
        tell(f"{name}: measured for {measured} segments, labelled for {count}; the shorter is used")
        count = measured
        rows, numbers = rows[numbers < count], numbers[numbers < count]
    labels: NDArray[np.int64] = np.full(count, -1, np.int64)
    labels[numbers] = [LEVELS.index(label) for label in rows["label"]]
    values: NDArray[np.float64] = np.full(count, np.nan)
    column = recipe.data.value_column or (
        "rating_value" if "rating_value" in rows.columns else dimension
    )
    if column in rows.columns:
        values[numbers] = rows[column].to_numpy(np.float64)
    elif recipe.data.binning != "corpus":
        raise CorpusError(name, f"has no column '{column}'", "Set data.value_column")
    return Film(
        name,
        {
            key: transformed(part.values[:count], recipe.features[key].transform)
            for key, part in features.items()
        },
        {key: part.present[:count] for key, part in features.items()},
        labels,
        values,
    )


def transformed(values: NDArray[np.float32], how: str) -> NDArray[np.float32]:
    """*values* after a stream's ``transform``."""
    if how == "none":
        return values
    size = np.abs(values)
    return np.sign(values) * (np.log1p(size) if how == "log1p" else np.sqrt(size))


def _bar(title: str, total: int) -> Any:
    """A bar with the time left, where there is a terminal; its value is a progress function."""
    from contextlib import contextmanager

    from aver.training.bench_data import progress_bar

    @contextmanager
    def shown() -> Any:
        with progress_bar() as bar:
            task = bar.add_task(title, total=total)
            yield lambda done, every: bar.update(task, completed=done, total=every)

    return shown()


def check_extras(recipe: FilmsRecipe) -> None:
    """Refuse at once what an extractor would refuse after minutes: a package that is missing.

    Raises:
        AverError: saying which, and how to get it.
    """
    for feature in recipe.features.values():
        if feature.extractor in ("egemaps", "compare_2016", "is10", "emobase2010"):
            from aver.features.opensmile import load_package

            load_package()


__all__ = ["LEVELS", "AverError", "Film", "FilmSet", "film_set", "load_films", "stream_extractor"]
