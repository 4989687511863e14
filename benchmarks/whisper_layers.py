"""Which layers of Whisper's encoder tell emotions apart? Chosen on nEMO, not on RAVDESS.

The recipes on RAVDESS take the best layer of five parts of whole speakers here and its two
neighbours (5, 6, 7): Polish speech of nine other people. Holding out one speaker at a time, layers
5 to 8 are as good as each other. Every third recording is heard, to keep it short.

    python benchmarks/whisper_layers.py --data DATA
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.progress import track
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aver.corpora import load_corpus
from aver.evaluation.intervals import bootstrap_over_subjects
from aver.evaluation.results import Result, record
from aver.features.clip_windows import read_clip_sound
from aver.features.extractor import Clip
from aver.features.whisper import SpeechEncoder

RESULTS = Path(__file__).resolve().parents[1] / "results" / "whisper_layers.csv"
PENALTIES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)


def hear(clips, network: str, kept: Path | None) -> np.ndarray:
    """(layers, clips, width) means of every layer over each clip, kept in the file *kept*."""
    if kept is not None and kept.is_file():
        with np.load(kept) as stored:
            if list(stored["files"]) == [Path(file).name for file in clips["file"]]:
                return stored["means"]
    depth = SpeechEncoder(network).depth
    encoder = SpeechEncoder(network, layers=tuple(range(depth + 1)))
    means = []
    for _, row in track(clips.iterrows(), total=len(clips), description="listening"):
        samples, _ = read_clip_sound(Clip.of(row))
        means.append(encoder.hidden(samples).mean(axis=1))
    found = np.stack(means, axis=1).astype(np.float32)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, means=found, files=[Path(file).name for file in clips["file"]])
    return found


SPLITS = {"five parts of whole speakers": GroupKFold(5), "one speaker out": LeaveOneGroupOut()}
"""The first one chooses."""


def right(features, labels, speakers, penalty: float, split) -> np.ndarray:
    """(clips,) 1 where the emotion of a speaker never heard was told."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000))
    told = cross_val_predict(model, features, labels, groups=speakers, cv=split)
    return (told == labels).astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--network", default="whisper_small_encoder")
    parser.add_argument("--every", type=int, default=3, help="hear every n-th recording")
    parser.add_argument("--keep", type=Path, help="file for what was heard (.npz)")
    settings = parser.parse_args()
    clips = load_corpus("nemo", settings.data / "nemo").sort_values("file")[:: settings.every]
    means = hear(clips, settings.network, settings.keep)
    labels, speakers = clips["label"].to_numpy(str), clips["subject"].to_numpy(str)
    rows: list[Result] = []

    def measure(features, what: str, penalty: float, name: str) -> float:
        hits = right(features, labels, speakers, penalty, SPLITS[name])
        low, high = bootstrap_over_subjects(hits, speakers)
        print(f"{name}: {what}: {hits.mean():.4f} ({low:.3f} to {high:.3f})", flush=True)
        rows.append(
            Result(
                f"{settings.network}, {what}, {name}",
                "accuracy",
                float(hits.mean()),
                low,
                high,
                data=f"nEMO, every {settings.every}. recording, {len(clips)} clips, 9 speakers",
                protocol=f"{name}; logistic regression on the clip's mean, C {penalty:g}",
                command="python benchmarks/whisper_layers.py --data DATA",
            )
        )
        return float(hits.mean())

    choosing, *others = SPLITS
    found = [measure(means[k], f"layer {k}", 3e-3, choosing) for k in range(len(means))]
    for name in others:
        for k in range(len(means)):
            measure(means[k], f"layer {k}", 3e-3, name)
    middle = min(max(int(np.argmax(found)), 1), len(means) - 2)
    three = [middle - 1, middle, middle + 1]
    together = np.concatenate([means[layer] for layer in three], axis=1)
    told = ", ".join(str(layer) for layer in three)
    for penalty in PENALTIES:
        measure(together, f"layers {told}, C {penalty:g}", penalty, choosing)
    record(RESULTS, rows, packages=("scikit-learn", "onnxruntime", "numpy"))


if __name__ == "__main__":
    main()
