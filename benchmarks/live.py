"""How late live scores are: from a picture's being taken to its scores' being there.

Run: python benchmarks/live.py CLIP [--seconds 30] [--record]

CLIP is a recording with a face, played over and over at ten pictures a second with its sound.
Through the server: a client on this machine takes a picture, packs it as JPEG, sends it over a
WebSocket, and notes when the scores of that picture have come back; the process that scores is cut
off as in use. Without the server: `aver live` in one process. The machine's load average is
recorded with it.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from websockets.sync.client import connect

from aver.evaluation.results import Result, record
from aver.inference.live import LiveAnalyzer
from aver.inference.live_pace import follow, run_source
from aver.inference.live_sources import play
from aver.media import VideoFrame, read_windows

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results" / "live.csv"
RATE, AIM_SECONDS = 10, 0.7


@contextmanager
def server() -> Iterator[str]:
    """`aver serve` on a free port; gives the address of the live connection."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        words = ["serve", "--port", str(port), "--data", folder]
        code = "from aver.cli.main import run; run()"
        process = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL)
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield f"ws://127.0.0.1:{port}/v1/live"
        finally:
            process.terminate()
            process.wait(30)


def moments(clip: Path, seconds: float) -> Iterator[tuple[float, VideoFrame, bytes]]:
    """Pictures and the sound before each, over and over, at a steady rate."""
    windows = list(read_windows(clip, frames_per_second=RATE))
    frames = [frame for window in windows for frame in window.frames]
    samples = np.concatenate([w.samples for w in windows if w.samples is not None])
    sound = (samples * 32767).astype("<i2")
    chunk = 16000 // RATE
    for n in range(int(seconds * RATE)):
        at = (n * chunk) % (len(sound) - chunk)
        yield n / RATE, frames[n % len(frames)], sound[at : at + chunk].tobytes()


def through_server(clip: Path, seconds: float) -> tuple[list[float], int]:
    """Delay of every scored picture, and how many were dropped."""
    delays: list[float] = []
    dropped = 0
    with server() as address, connect(address) as wire:
        assert json.loads(wire.recv(60))["type"] == "ready"

        def read() -> None:
            nonlocal dropped
            for text in wire:
                answer = json.loads(text)
                dropped = answer["dropped_pictures"]
                if answer["type"] == "scores" and answer["people"]:
                    delays.append(time.perf_counter() - answer["time"])

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        began = time.perf_counter()
        for due, frame, sound in moments(clip, seconds):
            time.sleep(max(0.0, began + due - time.perf_counter()))
            taken = time.perf_counter()
            wire.send(struct.pack("<Bd", 2, taken - 1 / RATE) + sound)
            picture = cv2.imencode(".jpg", frame.image[..., ::-1])[1].tobytes()
            wire.send(struct.pack("<Bd", 1, taken) + picture)
        time.sleep(1.0)
    reader.join(5)
    return delays, dropped


def in_process(clip: Path, seconds: float) -> tuple[list[float], int]:
    """The same of `aver live` playing the clip."""
    analyzer, delays, dropped = LiveAnalyzer(), [], 0
    while len(delays) < seconds * RATE:
        sources, _ = run_source(lambda s, stop: play(clip, s, stop, frames_per_second=RATE))
        delays += [m.delay for m in follow(analyzer.start(), sources) if m.delay and m.scores]
        dropped += sources.dropped_pictures
    return delays, dropped


def main() -> None:
    """Measure, show, and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--record", action="store_true")
    chosen = parser.parse_args()
    rows = []
    for name, measure in (("server", through_server), ("aver_live", in_process)):
        delays, dropped = measure(chosen.clip, chosen.seconds)
        figures = {
            "median_delay_seconds": median(delays),
            "delay_of_95_in_100_seconds": float(np.percentile(delays, 95)),
            "scored_share": len(delays) / (len(delays) + dropped),
        }
        for metric, value in figures.items():
            print(f"{name}: {metric} {value:.4f}")
            rows.append(
                Result(
                    experiment=f"live/{name}",
                    metric=metric,
                    value=value,
                    aim=f"<= {AIM_SECONDS}" if "delay" in metric else "",
                    data=f"{chosen.clip.name}, one face, {RATE} pictures a second with sound, "
                    f"{len(delays)} scored",
                    protocol=f"from a picture's being taken to its scores; {os.cpu_count()} cores, "
                    f"load average {os.getloadavg()[0]:.1f}",
                    command=f"python benchmarks/live.py CLIP --seconds {chosen.seconds:g}",
                    seed=0,
                )
            )
    if chosen.record:
        record(TABLE, rows, packages=("numpy", "onnxruntime", "websockets"))


if __name__ == "__main__":
    main()
