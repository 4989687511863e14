"""How fast films are measured 25 times a second, on one core, and how much room that takes.

A clip of 20 seconds (1,280 x 720, 25 pictures a second) is measured by ResNet-50, by flow and
ResNet-101 (Farneback and DIS), and by emobase2010 in windows of 400 ms that slide or are cut out.
The networks carry **random weights**: nobody's are needed to tell the time, and no figure here says
anything of what they see. Speed is told by the processor's own time, which other programs on the
machine change less. Needs the extras ``train`` and ``opensmile``.

    python benchmarks/frame_features.py [--film FILE] [--sound FILE] [--record]

``--sound`` names a recording of speech, of which a minute tells how close the sliding windows are
to the cut ones.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from clips import enlarge
from numpy.typing import NDArray

from aver.evaluation.results import Result, record
from aver.features.extractor import Clip, Extractor, make_extractor
from aver.features.frame_clock import FRAMES_PER_SECOND
from aver.features.frame_rows import frame_rows
from aver.features.frame_store import FrameStore
from aver.training.convert import CONVERSIONS, Part, to_onnx

TABLE = Path(__file__).resolve().parents[1] / "results" / "frame_features.csv"
COMMAND = "python benchmarks/frame_features.py --sound FILE --record"
SECONDS = 20.0
NETWORK_FRAMES = 64  # the networks take a fifth of a second and more for each


def random_network(name: str, folder: Path) -> Path:
    """The ONNX file of a converted network, its weights random."""
    torch.manual_seed(0)
    how = CONVERSIONS[name]
    path = folder / f"{name}.onnx"
    path.write_bytes(to_onnx(name, Part(how.build().eval(), how.method).eval(), {}))
    return path


def measure(extractor: Extractor, film: Path, frames: int) -> tuple[float, NDArray[np.float32]]:
    """Times real time by the processor's time, and the rows."""
    next(frame_rows(extractor, film), None)  # files opened, networks loaded
    before, rows = time.process_time(), []
    for part in frame_rows(extractor, film):
        rows.append(part)
        if sum(map(len, rows)) >= frames:
            break
    used = time.process_time() - before
    found = np.concatenate(rows)
    return len(found) / FRAMES_PER_SECOND / used, found


def sizes(widths: dict[str, int], folder: Path) -> Iterator[tuple[str, float]]:
    """Gigabytes of an hour of film in a store, from a minute that is stored."""
    random = np.random.default_rng(0)
    for precision in ("float32", "float16"):
        store = FrameStore(folder / precision, precision=precision)  # type: ignore[arg-type]
        for name, width in widths.items():
            rows = random.normal(size=(60 * FRAMES_PER_SECOND, width)).astype(np.float32)
            store.put("film", name, [rows], {})
        files = sum(path.stat().st_size for path in (folder / precision / "film").glob("*.npy"))
        yield f"gigabytes_an_hour_{precision}", 60 * files / 1e9


def agreement(sound: Path) -> Iterator[tuple[str, float]]:
    """How the sliding windows of a minute of sound correlate with those cut out."""
    slid = make_extractor("emobase2010_frames").extract(Clip(sound, 10.0, 70.4))
    cut = make_extractor("emobase2010_frames", method="cut").extract(Clip(sound, 10.0, 70.4))
    # The last windows of the clip are half silence.
    one, other = slid.values[:1500:5], cut.values[:1500:5]
    names = make_extractor("emobase2010_frames").names
    assert names is not None
    varies = (one.std(axis=0) > 0) & (other.std(axis=0) > 0)
    correlation = np.array(
        [np.corrcoef(one[:, n], other[:, n])[0, 1] if varies[n] else np.nan for n in range(1582)]
    )
    yield "median_correlation_of_all", float(np.nanmedian(correlation))
    levels = [
        n
        for n, name in enumerate(names)
        if name.endswith(("_sma_amean", "]_amean"))
        and "_de" not in name
        and "F0" not in name
        and "jitter" not in name
        and "shimmer" not in name
    ]
    yield "median_correlation_of_means", float(np.nanmedian(correlation[levels]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--film", type=Path)
    parser.add_argument("--sound", type=Path)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = arguments.film or enlarge(folder / "film.mp4", 1280, 720, 25, SECONDS)
        still = str(random_network("resnet50", folder))
        flow = str(random_network("resnet101_flow", folder))
        everything = int(SECONDS * FRAMES_PER_SECOND)
        streams: dict[str, tuple[Extractor, int]] = {
            "resnet50": (make_extractor("resnet50", network=still), NETWORK_FRAMES),
            "flow_resnet101_farneback": (
                make_extractor("flow_resnet101", network=flow),
                NETWORK_FRAMES,
            ),
            "flow_resnet101_dis": (
                make_extractor("flow_resnet101", network=flow, algorithm="dis"),
                NETWORK_FRAMES,
            ),
            "emobase2010_sliding": (make_extractor("emobase2010_frames"), everything),
            "emobase2010_cut": (make_extractor("emobase2010_frames", method="cut"), everything),
        }
        widths: dict[str, int] = {}
        for stream, (extractor, frames) in streams.items():
            speed, rows = measure(extractor, film, frames)
            figures[f"{stream}_times_real_time"] = speed
            print(stream, f"{speed:.3g} times real time", rows.shape, flush=True)
            widths[stream] = rows.shape[1]
        paper = ("resnet50", "flow_resnet101_farneback", "emobase2010_sliding")
        cost = sum(1.0 / figures[f"{stream}_times_real_time"] for stream in paper)
        figures["all_three_times_real_time"] = 1.0 / cost
        figures["processor_hours_of_half_an_hour"] = 0.5 * cost
        figures["sliding_over_cut"] = (
            figures["emobase2010_sliding_times_real_time"]
            / figures["emobase2010_cut_times_real_time"]
        )
        figures["features_a_frame"] = sum(widths[stream] for stream in paper)
        figures |= dict(sizes({stream: widths[stream] for stream in paper}, folder))
        if arguments.sound:
            figures |= dict(agreement(arguments.sound))
    for metric, value in figures.items():
        print(f"{metric} {value:.4g}")
    if arguments.record:
        keep(figures)


def keep(figures: dict[str, float]) -> None:
    """Record what was measured."""

    def about(metric: str) -> tuple[str, str]:
        if "correlation" in metric:
            return "a minute of pseudo-film sound", "windows that slide and windows cut out"
        if metric.startswith(("gigabytes", "features")):
            return "a minute of the three streams in a frame store", "size of its files"
        return (
            "a made clip of 20 s, 1280 x 720, 25 pictures a second",
            "one core, by the processor's own time, while other programs ran; networks with "
            "random weights",
        )

    record(
        TABLE,
        [
            Result(
                experiment="frame_features",
                metric=metric,
                value=float(f"{value:.4g}"),
                paper=1582 + 2 * 2048 if metric == "features_a_frame" else "",
                data=about(metric)[0],
                protocol=about(metric)[1],
                command=COMMAND,
            )
            for metric, value in figures.items()
        ],
        packages=("numpy", "onnxruntime", "opencv-python-headless", "opensmile", "torch"),
    )


if __name__ == "__main__":
    main()
