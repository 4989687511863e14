"""Which layers of Whisper's encoder tell emotions apart? Chosen on nEMO, never on RAVDESS.

The recipes on RAVDESS take the layers, and the strength of the penalty, that do best here: Polish
speech of nine other people, whole people held out. So nothing of RAVDESS has a say in the choice.
Every third recording is heard, to keep it short.

    python benchmarks/whisper_layers.py --data DATA
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.progress import track
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
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


def right(features, labels, speakers, penalty: float) -> np.ndarray:
    """(clips,) 1 where the emotion of a speaker never heard was told."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000))
    told = cross_val_predict(model, features, labels, groups=speakers, cv=LeaveOneGroupOut())
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
    common = {
        "data": f"nEMO, every {settings.every}. recording, {len(clips)} clips, 9 speakers",
        "protocol": "one speaker out, logistic regression on the clip's mean",
        "command": "python benchmarks/whisper_layers.py --data DATA",
    }
    rows, best = [], (0.0, 0)
    for layer in range(len(means)):
        hits = right(means[layer], labels, speakers, 3e-3)
        low, high = bootstrap_over_subjects(hits, speakers)
        print(f"layer {layer}: {hits.mean():.4f} ({low:.3f} to {high:.3f})", flush=True)
        name = f"{settings.network}, layer {layer}"
        rows.append(Result(name, "accuracy", float(hits.mean()), low, high, **common))
        best = max(best, (float(hits.mean()), layer))
    middle = min(max(best[1], 1), len(means) - 2)
    three = [middle - 1, middle, middle + 1]
    together = np.concatenate([means[layer] for layer in three], axis=1)
    for penalty in PENALTIES:
        hits = right(together, labels, speakers, penalty)
        low, high = bootstrap_over_subjects(hits, speakers)
        told = ", ".join(str(layer) for layer in three)
        print(f"layers {told}, C {penalty:g}: {hits.mean():.4f}", flush=True)
        name = f"{settings.network}, layers {told}, C {penalty:g}"
        rows.append(Result(name, "accuracy", float(hits.mean()), low, high, **common))
    record(RESULTS, rows, packages=("scikit-learn", "onnxruntime", "numpy"))


if __name__ == "__main__":
    main()
