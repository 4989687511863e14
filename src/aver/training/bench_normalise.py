"""Normalisation of a stream, learned from training rows alone; per-person calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aver.features.person_calibration import calibrate
from aver.training.bench_data import BenchRows, Floats, Mask, Rows, Stream
from aver.training.bench_recipe import BenchRecipe

_LEAST_SPREAD = 1e-6


@dataclass(frozen=True, eq=False)
class Normaliser:
    """``(x - mean) / scale``, then length 1 if asked.

    Attributes:
        mean: (dimensions,).
        scale: (dimensions,), above 0.
        unit_length: bring each window to length 1.
        bound: values are kept within -bound and bound; 0 for no bound.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    unit_length: bool = False
    bound: float = 0.0

    @classmethod
    def of(cls, stream: Stream, train: Rows, standardise: str, bound: float = 0.0) -> Normaliser:
        """Learn from the windows of the rows *train*.

        Args:
            stream: all rows.
            train: numbers of the training rows.
            standardise: ``train``, ``l2`` or ``none``.
            bound: of standardised values, in standard deviations; 0 for none.
        """
        zeros = np.zeros(stream.dimensions, np.float32)
        plain = cls(zeros, zeros + 1, standardise == "l2")
        if standardise != "train":
            return plain
        windows = stream.values[train][stream.present[train]]
        if not len(windows):
            return plain
        mean, spread = windows.mean(axis=0, dtype=np.float64), windows.std(axis=0, dtype=np.float64)
        # A feature that never moves says nothing: it becomes 0, not rounding noise blown up.
        scale = np.where(spread > _LEAST_SPREAD * np.maximum(1.0, np.abs(mean)), spread, 1.0)
        return cls(mean.astype(np.float32), scale.astype(np.float32), False, bound)

    def __call__(self, values: Floats, present: Mask) -> Floats:
        """Normalised (rows, windows, dimensions), zeros where not present."""
        x = (values - self.mean) / self.scale
        if self.unit_length:
            x /= np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9)
        if self.bound:
            np.clip(x, -self.bound, self.bound, out=x)
        x[~present] = 0.0
        return x


@dataclass(frozen=True, eq=False)
class Prepared:
    """A stream as systems see it.

    Attributes:
        values: (rows, windows, dimensions) calibrated per person and normalised.
        present: (rows, windows).
        normaliser: what was done after the calibration.
    """

    values: Floats
    present: Mask
    normaliser: Normaliser


def prepare(recipe: BenchRecipe, data: BenchRows, name: str, train: Rows) -> Prepared:
    """Calibrate per person and normalise the stream *name*, learning from the rows *train*.

    Raises:
        SettingError: if people are to be calibrated and a row names nobody.
    """
    stream = data.streams[name]
    mode = recipe.person_of(name)
    if mode != "none":
        values = calibrate(
            stream.values,
            stream.present,
            data.subjects.tolist(),
            train,
            mode,
            prior_windows=recipe.normalise.prior_windows,
        )
        stream = Stream(values, stream.present)
    standardise = recipe.standardise_of(name)
    normaliser = Normaliser.of(stream, train, standardise, recipe.normalise.clip)
    return Prepared(normaliser(stream.values, stream.present), stream.present, normaliser)
