"""Faces: find them, follow them, cut them out, and know people again."""

from aver.faces.crop import CROP_SIZE, MARGIN, Placement, cut, place
from aver.faces.detect import (
    Detection,
    Detector,
    DetectorName,
    DlibDetector,
    YuNetDetector,
    make_detector,
)
from aver.faces.identity import Embed
from aver.faces.track import FaceObservation, FaceTracker, TrackerSettings

__all__ = [
    "CROP_SIZE",
    "MARGIN",
    "Detection",
    "Detector",
    "DetectorName",
    "DlibDetector",
    "Embed",
    "FaceObservation",
    "FaceTracker",
    "Placement",
    "TrackerSettings",
    "YuNetDetector",
    "cut",
    "make_detector",
    "place",
]
