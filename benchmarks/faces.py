"""Cost and coverage of the faces stage: tracking against a detector on every sampled picture.

    python benchmarks/faces.py [--record]

A 640 x 480 recording is made by code (scikit-image's astronaut portrait, moving and growing over
a picture without faces, ten pictures a second) so that the true place of the face is known; where
``AVER_SHARED`` (or ``../shared``) has the CREMA-D clips, these are measured as well. YuNet is
measured where the model cache has it. All times are processor time on one core, so that other
work on the machine counts little.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from aver import pretrained
from aver.evaluation.results import Result, record
from aver.faces import (
    Detector,
    FaceObservation,
    FaceTracker,
    cut,
    make_describer,
    make_detector,
    place,
)
from aver.faces.match import overlap

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AVER_SHARED", ROOT.parent / "shared"))
COMMAND = "python benchmarks/faces.py --record"
FACE = (178.0, 65.0, 91.0, 111.0)  # of the astronaut, hairline to chin


@dataclass(frozen=True)
class Picture:
    """As aver.media.VideoFrame."""

    time: float
    image: np.ndarray
    scale: float = 1.0


def made_recording(seconds: float) -> tuple[list[Picture], list[tuple[float, ...]]]:
    """Pictures, and the true box of the face in each."""
    import skimage.data

    portrait = skimage.data.astronaut()
    background = cv2.resize(skimage.data.coffee(), (640, 480))
    mask = np.zeros(portrait.shape[:2], np.uint8)
    mask[:330, 110:330] = 255
    pictures, boxes = [], []
    for k in range(round(seconds * 10)):
        t = k / 10
        x, y = 320 + 180 * np.sin(1.2 * t), 220 + 60 * np.cos(0.9 * t)
        height = 110 + 50 * np.sin(0.7 * t)
        scale = height / FACE[3]
        matrix = np.array(
            [
                [scale, 0, x - scale * (FACE[0] + FACE[2] / 2)],
                [0, scale, y - scale * (FACE[1] + FACE[3] / 2)],
            ]
        )
        image = background.copy()
        where = cv2.warpAffine(mask, matrix, (640, 480)) > 127
        image[where] = cv2.warpAffine(portrait, matrix, (640, 480))[where]
        pictures.append(Picture(t, image))
        boxes.append((x - scale * FACE[2] / 2, y - height / 2, scale * FACE[2], height))
    return pictures, boxes


def clips() -> list[Picture]:
    """The three CREMA-D clips one after the other, ten pictures a second, enlarged to 640 x 480."""
    from aver.media import read_windows

    pictures: list[Picture] = []
    for file in sorted((SHARED / "data" / "crema_d_sample").glob("*.flv")):
        start = len(pictures) / 10
        frames = [f for w in read_windows(file, sound=False) for f in w.frames]
        pictures += [
            Picture(start + f.time, cv2.resize(f.image, (640, 480), interpolation=cv2.INTER_CUBIC))
            for f in frames
        ]
    return pictures


def tracked(pictures: Sequence[Picture], detector: Detector) -> tuple[list, float, int]:
    """Observations of each picture, processor milliseconds a picture, and how many people."""
    times, observed, people = [], [], 0
    for _ in range(3):
        tracker = FaceTracker(detector, describer=make_describer("own"))
        start = time.process_time()
        observed = [tracker.update(picture) for picture in pictures]
        times.append((time.process_time() - start) / len(pictures) * 1e3)
        people = len(tracker.people)
    return observed, statistics.median(times), people


def naive(pictures: Sequence[Picture], detector: Detector) -> tuple[list, float]:
    """The detector on every picture, and a crop of every face."""
    found = []
    start = time.process_time()
    for picture in pictures:
        detections = detector.detect(picture.image)
        for detection in detections:
            cut(picture.image, place(detection))
        found.append(detections)
    return found, (time.process_time() - start) / len(pictures) * 1e3


def share(observed: Sequence[Sequence[object]]) -> float:
    return sum(bool(here) for here in observed) / len(observed)


def share_right(observed: Sequence[Sequence[FaceObservation]], boxes: Sequence[tuple]) -> float:
    hits = (
        any(overlap(o.box, box) >= 0.5 for o in here)
        for here, box in zip(observed, boxes, strict=True)
    )
    return sum(hits) / len(boxes)


def measure(name: str, pictures: Sequence[Picture], boxes: Sequence[tuple] | None, data: str):
    """Print and return the rows of one detector on one recording."""
    detector = make_detector(name)
    tracked(pictures[:20], detector)  # the first call sets things up
    observed, cost, people = tracked(pictures, detector)
    found, naive_cost = naive(pictures, detector)
    figures: list[tuple[str, float, float | str]] = [
        ("milliseconds_per_picture", cost, 4.0 if name == "yunet" else ""),
        ("naive_milliseconds_per_picture", naive_cost, ""),
        ("times_faster_than_naive", naive_cost / cost, ""),
        ("share_of_pictures_with_a_face", share(observed), 0.95),
        ("naive_share_of_pictures_with_a_face", share(found), ""),
        ("people", people, 1),
    ]
    if boxes is not None:
        figures.append(("share_with_overlap_of_half", share_right(observed, boxes), 0.95))
    experiment = f"faces_{name}_{data.split()[0].lower().replace('-', '_')}"
    for metric, value, aim in figures:
        print(f"{experiment:28} {metric:38} {value:8.3f}" + (f"   aim {aim}" if aim else ""))
    return [
        Result(
            experiment,
            metric,
            float(value),
            aim=aim,
            data=data,
            protocol="640 x 480, 10 pictures a second, processor time of one core, "
            "OpenCV on one thread, median of 3",
            command=COMMAND,
        )
        for metric, value, aim in figures
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="write results/faces.csv")
    wanted = parser.parse_args()
    cv2.setNumThreads(1)
    names = ["dlib", *(["yunet"] if pretrained.find("yunet") else [])]
    pictures, boxes = made_recording(30)
    acted = clips()
    rows = []
    for name in names:
        rows += measure(
            name, pictures, boxes, "Astronaut portrait moving, 30 s, made by the script"
        )
        if acted:
            rows += measure(name, acted, None, "CREMA-D actor 1001, three clips in a row")
    if wanted.record:
        record(
            ROOT / "results" / "faces.csv", rows, packages=("opencv-python-headless", "dlib-bin")
        )


if __name__ == "__main__":
    main()
