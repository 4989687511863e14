"""How fast auditory saliency is, and how near to the 2005 program.

Run: python benchmarks/saliency.py FILE [--oracle FILE.npz] [--record]

FILE is any recording; it is heard over and over until ten minutes of sound are full. Speed is
process time of one thread (set OMP_NUM_THREADS=1) as a ratio to real time, sound decoded,
spectrogram and map included; several threads would only add to it.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import wave
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from aver.evaluation.results import Result, record
from aver.features.auditory_saliency_fields import PROGRAM_PAIRS
from aver.features.auditory_saliency_map import saliency_map
from aver.features.extractor import Clip, make_extractor
from aver.features.windows import read_sound

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results" / "saliency_speed.csv"
SECONDS, RATE, RUNS = 600, 16_000, 5
LONG_SECONDS = 7_200


def write(path: Path, sound: np.ndarray, seconds: int) -> Path:
    """A WAV file with *sound* over and over."""
    whole = (np.clip(sound, -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        left = seconds * RATE
        while left > 0:
            file.writeframes(whole[:left].tobytes())
            left -= len(whole)
    return path


def speed(file: Path, pairs: str) -> float:
    """Seconds of sound for each second of one thread, median of several runs."""
    extractor = make_extractor("auditory_saliency", window_seconds=5, pairs=pairs)
    took = []
    for _ in range(RUNS):
        start = time.process_time()
        extractor.extract(Clip(file))
        took.append(time.process_time() - start)
    return SECONDS / median(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--oracle", type=Path)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    facts = {"command": "python benchmarks/saliency.py FILE --oracle FILE.npz --record"}
    rows = []
    sound = read_sound(Clip(arguments.file)).samples
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder, "ten_minutes.wav"), sound, SECONDS)
        for pairs in ("paper", "program"):
            ratio = speed(file, pairs)
            print(f"{pairs} pairs: {ratio:.0f} times real time")
            rows.append(
                Result(
                    f"auditory saliency, pairs of the {pairs}",
                    "times_real_time",
                    round(ratio, 1),
                    aim=100.0,
                    data=f"{arguments.file.name} over and over, {SECONDS} s of 16 kHz WAV",
                    protocol=f"process time of one thread with decoding, median of {RUNS} runs",
                    **facts,
                )
            )
        film = write(Path(folder, "two_hours.wav"), sound, LONG_SECONDS)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        features = make_extractor("auditory_saliency", window_seconds=5).extract(Clip(film))
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        grown = (after - before) / 1024  # kilobytes where Linux tells it
        print(f"two hours: {len(features)} windows, {grown:.0f} MB more than ten minutes")
        rows.append(
            Result(
                "auditory saliency, two hours after ten minutes",
                "more_megabytes",
                round(grown, 1),
                aim=200.0,
                data=f"{arguments.file.name} over and over, {LONG_SECONDS} s of 16 kHz WAV",
                protocol="growth of the peak resident set; windows of 5 s",
                **facts,
            )
        )
    if arguments.oracle:
        oracle = np.load(arguments.oracle)
        found = saliency_map(oracle["P"], pairs=PROGRAM_PAIRS)
        for name, ours, theirs in (
            ("eo", found.eo, oracle["eo"]),
            ("esi", found.esi, oracle["esi"]),
            ("epi", found.epi, oracle["epi"]),
            ("map", found.values, oracle["M"]),
            ("mean over time", found.values.mean(axis=1), oracle["M"].mean(axis=1)),
        ):
            value = float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1])
            print(f"correlation of {name}: {value:.4f}")
            rows.append(
                Result(
                    f"auditory saliency beside the 2005 program, {name}",
                    "correlation",
                    round(value, 4),
                    aim=0.97 if name.startswith("m") else "",
                    data="spectrogram of RAVDESS 03-01-05-02-01-01-07, five pairs",
                    protocol="Pearson over all cells",
                    **facts,
                )
            )
    if arguments.record:
        record(TABLE, rows, packages=("numpy", "opencv-python-headless"))


if __name__ == "__main__":
    main()
