"""Time of the face network for one face, on one core, preprocessing included.

python benchmarks/face_network.py [NETWORK.onnx] [--record]

Process time is taken, so that other work on the machine does not count as this one's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from aver.evaluation.results import Result, record
from aver.features.face_embedding import FaceEmbedder, preprocess

RUNS = 100
TABLE = Path(__file__).resolve().parents[1] / "results" / "face_expression.csv"


def milliseconds(work: Callable[[], object], faces: int) -> float:
    spent = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return float(np.median(spent)) / faces * 1e3


def main(arguments: list[str]) -> None:
    paths = [a for a in arguments if not a.startswith("--")]
    embedder = FaceEmbedder(paths[0] if paths else None, threads=1)
    rng = np.random.default_rng(0)
    rows = []
    for count in (1, 5):
        crops = rng.integers(0, 256, (count, 96, 96, 3), dtype=np.uint8)
        faces = preprocess(crops)
        whole = milliseconds(lambda crops=crops: embedder.embed(crops), count)
        alone = milliseconds(lambda faces=faces: embedder.run(faces), count)
        print(f"{count} at once: {whole:.2f} ms a face, of it {alone:.2f} ms the network")
        rows.append(
            Result(
                f"one core, {count} at once",
                "milliseconds_per_face",
                round(whole, 3),
                aim=2.0,
                data="random crops, 96 x 96",
                protocol=f"median of {RUNS} runs, process time, one thread, with preprocessing",
                command="python benchmarks/face_network.py --record",
            )
        )
    if "--record" in arguments:
        record(TABLE, rows, packages=("onnxruntime", "numpy"))


if __name__ == "__main__":
    main(sys.argv[1:])
