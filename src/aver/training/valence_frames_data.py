"""Films as rows of frames: features from the frame store, levels from traces, and sound events."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aver.corpora.affect_traces import RATE
from aver.corpora.cognimuse import CognimuseOptions, load_frames
from aver.corpora.pseudo_films import read_record
from aver.corpora.pseudo_films_events import film_events
from aver.corpora.registry import get_corpus, make_options
from aver.corpora.sound_events import COGNIMUSE_LABELS, SUFFIXES, SoundEvent, read_events
from aver.errors import CorpusError
from aver.features.frame_store import FrameStore
from aver.training.films_data import Film, FilmSet, Tell, transformed
from aver.training.films_recipe import Target
from aver.training.valence_frames_recipe import PSEUDO_FILMS, FramesRecipe

if TYPE_CHECKING:
    from aver.evaluation.predictions import Predictions

_ADVICE = "Measure the films first: aver frames FILMS --store STORE -s STREAM"


def load_frame_films(
    recipe: FramesRecipe, root: Path, store: FrameStore, *, tell: Tell = print
) -> FilmSet:
    """The frames of all films that have a trace, every ``frames.every``-th of them.

    Args:
        recipe: the recipe.
        root: folder of the traces.
        store: of the features.
        tell: told of films that are left out or cut.

    Raises:
        CorpusError: if there are fewer than two films, a stream is missing or differs in width
            between films, or a trace cannot be used.
    """
    options = make_options(get_corpus("cognimuse"), {**recipe.data.options, "levels": "7"})
    assert isinstance(options, CognimuseOptions)
    table = load_frames(root, options)
    wanted = {feature.stream or name for name, feature in recipe.features.items()}
    films: list[Film] = []
    identity: dict[str, dict[str, Any]] = {stream: {} for stream in wanted}
    for name, rows in table.groupby("film", sort=True):
        film = str(name)
        streams = store.open(film, sorted(wanted))
        labels = rows["valence_level"].to_numpy(str).astype(np.int64) - 1
        values = rows["valence"].to_numpy(np.float64)
        films.append(_film(recipe, film, streams, labels, values, tell))
        for stream in wanted:
            identity[stream][film] = store.about(film, stream).get("identity")
    if len(films) < 2:
        raise CorpusError(
            root, f"holds {len(films)} film: with one film, none can be left out", "Bring two"
        )
    _check_widths(films, store)
    digest = hashlib.sha256()
    for one in films:
        digest.update(one.name.encode() + one.labels.tobytes())
    return FilmSet(
        Target(name=recipe.frames.target, dimension="valence"),
        tuple(films),
        dict.fromkeys(recipe.features),
        # With the values themselves, so that a system is trained again when a stream that it reads
        # was measured anew, and not when another was.
        {
            key: json.dumps(
                [
                    feature.model_dump(mode="json"),
                    identity[feature.stream or key],
                    _hash(films, key),
                ],
                sort_keys=True,
                default=str,
            )
            for key, feature in recipe.features.items()
        },
        digest.hexdigest(),
    )


def _hash(films: Sequence[Film], stream: str) -> str:
    digest = hashlib.sha256()
    for film in films:
        digest.update(film.streams[stream].tobytes())
    return digest.hexdigest()


def _film(
    recipe: FramesRecipe,
    name: str,
    streams: Mapping[str, NDArray[Any]],
    labels: NDArray[np.int64],
    values: NDArray[np.float64],
    tell: Tell,
) -> Film:
    measured = len(next(iter(streams.values())))
    count = min(measured, len(labels))
    if abs(measured - len(labels)) > RATE:
        tell(
            f"{name}: measured for {measured} frames, its trace has {len(labels)}; the first "
            f"{count} are used"
        )
    taken = np.arange(0, count, recipe.frames.every)
    found, present = {}, {}
    for key, feature in recipe.features.items():
        stored = streams[feature.stream or key]
        first, end = feature.columns or (0, stored.shape[1])
        if end > stored.shape[1]:
            raise CorpusError(
                name,
                f"has {stored.shape[1]} columns in '{feature.stream or key}', and the recipe "
                f"takes those up to {end}",
                f"Correct features.{key}.columns",
            )
        part = np.asarray(stored[taken, first:end], np.float32)
        # The store holds zeros where nothing could be measured.
        present[key] = (part != 0).any(axis=1)
        found[key] = transformed(part, feature.transform)
    return Film(name, found, present, labels[taken], values[taken])


def _check_widths(films: Sequence[Film], store: FrameStore) -> None:
    for film in films[1:]:
        for key, part in film.streams.items():
            other = films[0].streams[key]
            if part.shape[1] != other.shape[1]:
                raise CorpusError(
                    store.root,
                    f"has '{key}' {part.shape[1]} wide in {film.name} and {other.shape[1]} in "
                    f"{films[0].name}",
                    "Measure both with the same settings",
                )


def read_film_events(
    recipe: FramesRecipe, root: Path, data_root: Path, films: Sequence[Film]
) -> dict[str, list[SoundEvent]]:
    """What is heard in each film, by its name.

    Raises:
        CorpusError: if a film has no events, or they cannot be read.
    """
    if recipe.frames.events == PSEUDO_FILMS:
        record = read_record(root)["films"]
        return {film.name: film_events(film.name, record[film.name]) for film in films}
    folder = data_root / recipe.frames.events
    labels = recipe.frames.event_labels or COGNIMUSE_LABELS
    found = {}
    for film in films:
        files = sorted(folder.glob(f"{film.name}.*"))
        files = [file for file in files if file.suffix.lower() in SUFFIXES]
        if not files:
            raise CorpusError(
                folder,
                f"holds no events of {film.name}",
                f"Name a file after it: {', '.join(film.name + s for s in SUFFIXES)}",
            )
        found[film.name] = read_events(files[0], labels=labels)
    return found


def heard_in(
    predictions: Predictions, events: Mapping[str, Sequence[SoundEvent]], every: int
) -> dict[str, NDArray[np.bool_]]:
    """Whether an event is heard at each predicted frame, by the event's label.

    Args:
        predictions: items are ``film/number`` of the frames used, ``every`` apart.
        events: of each film.
        every: frames from one that is used to the next.
    """
    labels = sorted({event.label for some in events.values() for event in some})
    numbers = [int(str(item).rpartition("/")[2]) for item in predictions.item]
    times = np.array(numbers) * every / RATE
    found = {label: np.zeros(len(predictions), np.bool_) for label in labels}
    for film, some in events.items():
        rows = np.flatnonzero(predictions.subject == film)
        at = times[rows]
        for event in some:
            inside = (at >= event.start) & (at < event.end)
            found[event.label][rows[inside]] = True
    return found


def measured_store(recipe: FramesRecipe, data_root: Path) -> FrameStore:
    """The frame store of the recipe.

    Raises:
        CorpusError: if there is none.
    """
    store = FrameStore(data_root / recipe.frames.store)
    if not store.films():
        raise CorpusError(store.root, "is no frame store with a measured film", _ADVICE)
    return store
