"""A made-up film in the tables of the Forrest Gump annotation."""

from pathlib import Path

import numpy as np
import pandas as pd

from aver.corpora.forrest_gump import EMOTIONS, PICTURE, SOUND


def write_film(root: Path, runs: int = 3, seconds: float = 60.0) -> None:
    """A made-up film: arousal goes up and down slowly, loudness and picture change with it."""
    random = np.random.default_rng(0)
    feelings, pictures, sounds = [], [], []
    for run in range(1, runs + 1):
        time = np.arange(int(seconds * 25)) / 25
        level = np.sin(2 * np.pi * time / 40 + run)
        common = {"run": run, "onset": time, "duration": 0.04}
        noise = random.normal(size=(4, len(time)))
        pictures.append(
            pd.DataFrame(
                {
                    **common,
                    "brmean": 70 + 20 * level + noise[0],
                    "brlr": noise[1],
                    "brud": noise[2],
                    "norm_diff": 0.05 + 0.04 * level + 0.001 * noise[3],
                }
            )
        )
        rms = 0.05 * np.exp(level + 0.1 * noise[0])
        sounds.append(pd.DataFrame({**common, "rms": rms, "lrdiff": 0.01 * noise[1]}))
        for second in range(int(seconds)):
            value = float(np.clip(level[second * 25], -1, 1))
            feelings.append((run, float(second), 1.0, value, max(value, 0.0), max(-value, 0.0)))
    names = ["run", "onset", "duration", "arousal", "valence_positive", "valence_negative"]
    pd.DataFrame(feelings, columns=names).to_parquet(root / EMOTIONS)
    pd.concat(pictures).to_parquet(root / PICTURE)
    pd.concat(sounds).to_parquet(root / SOUND)
