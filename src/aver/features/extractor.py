"""What turns a clip into numbers: the base of every extractor, and their registry.

An extractor is one file: its settings, a class, one decorator::

    @register_extractor("mfcc")
    class Mfcc(Extractor):
        version = 1
        Settings = MfccSettings
        modality = "sound"

        def extract(self, clip: Clip) -> Features: ...

Its name is what recipes, the command line and cards use. Modules are imported only when their
extractor is asked for.
"""

from __future__ import annotations

import difflib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from aver.errors import SettingError

Modality = Literal["sound", "picture", "table"]


class ExtractorSettings(BaseModel):
    """Base of every extractor's settings: unknown ones are refused, values are fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Clip:
    """A file, or a stretch of one.

    Attributes:
        file: the recording.
        start: seconds on the recording's clock where the clip starts; None for its beginning.
        end: seconds where it ends; None for the recording's end.
        recording: identity of the take, as the corpus names it; may be empty.
        subject: who is heard or seen, as the corpus names them; may be empty.
    """

    file: Path
    start: float | None = None
    end: float | None = None
    recording: str = ""
    subject: str = ""

    @classmethod
    def of(cls, row: Any) -> Clip:
        """The clip of one manifest row: a mapping, a pandas Series, or a row of itertuples."""
        known = row if hasattr(row, "get") else row._asdict()

        def text(column: str) -> str:
            value = known.get(column)
            is_missing = value is None or (isinstance(value, float) and math.isnan(value))
            return "" if is_missing else str(value)

        def seconds(column: str) -> float | None:
            value = known.get(column)
            return None if value is None or math.isnan(value) else float(value)

        return cls(
            Path(known.get("file")),
            seconds("start"),
            seconds("end"),
            text("recording"),
            text("subject"),
        )

    @property
    def first(self) -> float:
        """Seconds on the recording's clock where the clip starts."""
        return self.start or 0.0

    def __str__(self) -> str:
        if self.start is None and self.end is None:
            return str(self.file)
        end = "end" if self.end is None else f"{self.end:g} s"
        return f"{self.file} [{self.first:g} s to {end}]"


@dataclass(frozen=True, eq=False)
class Features:
    """The numbers of one clip.

    Attributes:
        values: float32 (time, *shape); zeros where not present. A vector of a whole clip has
            time 1.
        times: float32 (time, 2), start and end in seconds from the clip's start.
        present: bool (time,), False where nothing could be measured (no face, no row, no voice).

    Raises:
        ValueError: if the three do not fit together.
    """

    values: NDArray[np.float32]
    times: NDArray[np.float32]
    present: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.values.ndim < 2 or self.values.dtype != np.float32:
            raise ValueError(
                "values must be float32 (time, *shape), "
                f"not {self.values.dtype} {self.values.shape}"
            )
        time = len(self.values)
        if self.times.shape != (time, 2) or self.times.dtype != np.float32:
            raise ValueError(
                f"times must be float32 ({time}, 2), not {self.times.dtype} {self.times.shape}"
            )
        if self.present.shape != (time,) or self.present.dtype != np.bool_:
            raise ValueError(
                f"present must be bool ({time},), not {self.present.dtype} {self.present.shape}"
            )

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def of_clip(cls, vector: NDArray[np.floating[Any]], seconds: float) -> Features:
        """Features of a whole clip: one *vector* (*shape) for all of its *seconds*."""
        values = np.asarray(vector, np.float32)[None]
        return cls(values, np.array([[0.0, seconds]], np.float32), np.ones(1, np.bool_))

    @classmethod
    def missing(cls, shape: tuple[int, ...], seconds: float = 0.0) -> Features:
        """One row of zeros that is not present: nothing is known of the clip."""
        times = np.array([[0.0, seconds]], np.float32)
        return cls(np.zeros((1, *shape), np.float32), times, np.zeros(1, np.bool_))


