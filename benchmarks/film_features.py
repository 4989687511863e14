"""How fast emobase2010 and auditory saliency are measured along films, end to end.

Every film in FOLDER is read once an extractor, cut into segments of five seconds, measured, and
written into a fresh feature store, by two processes; a second pass shows that nothing of it is
measured again. With ``--jobs 1`` the processor's own time is told too, which other programs on the
machine change less. Needs the extra ``opensmile``.

    python benchmarks/film_features.py FOLDER [--minutes 20] [--record]

FOLDER may be the folder ``pseudo_films/films`` that ``aver reproduce recipes/pseudo_films.toml``
leaves.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import Progress

from aver.corpora.folder import SUFFIXES
from aver.corpora.table import COLUMNS
from aver.evaluation.results import Result, record
from aver.features.extractor import make_extractor
from aver.features.store import FeatureStore
from aver.media import probe

TABLE = Path(__file__).resolve().parents[1] / "results" / "film_features.csv"
AIM = 20.0
EXTRACTORS = ("emobase2010", "auditory_saliency")


def find_films(folder: Path, minutes: float) -> tuple[pd.DataFrame, float]:
    """Films, until they last *minutes* together, and how many seconds they last."""
    rows, seconds = [], 0.0
    for file in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        if seconds >= 60 * minutes:
            break
        seconds += probe(file).duration or 0.0
        rows.append({**dict.fromkeys(COLUMNS, ""), "file": str(file), "start": np.nan})
    return pd.DataFrame(rows).assign(end=np.nan), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    films, seconds = find_films(arguments.folder, arguments.minutes)
    if films.empty:
        parser.error(f"there is no film in {arguments.folder}")
    took: dict[str, tuple[float, float, float]] = {}
    with tempfile.TemporaryDirectory() as folder, Progress() as bar:
        for name in EXTRACTORS:
            extractor = make_extractor(name, window_seconds=5.0)
            task = bar.add_task(name, total=len(films))
            walls = []
            before = time.process_time()
            for _ in range(2):
                began = time.perf_counter()
                FeatureStore(folder).load(
                    films,
                    extractor,
                    jobs=arguments.jobs,
                    progress=lambda done, every, t=task: bar.update(t, completed=done, total=every),
                )
                walls.append(time.perf_counter() - began)
            took[name] = walls[0], walls[1], time.process_time() - before
    figures = {f"{name}_times_real_time": seconds / wall for name, (wall, _, _) in took.items()}
    figures["both_times_real_time"] = seconds / sum(wall for wall, _, _ in took.values())
    if arguments.jobs == 1:  # what other processes used is not told to this one
        used = sum(cpu for _, _, cpu in took.values())
        figures["both_times_real_time_by_processor_time"] = seconds / used
    figures["second_pass_seconds"] = sum(again for _, again, _ in took.values())
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    for name, value in figures.items():
        print(f"{name} {value:.4g}")
    if arguments.record:
        record(
            TABLE,
            [
                Result(
                    experiment=f"film_features/{arguments.jobs} processes",
                    metric=name,
                    value=round(value, 2),
                    aim=AIM if name == "both_times_real_time" else "",
                    data=f"{len(films)} films, {seconds / 60:.1f} minutes of 16 kHz sound",
                    protocol=f"{arguments.jobs} processes on {os.cpu_count()} cores, fresh store, "
                    f"segments of 5 s; load average of the machine meanwhile {load:.1f}",
                    command="python benchmarks/film_features.py FOLDER --record",
                )
                for name, value in figures.items()
            ],
            packages=("numpy", "opensmile", "soxr"),
        )


if __name__ == "__main__":
    main()
