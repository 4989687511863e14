"""Reads recordings in tests and finds the known events in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aver.media import SAMPLE_RATE, Window, read_windows

EVENTS = [1.0, 2.5]


def read(path: Path, **settings_: object) -> list[Window]:
    """All windows of a recording that must be read without a warning."""
    warnings: list[str] = []
    windows = list(read_windows(path, warn=warnings.append, **settings_))  # type: ignore[arg-type]
    assert warnings == []
    return windows


def all_sound(windows: list[Window]) -> np.ndarray:
    """All samples, zeros where a window has none."""
    count = max(len(w.samples) for w in windows if w.samples is not None)
    return np.concatenate([np.zeros(count) if w.samples is None else w.samples for w in windows])


def onsets(windows: list[Window]) -> list[float]:
    """Times at which sound begins after a fifth of a second of quiet."""
    loud = np.flatnonzero(np.abs(all_sound(windows)) > 0.1) / SAMPLE_RATE
    return [float(t) for t, before in zip(loud, [-1.0, *loud], strict=False) if t - before > 0.2]


def flash_times(windows: list[Window]) -> list[float]:
    """Times of the pictures that are white inside."""
    frames = [frame for window in windows for frame in window.frames]
    return [frame.time for frame in frames if frame.image[20:28, 28:36].mean() > 128]
