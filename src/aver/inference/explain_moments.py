"""The most telling moments of each person, and what the networks looked at in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from aver.inference.explain_attention import (
    Bools,
    present_only,
    summarise,
    window_weights,
    without_each_window,
)
from aver.inference.explain_maps import Map, look_at_faces
from aver.inference.networks import Floats
from aver.inference.people import FaceWindow
from aver.timeline import Modality, Segment

if TYPE_CHECKING:
    from aver.inference.analyze import Analyzer

_SPACING_SECONDS: Final = 4.0
"""Two moments of a person lie at least a context apart, or they would show the same twice."""

_MOST_PEOPLE: Final = 24
"""People whose moments are remembered; of more, those that were scored least are forgotten."""

Spans = Mapping[int, tuple[float, float]]


@dataclass
class Candidate:
    """A scored window that may become a :class:`Moment`, with all it was scored from.

    Attributes:
        index: the window.
        windows: the windows of its context, in the order of the network's positions.
        segments: its scores, by modality.
        inputs: face, face mask, voice, voice mask, as the fusion network took them.
        layers: ``face`` and ``voice``: attention weights (layers, heads, windows, windows).
        seen: the person's face in the windows of the context, as far as there is one.
        sound: log-mel of the context's windows in which this person is heard.
    """

    index: int
    windows: list[int]
    segments: dict[Modality, Segment]
    inputs: tuple[Floats, Bools, Floats, Bools]
    layers: dict[str, Floats]
    seen: dict[int, FaceWindow]
    sound: dict[int, Floats | None]


class Moments:
    """The best candidates of every person and emotion.

    Args:
        keep: at most so many for each emotion.
        at: only the window that holds this time, in seconds.
    """

    def __init__(self, keep: int, at: float | None = None):
        self.keep, self.at = keep, at
        self._best: dict[int | None, list[list[tuple[tuple[bool, float], Candidate]]]] = {}
        self._offers: dict[int | None, int] = {}

    def offer(
        self,
        person: int | None,
        fused: Segment,
        labels: int,
        make: Callable[[], Candidate],
    ) -> None:
        """Remember a window if it is among the person's best for some emotion.

        Args:
            person: the raw number.
            fused: its scores.
            labels: how many emotions there are.
            make: makes the candidate; called if it is remembered.
        """
        if self.at is not None and not fused.start <= self.at < fused.end:
            return
        self._offers[person] = self._offers.get(person, 0) + 1
        best = self._best.setdefault(person, [[] for _ in range(labels)])
        candidate: Candidate | None = None
        for label, kept in enumerate(best):
            rank = (not fused.weak, fused.scores[label])
            near = [
                entry
                for entry in kept
                if abs(entry[1].segments["fused"].start - fused.start) < _SPACING_SECONDS
            ]
            if any(entry[0] >= rank for entry in near):
                continue
            others = [entry for entry in kept if entry not in near]
            if len(others) >= self.keep and others[-1][0] >= rank:
                continue
            candidate = candidate or make()
            ordered = sorted([*others, (rank, candidate)], key=lambda e: e[0], reverse=True)
            best[label] = ordered[: self.keep]
        if len(self._best) > _MOST_PEOPLE:
            least = min((p for p in self._best if p != person), key=lambda p: self._offers[p])
            del self._best[least]

    def of(self, person: int | None, label: int) -> list[Candidate]:
        """The person's best moments for an emotion, in time order."""
        kept = self._best.get(person)
        return sorted((c for _, c in kept[label]), key=lambda c: c.index) if kept else []


@dataclass(frozen=True)
class ContextWindow:
    """One window of a moment's context, in one modality.

    Attributes:
        start: seconds.
        end: seconds.
        present: whether there was a face, or a voice.
        mean: attention weight, averaged over layers and heads; those of a modality add up to 1.
        rollout: the same by attention rollout.
        change: how the fused score of the emotion changes without this window; None where it
            cannot be left out.
    """

    start: float
    end: float
    present: bool
    mean: float
    rollout: float
    change: float | None


@dataclass(frozen=True)
class Face:
    """A face of a moment's context.

    Attributes:
        time: seconds, when it was seen.
        crop: (96, 96, 3) RGB, the clearest of its window.
        map: what the face network looked at in it; values (6, 6).
    """

    time: float
    crop: NDArray[np.uint8]
    map: Map


@dataclass
class Moment:
    """One window that was scored, and what the networks looked at.

    Attributes:
        start: seconds.
        end: seconds.
        emotion: the emotion it is drawn for.
        scores: its score of that emotion by modality, as far as there is one.
        weak: whether the evidence is thin.
        windows: ``face`` and ``voice``: the context, in time order.
        faces: the face of each window of the context, None without one.
        layers: ``face`` and ``voice``: (layers, windows) attention weights of each layer.
        sound: log-mel of the context's windows, None where this person is not heard.
    """

    start: float
    end: float
    emotion: str
    scores: dict[Modality, float]
    weak: bool
    windows: dict[str, list[ContextWindow]]
    faces: list[Face | None]
    layers: dict[str, Floats] = field(repr=False)
    sound: dict[int, Floats | None] = field(repr=False)


def moment_of(
    analyzer: Analyzer, candidate: Candidate, emotion: str, spans: Spans, notes: list[str]
) -> Moment:
    """Draw one moment.

    Args:
        analyzer: the networks.
        candidate: what was remembered.
        emotion: a label of the fusion network.
        spans: start and end of every window.
        notes: what cannot be drawn is added here.

    Raises:
        ModelError: if the face network's file gives no maps.
    """
    label = analyzer.fusion.labels.index(emotion)
    fused = candidate.segments["fused"]
    faces = _faces(analyzer, candidate.seen, emotion, notes)
    face, face_mask, voice, voice_mask = candidate.inputs
    changes = without_each_window(analyzer.fusion, face, face_mask, voice, voice_mask)
    windows, layers = {}, {}
    for branch, present, change in zip(
        ("face", "voice"), (face_mask, voice_mask), changes, strict=True
    ):
        weights = candidate.layers[branch]
        summed = [
            window_weights(summarise(weights, present, how), present) for how in ("mean", "rollout")
        ]
        windows[branch] = [
            ContextWindow(
                *spans[i],
                bool(present[t]),
                float(summed[0][t]),
                float(summed[1][t]),
                None if np.isnan(change[t, label]) else float(change[t, label]),
            )
            for t, i in enumerate(candidate.windows)
            if i in spans
        ]
        per_layer = window_weights(present_only(weights, present).mean(axis=1), present)
        layers[branch] = per_layer[:, : len(windows[branch])]
    voiced = {i: candidate.sound.get(i) for i in candidate.windows if i in spans}
    return Moment(
        fused.start,
        fused.end,
        emotion,
        {m: s.scores[label] for m, s in candidate.segments.items()},
        fused.weak,
        windows,
        [faces.get(i) for i in candidate.windows if i in spans],
        layers,
        voiced,
    )


def _faces(
    analyzer: Analyzer, seen: dict[int, FaceWindow], emotion: str, notes: list[str]
) -> dict[int, Face]:
    if not seen:
        return {}
    crops = np.stack([window.best_crop for window in seen.values()])
    maps = look_at_faces(analyzer.front.face, crops, emotion)
    if maps is None:
        note(notes, f"The face network knows no {emotion}; no face is drawn.")
        return {}
    return {
        i: Face(window.best_time, window.best_crop, found)
        for (i, window), found in zip(seen.items(), maps, strict=True)
    }


def note(notes: list[str], text: str) -> None:
    """Add *text* once."""
    if text not in notes:
        notes.append(text)
