"""A small project of recordings and stills that the tests of the joint CNNs share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from aver.labels import FER2013_TO_RAVDESS
from aver.training.joint_cnn_data import JointData, Recordings
from aver.training.joint_cnn_images import Images, Stills
from aver.training.joint_cnn_recipe import ImageData, JointCnnRecipe

CLASSES = ("happy", "sad", "angry")
SMALL = {
    "model": {"audio_channels": (2, 3), "image_channels": (2, 3), "hidden": (8,), "lstm_units": 5,
              "equalise_hidden": 5, "probe_hidden": (4,)},
}  # fmt: skip


def recipe(**changes) -> JointCnnRecipe:
    settings = {
        "task": "joint_cnn",
        "name": "test",
        "networks": ["probes"],
        "seeds": [0],
        "splits": ["subjects"],
        "images": {"per_class": 20, "views": 2, "side": 16},
        "training": {"epochs": 3, "batch": 8, "learning_rate": 0.02},
        **SMALL,
    }
    return JointCnnRecipe.model_validate(settings | changes)


def recordings(subjects=8, takes=2, classes=CLASSES, seed=0) -> Recordings:
    """Coefficient k is high in class k; the first take of a subject lasts longer."""
    random = np.random.default_rng(seed)
    rows = [
        {
            "file": f"/clips/s{s}-{c}-{t}.wav",
            "start": np.nan,
            "end": np.nan,
            "subject": f"ravdess/{s:02d}",
            "label": c,
            "recording": f"s{s}-{c}-{t}",
            "group": "female" if s % 2 else "male",
        }
        for s in range(subjects)
        for c in classes
        for t in range(takes)
    ]
    manifest = pd.DataFrame(rows)
    average = random.normal(0, 0.5, (len(rows), 1, 40)).astype(np.float32)
    for row, label in enumerate(manifest["label"]):
        average[row, 0, 5 * classes.index(label) : 5 * classes.index(label) + 5] += 2.0
    stretches = np.repeat(average, 4, axis=1)
    present = np.ones(stretches.shape[:2], bool)
    present[1::2, 3] = False
    stretches[~present] = 0.0
    items = np.array([Path(file).stem for file in manifest["file"]], object)
    return Recordings(manifest, items, average, stretches, present)


def stills(data: ImageData, count=40, classes=CLASSES, tests=10) -> Stills:
    """Faces whose class is a bright band; the last *tests* of a class are the test part."""
    words = {v: k for k, v in FER2013_TO_RAVDESS.items()}
    rows = [
        {
            "file": f"/faces/{c}/{n}.png",
            "label": words.get(c, c),
            "group": "test" if n >= count - tests else "train",
            "recording": f"{c}/{n}",
        }
        for c in classes
        for n in range(count)
    ]
    names = list(classes)

    def read(manifest):
        faces = np.zeros((len(manifest), 16, 16), np.uint8)
        for at, label in enumerate(manifest["label"]):
            place = 4 * names.index(FER2013_TO_RAVDESS.get(label, label)) % 16
            faces[at] = np.random.default_rng(at).integers(0, 60, (16, 16))
            faces[at, place : place + 4] += 150
        return faces

    return Stills(data, pd.DataFrame(rows), read)


def data(chosen: JointCnnRecipe | None = None, **more) -> JointData:
    chosen = chosen or recipe()
    return JointData(chosen, CLASSES, recordings(**more), stills(chosen.images), "0" * 64)


def clip_images(subjects=8, classes=CLASSES, each=3) -> Images:
    """Joined images of clips, *each* of a clip, one clip a subject and class."""
    rows = [(s, c, n) for s in range(subjects) for c in classes for n in range(each)]
    return Images(
        np.array([f"s{s}-{c}@{n}" for s, c, n in rows], object),
        np.array([f"/clips/s{s}-{c}.mp4" for s, c, n in rows], object),
        np.array([f"ravdess/{s:02d}" for s, c, n in rows], object),
        np.array([c for s, c, n in rows], object),
        np.zeros((len(rows), 16, 32), np.float32),
        np.full(len(rows), "", object),
    )
