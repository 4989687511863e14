"""Settings of the analysis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from aver.errors import SettingError
from aver.faces import DetectorName, TrackerSettings
from aver.media import MediaLimits


@dataclass(frozen=True)
class AnalysisSettings:
    """How a recording is analysed.

    Attributes:
        context: ``centred`` scores a window from the windows around it (needs two seconds of
            what follows), ``trailing`` from those before it (for live use).
        frames_per_second: frames looked at in a second of recording, at most.
        max_side: frames are scaled down so that their longer side is at most this many pixels.
        detector: ``auto`` (YuNet when the model cache has it, else dlib), ``yunet`` or ``dlib``.
        faces: how faces are looked for and followed.
        picture: look at the picture.
        sound: listen to the sound.
        threads: threads of each network.
        thumbnails: thumbnails kept of a person.
        min_seconds_seen: people seen for less are left out as likely false detections (not in
            a still picture, nor in a recording shorter than four times that).
        weak_score: a distribution whose highest score is below this is flagged weak.
        weak_margin: a distribution whose highest score leads the next by less is flagged weak.
        weak_quality: a face of lower quality, in [0, 1], is flagged weak.
        limits: what is refused.
        face_network: name or path of the face network.
        voice_network: name or path of the voice network.
        fusion_network: name or path of the fusion network.
        calibrate: other recordings of the person to be analysed, unlabelled: the person's mean
            (and spread) in them is taken out of the scores. None are needed.
        calibration: what is taken out: ``mean`` or ``mean_and_spread``.
        calibration_prior_windows: windows that the training population counts for against the
            person's own (chosen on RAVDESS voices, see ``results/person_calibration.csv``).
        events: hear human sounds (speech, laughter, ...) beside the people: the timeline's events.
        event_network: name or path of the sound event detector.
        affect: an ONNX file of the user's own that gives levels of arousal and valence of the sound
            (see :mod:`aver.inference.affect`); empty for none.
    """

    context: Literal["centred", "trailing"] = "centred"
    frames_per_second: float = 10.0
    max_side: int = 640
    detector: DetectorName = "auto"
    faces: TrackerSettings = field(default_factory=TrackerSettings)
    picture: bool = True
    sound: bool = True
    threads: int = 1
    thumbnails: int = 4
    min_seconds_seen: float = 1.0
    weak_score: float = 0.35
    weak_margin: float = 0.1
    weak_quality: float = 0.25
    limits: MediaLimits = field(default_factory=MediaLimits)
    face_network: str = "face_expression"
    voice_network: str = "voice_expression"
    fusion_network: str = "mater"
    calibrate: tuple[str | Path, ...] = ()
    calibration: Literal["mean", "mean_and_spread"] = "mean"
    calibration_prior_windows: float = 20.0
    events: bool = True
    event_network: str = "sound_events"
    affect: str | Path = ""

    def __post_init__(self) -> None:
        if not self.picture and not self.sound:
            raise SettingError("picture", "picture and sound are both off", "Leave one on")
        if self.context not in ("centred", "trailing"):
            raise SettingError("context", f"is {self.context!r}", "Use centred or trailing")
        if not 0 < self.frames_per_second <= 120:
            raise SettingError("frames_per_second", "is not in (0, 120]", "Use about 10")
        if self.max_side < 64:
            raise SettingError("max_side", "is below 64 pixels", "Use about 640")
        if self.threads < 1:
            raise SettingError("threads", "is below 1", "Use 1 or more")
        if self.thumbnails < 0:
            raise SettingError("thumbnails", "is negative", "Use 0 or more")
        if isinstance(self.calibrate, str | Path):
            raise SettingError("calibrate", "is one path, not several", "Write (path,)")
        if self.calibration not in ("mean", "mean_and_spread"):
            known = "Use mean or mean_and_spread"
            raise SettingError("calibration", f"is {self.calibration!r}", known)
        if not 0 <= self.calibration_prior_windows < float("inf"):
            raise SettingError("calibration_prior_windows", "is not 0 or more", "Use about 20")

    def is_flat(self, scores: Sequence[float]) -> bool:
        """Whether nothing leads clearly, by ``weak_score`` and ``weak_margin``."""
        second, first = sorted(scores)[-2:]
        return first < self.weak_score or first - second < self.weak_margin


WINDOW_SECONDS = 0.5
"""Length of a window; the shipped voice network takes windows of this length (MATER 2.1)."""
