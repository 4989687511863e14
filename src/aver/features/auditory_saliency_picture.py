"""The auditory saliency map drawn over the spectrogram."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from aver.errors import MediaError
from aver.features.auditory_saliency import PAIRS, AuditorySaliencySettings
from aver.features.auditory_saliency_fields import BANDS, BINS, Floats
from aver.features.auditory_saliency_map import log_spectrum_blocks
from aver.features.auditory_saliency_stream import in_order, measure
from aver.features.extractor import Clip
from aver.features.sound_parts import sound_parts
from aver.media import SAMPLE_RATE

WIDTH, HEIGHT = 1120, 514
MOST_COLUMNS: Final = 560
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 20, 48, 56
_PAPER, _INK = (255, 255, 255), (40, 40, 40)
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)


@dataclass(frozen=True, eq=False)
class Drawable:
    """A map and the spectrogram it was made from, thinned to a picture's columns.

    Attributes:
        saliency: (257, columns), not negative.
        spectrogram: (513, columns) natural logarithm of the magnitude.
        start: seconds on the recording's clock where the first column begins.
        seconds: that all columns last.
    """

    saliency: Floats
    spectrogram: Floats
    start: float
    seconds: float

    @property
    def peak(self) -> tuple[float, float]:
        """Seconds and hertz of the most salient cell."""
        band, column = np.unravel_index(int(self.saliency.argmax()), self.saliency.shape)
        step = self.seconds / self.saliency.shape[1]
        return self.start + (float(column) + 0.5) * step, float(band) * SAMPLE_RATE / 2 / (
            BANDS - 1
        )


def measure_picture(clip: Clip, settings: AuditorySaliencySettings) -> Drawable:
    """Map and spectrogram of a clip of any length, means of at most 560 columns.

    Raises:
        MediaError: if the file cannot be read, has no sound, or is shorter than two frames.
    """
    samples = sum(len(part) for part in sound_parts(clip))
    frames = 1 + (samples - settings.frame) // settings.hop
    if frames < 2:
        raise MediaError(
            clip.file, f"its sound lasts {samples / SAMPLE_RATE:.3f} s, less than two frames"
        )
    columns = -(-frames // 2)
    step = -(-columns // MOST_COLUMNS)
    thin = _Thin(2 * step)
    blocks = log_spectrum_blocks(sound_parts(clip), settings.frame, settings.hop)
    borders = in_order(range(step, columns, step))
    measured = measure(thin.watch(blocks), PAIRS[settings.pairs], borders)
    means = [
        measured.mean(start, min(start + step, columns), settings.scale)
        for start in range(0, columns, step)
    ]
    saliency = np.stack([mean if mean is not None else np.zeros(BANDS) for mean in means], axis=1)
    seconds = len(means) * step * 2 * settings.hop / SAMPLE_RATE
    return Drawable(saliency.astype(np.float32), thin.means(), clip.first, seconds)


class _Thin:
    """Means of so many frames each, of blocks that pass by."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._sums: list[NDArray[np.float64]] = []
        self._counts: list[int] = []

    def watch(self, blocks: Iterable[Floats]) -> Iterator[Floats]:
        at = 0
        for block in blocks:
            first = 0
            while first < len(block):
                here = at + first
                last = min(len(block), first + self._frames - here % self._frames)
                if here // self._frames == len(self._sums):
                    self._sums.append(np.zeros(BINS))
                    self._counts.append(0)
                self._sums[-1] += block[first:last].sum(axis=0)
                self._counts[-1] += last - first
                first = last
            at += len(block)
            yield block

    def means(self) -> Floats:
        return np.asarray((np.stack(self._sums) / np.array(self._counts)[:, None]).T, np.float32)


def draw(found: Drawable, title: str) -> NDArray[np.uint8]:
    """The picture: spectrogram in grey, saliency over it from dark red to yellow.

    Returns:
        (618, 1220, 3) uint8, blue, green, red.
    """
    grey = _unit(found.spectrogram, *np.percentile(found.spectrogram, (5.0, 99.8)))
    top = float(np.percentile(found.saliency, 99.5))
    salient = _unit(found.saliency, 0.0, top if top > 0 else 1.0)
    below = cv2.cvtColor(_image(0.15 + 0.75 * grey), cv2.COLOR_GRAY2BGR).astype(np.float32)
    heat = cv2.applyColorMap(_image(0.2 + 0.55 * salient), cv2.COLORMAP_HOT).astype(np.float32)
    share = _image(np.sqrt(salient))[..., None].astype(np.float32) / 255.0 * 0.85
    plot = below * (1.0 - share) + heat * share
    canvas = np.full((_TOP + HEIGHT + _BOTTOM, _LEFT + WIDTH + _RIGHT, 3), _PAPER, np.uint8)
    canvas[_TOP : _TOP + HEIGHT, _LEFT : _LEFT + WIDTH] = np.round(plot).astype(np.uint8)
    _axes(canvas, found)
    _text(canvas, title, (_LEFT, 30), 0.6)
    return canvas


def _unit(values: Floats, low: float, high: float) -> Floats:
    return np.asarray(np.clip((values - low) / max(high - low, 1e-9), 0.0, 1.0), np.float32)


def _image(unit: Floats) -> NDArray[np.uint8]:
    """Low frequencies at the bottom, at the picture's size."""
    whole: Any = cv2.resize(unit[::-1], (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.round(np.clip(whole, 0, 1) * 255), np.uint8)


def _axes(canvas: NDArray[np.uint8], found: Drawable) -> None:
    floor = _TOP + HEIGHT
    cv2.rectangle(canvas, (_LEFT - 1, _TOP - 1), (_LEFT + WIDTH, floor), _INK, 1)
    for kilohertz in range(9):
        y = floor - round(kilohertz / 8 * HEIGHT)
        cv2.line(canvas, (_LEFT - 6, y), (_LEFT - 1, y), _INK, 1)
        _text(canvas, f"{kilohertz} kHz", (_LEFT - 64, y + 5))
    step = next((s for s in _STEPS if found.seconds / s <= 12), 7200)
    tick = np.ceil(found.start / step) * step
    while tick <= found.start + found.seconds + 1e-6:
        x = _LEFT + round((tick - found.start) / found.seconds * WIDTH)
        cv2.line(canvas, (x, floor), (x, floor + 6), _INK, 1)
        _text(canvas, f"{tick:g}", (x - 4 * len(f"{tick:g}"), floor + 22))
        tick += step
    _text(canvas, "seconds", (_LEFT + WIDTH // 2 - 30, floor + 44))


def _text(canvas: NDArray[np.uint8], words: str, at: tuple[int, int], size: float = 0.45) -> None:
    plain = words.encode("ascii", "replace").decode()
    cv2.putText(canvas, plain, at, cv2.FONT_HERSHEY_SIMPLEX, size, _INK, 1, cv2.LINE_AA)
