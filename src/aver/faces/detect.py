"""Find faces in one picture, with one convention of boxes for every detector.

Boxes run from the hairline to the chin and from ear to ear, as YuNet draws them. dlib's HOG
detector draws a square from the brows to the chin; its boxes are converted, with the ratios
measured on FER-2013 pictures where both detectors find the face (``benchmarks/faces.py`` shows
how far the two agree on recordings).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from aver import pretrained
from aver.errors import ModelError, SettingError

Image = NDArray[np.uint8]
Box = tuple[float, float, float, float]
DetectorName = Literal["auto", "dlib", "yunet"]


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face in one picture.

    Attributes:
        box: (x, y, width, height) in pixels of the picture, hairline to chin; may reach over the
            picture's edge.
        score: the detector's certainty in [0, 1].
        landmarks: (5, 2) float array in pixels: the eye on the left of the picture, the eye on
            the right, the tip of the nose, the mouth's left corner, its right corner; None where
            the detector gives no points.
    """

    box: Box
    score: float
    landmarks: NDArray[np.float32] | None = None


class Detector(Protocol):
    """What :class:`~aver.faces.track.FaceTracker` needs of a face detector.

    Attributes:
        name: a short name.
        advice: one line for the user on how to get a better detector; empty where this is the
            best one.
        keep_threshold: score from which a face that is already being tracked is believed.
        face_side: height in pixels of a face that the detector finds surely and cheaply.
        search_sides: longer sides in pixels of the picture in which it looks for new faces: the
            first while others are being followed, all of them in turn otherwise.
    """

    name: str
    advice: str
    keep_threshold: float
    face_side: int
    search_sides: tuple[int, ...]

    def detect(self, image: Image, *, threshold: float | None = None) -> list[Detection]:
        """Faces in *image* ((h, w, 3) RGB) with at least *threshold*, best first; may be empty."""
        ...


# A dlib box of side s, in the common convention: width, height and the centre's shift upwards,
# as parts of s.
_DLIB_WIDTH, _DLIB_HEIGHT, _DLIB_RISE = 0.90, 1.20, 0.07


class DlibDetector:
    """dlib's frontal face detector: HOG features and a linear classifier, no download.

    It finds frontal faces from about 80 pixels up and gives no landmarks (Dalal & Triggs 2005;
    King 2015, "Max-margin object detection").

    Args:
        threshold: score from which a face is reported, in [0, 1]; 0.5 is dlib's own decision.
    """

    name = "dlib"
    keep_threshold = 0.35
    face_side = 115
    search_sides: tuple[int, ...] = (640, 1000)

    def __init__(self, threshold: float = 0.55):
        import dlib

        self.threshold = threshold
        self.advice = (
            "Faces are found with dlib, which misses turned and small ones; YuNet finds more. "
            f"{pretrained.how_to_get('yunet')}"
        )
        self._detector: Any = dlib.get_frontal_face_detector()

    def detect(self, image: Image, *, threshold: float | None = None) -> list[Detection]:
        """Faces in *image*, best first. See :class:`Detector`."""
        import cv2

        height, width = image.shape[:2]
        if min(height, width) < 40:
            return []
        wanted = self.threshold if threshold is None else threshold
        grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        boxes, margins, _ = self._detector.run(grey, 0, _margin(wanted))
        found = []
        for box, margin in zip(boxes, margins, strict=True):
            side = (box.width() + box.height()) / 2
            x = (box.left() + box.right() + 1) / 2
            y = (box.top() + box.bottom() + 1) / 2 - _DLIB_RISE * side
            w, h = _DLIB_WIDTH * side, _DLIB_HEIGHT * side
            found.append(Detection((x - w / 2, y - h / 2, w, h), _probability(margin)))
        return sorted(found, key=lambda d: -d.score)


def _probability(margin: float) -> float:
    """dlib's distance from the decision as a score in (0, 1); 0 becomes 0.5."""
    return 1.0 / (1.0 + math.exp(-2.0 * margin))


def _margin(score: float) -> float:
    score = min(max(score, 1e-6), 1 - 1e-6)
    return math.log(score / (1.0 - score)) / 2.0


class YuNetDetector:
    """YuNet through OpenCV: boxes and five points (Wu, Peng & Yu 2023, "YuNet").

    Args:
        path: the ONNX file; the one of the model cache if None.
        threshold: score from which a face is reported, in [0, 1].

    Raises:
        ModelError: if the file is not there or is not YuNet.
    """

    name = "yunet"
    advice = ""
    keep_threshold = 0.4
    face_side = 64
    search_sides: tuple[int, ...] = (400, 640)

    def __init__(self, path: Path | None = None, threshold: float = 0.7):
        import cv2

        self.threshold = threshold
        file = pretrained.path_of("yunet") if path is None else path
        _quiet(cv2)
        try:
            self._net: Any = cv2.FaceDetectorYN.create(str(file), "", (320, 320), threshold)
        except cv2.error as error:
            raise ModelError(
                file, "cannot be read as YuNet", pretrained.how_to_get("yunet")
            ) from error

    def detect(self, image: Image, *, threshold: float | None = None) -> list[Detection]:
        """Faces in *image*, best first. See :class:`Detector`."""
        import cv2

        height, width = image.shape[:2]
        if min(height, width) < 16:
            return []
        self._net.setScoreThreshold(self.threshold if threshold is None else threshold)
        self._net.setInputSize((width, height))
        _, rows = self._net.detect(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR))
        if rows is None:
            return []
        found = [
            Detection(
                (float(row[0]), float(row[1]), float(row[2]), float(row[3])),
                float(min(max(row[14], 0.0), 1.0)),
                row[4:14].reshape(5, 2).astype(np.float32),
            )
            for row in rows
            if np.isfinite(row).all() and row[2] > 1 and row[3] > 1
        ]
        return sorted(found, key=lambda d: -d.score)


def _quiet(cv2: Any) -> None:
    # OpenCV 5 warns on standard error each time a network is opened.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)


def make_detector(name: DetectorName = "auto") -> Detector:
    """Open a face detector.

    Args:
        name: ``yunet``, ``dlib``, or ``auto`` for YuNet where the model cache has it, else dlib.

    Raises:
        ModelError: if YuNet was asked for by name and is not there.
        SettingError: if no detector has that name.
    """
    if name == "auto":
        name = "yunet" if pretrained.find("yunet") is not None else "dlib"
    if name == "yunet":
        return YuNetDetector()
    if name == "dlib":
        return DlibDetector()
    raise SettingError("detector", f"{name!r} is no face detector", "Use auto, yunet or dlib")
