"""Pictures for pseudo-films: faces of the emotion that is then acted, from FER-2013.

Pseudo-films are sound alone. For models that join sound with what is seen, each of their
recordings is given faces of web searches that show its class: a new one every second, for as long
as the recording and the pause after it last. **This picture is constructed, like the label**: the
people shown are not those heard, nobody moves, and what a model reads from it is the acted class
as far as a face network tells it from a still picture. Figures with it say how models use two
sources together under this protocol, and nothing about films.

No face is shown in two films. Faces are taken from the corpus' ``test`` part: the shipped face
network, whose embedding is stored, was trained on ``train``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aver.corpora.fer2013 import load, read_faces
from aver.corpora.pseudo_films import FILMS, read_record
from aver.corpora.registry import CorpusOptions
from aver.errors import CorpusError
from aver.features.face_embedding import FaceEmbedder
from aver.features.frame_clock import FRAMES_PER_SECOND, frame_count, nearest_earlier
from aver.features.frame_store import FrameStore
from aver.features.weights import file_hash
from aver.labels import FER2013
from aver.media import probe

if TYPE_CHECKING:
    import pandas as pd

STREAM = "pictures"
CONSTRUCTED = "FER-2013 faces of the class then acted; constructed, the people are not those heard"

# acted class -> face; those that no face of the seven shows are given the nearest.
FACES: Mapping[str, Mapping[str, str]] = {
    "ravdess": {
        "neutral": "neutral",
        "calm": "neutral",
        "happy": "happy",
        "sad": "sad",
        "angry": "angry",
        "fearful": "fear",
        "disgust": "disgust",
        "surprised": "surprise",
    },
    "nemo": {
        "neutral": "neutral",
        "happy": "happy",
        "sad": "sad",
        "angry": "angry",
        "fearful": "fear",
        "surprised": "surprise",
    },
    "emogator": {
        "adoration": "happy",
        "amusement": "happy",
        "anger": "angry",
        "awe": "surprise",
        "confusion": "neutral",
        "contempt": "disgust",
        "contentment": "happy",
        "desire": "happy",
        "disappointment": "sad",
        "disgust": "disgust",
        "distress": "fear",
        "ecstasy": "happy",
        "elation": "happy",
        "embarrassment": "sad",
        "fear": "fear",
        "guilt": "sad",
        "interest": "neutral",
        "neutral": "neutral",
        "pain": "sad",
        "pride": "happy",
        "realization": "surprise",
        "relief": "happy",
        "romantic_love": "happy",
        "sadness": "sad",
        "serenity": "neutral",
        "shame": "sad",
        "surprise_negative": "surprise",
        "surprise_positive": "surprise",
        "sympathy": "sad",
        "triumph": "happy",
    },
}
"""Expression of FER-2013 that stands for an acted class; set by hand."""


class PseudoFacesSettings(CorpusOptions):
    """How pseudo-films come to their pictures.

    Attributes:
        seed: of every draw.
        face_seconds: how long a face is shown.
        group: part of FER-2013 that faces are taken from.
        folder: folder of FER-2013 under the data folder.
    """

    seed: int = 0
    face_seconds: float = Field(1.0, gt=0)
    group: str = "test"
    folder: str = "fer2013"


@dataclass(frozen=True)
class ShownFace:
    """A face, and when it begins to be shown.

    Attributes:
        start: seconds on the film's clock.
        label: its expression.
        row: of the faces that :func:`deal_faces` was given.
    """

    start: float
    label: str
    row: int


def deal_faces(
    labels: Sequence[str], films: Sequence[str], seed: int
) -> dict[str, dict[str, NDArray[np.intp]]]:
    """Faces of every film, dealt out like cards: none is in two.

    Args:
        labels: expression of each face.
        films: names of the films.
        seed: of the dealing.

    Returns:
        Rows of *labels* by film and expression.

    Raises:
        CorpusError: if there are fewer faces of an expression than films.
    """
    random = np.random.default_rng((seed, 998))
    given = np.asarray(labels)
    dealt: dict[str, dict[str, NDArray[np.intp]]] = {film: {} for film in films}
    for label in FER2013:
        rows = random.permutation(np.flatnonzero(given == label))
        if len(rows) < len(films):
            raise CorpusError(
                "FER-2013",
                f"has {len(rows)} faces of '{label}' for {len(films)} films",
                "Bring the whole corpus, or take another group",
            )
        for number, film in enumerate(films):
            dealt[film][label] = np.sort(rows[number :: len(films)])
    return dealt


def faces_of_film(
    film: Mapping[str, Any],
    faces: Mapping[str, NDArray[np.intp]],
    settings: PseudoFacesSettings,
    number: int,
) -> list[ShownFace]:
    """Which face begins when in one film.

    All faces of an expression are shown before one is shown again.

    Args:
        film: what ``pseudo_films.json`` says of it.
        faces: rows of its faces by expression.
        settings: how.
        number: of the film, from 0.

    Raises:
        CorpusError: if it is not known when its recordings begin.
    """
    random = np.random.default_rng((settings.seed, number, 997))
    waiting: dict[str, list[int]] = {label: [] for label in faces}
    shown: list[ShownFace] = []
    for scene in film["scenes"]:
        if "begin" not in scene:
            raise CorpusError(
                "pseudo-films",
                "do not say when their recordings begin: an older aver made them",
                "Delete their folder, and make them again",
            )
        ends = [*scene["begin"][1:], scene["end"]]
        for name, acted, begin, end in zip(
            scene["takes"], scene["classes"], scene["begin"], ends, strict=True
        ):
            label = FACES[name.partition("/")[0]][acted]
            for step in range(max(1, int(np.ceil((end - begin) / settings.face_seconds - 1e-9)))):
                if not waiting[label]:
                    waiting[label] = random.permutation(faces[label]).tolist()
                start = begin + step * settings.face_seconds
                shown.append(ShownFace(start, label, waiting[label].pop()))
    return shown


def store_faces(
    films: Path,
    data: Path,
    store: FrameStore,
    settings: PseudoFacesSettings | None = None,
    *,
    again: bool = False,
    tell: Callable[[int, int], None] | None = None,
) -> dict[str, list[ShownFace]]:
    """Store the stream ``pictures`` of every pseudo-film under *films*.

    It holds the embedding (512) that the shipped face network gives of the face shown at each
    frame. What is stored already is left.

    Args:
        films: folder of the pseudo-films, with ``pseudo_films.json``.
        data: folder of the corpora.
        store: where to.
        settings: how.
        again: whether pictures that are there with other settings are made anew.
        tell: called with films done and films in all.

    Returns:
        The faces of every film.

    Raises:
        CorpusError: if films or faces are missing.
        OutputError: if the store cannot be written.
    """
    chosen = settings or PseudoFacesSettings()
    record = read_record(films)
    manifest = load(data / chosen.folder)
    manifest = manifest[manifest["group"] == chosen.group].reset_index(drop=True)
    names = list(record["films"])
    dealt = deal_faces(manifest["label"].tolist(), names, chosen.seed)
    embedder = FaceEmbedder()
    shown: dict[str, list[ShownFace]] = {}
    for number, name in enumerate(names):
        shown[name] = faces_of_film(record["films"][name], dealt[name], chosen, number)
        frames = frame_count(probe(films / FILMS / f"{name}.wav").duration or 0.0)
        rows = _embed(shown[name], manifest, embedder)
        at = nearest_earlier([face.start for face in shown[name]], frames)
        identity = {
            "pictures": CONSTRUCTED,
            "settings": chosen.model_dump(mode="json", exclude={"folder"}),
            "films": record["identity"],
            "faces": _digest(shown[name], manifest),
            "network": file_hash(embedder.path),
            "frames_per_second": FRAMES_PER_SECOND,
        }
        store.put(name, STREAM, [rows[at]], identity, again=again)
        if tell is not None:
            tell(number + 1, len(names))
    return shown


def _embed(
    shown: Sequence[ShownFace], manifest: pd.DataFrame, embedder: FaceEmbedder
) -> NDArray[np.float32]:
    """Embeddings (shown, 512); a face that is shown again is looked at once."""
    rows, place = np.unique([face.row for face in shown], return_inverse=True)
    pixels = read_faces(manifest.iloc[rows])
    grey = pixels[:, None].astype(np.float32) / np.float32(255.0)
    return embedder.run(grey)[0][place]


def _digest(shown: Sequence[ShownFace], manifest: pd.DataFrame) -> str:
    lines = [[round(face.start, 3), str(manifest["recording"][face.row])] for face in shown]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()
