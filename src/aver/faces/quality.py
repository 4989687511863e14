"""How much a face crop can be trusted, in [0, 1]."""

from __future__ import annotations

import math

import numpy as np

from aver.faces.crop import yaw_sign
from aver.faces.detect import Detection, Image


def _ramp(value: float, low: float, high: float) -> float:
    """0 up to *low*, 1 from *high*, straight in between."""
    return min(max((value - low) / (high - low), 0.0), 1.0)


def sharpness(crop: Image) -> float:
    """Focus in [0, 1]: variance of the Laplacian over the variance of the grey values.

    Args:
        crop: (n, n, 3) RGB.

    The ratio does not depend on contrast. It is taken at 48 x 48 pixels, the size the expression
    network sees (variance of the Laplacian as focus measure: Pech-Pacheco et al. 2000).
    """
    import cv2

    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA).astype(np.float32)
    spread = float(grey.var())
    if spread < 4.0:
        return 0.0
    return _ramp(math.log10(float(cv2.Laplacian(grey, cv2.CV_32F).var()) / spread + 1e-6), -2.3, -1)


def lighting(crop: Image) -> float:
    """Exposure in [0, 1]: 1 for middle greys with contrast, 0 for black, white or flat."""
    inner = crop[crop.shape[0] // 8 : -crop.shape[0] // 8, crop.shape[1] // 8 : -crop.shape[1] // 8]
    mean, spread = float(inner.mean()), float(inner.std())
    exposure = _ramp(mean, 10, 60) * (1 - _ramp(mean, 200, 250))
    return exposure * _ramp(spread, 4, 25)


def pose(detection: Detection, roll: float) -> float:
    """Frontality in [0, 1] from the landmarks; 0.8 where there are none."""
    if detection.landmarks is None:
        return 0.8
    turned = 1 - 0.8 * _ramp(abs(yaw_sign(detection.landmarks)), 0.15, 0.55)
    return turned * (1 - 0.5 * _ramp(abs(roll), math.radians(15), math.radians(50)))


def quality(crop: Image, side: float, score: float, frontality: float) -> float:
    """Quality of a face in [0, 1].

    Args:
        crop: (n, n, 3) RGB.
        side: side of the crop in pixels of the decoded picture.
        score: certainty that it is a face, in [0, 1].
        frontality: see :func:`pose`.

    A weighted geometric mean: any one thing that is wholly wrong makes the whole worthless.
    """
    parts = (
        (_ramp(side, 12, 72), 0.3),
        (sharpness(crop), 0.2),
        (lighting(crop), 0.2),
        (frontality, 0.15),
        (min(max(score, 0.0), 1.0), 0.15),
    )
    if any(value <= 0 for value, _ in parts):
        return 0.0
    return math.exp(sum(weight * math.log(value) for value, weight in parts))
