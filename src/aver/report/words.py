"""One plain sentence per person. The words speak of expressed emotion, never of feelings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aver.report.runs import leading_modality, moment, tracks, without_overlap, without_picture
from aver.timeline import Modality, Segment, Timeline

CLEAR = 1.6
"""A mean score below this many times chance (one over the number of labels) is no clear lead."""


def describe(timeline: Timeline) -> list[str]:
    """Sentences that sum a timeline up, one per person and one for voices that belong to nobody.

    For example ``Person 1 mostly shows happy (mean 0.62), strongest at 0:07.`` Means are over
    windows, weighted by their length, weak ones by half. An empty timeline gets one sentence that
    says so.
    """
    sentences = [
        _sentence(timeline, person, by_modality) for person, by_modality in tracks(timeline).items()
    ]
    return sentences or ["No face and no voice was found, so there is nothing to score."]


def own_recordings(model: Mapping[str, Any]) -> str:
    """Whose scores were calibrated on their own other recordings, and on how much of them.

    Args:
        model: :attr:`aver.timeline.Timeline.model`.

    Returns:
        Two sentences, or nothing where no calibration was asked for.
    """
    facts = model.get("calibration")
    if not isinstance(facts, Mapping):
        return ""
    clips = facts.get("clips")
    count = len(clips) if isinstance(clips, list | tuple) else 0
    size = (
        f"{count} other recording{'' if count == 1 else 's'} "
        f"({facts.get('face_windows', 0)} windows of the face, "
        f"{facts.get('voice_windows', 0)} of the voice)"
    )
    if not facts.get("applied"):
        return f"Calibration on {size} was asked for, but not applied: see the warnings."
    person = facts.get("person")
    whose = "The voice's" if person is None else f"Person {person}'s"
    taken = "mean and spread" if facts.get("mode") == "mean_and_spread" else "mean"
    return (
        f"{whose} scores are calibrated on {size} of theirs: what they look and sound like "
        f"on average (the {taken} of their embeddings) was taken out. "
        "Nobody else's scores are changed by it."
    )


def _sentence(
    timeline: Timeline, person: int | None, by_modality: dict[Modality, list[Segment]]
) -> str:
    modality = leading_modality(by_modality)
    if person is not None:
        subject = f"Person {person}"
    elif without_picture(timeline):
        subject = "The voice"
    else:
        subject = "A voice that belongs to nobody in view"
    if modality is None:
        return f"{subject} was seen too briefly for a score."
    segments = by_modality[modality]
    means = timeline.summary(modality)[person]
    label = max(means, key=means.__getitem__)
    index = timeline.labels.index(label)
    firm = [s for s in segments if not s.weak] or segments
    strongest = max(firm, key=lambda s: s.scores[index])
    where = f", strongest at {moment(strongest.start, timeline)}"
    verb = "sounds" if person is None or modality == "voice" else "shows"
    carries = "shows" if verb == "shows" else "carries"
    if len(segments) == 1 and means[label] >= CLEAR / len(timeline.labels):
        core = f"{verb} {label} ({means[label]:.2f})"
    elif means[label] < CLEAR / len(timeline.labels):
        core = f"{carries} no clear expression; {label} leads (mean {means[label]:.2f})"
    elif _share(segments, index) >= 0.5:
        core = f"mostly {verb} {label} (mean {means[label]:.2f}){where}"
    else:
        core = f"{verb} {label} more than anything else (mean {means[label]:.2f}){where}"
    weak = sum(e - s for s, e, window in without_overlap(segments) if window.weak)
    total = sum(e - s for s, e, _ in without_overlap(segments))
    caution = "; the evidence is mostly weak" if total and weak / total > 0.5 else ""
    return f"{subject} {core}{caution}."


def _share(segments: list[Segment], label: int) -> float:
    """Part of the time in which *label* is the strongest, in [0, 1]."""
    windows = without_overlap(segments)
    total = sum(end - start for start, end, _ in windows)
    return sum(e - s for s, e, w in windows if w.best == label) / total if total else 0.0
