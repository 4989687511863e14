"""Early fusion: features of several streams side by side."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aver.errors import SettingError


def early(*features: ArrayLike) -> NDArray[np.float64]:
    """Early fusion: features of several streams side by side, ``(..., all dims)``.

    Args:
        features: one array a stream, (items, dims) or (items, time, dims), of the same leading
            shape; streams of different rates are to be brought to one before.

    Raises:
        SettingError: if there are none, or their leading shapes differ.
    """
    arrays = [np.asarray(f, dtype=np.float64) for f in features]
    if not arrays:
        raise SettingError("features", "are none", "Give at least one stream")
    leading = {a.shape[:-1] for a in arrays}
    if len(leading) > 1 or any(a.ndim < 2 for a in arrays):
        shapes = ", ".join(str(a.shape) for a in arrays)
        raise SettingError(
            "features", f"have the shapes {shapes}", "All but the last dimension must agree"
        )
    return np.concatenate(arrays, axis=-1)
