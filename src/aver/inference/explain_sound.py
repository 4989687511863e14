"""Class activation maps over a stretch of sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aver.features.voice_embedding import VoiceEmbedder
from aver.inference.explain_maps import Map, look_at_sound
from aver.inference.explain_moments import Spans, note
from aver.inference.networks import Floats


@dataclass(frozen=True)
class SoundWindow:
    """Half a second of sound.

    Attributes:
        start: seconds.
        end: seconds.
        log_mel: (48, 64) as the voice network took it; None in silence.
        map: its map; None in silence.
    """

    start: float
    end: float
    log_mel: Floats | None
    map: Map | None


@dataclass(frozen=True)
class Sound:
    """A stretch of sound with its class activation maps.

    Attributes:
        emotion: the emotion they are of.
        windows: without a gap, in time order.
    """

    emotion: str
    windows: list[SoundWindow]


def sound_of(
    network: VoiceEmbedder,
    log_mel: Mapping[int, NDArray[np.floating] | None],
    spans: Spans,
    emotion: str,
    labels: tuple[str, ...],
    notes: list[str],
) -> Sound | None:
    """Draw a stretch of sound; None where it is silent, or the network knows no such emotion.

    Args:
        network: the voice network.
        log_mel: (48, 64) by window, None in silence.
        spans: start and end of every window.
        emotion: a label of the fusion network.
        labels: the voice network's.
        notes: what cannot be drawn is added here.

    Raises:
        ModelError: if the network's file gives no maps.
    """
    heard = {i: np.asarray(x, np.float32) for i, x in sorted(log_mel.items()) if x is not None}
    if not heard:
        return None
    maps = look_at_sound(network, np.stack(list(heard.values())), emotion, labels)
    if maps is None:
        note(notes, f"The voice network knows no {emotion}; no sound is drawn.")
        return None
    found = dict(zip(heard, maps, strict=True))
    return Sound(
        emotion,
        [
            SoundWindow(*spans[i], heard.get(i), found.get(i))
            for i in range(min(log_mel), max(log_mel) + 1)
            if i in spans
        ],
    )