class Extractor(ABC):
    """Turns clips into numbers, deterministically.

    Attributes:
        name: registered name.
        version: goes up whenever the same settings give other numbers; stored features of another
            version are not used.
        Settings: type of the settings.
        modality: what is read: ``sound``, ``picture``, or a ``table`` brought by the user (then
            the clip's file itself is not read and need not exist).
        ignored_settings: settings that do not change the numbers (threads, batches; the path of a
            table or of weights whose hash is in :attr:`depends_on`).
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    Settings: ClassVar[type[ExtractorSettings]]
    modality: ClassVar[Modality]
    ignored_settings: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, settings: ExtractorSettings | None = None):
        self.settings: Any = self.Settings() if settings is None else settings

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the values at one time."""

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the features where the shape is one long row and they have names."""
        return None

    @property
    def seen_subjects(self) -> frozenset[str]:
        """People (``corpus/subject``) on whose labels this extractor was trained."""
        return frozenset()

    @property
    def depends_on(self) -> Mapping[str, str]:
        """What else the numbers depend on, each with its version or hash (weights, tables)."""
        return {}

    @abstractmethod
    def extract(self, clip: Clip) -> Features:
        """Measure one clip.

        Raises:
            AverError: if this clip cannot be measured; others still may.
        """

    def __reduce__(self) -> tuple[Any, ...]:
        # Other processes load their own networks and tables.
        return type(self), (self.settings,)


AnyExtractor = TypeVar("AnyExtractor", bound=type[Extractor])

_EXTRACTORS: dict[str, type[Extractor]] = {}

# Where extractors live: imported only when asked for, because some bring networks or big packages.
_HOMES: dict[str, str] = {
    "waveform": "aver.features.waveform",
    "log_mel": "aver.features.log_mel_extractor",
    "mfcc": "aver.features.mfcc",
    "joined_frames": "aver.features.joined_frames",
    "spectrogram": "aver.features.spectrogram",
    "egemaps": "aver.features.opensmile",
    "compare_2016": "aver.features.opensmile",
    "is10": "aver.features.opensmile",
    "emobase2010": "aver.features.opensmile",
    "sound_semantics": "aver.features.sound_semantics",
    "emobase2010_frames": "aver.features.frame_sound",
    "flow_resnet101": "aver.features.flow_resnet101",
    "auditory_saliency": "aver.features.auditory_saliency",
    "clip_table": "aver.features.table",
    "frame_table": "aver.features.table",
    "whisper_encoder": "aver.features.whisper_encoder",
    "wavlm": "aver.features.speech_encoders",
    "wav2vec2": "aver.features.speech_encoders",
    "hubert": "aver.features.speech_encoders",
    "vggish": "aver.features.vggish",
    "vgg_m_face": "aver.features.vgg_m_face",
    "resnet50": "aver.features.resnet50",
    "r2plus1d_18": "aver.features.r2plus1d",
    "optical_flow": "aver.features.optical_flow",
    "voice_expression": "aver.features.voice_expression_extractor",
    "face_expression": "aver.features.face_expression_extractor",
    "face_pictures": "aver.features.face_pictures",
    "forrest_gump_descriptors": "aver.corpora.forrest_gump_series",
    "forrest_gump_modulation": "aver.corpora.forrest_gump_series",
}


def register_extractor(name: str) -> Callable[[AnyExtractor], AnyExtractor]:
    """Register the decorated class as the extractor *name*."""

    def keep(kind: AnyExtractor) -> AnyExtractor:
        kind.name = name
        _EXTRACTORS[name] = kind
        return kind

    return keep


def extractor_names() -> list[str]:
    """Names of all known extractors."""
    return sorted({*_HOMES, *_EXTRACTORS})


def extractor_class(name: str) -> type[Extractor]:
    """The class registered as *name*.

    Raises:
        SettingError: if there is none; the nearest known name is told.
    """
    if name not in _EXTRACTORS and name in _HOMES:
        import_module(_HOMES[name])
    if name not in _EXTRACTORS:
        raise SettingError(name, "is not a known extractor", _nearest(name, extractor_names()))
    return _EXTRACTORS[name]


def make_extractor(name: str, **settings: Any) -> Extractor:
    """Build the extractor *name*.

    Args:
        name: registered name.
        settings: its settings; those left out keep their defaults. Text is read as the setting's
            own type, so values of a command line can be passed as they are.

    Raises:
        SettingError: if there is no such extractor, no such setting, or a value cannot be used.
    """
    kind = extractor_class(name)
    try:
        return kind(kind.Settings(**settings))
    except ValidationError as error:
        raise _explain(name, kind.Settings, error) from None


def _explain(name: str, schema: type[ExtractorSettings], error: ValidationError) -> SettingError:
    first = error.errors()[0]
    key = str(first["loc"][0]) if first["loc"] else name
    if first["type"] == "extra_forbidden":
        advice = _nearest(key, list(schema.model_fields))
        return SettingError(key, f"is not a setting of the extractor '{name}'", advice)
    problem = first["msg"].removeprefix("Value error, ")
    problem = problem[:1].lower() + problem[1:]
    return SettingError(key, f"{problem} (extractor '{name}', got {first['input']!r})")


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return (
        f"The nearest is '{close[0]}'" if close else f"Known: {', '.join(sorted(known)) or 'none'}"
    )
