"""Faces: find them, follow them, cut them out, and know people again."""

from aver.faces.crop import CROP_SIZE, MARGIN, Placement, cut, place
from aver.faces.describe import Describer, DescriberName, Embed, from_embed, make_describer
from aver.faces.detect import (
    Detection,
    Detector,
    DetectorName,
    DlibDetector,
    YuNetDetector,
    make_detector,
)
from aver.faces.observation import FaceObservation, TrackerSettings
from aver.faces.track import FaceTracker

__all__ = [
    "CROP_SIZE",
    "MARGIN",
    "Describer",
    "DescriberName",
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
    "from_embed",
    "make_describer",
    "make_detector",
    "place",
]
