"""What a reader of a timeline must be told about how it came about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from aver import pretrained
from aver._version import __version__
from aver.errors import ModelError
from aver.faces import Detector
from aver.inference.front import Reading
from aver.inference.networks import FusionNetwork
from aver.inference.settings import WINDOW_SECONDS, AnalysisSettings


def remarks(
    settings: AnalysisSettings, detector: Detector | None, reading: Reading, people: int
) -> Iterator[str]:
    """Remarks on a recording that was read to its end, one line each; *people* were kept."""
    left_out = len(reading.people) - people
    if left_out:
        yield (
            f"{left_out} face track(s) seen for less than "
            f"{settings.min_seconds_seen:g} s were left out as likely false detections."
        )
    if reading.tracker is not None and not reading.people:
        scored = "; only the voice is scored" if reading.any_voice else ""
        yield f"No face was found{scored}."
    if settings.picture and not reading.info.has_video:
        yield "There is no picture; only the voice is scored."
    scored = "; only faces are scored" if people else ""
    if settings.sound and not reading.info.has_audio and not reading.info.is_image:
        yield f"There is no sound track{scored}."
    elif settings.sound and reading.info.has_audio and not reading.any_voice:
        yield f"The sound track is silent{scored}."
    advice = getattr(detector, "advice", None) if reading.tracker is not None else None
    if advice:
        yield str(advice)


def media_facts(reading: Reading) -> dict[str, Any]:
    """Facts of the file that was read."""
    info = reading.info
    facts = {k: v for k, v in asdict(info).items() if k not in ("path", "duration")}
    return {
        "path": str(reading.path),
        "name": reading.path.name,
        "duration": info.duration if info.duration is not None else reading.seconds,
        "read": reading.seconds,
        **facts,
    }


def model_facts(
    settings: AnalysisSettings, fusion: FusionNetwork, detector: Detector | None
) -> dict[str, Any]:
    """What scored it, with its card."""
    model: dict[str, Any] = {
        "aver": __version__,
        "name": settings.fusion_network,
        "version": fusion.version,
        "face_network": settings.face_network,
        "voice_network": settings.voice_network,
        "detector": detector.name if detector else None,
        "window_seconds": WINDOW_SECONDS,
        "context_windows": fusion.windows,
        "context": settings.context,
        "temperature": fusion.temperatures,
    }
    if "expected_calibration_error" in fusion.metadata:
        model["expected_calibration_error"] = float(fusion.metadata["expected_calibration_error"])
    try:
        model["card"] = pretrained.read_card(settings.fusion_network)
    except ModelError:  # a user's own network may have no card
        model["card"] = ""
    return model
