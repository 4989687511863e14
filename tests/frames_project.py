"""Made-up films for the task ``valence_frames``: traces, a frame store, events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from aver.corpora.sound_events import SoundEvent, write_events_tsv
from aver.features.frame_store import FrameStore

FILMS = ("Alpha", "Beta", "Gamma")
SECONDS = 24


def recipe(**changes: Any) -> dict[str, Any]:
    """A majority and Fea-TF SCMA, quick to train."""
    table: dict[str, Any] = {
        "task": "valence_frames",
        "name": "small",
        "validations": ["clean"],
        "time": 4,
        "train_stride": 4,
        "baseline": "majority",
        "data": {"corpus": "cognimuse", "options": {"films": "any"}},
        "frames": {"every": 5, "events": "events"},
        "features": {
            "pictures": {},
            "verbal": {"stream": "sound_semantics", "columns": [0, 3]},
            "non_verbal": {"stream": "sound_semantics", "columns": [3, 5]},
        },
        "search": {"learning_rates": [0.01]},
        "training": {
            "epochs": 4,
            "batch": 32,
            "optimiser": "adam",
            "schedule": "constant",
            "warm_up": 0,
            "weight_decay": 0,
            "patience": 3,
            "logger": "none",
            "threads": 1,
        },
        "pairs": [["scma", "majority"]],
        "figure_2": {"systems": ["majority", "scma"]},
        "systems": [
            {"name": "majority", "model": "majority"},
            {
                "name": "scma",
                "model": "scma",
                "settings": {"variant": "scma", "width": 8, "heads": 2, "tokens": 3},
            },
        ],
        "paper": {"scma": 49.74},
    }
    return table | changes


def write_films(root: Path, films: tuple[str, ...] = FILMS) -> None:
    """Films under *root* whose valence is the first picture feature; Gamma's last second is
    not measured."""
    store = FrameStore(root / "frames")
    for number, film in enumerate(films):
        random = np.random.default_rng(number)
        time = np.arange(SECONDS * 25) / 25
        valence = 0.95 * np.sin(2 * np.pi * time / 8 + number)
        trace = np.column_stack([time, valence, np.zeros(len(time))])
        folder = root / "cognimuse" / "Emotion Annotation" / "intended"
        folder.mkdir(parents=True, exist_ok=True)
        np.savetxt(folder / f"intended_1_{film}.dat", trace, fmt="%.6g")
        length = len(time) - 25 * (film == "Gamma")
        noise = random.normal(size=(length, 8)).astype(np.float32)
        noise[:, 0] = valence[:length]
        about = {"made": "up"}
        store.put(film, "pictures", [noise[:, :3]], about)
        semantics = noise[:, 3:]
        semantics[:10, :3] = 0.0  # the first frames have no verbal part
        store.put(film, "sound_semantics", [semantics], about)
        (root / "events").mkdir(exist_ok=True)
        events = [SoundEvent(1.0, 3.0, "speech_male", film), SoundEvent(2.0, 2.5, "crying", film)]
        write_events_tsv(events, root / "events" / f"{film}.tsv")
