"""What the server costs over `aver analyze` on the same file, in one run.

    python benchmarks/server_overhead.py [--record] [--rounds 5] [--seconds 60]

In each round a recording goes once through the command ``aver analyze`` (which loads its networks),
once through the same analysis in a process that has them loaded, and once through a running server:
upload over HTTP, queue, analysis in a process that is cut off, result written and read. The figures
are medians of the rounds' ratios, of the time on the clock and of processor time (of all processes
of the server together), which other work on the machine disturbs less. ``--record`` writes
them into ``results/server_overhead.csv``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clips import enlarge, lengthen

ROOT = Path(__file__).resolve().parents[1]
AVER = [sys.executable, "-c", "from aver.cli.main import run; run()"]


@dataclass(frozen=True)
class Spent:
    """Seconds on the clock, and of the processor."""

    clock: float
    processor: float


@contextmanager
def spending(processor: Callable[[], float]) -> Iterator[list[Spent]]:
    """What is spent inside is in the list afterwards; *processor* tells the seconds used so far."""
    found: list[Spent] = []
    start, used = time.perf_counter(), processor()
    yield found
    found.append(Spent(time.perf_counter() - start, processor() - used))


def used_by(pid: int) -> float:
    """Processor seconds used so far by a process and all it started that are alive."""
    ticks = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[11:13]
    started = " ".join(f.read_text("utf-8") for f in Path(f"/proc/{pid}/task").glob("*/children"))
    own = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return own + sum(used_by(int(child)) for child in started.split())


class Server:
    """A running server, asked through HTTP."""

    def __init__(self, address: str, pid: int):
        self.address = address
        self.pid = pid

    def ask(self, path: str, data: bytes | None = None, **headers: str) -> Any:
        """The JSON answer of one request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.address + path, data=data, headers=named)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def end_of(self, job_id: str) -> str:
        """The state in which an analysis ends, from its events, as the page follows them."""
        address = f"{self.address}/v1/analyses/{job_id}/events"
        state = ""
        with urllib.request.urlopen(address, timeout=600) as events:
            for line in events:
                if line.startswith(b"data: {"):
                    state = json.loads(line.removeprefix(b"data: "))["state"]
        return state

    def analyse(self, recording: Path) -> Spent:
        """From the first byte of the upload until the result is read."""
        with spending(lambda: used_by(self.pid)) as spent:
            job = self.ask(
                f"/v1/analyses?name={recording.name}",
                recording.read_bytes(),
                Content_Type="application/octet-stream",
            )
            assert self.end_of(job["id"]) == "done"
            self.ask(f"/v1/analyses/{job['id']}/result?format=json")
        return spent[0]


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
    server = Server(f"http://127.0.0.1:{port}", process.pid)
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


def by_command(recording: Path, out: Path) -> Spent:
    """The command, from its start to its end."""

    def of_children() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    words = ["analyze", str(recording), "-o", str(out), "-f", "json", "--quiet"]
    with spending(of_children) as spent:
        subprocess.run([*AVER, *words], check=True)
    return spent[0]


class Loaded:
    """The same analysis with its networks loaded, as a loop over many files would have it."""

    def __init__(self) -> None:
        from aver.inference.analyze import Analyzer

        self._analyzer = Analyzer()

    def analyse(self, recording: Path, out: Path) -> Spent:
        """The analysis, and writing its result."""
        from aver.report import write

        with spending(time.process_time) as spent:
            write(self._analyzer.analyze(recording), out / "loaded.json")
        return spent[0]


def measure(recording: Path, rounds: int) -> dict[str, list[Spent]]:
    """What each way spends in each round; the first round only warms the machine up."""
    found: dict[str, list[Spent]] = {"command": [], "loaded": [], "server": []}
    loaded = Loaded()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder, "data")) as server:
        out = Path(folder)
        for number in range(rounds + 1):
            spent = {
                "command": by_command(recording, out),
                "loaded": loaded.analyse(recording, out),
                "server": server.analyse(recording),
            }
            told = (f"{w} {s.clock:.1f} s ({s.processor:.1f} s)" for w, s in spent.items())
            print(", ".join(told), flush=True)
            if number:
                for way, one in spent.items():
                    found[way].append(one)
    return found


def over(found: dict[str, list[Spent]], rival: str, what: str) -> float:
    """Percent that the server spends more than *rival*, the median of the rounds."""
    pairs = zip(found["server"], found[rival], strict=True)
    ratios = (getattr(mine, what) / getattr(other, what) for mine, other in pairs)
    return 100 * (statistics.median(ratios) - 1)


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
        "over_command_percent": (over(found, "command", "clock"), "<= 15"),
        "over_command_processor_percent": (over(found, "command", "processor"), ""),
        "over_loaded_networks_percent": (over(found, "loaded", "clock"), ""),
        "over_loaded_networks_processor_percent": (over(found, "loaded", "processor"), ""),
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
