"""How well sound events were detected: event-based and segment-based figures, by sed_eval.

sed_eval (Mesaros et al. 2016) is the field's own program; it comes with the extra ``sed``. What is
added here: which rule says that a detected event is a reference event, and intervals by bootstrap
over the recordings.

Rules of the event-based figures, always one to one and with the same label:

* ``collar``: start within 200 ms; end within 200 ms or a fifth of the reference's length, whichever
  is more (reference 21 of the Fea-TF SCMA paper, section "metrics": the DCASE challenge's rule);
* ``strict``: start and end within 200 ms;
* ``overlap``: the two overlap in time at all (that paper's section II-E, by its words).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from aver.errors import AverError
from aver.evaluation.intervals import bootstrap_metric

COLLAR = 0.2
"""Seconds by which a start may be off."""

Rule = Literal["collar", "strict", "overlap"]
RULES: tuple[Rule, ...] = ("collar", "strict", "overlap")

_SHARE_OF_LENGTH = {"collar": 0.2, "strict": 0.0, "overlap": 0.0}


class Event(Protocol):
    """Anything with ``start`` and ``end`` in seconds, and a ``label``."""

    @property
    def start(self) -> float: ...  # noqa: D102
    @property
    def end(self) -> float: ...  # noqa: D102
    @property
    def label(self) -> str: ...  # noqa: D102


Events = Mapping[str, Sequence[Event]]
"""Recording -> its events."""


@dataclass(frozen=True)
class EventFigures:
    """Figures of one system.

    Attributes:
        f1: in [0, 1]; NaN without any reference event, as recall and the error rate are.
        precision: share of the detected events that are right.
        recall: share of the reference events that were found.
        error_rate: substitutions, deletions and insertions for each reference event; may exceed 1.
        class_f1: label -> F1.
        counts: (recordings, 4) of each recording: reference events, detected ones, matches,
            substitutions (of segments, where segments were counted).
    """

    f1: float
    precision: float
    recall: float
    error_rate: float
    class_f1: dict[str, float] = field(repr=False)
    counts: NDArray[np.float64] = field(repr=False)

    @property
    def macro_f1(self) -> float:
        """Mean of the labels' F1, those without a reference event left out."""
        known = [value for value in self.class_f1.values() if not math.isnan(value)]
        return float(np.mean(known)) if known else math.nan

    def f1_interval(self, *, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
        """95 % interval of ``f1``, by bootstrap over the recordings."""
        return self._interval(_f1, draws, seed)

    def error_rate_interval(self, *, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
        """95 % interval of ``error_rate``, by bootstrap over the recordings."""
        return self._interval(_error_rate, draws, seed)

    def _interval(self, metric: Any, draws: int, seed: int) -> tuple[float, float]:
        recordings = np.arange(len(self.counts))
        return bootstrap_metric(metric, (self.counts,), recordings, draws=draws, seed=seed)


def event_based(
    reference: Events, detected: Events, labels: Sequence[str], rule: Rule = "collar"
) -> EventFigures:
    """Event-based figures (see the module's docstring).

    Args:
        reference: events as they are, by recording; every recording counts, those without an
            event too.
        detected: events as detected; a recording that is missing has none.
        labels: those that count; events with others are left out on both sides.
        rule: when a detected event is a reference event.

    Raises:
        AverError: if the extra ``sed`` is missing, or *detected* names a recording that
            *reference* does not know.
    """
    _check_recordings(reference, detected)
    made = _metrics(rule)(
        event_label_list=list(labels),
        t_collar=COLLAR,
        percentage_of_length=_SHARE_OF_LENGTH[rule],
        evaluate_offset=rule != "overlap",
    )
    names = ("Nref", "Nsys", "Ntp", "Nsubs")
    return _evaluate(made, reference, detected, labels, names, {})


def segment_based(
    reference: Events,
    detected: Events,
    labels: Sequence[str],
    durations: Mapping[str, float],
    resolution: float = 1.0,
) -> EventFigures:
    """Segment-based figures: a label is right in a segment where both have it somewhere.

    Args:
        reference: as in :func:`event_based`.
        detected: as in :func:`event_based`.
        labels: as in :func:`event_based`.
        durations: seconds of each recording.
        resolution: seconds of a segment.

    Raises:
        AverError: as in :func:`event_based`.
    """
    _check_recordings(reference, detected)
    made = _sed_eval().SegmentBasedMetrics(
        event_label_list=list(labels), time_resolution=float(resolution)
    )
    names = ("Nref", "Nsys", "Ntp", "S")
    return _evaluate(made, reference, detected, labels, names, durations)


def _evaluate(
    made: Any,
    reference: Events,
    detected: Events,
    labels: Sequence[str],
    names: Sequence[str],
    durations: Mapping[str, float],
) -> EventFigures:
    rows = []
    before = np.zeros(len(names))
    for recording, events in reference.items():
        sides = (_listed(events, labels), _listed(detected.get(recording, ()), labels))
        if durations:
            made.evaluate(*sides, evaluated_length_seconds=durations[recording])
        else:
            made.evaluate(*sides)
        now = np.array([float(made.overall[name]) for name in names])
        rows.append(now - before)
        before = now
    overall = made.results_overall_metrics()
    each = made.results_class_wise_metrics()

    def known(value: float, of: Mapping[str, float]) -> float:
        # Where nothing is detected sed_eval says NaN: a label that is never found would drop out
        # of the mean over labels.
        return 0.0 if math.isnan(value) and of["Nref"] else float(value)

    return EventFigures(
        f1=known(overall["f_measure"]["f_measure"], made.overall),
        precision=known(overall["f_measure"]["precision"], made.overall),
        recall=float(overall["f_measure"]["recall"]),
        error_rate=float(overall["error_rate"]["error_rate"]),
        class_f1={
            name: known(each[name]["f_measure"]["f_measure"], made.class_wise[name])
            for name in labels
        },
        counts=np.array(rows).reshape(-1, len(names)),
    )


def _listed(events: Iterable[Event], labels: Sequence[str]) -> list[dict[str, object]]:
    return [
        {"event_label": e.label, "event_onset": float(e.start), "event_offset": float(e.end)}
        for e in events
        if e.label in labels
    ]


def _f1(counts: NDArray[np.float64]) -> float:
    reference, detected, right, _ = counts.sum(axis=0)
    return float(2 * right / (reference + detected)) if reference + detected else math.nan


def _error_rate(counts: NDArray[np.float64]) -> float:
    reference, detected, right, swapped = counts.sum(axis=0)
    if not reference:
        return math.nan
    return float((reference + detected - 2 * right - swapped) / reference)


def _check_recordings(reference: Events, detected: Events) -> None:
    if strange := sorted(set(detected) - set(reference)):
        raise AverError(
            f"{strange[0]} was detected in, but has no entry among the reference's recordings",
            "Give it an entry, an empty one if nothing is heard",
            subject="sound events",
        )


def _metrics(rule: Rule) -> Any:
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, not {rule!r}")
    base = _sed_eval().EventBasedMetrics
    if rule != "overlap":
        return base

    return type("OverlapMetrics", (base,), {"validate_onset": staticmethod(_overlap)})


def _overlap(
    reference_event: Mapping[str, float], estimated_event: Mapping[str, float], t_collar: float
) -> bool:
    """In place of sed_eval's look at the starts: whether two events have a moment in common."""
    return (
        reference_event["event_onset"] < estimated_event["event_offset"]
        and estimated_event["event_onset"] < reference_event["event_offset"]
    )


def _sed_eval() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own, of pkg_resources
            from sed_eval import sound_event
    except ModuleNotFoundError as error:
        older = error.name == "pkg_resources"
        raise AverError(
            f"the evaluation of sound events needs the package '{error.name}'",
            'Run: pip install "setuptools<81"' if older else 'Run: pip install "aver[sed]"',
        ) from error
    return sound_event
