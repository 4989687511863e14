"""Speed and memory of the analysis, each as a ratio within one run.

    python benchmarks/analyze.py [--record] [--hour]

``--record`` writes the figures into ``results/analyze_speed.csv``; ``--hour`` adds the hour-long
recording (some minutes). YuNet is used where the model cache has it, else dlib.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np
from clips import enlarge, lengthen

ROOT = Path(__file__).resolve().parents[1]


def measured(*arguments: str) -> dict[str, float]:
    """Run a part of this script in a process of its own; its JSON answer."""
    command = [sys.executable, str(Path(__file__)), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def peak_memory() -> float:
    """Peak resident memory of this process in MB (``ru_maxrss`` would start at the parent's)."""
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return float(line.split()[1]) / 1024


def analyse(path: str) -> dict[str, float]:
    """Wall time of one analysis without loading, and the process's peak memory in MB."""
    from aver.inference.analyze import Analyzer

    analyzer = Analyzer()
    start = time.perf_counter()
    timeline = analyzer.analyze(path)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "recording": timeline.media["read"],
        "peak_mb": peak_memory(),
        "people": len(timeline.people),
    }


def decode(path: str) -> dict[str, float]:
    """Wall time of decoding every frame and every sample with PyAV and nothing else."""
    start = time.perf_counter()
    with av.open(path) as source:
        for stream in source.streams:
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = 2
        frames = sum(1 for _ in source.decode())
    return {"seconds": time.perf_counter() - start, "frames": frames}


class EveryFrame:
    """The naive rival: the detector on every frame, no tracking; the largest face is the person."""

    def __init__(self, detector: object):
        self.detector = detector

    def update(self, frame: object) -> list[object]:
        """The largest face of this frame, if any."""
        from aver.faces import FaceObservation, cut, place

        found = self.detector.detect(frame.image)
        if not found:
            return []
        face = max(found, key=lambda d: d.box[2] * d.box[3])
        box = tuple(v * frame.scale for v in face.box)
        crop = cut(frame.image, place(face))
        return [FaceObservation(1, 1, frame.time, box, face.score, 1.0, True, crop)]


def naive(path: str) -> dict[str, float]:
    """Every frame through the same detector and networks; compared with ours in one process."""
    from aver.inference.analyze import Analyzer, Run
    from aver.inference.settings import AnalysisSettings

    ours = Analyzer()
    start = time.perf_counter()
    timeline = ours.analyze(path)
    fast = time.perf_counter() - start

    every = Analyzer(AnalysisSettings(frames_per_second=120.0))
    run = Run(every, path)
    run.reading.tracker = EveryFrame(every.front.detector)
    start = time.perf_counter()
    slow_timeline = run.timeline()
    slow = time.perf_counter() - start

    def labels(of: object) -> dict[float, int]:
        fused = of.select(person=1, modality="fused")
        return {s.start: s.best for s in fused}

    a, b = labels(timeline), labels(slow_timeline)
    both = sorted(set(a) | set(b))
    same = float(np.mean([a.get(t) == b.get(t) for t in both]))
    return {"seconds": fast, "naive_seconds": slow, "agreement": same, "windows": len(both)}


def light() -> dict[str, float]:
    """Start-up: the help page, and what `import aver` loads."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(
            [str(Path(sys.executable).with_name("aver")), "--help"], check=True, capture_output=True
        )
        times.append(time.perf_counter() - start)
    code = "import aver, sys; print([m for m in ('torch', 'pandas', 'cv2') if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return {
        "help_seconds": float(np.median(times)),
        "heavy": len(json.loads(loaded.stdout.replace("'", '"'))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--hour", action="store_true")
    parser.add_argument("--folder", default=Path(tempfile.gettempdir()) / "aver-benchmarks")
    options = parser.parse_args()
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    small = enlarge(folder / "small.mp4", 640, 480, 30, 60)
    large = enlarge(folder / "large.mp4", 1920, 1080, 30, 30)

    found: list[tuple[str, str, float, str]] = []
    run = measured("analyse", str(small))
    found.append(("640x480", "times_real_time", run["recording"] / run["seconds"], ">= 8"))
    minute_memory = run["peak_mb"]
    found.append(("one_minute", "peak_memory_mb", minute_memory, "< 500"))
    run, alone = measured("analyse", str(large)), measured("decode", str(large))
    found.append(("1080p", "time_over_decoding", run["seconds"] / alone["seconds"], "<= 2"))
    run = measured("naive", str(small))
    ratio = run["naive_seconds"] / run["seconds"]
    found.append(("naive_rival", "times_faster", ratio, ">= 5"))
    found.append(("naive_rival", "agreement_of_fused_label", run["agreement"], ">= 0.95"))
    run = measured("light")
    found.append(("start", "help_seconds", run["help_seconds"], "< 0.4"))
    found.append(("start", "heavy_modules_of_import_aver", run["heavy"], "0"))
    if options.hour:
        hour = lengthen(small, folder / "hour.mp4", 60)
        run = measured("analyse", str(hour))
        found.append(("one_hour", "times_real_time", run["recording"] / run["seconds"], ">= 8"))
        found.append(("one_hour", "peak_memory_mb", run["peak_mb"], "< 500"))
        found.append(
            ("one_hour", "memory_over_one_minute", run["peak_mb"] / minute_memory, "<= 1.15")
        )
    for experiment, metric, value, aim in found:
        print(f"{experiment:14s} {metric:32s} {value:10.3f}   aim {aim}")
    if options.record:
        from aver.evaluation.results import Result, record
        from aver.inference.analyze import Analyzer

        detector = Analyzer().front.detector.name
        record(
            ROOT / "results" / "analyze_speed.csv",
            [
                Result(
                    f"analyze/{experiment}",
                    metric,
                    float(value),
                    aim=aim,
                    data="clips made from examples/demo.mp4 (benchmarks/clips.py)",
                    protocol=f"{os.cpu_count()} cores, detector {detector}, one run",
                    command="python benchmarks/analyze.py --record --hour",
                )
                for experiment, metric, value, aim in found
            ],
            packages=("numpy", "av", "onnxruntime", "opencv-python-headless"),
        )


PARTS = {"analyse": analyse, "decode": decode, "naive": naive, "light": light}

if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in PARTS:
        print(json.dumps(PARTS[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
