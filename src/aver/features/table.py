"""Features that come as a table: one row a clip, or one row a frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from aver.errors import SettingError
from aver.features.extractor import Clip, Extractor, Features, register_extractor
from aver.features.table_file import KeyForm, Table, file_hash, normalise_key, read_table
from aver.features.windows import WindowSettings, window_spans


class TableSettings(WindowSettings):
    """Which table, and how its rows belong to clips.

    Attributes:
        table: path of a CSV or Parquet file.
        key: column that names the recording; empty for the first column.
        match: what of the clip is looked up there: its file's name without suffix (``stem``), or
            its ``recording``.
        key_form: ``ravdess`` compares RAVDESS names without their modality, the first field, so
            that the picture's ``01-01-x`` belongs to the sound ``03-01-x``; ``as_is`` compares
            whole names.
        columns: names or patterns (``AU*_r``) of the columns to take; none takes all numbers.
    """

    table: str = ""
    key: str = ""
    match: Literal["stem", "recording"] = "stem"
    key_form: KeyForm = "as_is"
    columns: tuple[str, ...] = ()

    @field_validator("columns", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """Several columns in one text are separated by commas."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value


class _TableExtractor(Extractor):
    modality = "table"
    ignored_settings = frozenset({"table"})

    @cached_property
    def _table(self) -> Table:
        s = self.settings
        return read_table(s.table, s.key, s.columns, s.key_form, self._extra())

    @cached_property
    def _hash(self) -> str:
        return file_hash(self.settings.table)

    def _extra(self) -> tuple[str, ...]:
        return ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return self._table.columns

    @property
    def shape(self) -> tuple[int, ...]:
        """``(columns,)``."""
        return (len(self.names),)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """The table's hash."""
        return {"table": self._hash}

    def _rows(self, clip: Clip) -> NDArray[np.intp]:
        key = clip.file.stem if self.settings.match == "stem" else clip.recording
        if not key:
            raise SettingError(
                "match", f"{clip} has no recording named in the manifest", "Use match = 'stem'"
            )
        nothing = np.zeros(0, np.intp)
        return self._table.rows.get(normalise_key(key, self.settings.key_form), nothing)


class ClipTableSettings(TableSettings):
    """A table with one row a clip; it has no windows."""

    window_seconds: float = Field(0.0, ge=0, le=0)


@register_extractor("clip_table")
class ClipTable(_TableExtractor):
    """One row of a table per clip: (1, columns).

    A clip without a row, or whose row has an empty field, is not present. Times end with the
    clip where the manifest says where that is, else at 0.
    """

    version = 1
    Settings = ClipTableSettings

    def extract(self, clip: Clip) -> Features:
        """Look one clip up.

        Raises:
            SettingError: if it has more than one row.
        """
        rows, seconds = self._rows(clip), _stated_seconds(clip)
        if len(rows) > 1:
            raise SettingError(
                "table",
                f"{self._table.path} has {len(rows)} rows for {clip}",
                "Keep one of them, or use the extractor 'frame_table'",
            )
        if not len(rows) or np.isnan(self._table.values[rows[0]]).any():
            return Features.missing(self.shape, seconds)
        return Features.of_clip(self._table.values[rows[0]], seconds)


class FrameTableSettings(TableSettings):
    """A table with many rows a clip.

    Attributes:
        time_column: column with seconds from the recording's start; empty to count frames.
        frame_column: column with frame numbers from 0, where there is no time.
        frames_per_second: of the table; how long a row holds.
        score_column: column that says how sure the row is (of a detected face, say); where
            several rows share a time, the surest is taken, without such a column the first.
        score_at_least: rows below it are not present.
    """

    time_column: str = ""
    frame_column: str = "frame"
    frames_per_second: float = Field(10.0, gt=0, allow_inf_nan=False)
    score_column: str = ""
    score_at_least: float = 0.0


@register_extractor("frame_table")
class FrameTable(_TableExtractor):
    """The rows of a table that belong to a clip, in order of time, or their means over windows.

    Without windows: (rows, columns). With windows: (windows, columns), mean of the present rows,
    each weighed with the share of the window during which it holds; so windows may be longer or
    shorter than rows. A row with an empty field in a chosen column, or whose score is too low, is
    not present; a window that no present row reaches is not; a clip without rows neither.
    """

    version = 1
    Settings = FrameTableSettings

    def _extra(self) -> tuple[str, ...]:
        s = self.settings
        extra = (s.time_column or s.frame_column, s.score_column)
        return tuple(name for name in extra if name)

    def extract(self, clip: Clip) -> Features:
        """Look one clip up."""
        s = self.settings
        times, values, present = self._measured(self._rows(clip))
        start = times - clip.first
        end = start + 1.0 / s.frames_per_second
        length = math.inf if clip.end is None else clip.end - clip.first
        inside = (end > 1e-6) & (start < length - 1e-6)
        if not inside.any():
            return Features.missing(self.shape, _stated_seconds(clip))
        spans = np.stack([start[inside].clip(0), end[inside].clip(max=length)], axis=1)
        values, present = values[inside], present[inside]
        if s.window_seconds:
            seconds = float(spans[:, 1].max()) if clip.end is None else length
            windows = window_spans(seconds, s)
            values, present = _means(values, spans, present, windows)
            spans = windows.clip(max=seconds)
        return Features(values, spans.astype(np.float32), present)

    def _measured(
        self, rows: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_]]:
        """Times, values (zero where absent) and presence of *rows*, one row a time, in order."""
        s, table = self.settings, self._table
        if s.time_column:
            times = table.extra[s.time_column][rows]
        else:
            times = table.extra[s.frame_column][rows] / s.frames_per_second
        score = table.extra[s.score_column][rows] if s.score_column else np.ones(len(rows))
        score = np.where(np.isnan(score), -np.inf, score)
        order = np.lexsort((-score, times))
        order = order[np.isfinite(times[order])]
        _, first = np.unique(times[order], return_index=True)
        order = order[first]
        values = table.values[rows[order]]
        present = np.asarray(~np.isnan(values).any(axis=1), np.bool_)
        if s.score_column:
            present &= score[order] >= s.score_at_least
        values = np.where(present[:, None], values, np.float32(0.0))
        return times[order], values, present


def _means(
    values: NDArray[np.float32],
    spans: NDArray[np.float64],
    present: NDArray[np.bool_],
    windows: NDArray[np.float64],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    means = np.zeros((len(windows), values.shape[1]), np.float32)
    reached = np.zeros(len(windows), np.bool_)
    first = np.searchsorted(spans[:, 1], windows[:, 0])
    last = np.searchsorted(spans[:, 0], windows[:, 1])
    for row in np.flatnonzero(last > first):
        some = slice(first[row], last[row])
        shared = np.minimum(windows[row, 1], spans[some, 1])
        shared = shared - np.maximum(windows[row, 0], spans[some, 0])
        # Below a microsecond two spans only touch.
        weights = np.where((shared > 1e-6) & present[some], shared, 0.0)
        if weights.any():
            means[row] = weights @ values[some] / weights.sum()
            reached[row] = True
    return means, reached


def _stated_seconds(clip: Clip) -> float:
    return 0.0 if clip.end is None else clip.end - clip.first
