"""Do scores mean what they say? Temperature scaling and the expected calibration error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logarithms of the probabilities over the last axis, in double precision."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def fit_temperature(
    logits: NDArray[np.floating],
    labels: NDArray[np.integer],
    *,
    low: float = 0.05,
    high: float = 20.0,
) -> float:
    """The temperature that minimises the negative log-likelihood of held-out data.

    Guo et al. 2017, section 4.2: probabilities are ``softmax(logits / temperature)``. The loss is
    convex in 1 / temperature, so a golden-section search finds its only minimum.

    Args:
        logits: (items, classes), of data the network was not trained on.
        labels: (items,) true classes.
        low: lowest temperature tried.
        high: highest temperature tried.
    """
    rows = np.arange(len(labels))

    def loss(inverse: float) -> float:
        return float(-log_softmax(logits * inverse)[rows, labels].mean())

    a, b = 1.0 / high, 1.0 / low
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    c, d = b - golden * (b - a), a + golden * (b - a)
    loss_c, loss_d = loss(c), loss(d)
    while b - a > 1e-6 * (a + b):
        if loss_c < loss_d:
            b, d, loss_d = d, c, loss_c
            c = b - golden * (b - a)
            loss_c = loss(c)
        else:
            a, c, loss_c = c, d, loss_d
            d = a + golden * (b - a)
            loss_d = loss(d)
    return float(2.0 / (a + b))


def expected_calibration_error(
    logits: NDArray[np.floating], labels: NDArray[np.integer], bins: int = 15
) -> float:
    """Mean gap between confidence and accuracy over equal bins of confidence, in [0, 1].

    Guo et al. 2017, equation 3, with the bins' shares of the items as weights.

    Args:
        logits: (items, classes).
        labels: (items,) true classes.
        bins: number of equal bins of (0, 1].
    """
    probabilities = np.exp(log_softmax(logits))
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    error = 0.0
    for number in range(bins):
        inside = which == number
        if inside.any():
            gap = abs(float(right[inside].mean()) - float(confidence[inside].mean()))
            error += float(inside.mean()) * gap
    return error
