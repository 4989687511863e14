"""What listening for human sounds costs: processor time, the whole analysis, memory.

    python benchmarks/event_lane.py [--record]

Times are processor time of the process, so that other work on the machine does not count. The rival
of the analysis is the same analysis with ``events=False``, in the same process, in turns.
``--record`` writes the figures into ``results/event_lane.csv``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from clips import enlarge

ROOT = Path(__file__).resolve().parents[1]
RATE = 16_000


def demo_sound() -> np.ndarray:
    """The demo clip's sound, at 16 kHz."""
    from aver.features.extractor import Clip
    from aver.features.windows import read_sound

    return read_sound(Clip(ROOT / "examples" / "demo.mp4")).samples


def listen(seconds: str) -> dict[str, float]:
    """The lane alone, over so many seconds of sound: processor time, and memory it added in MB."""
    from aver.features.sound_event_detector import SoundEventDetector
    from aver.inference.events import EventLane
    from aver.inference.networks import locate
    from aver.media import Window

    detector = SoundEventDetector(locate("sound_events"), threads=1)
    sound = demo_sound()
    lane, half = EventLane(detector), RATE // 2
    count = 2 * int(seconds)
    before, start = peak_memory(), time.process_time()
    for k in range(count):
        at = k * half % (len(sound) - half)
        lane.take(Window(k, k / 2, k / 2 + 0.5, (), sound[at : at + half]))
    events = lane.finish()
    spent = time.process_time() - start
    return {
        "milliseconds": 1000 * spent / int(seconds),
        "added_mb": peak_memory() - before,
        "peak_mb": peak_memory(),
        "events": len(events),
    }


def peak_memory() -> float:
    """Peak resident memory of this process in MB."""
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return float(line.split()[1]) / 1024


def both(path: str, rounds: str = "3") -> dict[str, float]:
    """Processor time of the analysis with the lane over that without, in turns."""
    from aver.inference.analyze import Analyzer
    from aver.inference.settings import AnalysisSettings

    analyzers = {on: Analyzer(AnalysisSettings(events=on)) for on in (True, False)}
    times: dict[bool, list[float]] = {True: [], False: []}
    for analyzer in analyzers.values():
        analyzer.analyze(path)
    for _ in range(int(rounds)):
        for on, analyzer in analyzers.items():
            start = time.process_time()
            analyzer.analyze(path)
            times[on].append(time.process_time() - start)
    return {"ratio": median(times[True]) / median(times[False])}


def measured(*arguments: str) -> dict[str, float]:
    """Run a part of this script in a process of its own; its JSON answer."""
    command = [sys.executable, str(Path(__file__)), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--folder", default=Path(tempfile.gettempdir()) / "aver-benchmarks")
    options = parser.parse_args()
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    small = enlarge(folder / "small.mp4", 640, 480, 30, 60)

    short, long = measured("listen", "600"), measured("listen", "7200")
    found = [
        ("lane", "milliseconds_per_second_of_sound", long["milliseconds"], "<= 5"),
        ("two_hours", "peak_memory_over_ten_minutes", long["peak_mb"] / short["peak_mb"], ""),
        ("640x480", "time_over_analysis_without", measured("both", str(small))["ratio"], ""),
    ]
    for experiment, metric, value, aim in found:
        print(f"{experiment:12s} {metric:34s} {value:8.3f}   aim {aim or '-'}")
    if options.record:
        from aver.evaluation.results import Result, record

        record(
            ROOT / "results" / "event_lane.csv",
            [
                Result(
                    f"event_lane/{experiment}",
                    metric,
                    float(value),
                    aim=aim,
                    data="examples/demo.mp4: its sound, repeated; the clip of benchmarks/clips.py",
                    protocol="processor time, one thread of ONNX Runtime",
                    command="python benchmarks/event_lane.py --record",
                )
                for experiment, metric, value, aim in found
            ],
            packages=("numpy", "onnxruntime"),
        )


PARTS = {"listen": listen, "both": both}

if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in PARTS:
        print(json.dumps(PARTS[sys.argv[1]](*sys.argv[2:])))
    else:
        main()
