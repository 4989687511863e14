"""Scores of soundscapes, and how scores become events: chosen on validation soundscapes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

from aver.corpora.sound_event import SoundEvent
from aver.evaluation.sound_events import EventFigures, Rule, event_based
from aver.features.sound_events import (
    NON_VERBAL,
    VERBAL,
    Decoding,
    DetectedEvent,
    LogMelSettings,
    find_events,
    frame_count,
    median_filtered,
)
from aver.models.sed_crnn import FrameScores, SedCrnn
from aver.training.sound_event_data import Names, Scapes

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
PEAKS = (0.0, 0.5, 0.7, 0.8, 0.9)
MEDIAN_SECONDS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75)
GAP_SECONDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
MINIMUM_SECONDS = (0.0, 0.1, 0.2, 0.3, 0.4)

Scores = Mapping[str, NDArray[np.float32]]
"""Name -> (scapes, frames) in [0, 1]."""


@torch.no_grad()
def score(network: SedCrnn, scapes: Scapes, settings: LogMelSettings, names: Names) -> Scores:
    """Scores of every frame of every soundscape.

    Args:
        network: trained.
        scapes: what to listen to.
        settings: with the mean and deviation that the network was trained with.
        names: of the outputs.
    """
    scorer = FrameScores(network).eval()
    mean, std = (torch.tensor(values) for values in (settings.mean, settings.std))
    found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names.all}
    for at in range(0, len(scapes.files), 32):
        frames = torch.from_numpy(scapes.frames[at : at + 32]).float()
        labels, verbal, non_verbal, *_ = scorer((frames - mean) / std)
        found[VERBAL].append(verbal.numpy())
        found[NON_VERBAL].append(non_verbal.numpy())
        for column, name in enumerate(names.labels):
            found[name].append(labels[:, :, column].numpy())
    return {name: np.concatenate(parts) for name, parts in found.items()}


@dataclass(frozen=True)
class Judge:
    """Compares decoded scores of one part with what is heard in it.

    Attributes:
        scapes: the part.
        names: of what is detected.
        log_mel: the spectrogram's settings.
    """

    scapes: Scapes
    names: Names
    log_mel: LogMelSettings

    def detected(
        self, name: str, scores: NDArray[np.float32], decoding: Decoding
    ) -> dict[str, list[DetectedEvent]]:
        """File name -> events of *name*; frames beyond a soundscape's end do not count."""
        found = {}
        for file, row, seconds in zip(
            self.scapes.files, scores, self.scapes.seconds.tolist(), strict=True
        ):
            frames = frame_count(round(seconds * self.log_mel.rate), self.log_mel)
            events = find_events(row[:frames], name, decoding, self.log_mel.hop)
            found[file.name] = [e._replace(end=min(e.end, seconds)) for e in events]
        return found

    def reference(self, *wanted: str) -> dict[str, list[SoundEvent]]:
        """File name -> what detectors of *wanted* should find."""
        return {
            file: [event for name in wanted for event in self.names.reference(events, name)]
            for file, events in self.scapes.events.items()
        }

    def figures(
        self, name: str, scores: NDArray[np.float32], decoding: Decoding, rule: Rule = "collar"
    ) -> EventFigures:
        """Event-based figures of one name."""
        return event_based(
            self.reference(name), self.detected(name, scores, decoding), (name,), rule
        )


def choose_decoding(
    judge: Judge, name: str, scores: NDArray[np.float32], rule: Rule = "collar"
) -> Decoding:
    """The decoding of *name* with the highest event-based F1 on a part.

    First threshold, peak and median filter together, then gaps and short events, then threshold
    and peak again in finer steps.

    Args:
        judge: of the validation soundscapes, never of the test's.
        name: a detector or a label.
        scores: (scapes, frames) of that part.
        rule: of that F1.
    """
    hop = judge.log_mel.hop
    reference = judge.reference(name)
    medians = sorted({2 * round(seconds / hop / 2) + 1 for seconds in MEDIAN_SECONDS})
    filtered = {m: np.stack([median_filtered(row, m) for row in scores]) for m in medians}

    def f1(decoding: Decoding) -> float:
        plain = decoding.model_copy(update={"median": 1})
        detected = judge.detected(name, filtered[decoding.median], plain)
        return event_based(reference, detected, (name,), rule).f1

    first = [
        Decoding(threshold=threshold, peak=peak, median=median)
        for threshold, peak, median in product(THRESHOLDS, PEAKS, medians)
        if not peak or peak > threshold
    ]
    best = _best(first, f1)
    second = [
        best.model_copy(update={"gap": gap, "minimum": minimum})
        for gap, minimum in product(GAP_SECONDS, MINIMUM_SECONDS)
    ]
    best = _best(second, f1)
    steps = (0.0, -0.05, 0.05)
    third = [
        best.model_copy(
            update={
                "threshold": round(max(best.threshold + step, 0.02), 3),
                "peak": round(max(best.peak + other, 0.0), 3) if best.peak else 0.0,
            }
        )
        for step, other in product(steps, steps)
    ]
    return _best(third, f1)


def _best(some: Sequence[Decoding], f1: Callable[[Decoding], float]) -> Decoding:
    """The one with the highest F1, of several the first; NaN (no event at all) is lowest."""
    return max(some, key=lambda one: np.nan_to_num(f1(one), nan=-1.0))
