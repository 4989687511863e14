"""How fast the server answers, and how it bears 32 clients for a minute.

    python benchmarks/server.py [--record] [--seconds 60] [--only reads]

Reads: eight connections ask for the state of one analysis, of 200 analyses in turn, and for a
result; the rival in the same run is an answer that asks neither database nor disk
(``/v1/health/live``), the most that the framework gives. Load: 32 clients upload, read and delete
as fast as they can while a worker analyses. What the server costs over ``aver analyze`` is measured
by ``benchmarks/server_overhead.py``. ``--record`` writes into ``results/server.csv``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from itertools import cycle
from pathlib import Path
from typing import Any

from server_overhead import Server, serving

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "examples" / "demo.mp4"
CONNECTIONS, CLIENTS, ROUNDS = 8, 32, 3


class Connection:
    """One kept-alive connection, with as little of a client as HTTP needs."""

    def __init__(self, port: int):
        self.port = port

    async def __aenter__(self) -> Connection:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        head += "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.writer.write(head.encode() + b"\r\n" + body)
        await self.writer.drain()
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        got = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines if line)}
        content = await self.reader.readexactly(int(got.get("content-length", "0")))
        return int(first.split()[1]), got, content


async def reads(port: int, paths: list[str], seconds: float) -> float:
    """Answers a second, all of them 200."""
    counts = [0] * CONNECTIONS
    start = time.perf_counter()

    async def one(number: int) -> None:
        turn = cycle(paths[number % len(paths) :] + paths[: number % len(paths)])
        async with Connection(port) as connection:
            while time.perf_counter() - start < seconds:
                status, _, _ = await connection.ask("GET", next(turn))
                assert status == 200, status
                counts[number] += 1

    await asyncio.gather(*(one(n) for n in range(CONNECTIONS)))
    return sum(counts) / (time.perf_counter() - start)


async def load(port: int, seconds: float) -> tuple[Counter[int], list[float]]:
    """32 clients that upload, read and delete: statuses, and the reads' times in seconds."""
    statuses: Counter[int] = Counter()
    times: list[float] = []
    content = DEMO.read_bytes()
    start = time.perf_counter()

    async def one() -> None:
        async with Connection(port) as connection:

            async def ask(method: str, path: str, *body: bytes, **headers: str) -> Any:
                began = time.perf_counter()
                status, got, answer = await connection.ask(method, path, *body, **headers)
                statuses[status] += 1
                if status == 429:
                    assert "application/problem+json" in got["content-type"], got
                    assert int(got["retry-after"]) >= 1
                elif method == "GET":
                    times.append(time.perf_counter() - began)
                return json.loads(answer) if status in (200, 201) else None

            while time.perf_counter() - start < seconds:
                kind = {"Content_Type": "application/octet-stream"}
                job = await ask("POST", "/v1/analyses?name=demo.mp4", content, **kind)
                await ask("GET", "/v1/analyses?limit=20")
                if job is None:
                    await asyncio.sleep(0.2)
                    continue
                for _ in range(5):
                    await ask("GET", job["links"]["self"])
                await ask("DELETE", job["links"]["self"])

    await asyncio.gather(*(one() for _ in range(CLIENTS)))
    return statuses, times


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def processor_seconds(pid: int) -> float:
    """Processor time of a process, without its children's."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


Row = tuple[str, str, float, str]


def measure_reads(server: Server, seconds: float) -> list[Row]:
    """Reads a second: the best of some rounds, since others may use the machine too."""
    port = int(server.address.rsplit(":", 1)[1])
    kind = {"Content_Type": "application/octet-stream"}
    server.analyse(DEMO)
    (done,) = server.ask("/v1/analyses?state=done")["items"]
    many = []
    for _ in range(200):
        many.append(server.ask("/v1/analyses", b"x", **kind)["links"]["self"])
        server.ask(f"{many[-1]}/cancel", b"")
    ways = {
        "no_work": ["/v1/health/live"],
        "status_of_one": [done["links"]["self"]],
        "status_of_many": many,
        "result": [done["links"]["result"]],
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    costs: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, paths in ways.items():
            before = processor_seconds(server.pid)
            rate = asyncio.run(reads(port, paths, seconds))
            rates[way].append(rate)
            costs[way].append(1000 * (processor_seconds(server.pid) - before) / (rate * seconds))
    rows: list[Row] = []
    for way in ways:
        aim = "" if way == "no_work" else "> 500"
        rows.append((f"reads_{way}", "reads_per_second", max(rates[way]), aim))
        cost = statistics.median(costs[way])
        rows.append((f"reads_{way}", "processor_milliseconds_per_read", cost, ""))
    return rows


def measure_load(server: Server, seconds: float) -> list[Row]:
    """A minute of 32 clients: errors, refusals, times, memory."""
    port = int(server.address.rsplit(":", 1)[1])
    asyncio.run(load(port, 3.0))  # the first requests make pools and caches
    before = resident_megabytes(server.pid)
    statuses, times = asyncio.run(load(port, seconds))
    after = resident_megabytes(server.pid)
    every = sum(statuses.values())
    errors = sum(n for status, n in statuses.items() if status not in (200, 201, 204, 429))
    times.sort()
    print(dict(statuses))
    return [
        ("load_32_clients", "answers", float(every), ""),
        ("load_32_clients", "uploads", float(statuses[201]), ""),
        ("load_32_clients", "refused_429", float(statuses[429]), ""),
        ("load_32_clients", "errors", float(errors), "0"),
        ("load_32_clients", "median_read_milliseconds", 1000 * times[len(times) // 2], ""),
        ("load_32_clients", "read_milliseconds_99_percent", 1000 * times[-len(times) // 100], ""),
        ("load_32_clients", "resident_mb_before", before, ""),
        ("load_32_clients", "resident_mb_after", after, ""),
    ]


def _how(experiment: str, seconds: float) -> str:
    if experiment.startswith("reads"):
        return f"{CONNECTIONS} connections, best of {ROUNDS} rounds"
    return f"{CLIENTS} clients, {seconds:g} s, one worker"


def main() -> None:
    """Entry point."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--record", action="store_true")
    options.add_argument("--seconds", type=float, default=60.0, help="length of the load")
    options.add_argument("--only", choices=("reads", "load"))
    chosen = options.parse_args()
    rows: list[Row] = []
    parts = {"reads": (measure_reads, 3.0), "load": (measure_load, chosen.seconds)}
    for part, (measure, seconds) in parts.items():
        if chosen.only not in (None, part):
            continue
        with tempfile.TemporaryDirectory() as folder, serving(Path(folder, "data")) as server:
            rows += measure(server, seconds)
    for experiment, metric, value, aim in rows:
        print(f"{experiment:24s} {metric:34s} {value:10.2f}   aim {aim}")
    if chosen.record:
        from aver.evaluation.results import Result, record

        cores, before_others = os.cpu_count(), os.nice(0) < 0
        machine = f"{cores} cores, shared with other programs"
        machine += f", which this one went before (nice {os.nice(0)})" if before_others else ""
        table = [
            Result(
                f"server/{experiment}",
                metric,
                round(value, 3),
                aim=aim,
                data="examples/demo.mp4",
                protocol=f"{_how(experiment, chosen.seconds)}; {machine}",
                command=" ".join(["python", "benchmarks/server.py", *sys.argv[1:]]),
            )
            for experiment, metric, value, aim in rows
        ]
        packages = ("fastapi", "starlette", "uvicorn", "sqlalchemy")
        record(ROOT / "results" / "server.csv", table, packages=packages)


if __name__ == "__main__":
    main()
