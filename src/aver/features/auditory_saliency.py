"""The extractor of auditory saliency: which bands stand out, and how much, window by window.

Kayser et al. 2005, with the scale pairs of Wu, Li & Lee (*An audio-saliency masking transformer for
audio emotion classification in movies*, section 2.2): a map of 257 bands, averaged over windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from aver.errors import MediaError
from aver.features.auditory_saliency_fields import BANDS, PAPER_PAIRS, PROGRAM_PAIRS, Pairs
from aver.features.auditory_saliency_map import FFT, log_spectrum_blocks
from aver.features.auditory_saliency_stream import in_order, measure
from aver.features.auditory_saliency_weights import Scale
from aver.features.extractor import Clip, Extractor, Features, register_extractor
from aver.features.sound_parts import sound_parts
from aver.features.windows import WindowSettings, window_spans
from aver.media import SAMPLE_RATE

PAIRS: Final[dict[str, Pairs]] = {"paper": PAPER_PAIRS, "program": PROGRAM_PAIRS}


class AuditorySaliencySettings(WindowSettings):
    """Settings of the map, in samples of 16 kHz.

    Attributes:
        frame: samples of a frame (Hann window) of the spectrogram; its FFT is 1024.
        hop: samples from one frame to the next; two frames are a column of the map.
        pairs: which scales are held against each other: the paper's four, or the five of the 2005
            program.
        scale: what the normalisation calls loud: the maximum of the whole ``clip``, as in the
            program, which was made for short sounds; or that of the ``stretch`` of 2 to 7 s
            around, with which the quiet parts of a film weigh no more than its loud ones.
    """

    frame: int = Field(800, ge=16, le=FFT)
    hop: int = Field(160, ge=16, le=FFT)
    pairs: Literal["paper", "program"] = "paper"
    scale: Scale = "clip"

    @model_validator(mode="after")
    def _windows_hold_columns(self) -> AuditorySaliencySettings:
        if 0 < self.window_seconds < 2 * self.hop / SAMPLE_RATE:
            raise ValueError("window_seconds is shorter than a column of the map (2 x hop)")
        return self


@register_extractor("auditory_saliency")
class AuditorySaliency(Extractor):
    """Mean of the auditory saliency map: (windows, 257), rows from 0 Hz to 8 kHz.

    0 says that nothing stands out. With ``window_seconds = 5`` these are the saliencies of the
    paper's segments. Read in bounded memory, whatever the length.
    """

    version = 1
    Settings = AuditorySaliencySettings
    modality = "sound"

    @property
    def shape(self) -> tuple[int, ...]:
        """``(257,)``."""
        return (BANDS,)

    @property
    def names(self) -> tuple[str, ...]:
        """``saliency_0_hz`` and so on: the frequency of each row."""
        return tuple(f"saliency_{band * SAMPLE_RATE // (FFT // 2)}_hz" for band in range(BANDS))

    def extract(self, clip: Clip) -> Features:
        """Measure one clip."""
        s = self.settings
        samples = 0

        def parts() -> Iterator[NDArray[np.float32]]:
            nonlocal samples
            for part in sound_parts(clip):
                samples += len(part)
                yield part

        blocks = log_spectrum_blocks(parts(), s.frame, s.hop)
        measured = measure(blocks, PAIRS[s.pairs], in_order(self._borders()))
        seconds = samples / SAMPLE_RATE
        if not measured.columns:
            least = (s.frame + s.hop) / SAMPLE_RATE
            raise MediaError(
                clip.file, f"its sound lasts {seconds:.3f} s, less than two frames ({least:.3f} s)"
            )
        spans = window_spans(seconds, s)
        values = np.zeros((len(spans), BANDS), np.float32)
        present = np.zeros(len(spans), np.bool_)
        for row, (start, end) in enumerate(spans):
            last = self._column(end) if s.window_seconds else measured.columns
            mean = measured.mean(self._column(start), min(last, measured.columns), s.scale)
            if mean is not None:
                values[row], present[row] = mean, True
        return Features(values, np.minimum(spans, seconds).astype(np.float32), present)

    def _column(self, seconds: float) -> int:
        """The first column whose centre is not before *seconds*."""
        s = self.settings
        centre_of_first = (s.frame + s.hop) / 2
        return max(0, int(np.ceil((seconds * SAMPLE_RATE - centre_of_first) / (2 * s.hop) - 1e-6)))

    def _borders(self) -> Iterator[int]:
        """Columns at which windows begin or end, rising."""
        s = self.settings
        if not s.window_seconds:
            return
        hop = s.hop_seconds or s.window_seconds
        starts, ends = 0, 0
        while True:
            start, end = self._column(starts * hop), self._column(ends * hop + s.window_seconds)
            if start <= end:
                starts += 1
            else:
                ends += 1
            yield min(start, end)
