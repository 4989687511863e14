"""Claims of speed and memory about reading a recording, each as a ratio within one run.

    python benchmarks/media.py [--seconds 20] [--repeats 3] [--long 3600] [--record]

Speed: processor time (and wall time) of ``read_windows`` over that of decoding every picture and
sound with PyAV and doing nothing with them, on the same file in the same process, the two taken in
turn. Memory (Linux): peak resident memory of a process that reads a long recording over that of one
that reads a minute of the same.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from aver.evaluation.results import Result, record
from aver.media import read_windows

ROOT = Path(__file__).resolve().parents[1]
RATE = 30
SPEED = "median of alternating runs in one process"
MEMORY = "VmHWM of one process for each recording"
# The peak of the new process itself: what getrusage says begins with the peak of its parent.
PEAK = """
import re, sys
from pathlib import Path
from aver.media import read_windows
for window in read_windows(sys.argv[1]):
    pass
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def make_clip(path: Path, width: int, height: int, seconds: float) -> Path:
    """Write H.264 and AAC in MP4: a smooth picture that pans, with a tone that sweeps."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (height // 40 + 2, width // 40 + 8, 3), np.uint8)
    scene = np.repeat(np.repeat(coarse, 40, axis=0), 40, axis=1)
    scene[rng.random(scene.shape[:2]) < 0.02] = 128
    with path.open("wb") as file, av.open(file, "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = out.add_stream("aac", rate=48_000)
        audio.layout = "stereo"
        for number in range(round(seconds * RATE)):
            shift = 2 * (number % 120)
            picture = np.ascontiguousarray(scene[:height, shift : shift + width])
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(video.encode(frame))
            times = (number * 1600 + np.arange(1600)) / 48_000
            tone = (0.3 * np.sin(2 * np.pi * (200 + 20 * (times % 10)) * times)).astype(np.float32)
            sound = av.AudioFrame.from_ndarray(np.stack([tone, tone]), "fltp", "stereo")
            sound.sample_rate, sound.pts = 48_000, number * 1600
            out.mux(audio.encode(sound))
        out.mux(video.encode(None))
        out.mux(audio.encode(None))
    return path


def decode_only(path: Path) -> None:
    with av.open(str(path)) as recording:
        recording.streams.video[0].thread_type = "AUTO"
        for packet in recording.demux(video=0, audio=0):
            packet.decode()


def windows(path: Path) -> None:
    for _ in read_windows(path):
        pass


def measure(work: Callable[[Path], None], path: Path) -> tuple[float, float]:
    """Processor and wall seconds of one call."""
    wall, processor = time.perf_counter(), time.process_time()
    work(path)
    return time.process_time() - processor, time.perf_counter() - wall


def speed(path: Path, repeats: int) -> dict[str, float]:
    ratios: dict[str, list[float]] = {"processor": [], "wall": [], "realtime": []}
    with av.open(str(path)) as recording:
        seconds = recording.duration / 1e6
    for _ in range(repeats):
        plain, ours = measure(decode_only, path), measure(windows, path)
        ratios["processor"].append(ours[0] / plain[0])
        ratios["wall"].append(ours[1] / plain[1])
        ratios["realtime"].append(seconds / ours[0])
    return {name: statistics.median(values) for name, values in ratios.items()}


def peak_memory(path: Path) -> float:
    """Peak resident memory, in MB, of a process that reads the recording."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)], check=True, capture_output=True, text=True
    )
    return int(done.stdout) * 1024 / 1e6


def lengthen(path: Path, times: int, target: Path) -> Path:
    """Put the packets of a recording *times* times one after the other, without coding anew."""
    with av.open(str(path)) as source:
        length = source.duration / 1e6 + 0.1
    with target.open("wb") as file, av.open(file, "w", format="matroska") as out:
        for turn in range(times):
            with av.open(str(path)) as source:
                if not turn:
                    for stream in source.streams:
                        out.add_stream_from_template(stream)
                for packet in source.demux():
                    if not packet.size:
                        continue
                    shift = round(turn * length / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = out.streams[packet.stream_index]
                    out.mux(packet)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--long", type=float, default=3600.0, help="seconds of the long recording")
    parser.add_argument("--record", action="store_true", help="write results/media.csv")
    settings = parser.parse_args()
    rows: list[Result] = []

    def row(experiment: str, metric: str, value: float, aim: str, data: str) -> None:
        print(f"{experiment:24s} {metric:36s} {value:9.2f}   aim {aim or '-'}")
        command = (
            f"python benchmarks/media.py --seconds {settings.seconds:g} --long {settings.long:g}"
        )
        rows.append(
            Result(experiment, metric, value, aim=aim, data=data, command=f"{command} --record",
                   protocol=MEMORY if "peak" in metric else SPEED, seed=0)
        )  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        for name, size in (("640x480", (640, 480)), ("1920x1080", (1920, 1080))):
            clip = make_clip(Path(folder) / f"{name}.mp4", *size, settings.seconds)
            ratios = speed(clip, settings.repeats)
            data = f"made clip, {name}, 30 fps H.264, 48 kHz stereo AAC, {settings.seconds:g} s"
            row(f"read_windows {name}", "processor time / decoding alone",
                ratios["processor"], "<= 1.5" if name == "1920x1080" else "", data)  # fmt: skip
            row(f"read_windows {name}", "wall time / decoding alone", ratios["wall"], "", data)
            row(f"read_windows {name}", "times real time, one core", ratios["realtime"], "", data)
        minute = make_clip(Path(folder) / "minute.mp4", 640, 480, 60)
        short = peak_memory(lengthen(minute, 1, Path(folder) / "short.mkv"))
        turns = max(1, round(settings.long / 60))
        long = peak_memory(lengthen(minute, turns, Path(folder) / "long.mkv"))
        data = f"made clip, 640x480 30 fps with sound: {turns} minutes and one minute"
        row("read_windows memory", "peak MB, long", long, "<= 500", data)
        row("read_windows memory", "peak long / peak of a minute", long / short, "<= 1.15", data)
    if settings.record:
        record(ROOT / "results" / "media.csv", rows, packages=("av", "numpy", "soxr"))


if __name__ == "__main__":
    main()
