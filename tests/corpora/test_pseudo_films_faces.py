"""Faces for pseudo-films: of the class then acted, none in two films, none trained on."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from aver.corpora import pseudo_films_faces
from aver.corpora.pseudo_films import FILMS, RECORD, PseudoFilmsSettings
from aver.corpora.pseudo_films_faces import (
    FACES,
    PseudoFacesSettings,
    deal_faces,
    faces_of_film,
    store_faces,
)
from aver.corpora.pseudo_films_levels import LEVELS
from aver.errors import CorpusError
from aver.features.frame_store import FrameStore
from aver.labels import FER2013

from .sounds import voice, write_wav

SCENES = [
    {
        "start": 0.0,
        "end": 4.3,
        "takes": ["ravdess/a", "nemo/b"],
        "classes": ["calm", "angry"],
        "begin": [0.0, 2.5],
    },
    {
        "start": 4.3,
        "end": 6.0,
        "takes": ["emogator/c"],
        "classes": ["triumph"],
        "begin": [4.3],
    },
]


def test_every_acted_class_has_a_face_of_the_seven():
    assert {corpus: set(classes) for corpus, classes in FACES.items()} == {
        corpus: set(classes) for corpus, classes in LEVELS.items()
    }
    assert {face for classes in FACES.values() for face in classes.values()} == set(FER2013)


def test_no_face_is_dealt_to_two_films_and_all_are_dealt():
    labels = [label for label in FER2013 for _ in range(9)]
    dealt = deal_faces(labels, ["A", "B", "C"], seed=0)
    rows = [set(np.concatenate(list(faces.values())).tolist()) for faces in dealt.values()]
    assert sum(map(len, rows)) == len(set.union(*rows)) == len(labels)
    for faces in dealt.values():
        for label, own in faces.items():
            assert len(own) == 3
            assert {labels[row] for row in own} == {label}
    again = deal_faces(labels, ["A", "B", "C"], seed=0)
    assert all(np.array_equal(again["B"][label], dealt["B"][label]) for label in FER2013)
    with pytest.raises(CorpusError, match="has 9 faces of 'angry' for 10 films"):
        deal_faces(labels, list("ABCDEFGHIJ"), seed=0)


def test_faces_change_every_second_and_with_every_recording():
    faces = {label: np.arange(2) + 10 * n for n, label in enumerate(FER2013)}
    shown = faces_of_film({"scenes": SCENES}, faces, PseudoFacesSettings(), 0)
    assert [(face.start, face.label) for face in shown] == [
        (0.0, "neutral"), (1.0, "neutral"), (2.0, "neutral"),
        (2.5, "angry"), (3.5, "angry"),
        (4.3, "happy"), (5.3, "happy"),
    ]  # fmt: skip
    # Both faces of an expression are shown before one is shown again.
    assert {face.row for face in shown[:2]} == {60, 61}
    assert shown[2].row in (60, 61)


def test_films_of_an_older_aver_are_told_to_be_made_anew():
    old = [{key: value for key, value in SCENES[0].items() if key != "begin"}]
    with pytest.raises(CorpusError, match=r"do not say when.*make them again"):
        faces_of_film({"scenes": old}, {}, PseudoFacesSettings(), 0)


@pytest.fixture
def made(tmp_path):
    """Two films of six seconds, and faces whose grey is their class."""
    films, data = tmp_path / "films", tmp_path / "data"
    for name in ("PseudoFilm1", "PseudoFilm2"):
        write_wav(films / FILMS / f"{name}.wav", voice(1, 6.0))
    record = {
        "identity": "made",
        "settings": PseudoFilmsSettings(films=2).model_dump(mode="json"),
        "films": {name: {"scenes": SCENES} for name in ("PseudoFilm1", "PseudoFilm2")},
    }
    (films / RECORD).write_text(json.dumps(record))
    for group in ("train", "test"):
        for n, label in enumerate(FER2013):
            folder = data / "fer2013" / group / label
            folder.mkdir(parents=True)
            for k in range(4):
                face = np.full((48, 48), 30 * n + k + (4 if group == "train" else 0), np.uint8)
                cv2.imwrite(str(folder / f"{k}.png"), face)
    return films, data


class Grey:
    """In place of the network: the mean grey, then zeros."""

    path = None

    def run(self, faces):
        rows = np.zeros((len(faces), 512), np.float32)
        rows[:, 0] = 255 * faces.mean(axis=(1, 2, 3))
        return rows, np.zeros((len(faces), 7), np.float32)


def test_the_store_holds_the_embedding_of_the_face_shown_at_each_frame(made, tmp_path, monkeypatch):
    monkeypatch.setattr(pseudo_films_faces, "FaceEmbedder", Grey)
    monkeypatch.setattr(pseudo_films_faces, "file_hash", lambda path: "hash")
    films, data = made
    store = FrameStore(tmp_path / "store")
    store_faces(films, data, store)
    seen = []
    for name in ("PseudoFilm1", "PseudoFilm2"):
        rows = store.open(name)["pictures"]
        assert rows.shape == (150, 512)
        grey = rows[:, 0].round().astype(int)
        shown = [FER2013[value // 30] for value in grey]
        # 2.5 s are 62.5 frames, 4.3 s are 107.5.
        assert set(shown[:63]) == {"neutral"}
        assert set(shown[63:108]) == {"angry"}
        assert set(shown[108:]) == {"happy"}
        assert (grey % 30 < 4).all()  # of test, none of train
        seen.append(set(grey.tolist()))
        assert "constructed" in store.about(name, "pictures")["identity"]["pictures"]
    assert not seen[0] & seen[1]
    before = (store.root / "PseudoFilm1" / "pictures.npy").stat().st_mtime_ns
    store_faces(films, data, store)
    assert (store.root / "PseudoFilm1" / "pictures.npy").stat().st_mtime_ns == before
