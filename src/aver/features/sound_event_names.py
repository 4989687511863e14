"""Which human sound an event is: when, from the two binary detectors; what, from the labels.

The binary detectors find starts and ends far better than the labels by themselves, and a voice that
is as likely a man's as a woman's would be two events at once if each label were decoded alone. So
an event of the verbal detector is named after the verbal label with the highest scores in it, and
cut where another one leads for long enough; the same for non-verbal ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.features.sound_events import (
    NON_VERBAL,
    VERBAL,
    DetectedEvent,
    DetectorSettings,
    find_events,
)

LEAST_SECONDS = 1.0
"""Shortest part of an event that has a name of its own (chosen on validation soundscapes)."""

Scores = Mapping[str, NDArray[np.floating[Any]]]
"""Name -> (frames,) in [0, 1], of both binary detectors and of every label."""


def leading_names(settings: DetectorSettings) -> tuple[str, ...]:
    """Names whose scores say when there is an event."""
    groups = _groups(settings)
    grouped = {label for labels in groups.values() for label in labels}
    return (*groups, *(label for label in settings.labels if label not in grouped))


def named_events(scores: Scores, settings: DetectorSettings) -> list[DetectedEvent]:
    """The events of a sound, each with a label; by start, end and label.

    A label that belongs to neither binary detector is decoded by itself.

    Args:
        scores: of all names.
        settings: the detector's.

    Returns:
        Events whose ``score`` is the mean of their label's scores.
    """
    groups, hop = _groups(settings), settings.log_mel.hop
    found: list[DetectedEvent] = []
    for name in leading_names(settings):
        events = find_events(scores[name], name, settings.decoding_of(name), hop)
        if name not in groups:
            found += events
            continue
        labels = groups[name]
        columns = np.stack([np.asarray(scores[label], np.float32) for label in labels], axis=1)
        for event in events:
            first, last = round(event.start / hop), round(event.end / hop)
            for start, end in _pieces(columns[first:last], LEAST_SECONDS / hop):
                means = columns[first + start : first + end].mean(axis=0)
                best = int(means.argmax())
                span = (first + start) * hop, (first + end) * hop
                found.append(DetectedEvent(*span, labels[best], float(means[best])))
    return sorted(found)


def _groups(settings: DetectorSettings) -> dict[str, tuple[str, ...]]:
    groups = {VERBAL: settings.verbal, NON_VERBAL: settings.non_verbal}
    return {name: labels for name, labels in groups.items() if labels}


def _pieces(scores: NDArray[np.float32], least: float) -> list[tuple[int, int]]:
    """Cut (frames, labels) where the leading label changes; pieces below *least* frames join."""
    leading = scores.argmax(axis=1)
    borders = [0, *(np.flatnonzero(np.diff(leading)) + 1).tolist(), len(leading)]
    pieces: list[list[int]] = []  # start, end, leading label
    for start, end in pairwise(borders):
        label = int(leading[start])
        last = pieces[-1] if pieces else None
        if last is None or (
            last[2] != label and end - start >= least and last[1] - last[0] >= least
        ):
            pieces.append([start, end, label])
            continue
        if last[1] - last[0] < min(least, end - start):  # too short to name what it joins
            last[2] = label
        last[1] = end
    return [(start, end) for start, end, _ in pieces]
