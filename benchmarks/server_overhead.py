"""What the server costs over `aver analyze` on the same file, in one run.

    python benchmarks/server_overhead.py [--record] [--rounds 5] [--seconds 60]

In each round a recording goes once through the command ``aver analyze`` (which loads its networks),
once through the same analysis in a process that has them loaded, and once through a running server:
upload over HTTP, queue, analysis in a process that is cut off, result written. The figures are
medians of the rounds' ratios. ``--record`` writes them into ``results/server_overhead.csv``.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clips import enlarge, lengthen

ROOT = Path(__file__).resolve().parents[1]
AVER = [sys.executable, "-c", "from aver.cli.main import run; run()"]


class Server:
    """A running `aver serve`, asked through HTTP."""

    def __init__(self, address: str):
        self.address = address

    def ask(self, path: str, data: bytes | None = None, **headers: str) -> Any:
        """The JSON answer of one request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.address + path, data=data, headers=named)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def analyse(self, recording: Path) -> float:
        """Seconds from the first byte of the upload until the result is read."""
        start = time.perf_counter()
        job = self.ask(
            f"/v1/analyses?name={recording.name}",
            recording.read_bytes(),
            Content_Type="application/octet-stream",
        )
        while job["state"] not in ("done", "failed", "cancelled"):
            time.sleep(0.02)
            job = self.ask(f"/v1/analyses/{job['id']}")
        assert job["state"] == "done", job
        self.ask(f"/v1/analyses/{job['id']}/result?format=json")
        return time.perf_counter() - start


@contextmanager
def serving(data: Path) -> Iterator[Server]:
    """A server on a free port of this machine, which stops in the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    limits = {f"AVER_SERVER_{n}_PER_MINUTE": "1000000" for n in ("REQUESTS", "UPLOADS")}
    process = subprocess.Popen(
        [*AVER, "serve", "--data", str(data), "--port", str(port), "--log-level", "warning"],
        env={**os.environ, **limits},
        stdout=subprocess.DEVNULL,
    )
    server = Server(f"http://127.0.0.1:{port}")
    try:
        for _ in range(600):
            try:
                server.ask("/v1/health/ready")
                break
            except OSError:
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(60)


def by_command(recording: Path, out: Path) -> float:
    """Seconds of the command, from its start to its end."""
    start = time.perf_counter()
    words = ["analyze", str(recording), "-o", str(out), "-f", "json", "--quiet"]
    subprocess.run([*AVER, *words], check=True)
    return time.perf_counter() - start


class Loaded:
    """The same analysis with its networks loaded, as a loop over many files would have it."""

    def __init__(self) -> None:
        from aver.inference.analyze import Analyzer

        self._analyzer = Analyzer()

    def analyse(self, recording: Path, out: Path) -> float:
        """Seconds of the analysis and of writing its result."""
        from aver.report import write

        start = time.perf_counter()
        write(self._analyzer.analyze(recording), out / "loaded.json")
        return time.perf_counter() - start


def measure(recording: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each round; the first round only warms the machine up."""
    found: dict[str, list[float]] = {"command": [], "loaded": [], "server": []}
    loaded = Loaded()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder, "data")) as server:
        out = Path(folder)
        for number in range(rounds + 1):
            seconds = {
                "command": by_command(recording, out),
                "loaded": loaded.analyse(recording, out),
                "server": server.analyse(recording),
            }
            print({way: round(value, 2) for way, value in seconds.items()}, flush=True)
            if number:
                for way, value in seconds.items():
                    found[way].append(value)
    return found


def over(found: dict[str, list[float]], rival: str) -> float:
    """Percent that the server takes longer than *rival*, the median of the rounds."""
    pairs = zip(found["server"], found[rival], strict=True)
    return 100 * (statistics.median(mine / other for mine, other in pairs) - 1)


def main() -> None:
    """Entry point."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--record", action="store_true")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=60)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scene = enlarge(Path(folder, "scene.mp4"), 640, 480, 25, 10.0)
        recording = lengthen(scene, Path(folder, "clip.mp4"), max(1, chosen.seconds // 10))
        found = measure(recording, chosen.rounds)
    figures = {
        "over_command_percent": (over(found, "command"), "<= 15"),
        "over_loaded_networks_percent": (over(found, "loaded"), ""),
    }
    for name, (value, aim) in figures.items():
        print(f"{name}: {value:.1f} {aim}")
    if chosen.record:
        from aver.evaluation.results import Result, record

        rows = [
            Result(
                f"server/{chosen.seconds}_seconds",
                name,
                round(value, 1),
                aim=aim,
                data="640 x 480, made from examples/demo.mp4 (benchmarks/clips.py)",
                protocol=f"median of {chosen.rounds} interleaved rounds, "
                f"{os.cpu_count()} cores, one worker",
                command=f"python benchmarks/server_overhead.py --record --rounds {chosen.rounds} "
                f"--seconds {chosen.seconds}",
            )
            for name, (value, aim) in figures.items()
        ]
        packages = ("numpy", "onnxruntime", "fastapi", "sqlalchemy")
        record(ROOT / "results" / "server_overhead.csv", rows, packages=packages)


if __name__ == "__main__":
    main()
