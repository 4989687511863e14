"""The page with a two-hour recording: how soon it answers, and how smoothly it moves.

    python benchmarks/page.py [--record] [--runs 5]

A timeline of two hours is made by code (14,400 windows of half a second, 8 emotions, 3 people: a
random walk with gaps and weak stretches), served by the real server on this machine, and opened in
chromium without a graphics card. Measured are the time from the start of the navigation to the
first timer after the first picture with curves (nothing cached, script and result fetched and
read), and the pictures a second while the timeline is panned, zoomed and scrolled by script, as
fast as the browser asks for pictures. The rival in the same run: plain uPlot, its own lines over
the same windows, panned the same way. Beside these stands the processor time of the page's thread,
upon which other work on the machine counts little: a picture every 20 ms needs less than that.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from aver.evaluation.results import Result, record
from aver.report import write
from aver.server.app import create_app
from aver.server.listen import Server, address, open_socket
from aver.server.settings import ServerSettings
from aver.server.store import Store
from aver.timeline import Person, Segment, Timeline

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
COMMAND = "python benchmarks/page.py --record"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
LABELS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
WINDOWS, PEOPLE, SECONDS = 14_400, 3, 0.5
DATA = f"{WINDOWS} windows x {len(LABELS)} emotions x {PEOPLE} people, made by code"

MOVE = """async ([kind, seconds]) => {
  const { view } = averPage.page.opened[0];
  const zoomed = () => { view.look(1800, 1800 + 3600); };
  const moves = {
    "pan, one hour in view": {
      prepare: zoomed, step: (i) => view.pan(i % 200 < 100 ? 15 : -15) },
    "pan, two minutes in view": {
      prepare: () => view.look(3000, 3120), step: (i) => view.pan(i % 200 < 100 ? 0.5 : -0.5) },
    "zoom, two hours to one minute": {
      prepare: () => view.whole(), step: (i) => view.zoom(i % 120 < 60 ? 0.92 : 1 / 0.92, 4000) },
    "scroll of the page": {
      prepare: () => view.whole(), step: (i) => { scrollTo(0, (i * 12) % 600); } },
    "hover": { prepare: zoomed, step: (i) => { view.point(2000 + (i * 7) % 3000); } },
  };
  const { prepare, step } = moves[kind];
  prepare();
  await new Promise((resolve) => setTimeout(resolve, 300));
  return new Promise((resolve) => {
    const times = [];
    const frame = (now) => {
      times.push(now);
      if (now - times[0] >= seconds * 1000) { resolve(times); return; }
      step(times.length);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}"""

RIVAL = """async (seconds) => {
  const { default: uPlot } = await import("./vendor/uplot/uPlot.esm.js");
  const { tracks } = averPage.page.opened[0].packed;
  const place = document.createElement("div");
  document.body.replaceChildren(place);
  const charts = tracks.filter((t) => t.modality === "fused").map((track) => {
    const x = track.start.subarray(0, track.count);
    const data = [x];
    for (let k = 0; k < 8; k += 1) data.push(track.scores.subarray(k * track.room, k * track.room + track.count));
    const series = [{}, ...data.slice(1).map((_, k) => ({ stroke: `hsl(${k * 45} 60% 45%)`, points: { show: false } }))];
    return new uPlot({ width: 620, height: 224, series, legend: { show: false }, cursor: { show: false },
      scales: { x: { time: false, auto: false }, y: { auto: false, range: [0, 1] } }, axes: [{ show: false }, { show: false }] }, data, place);
  });
  let from = 1800;
  return new Promise((resolve) => {
    const times = [];
    const frame = (now) => {
      times.push(now);
      if (now - times[0] >= seconds * 1000) { resolve(times); return; }
      from += times.length % 200 < 100 ? 15 : -15;
      for (const chart of charts) chart.setScale("x", { min: from, max: from + 3600 });
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}"""  # noqa: E501

MOVES = (
    "pan, one hour in view",
    "pan, two minutes in view",
    "zoom, two hours to one minute",
    "scroll of the page",
    "hover",
)


RIVAL_NAME = "uPlot alone, pan"
PICTURES, RATIO = "pictures a second", "ratio of pictures a second"
SPENT = "processor seconds of the page's thread until then"
COST = "processor milliseconds of the page's thread a picture"


def made_timeline(modalities: tuple[str, ...]) -> Timeline:
    """Two hours of three people; every 40th stretch of a minute without a score."""
    rng = np.random.default_rng(7)
    segments = []
    for person in range(1, PEOPLE + 1):
        for modality in modalities:
            walk = np.cumsum(rng.normal(0, 0.25, (WINDOWS, len(LABELS))), axis=0)
            walk = 1.5 * (walk - walk.mean(axis=1, keepdims=True)) / (1 + np.abs(walk).mean())
            scores = np.exp(walk) / np.exp(walk).sum(axis=1, keepdims=True)
            weak = rng.random(WINDOWS // 60 + 1) < 0.15
            for i in range(WINDOWS):
                if (i // 120 + 7 * person) % 40 == 0:
                    continue
                box = (60.0 + 180 * person, 80.0, 90.0, 120.0) if modality == "face" else None
                segments.append(
                    Segment(
                        start=i * SECONDS,
                        end=(i + 1) * SECONDS,
                        person=person,
                        modality=modality,  # type: ignore[arg-type]
                        scores=tuple(float(v) for v in scores[i]),
                        weak=bool(weak[i // 60]),
                        box=box,
                    )
                )
    end = WINDOWS * SECONDS
    return Timeline(
        media={"name": "two hours.mp4", "duration": end, "has_video": False, "has_audio": True},
        labels=LABELS,
        people=[Person(i, 0.0, end, end, 0.9) for i in range(1, PEOPLE + 1)],
        segments=sorted(segments, key=lambda s: s.start),
    )


@contextmanager
def served(timelines: list[Timeline]) -> Iterator[tuple[str, list[str]]]:
    """A server with these results: its address and their ids."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ServerSettings(data=Path(folder) / "data", workers=0, port=0)
        settings.data.mkdir()
        store = Store(settings.store_url)
        app = create_app(settings, store=store)
        ids = [_finished(store, app.state.services.files, timeline) for timeline in timelines]
        with open_socket(settings.host, 0) as listening:
            server = Server(app, settings)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                yield address(listening), ids
            finally:
                server.should_exit = True
                thread.join()
        store.close()


def _finished(store: Store, files: Any, timeline: Timeline) -> str:
    job, _ = store.create(str(timeline.media["name"]))
    files.make(job.id)
    files.recording(job.id).write_bytes(b"nothing")
    store.uploaded(job.id, 7, "")
    claimed = store.claim("benchmark", lease_seconds=60.0)
    assert claimed is not None
    publish = lambda: write(timeline, files.timeline(job.id), "json")  # noqa: E731
    store.finish(job.id, lease=claimed.lease, publish=publish)
    return job.id


def pictures_a_second(times: list[float]) -> float:
    return 1000 * (len(times) - 1) / (times[-1] - times[0])


def measure(runs: int, seconds: float) -> list[Result]:
    from playwright.sync_api import sync_playwright

    cases = {"fused scores": ("fused",), "face, voice and fused": ("fused", "face", "voice")}
    rows = []
    timelines = [made_timeline(modalities) for modalities in cases.values()]
    with served(timelines) as (where, ids), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        protocol = (
            f"chromium {browser.version} without graphics card, 1280 x 800, median of {runs}, "
            f"{os.cpu_count()} cores shared with other work (load {os.getloadavg()[0]:.1f})"
        )
        frames: dict[str, list[float]] = {name: [] for name in (*MOVES, RIVAL_NAME)}
        costs: dict[str, list[float]] = {name: [] for name in frames}
        for case, job_id in zip(cases, ids, strict=True):
            shown, spent = [], []
            for _ in range(runs):
                page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
                page.goto(f"{where}/icon.svg")  # the same site, so that the thread stays
                clock = _thread_clock(page)
                begun = clock()
                page.goto(f"{where}/#/recording/{job_id}")
                main = page.locator("#main[data-shown]")
                main.wait_for(timeout=180_000)
                shown.append(float(main.get_attribute("data-shown") or "nan") / 1000)
                spent.append(clock() - begun)
                _check_answers(page)
                if case == "fused scores":
                    for name in frames:
                        before = clock()
                        if name == RIVAL_NAME:
                            times = page.evaluate(RIVAL, seconds)
                        else:
                            times = page.evaluate(MOVE, [name, seconds])
                        costs[name].append(1000 * (clock() - before) / len(times))
                        frames[name].append(pictures_a_second(times))
                page.context.close()
            print(f"{case}: shown after {shown}")
            rows.append(_row(f"page, {case}", "seconds to answer", shown, 3, "< 1", protocol))
            rows.append(_row(f"page, {case}", SPENT, spent, 3, "", protocol))
        browser.close()
        for name in frames:
            is_page = name != RIVAL_NAME
            rows.append(
                _row(f"page, {name}", PICTURES, frames[name], 1, ">= 50" * is_page, protocol)
            )
            rows.append(_row(f"page, {name}", COST, costs[name], 1, "< 20" * is_page, protocol))
        pairs = zip(frames[MOVES[0]], frames[RIVAL_NAME], strict=True)
        rows.append(
            _row(f"page over {RIVAL_NAME}", RATIO, [a / b for a, b in pairs], 2, "", protocol)
        )
    return rows


def _row(
    experiment: str, metric: str, values: list[float], digits: int, aim: str, protocol: str
) -> Result:
    return Result(
        experiment=experiment,
        metric=metric,
        value=round(statistics.median(values), digits),
        low=round(min(values), digits),
        high=round(max(values), digits),
        aim=aim,
        data=DATA,
        protocol=f"{protocol}; the interval is lowest and highest",
        command=COMMAND,
        seed=7,
    )


def _thread_clock(page: Any) -> Callable[[], float]:
    """Processor seconds of the page's own thread since it began."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def seconds() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))

    return seconds


def _check_answers(page: Any) -> None:
    """A click on the scale moves the playhead: the page was not only drawn."""
    scale = page.locator(".time-scale")
    box = scale.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 8)
    page.wait_for_timeout(200)
    assert abs(float(scale.get_attribute("aria-valuenow")) - WINDOWS * SECONDS / 2) < 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="write results/page.csv")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each movement")
    options = parser.parse_args()
    rows = measure(options.runs, options.seconds)
    for row in rows:
        print(f"{row.experiment}: {row.metric} {row.value} ({row.low} to {row.high}) {row.aim}")
    if options.record:
        record(ROOT / "results" / "page.csv", rows, packages=("playwright", "fastapi", "uvicorn"))


if __name__ == "__main__":
    main()
