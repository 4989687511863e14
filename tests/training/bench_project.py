"""A made-up corpus for the tests of the bench: tables in place of media."""

from __future__ import annotations

import numpy as np
import pandas as pd

CLASSES = ("calm", "happy", "sad")
WINDOWS = 4


def make_project(folder, *, people=6, takes=4, seed=0, noise=0.6):
    """Clips of *people* in three classes: a manifest, a clip table and a frame table.

    ``face.csv`` (3 columns, one row a clip) and ``voice.csv`` (2 columns, 10 frames a second, two
    seconds) each tell the class apart but for noise, and each person has an offset of their own.
    """
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows, face, voice = [], [], []
    for person in range(people):
        offset = random.normal(0, 0.5, 3)
        for number, label in enumerate(CLASSES):
            for take in range(takes):
                name = f"p{person}_{label}_{take}"
                rows.append(
                    {
                        "file": f"{name}.wav",
                        "start": "",
                        "end": "",
                        "subject": f"p{person}",
                        "label": label,
                        "intensity": "",
                        "group": "",
                        "source_label": label,
                        "recording": name,
                    }
                )
                centre = np.eye(3)[number] + offset
                face.append([name, *(centre + random.normal(0, noise, 3))])
                for frame in range(20):
                    values = centre[:2] + random.normal(0, noise, 2)
                    voice.append([name, frame, *values])
    pd.DataFrame(rows).to_csv(folder / "clips.csv", index=False)
    pd.DataFrame(face, columns=["clip", "a", "b", "c"]).to_csv(folder / "face.csv", index=False)
    columns = ["clip", "frame", "x", "y"]
    pd.DataFrame(voice, columns=columns).to_csv(folder / "voice.csv", index=False)
    return folder


RECIPE = """
task = "bench"
name = "tiny"
seeds = [{seeds}]
inner_folds = 2
baseline = "guess"

[data]
manifest = "clips.csv"

[split]
scheme = "subjects"
folds = 3

[features.face]
extractor = "clip_table"
table = "face.csv"

[features.voice]
extractor = "frame_table"
table = "voice.csv"
columns = ["x", "y"]
window_seconds = 0.5
windows = 4

[training]
epochs = 3
batch = 16
learning_rate = 0.01
logger = "none"

[[systems]]
name = "guess"
model = "majority"
"""

FACE = '[[systems]]\nname = "face"\nmodel = "logistic_regression"\nstreams = ["face"]\n'
VOICE = '[[systems]]\nname = "voice"\nmodel = "logistic_regression"\nstreams = ["voice"]\n'
MATER = """[[systems]]
name = "mater"
model = "mater"
width = 8
heads = 2
layers = 1
feed_forward = 8
prediction_hidden = 8
paper = 76.3
aim = 84
"""
STACKED = '[[systems]]\nname = "stacked"\nfusion = "stacking"\nof = ["face", "voice"]\n'


def write_recipe(folder, *systems, seeds="0", **changes):
    """The recipe with *systems*; *changes* replace text: ``{"folds = 3": "folds = 2"}``."""
    text = RECIPE.format(seeds=seeds) + "\n".join(systems)
    for old, new in changes.get("changes", {}).items():
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "tiny.toml"
    path.write_text(text, encoding="utf-8")
    return path
