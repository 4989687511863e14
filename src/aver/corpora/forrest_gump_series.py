"""Descriptors of the Forrest Gump film from its 25 Hz series: two extractors.

There is no sound of the film to be had, so what stands in for emobase2010 are statistics of
brightness, its balance, picture change, loudness and left-right difference over a segment, and what
stands in for the auditory saliency map is the modulation spectrum of loudness.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aver.corpora.forrest_gump import FRAME_RATE, PICTURE, SOUND, read_table
from aver.errors import CorpusError, SettingError
from aver.features.extractor import (
    Clip,
    Extractor,
    ExtractorSettings,
    Features,
    register_extractor,
)
from aver.features.table_file import file_hash

_FLOOR = 1e-5
SERIES = (
    "brightness",
    "brightness_left_right",
    "brightness_up_down",
    "picture_change",
    "loudness",
    "left_right",
)
STATISTICS = (
    "mean",
    "deviation",
    "minimum",
    "maximum",
    "lower_decile",
    "median",
    "upper_decile",
    "slope",
    "mean_step",
    "largest_step",
    "skewness",
)


class SeriesSettings(ExtractorSettings):
    """Where the series lie, and how they are cut.

    Attributes:
        folder: of the corpus.
        window_seconds: length of a segment.
    """

    folder: str = ""
    window_seconds: float = Field(5.0, gt=0)


class _Series(Extractor):
    """Numbers of every segment of a run; the clip's ``recording`` names it (``run 3``)."""

    Settings = SeriesSettings
    modality = "table"
    ignored_settings = frozenset({"folder"})

    @property
    def _root(self) -> Path:
        if not self.settings.folder:
            raise SettingError("folder", "is not set", "Name the folder of the series")
        return Path(self.settings.folder)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """Hashes of the two tables."""
        return {name: file_hash(str(self._root / name)) for name in (PICTURE, SOUND)}

    @cached_property
    def _runs(self) -> dict[int, NDArray[np.float64]]:
        columns = ("run", "onset", "brmean", "brlr", "brud", "norm_diff")
        picture = read_table(self._root, PICTURE, columns)
        sound = read_table(self._root, SOUND, ("run", "onset", "rms", "lrdiff"))
        found = {}
        for run in sorted(set(picture["run"].astype(int))):
            rows, heard = picture[picture["run"] == run], sound[sound["run"] == run]
            length = min(len(rows), len(heard))
            both = np.column_stack(
                [
                    rows[list(columns[2:])].to_numpy()[:length],
                    heard[["rms", "lrdiff"]].to_numpy()[:length],
                ]
            )
            both[:, 4] = np.log(np.maximum(both[:, 4], _FLOOR))
            if not np.isfinite(both).all():
                raise CorpusError(
                    self._root, f"run {run} has gaps in its 25 Hz series", "Take the published"
                )
            found[run] = both
        return found

    def _segments(self, clip: Clip) -> NDArray[np.float64]:
        """(segments, frames, series)."""
        run = clip.recording.removeprefix("run ")
        if not run.isdecimal() or int(run) not in self._runs:
            raise CorpusError(clip.recording or "clip", "is no run of the film", "run 1 to run 8")
        series = self._runs[int(run)]
        frames = round(self.settings.window_seconds * FRAME_RATE)
        count = len(series) // frames
        return series[: count * frames].reshape(count, frames, series.shape[1])

    def _features(self, values: NDArray[np.float64]) -> Features:
        starts = np.arange(len(values)) * self.settings.window_seconds
        times = np.stack([starts, starts + self.settings.window_seconds], axis=1)
        return Features(
            values.astype(np.float32), times.astype(np.float32), np.ones(len(values), np.bool_)
        )


@register_extractor("forrest_gump_descriptors")
class Descriptors(_Series):
    """Eleven statistics of six series in each segment: (segments, 66)."""

    version = 1

    @property
    def names(self) -> tuple[str, ...]:
        """``brightness_mean`` and so on."""
        return tuple(f"{series}_{what}" for series in SERIES for what in STATISTICS)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(66,)``."""
        return (len(SERIES) * len(STATISTICS),)

    def extract(self, clip: Clip) -> Features:
        """Measure one run."""
        found = statistics(self._segments(clip))
        return self._features(found.transpose(0, 2, 1).reshape(len(found), -1))


@register_extractor("forrest_gump_modulation")
class Modulation(_Series):
    """Modulation spectrum of loudness: log magnitude at 0.2 to 12.4 Hz, (segments, 62)."""

    version = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """``(bands,)``: half the frames of a segment, without the mean."""
        return (round(self.settings.window_seconds * FRAME_RATE) // 2,)

    @property
    def names(self) -> tuple[str, ...]:
        """``modulation_0.20_hz`` and so on."""
        step = 1 / self.settings.window_seconds
        return tuple(f"modulation_{(n + 1) * step:.2f}_hz" for n in range(self.shape[0]))

    def extract(self, clip: Clip) -> Features:
        """Measure one run."""
        loudness = self._segments(clip)[:, :, SERIES.index("loudness")]
        shaped = (loudness - loudness.mean(axis=1, keepdims=True)) * np.hanning(loudness.shape[1])
        magnitude = np.abs(np.fft.rfft(shaped, axis=1))[:, 1 : self.shape[0] + 1]
        return self._features(np.log1p(magnitude))


def statistics(segments: NDArray[np.float64]) -> NDArray[np.float64]:
    """:data:`STATISTICS` of (segments, frames, series): (segments, statistics, series)."""
    frames = segments.shape[1]
    mean, deviation = segments.mean(axis=1), segments.std(axis=1)
    centred = segments - mean[:, None]
    time = np.linspace(-1.0, 1.0, frames)
    slope = np.einsum("f,sfc->sc", time, centred) / (time @ time)
    steps = np.abs(np.diff(segments, axis=1))
    cubed = (centred**3).mean(axis=1)
    skewness = np.divide(cubed, deviation**3, out=np.zeros_like(cubed), where=deviation > 1e-9)
    low, middle, high = np.quantile(segments, [0.1, 0.5, 0.9], axis=1)
    parts = [mean, deviation, segments.min(axis=1), segments.max(axis=1), low, middle, high]
    parts += [slope, steps.mean(axis=1), steps.max(axis=1), skewness]
    return np.stack(parts, axis=1)
