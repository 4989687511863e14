"""What the sound event detector makes of a sound: its last hidden layers as features.

Fea-TF SCMA (section II-B.2) takes the output of the last hidden layer of the verbal and of the
non-verbal detector as its sound-semantic features, one row a frame of the film at 25 frames a
second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aver.features.extractor import Clip, Extractor, ExtractorSettings, Features, register_extractor
from aver.features.sound_event_detector import SEMANTICS, SoundEventDetector
from aver.features.sound_events import NON_VERBAL, VERBAL
from aver.features.sound_parts import sound_parts
from aver.features.weights import file_hash, seen_by, weights_path
from aver.media import SAMPLE_RATE

Floats = NDArray[np.float32]

_SLIVER_SECONDS = 1e-3


class SoundSemanticsSettings(ExtractorSettings):
    """Settings of the extractor ``sound_semantics``.

    Attributes:
        network: name or path of the sound event detector.
        which: the last hidden layer of the ``verbal`` detector, of the ``non_verbal`` one, or
            ``all``: both side by side.
        rate: rows a second; row *k* covers ``[k, k + 1) / rate`` seconds.
        align: the detector's frames are read at the middle of each row: the ``nearest`` one, or
            ``linear`` between the two around it.
    """

    network: str = "sound_events"
    which: Literal["verbal", "non_verbal", "all"] = "all"
    rate: float = Field(25.0, gt=0, le=1000)
    align: Literal["nearest", "linear"] = "linear"


@register_extractor("sound_semantics")
class SoundSemantics(Extractor):
    """(rows, width) of the last hidden layer, see :class:`SoundSemanticsSettings`.

    The sound is read in pieces and the network run in chunks with context, so a film fits into
    memory; every row of a clip with sound is present.
    """

    version = 1
    Settings = SoundSemanticsSettings
    modality = "sound"
    ignored_settings = frozenset({"network"})

    def __init__(self, settings: SoundSemanticsSettings | None = None):
        super().__init__(settings)
        self._detector: SoundEventDetector | None = None

    @property
    def detector(self) -> SoundEventDetector:
        """The network, loaded when first needed."""
        if self._detector is None:
            self._detector = SoundEventDetector(weights_path(self.settings.network))
        return self._detector

    @property
    def outputs(self) -> tuple[str, ...]:
        """Which outputs of the network are taken, in their order."""
        which = self.settings.which
        names = (VERBAL, NON_VERBAL) if which == "all" else (which,)
        return tuple(SEMANTICS[name] for name in names)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(width,)``."""
        return (sum(self.detector.widths[name] for name in self.outputs),)

    @property
    def seen_subjects(self) -> frozenset[str]:
        """Whom the network was trained on, as its file says; see :func:`.weights.seen_by`."""
        # The file names every speaker, the catalogue whole corpora.
        stated = frozenset(self.detector.settings.seen_subjects)
        return stated or seen_by(self.settings.network, "sound_events", self.detector.metadata)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """Hash of the network."""
        return {"network": file_hash(weights_path(self.settings.network))}

    def extract(self, clip: Clip) -> Features:
        """Values (rows, width).

        Raises:
            MediaError: if the clip has no sound.
            ModelError: if the network is missing or another one.
        """
        rate = self.settings.rate
        rows = Rows(rate, self.detector.settings.log_mel.hop, self.settings.align)
        stream = self.detector.start(self.outputs)
        samples = 0
        for part in sound_parts(clip):
            samples += len(part)
            for found in stream.push(part):
                rows.push(self._beside(found))
        for found in stream.finish():
            rows.push(self._beside(found))
        seconds = samples / SAMPLE_RATE
        count = max(1, math.ceil((seconds - _SLIVER_SECONDS) * rate))
        starts = np.arange(count) / rate
        times = np.minimum(np.stack([starts, starts + 1.0 / rate], axis=1), seconds)
        return Features(rows.finish(count), times.astype(np.float32), np.ones(count, np.bool_))

    def _beside(self, found: Mapping[str, Floats]) -> Floats:
        return np.concatenate([found[name] for name in self.outputs], axis=1)


class Rows:
    """Frames that come in pieces, read at the middle of rows of another rate.

    Before the first frame's middle and after the last one's, their own values go on.

    Args:
        rate: rows a second.
        hop: seconds from one frame to the next; frame *j* is in the middle of
            ``[j, j + 1) * hop``.
        align: ``nearest`` or ``linear``.
    """

    def __init__(self, rate: float, hop: float, align: Literal["nearest", "linear"]):
        self._rate, self._hop, self._align = rate, hop, align
        self._held: Floats | None = None
        self._first = 0  # the held frames' first, counted from the beginning
        self._rows = 0
        self._found: list[Floats] = []

    def push(self, frames: Floats) -> None:
        """Take the next frames (frames, width)."""
        self._held = frames if self._held is None else np.concatenate([self._held, frames])
        last = self._first + len(self._held) - 1
        # Rows that lie at or before the last frame's middle are known by now.
        known = math.floor((last + 0.5) * self._hop * self._rate - 0.5 + 1e-9) + 1
        self._read(max(known, self._rows))
        following = math.floor((self._rows + 0.5) / self._rate / self._hop - 0.5)
        kept = min(max(0, following - self._first), len(self._held) - 1)
        self._held, self._first = self._held[kept:], self._first + kept

    def finish(self, count: int) -> Floats:
        """All *count* rows (count, width).

        Raises:
            ValueError: if there was no frame.
        """
        if self._held is None:
            raise ValueError("there was no frame")
        self._read(max(count, self._rows))
        return np.concatenate(self._found)[:count]

    def _read(self, end: int) -> None:
        assert self._held is not None
        places = (np.arange(self._rows, end) + 0.5) / self._rate / self._hop - 0.5
        at = (places - self._first).clip(0, len(self._held) - 1)
        if self._align == "nearest":
            values = self._held[np.floor(at + 0.5 - 1e-9).astype(np.intp)]
        else:
            lower = np.floor(at + 1e-9).astype(np.intp)
            upper = np.minimum(lower + 1, len(self._held) - 1)
            share = (at - lower).clip(0, 1)[:, None].astype(np.float32)
            values = self._held[lower] * (1 - share) + self._held[upper] * share
        self._found.append(np.asarray(values, np.float32))
        self._rows = end
