"""The voice network: milliseconds a second of sound on one core, log-mel included.

Run: python benchmarks/voice_network.py [--teacher DATA CACHE]

With ``--teacher`` the baseline beside it: plain logistic regression on the clip means of the
speech encoder that teaches the network, in the twelve folds of RAVDESS (DATA: the corpora's
folder; CACHE: the ``cache`` folder of a voice run, or a new one).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from aver import pretrained
from aver.evaluation.results import Result, record
from aver.features.log_mel import window_log_mel
from aver.features.voice_embedding import VoiceEmbedder

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results" / "voice_expression.csv"
SECONDS = 60


def measure_speed() -> list[Result]:
    """Time a minute of noise through the stream, and through the log-mel alone, in one run."""
    embedder = VoiceEmbedder(pretrained.path_of("voice_expression"))
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000 * SECONDS).astype(np.float32)
    windows = sound.reshape(-1, 8_000)
    best = {"whole": np.inf, "log_mel": np.inf}
    for _ in range(5):
        stream = embedder.start()
        begin = time.process_time()
        for window in windows:
            stream.embed_window(window)
        best["whole"] = min(best["whole"], time.process_time() - begin)
        begin = time.process_time()
        for window in windows:
            window_log_mel(window)
        best["log_mel"] = min(best["log_mel"], time.process_time() - begin)
    whole, front = (1e3 * best[name] / SECONDS for name in ("whole", "log_mel"))
    print(f"{whole:.2f} ms a second of sound, of which log-mel {front:.2f}")
    size = pretrained.path_of("voice_expression").stat().st_size / 1e6
    command = "python benchmarks/voice_network.py"
    protocol = "processor time, one thread, best of 5"
    facts = {"data": "noise made by the script", "protocol": protocol, "command": command}
    return [
        Result("voice_speed", "ms_per_second", whole, aim=3.0, **facts),
        Result("voice_speed", "share_of_log_mel", front / whole, **facts),
        Result("voice_size", "megabytes", size, aim=8.0, data="the shipped file", command=command),
    ]


def measure_teacher(data: Path, cache: Path) -> list[Result]:
    """Logistic regression on the teacher's clip means, RAVDESS, twelve actor-disjoint folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from aver.corpora import load_corpus
    from aver.training.speech_teacher import listen

    frame = load_corpus("ravdess", data / "ravdess")
    values, ends = listen(frame["file"].tolist(), "whisper_base_encoder", cache, "ravdess")
    starts = np.concatenate([[0], ends[:-1]])
    means = np.stack(
        [values[a:b].mean(axis=0, dtype=np.float32) for a, b in zip(starts, ends, strict=True)]
    )
    label, fold = frame["label"].to_numpy(), (frame["subject"].astype(int).to_numpy() - 1) // 2
    right = []
    for k in range(12):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
        model.fit(means[fold != k], label[fold != k])
        right.append((model.predict(means[fold == k]) == label[fold == k]).mean())
    print(f"teacher, logistic regression on clip means: {np.mean(right):.4f}")
    return [
        Result(
            "teacher_clip_means",
            "accuracy",
            float(np.mean(right)),
            data="RAVDESS speech, 1,440 clips, 24 actors",
            protocol="12 actor-disjoint folds; Whisper base encoder (8-bit), logistic regression "
            "C=0.01",
            command="python benchmarks/voice_network.py --teacher DATA CACHE",
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--teacher", nargs=2, type=Path, metavar=("DATA", "CACHE"))
    options = parser.parse_args()
    rows = measure_speed()
    if options.teacher:
        rows += measure_teacher(*options.teacher)
    record(TABLE, rows, packages=("numpy", "onnxruntime"))


if __name__ == "__main__":
    main()
