"""Figures of the sound event detector as rows of its table."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from aver.evaluation.results import Result
from aver.evaluation.sound_events import EventFigures, event_based, segment_based
from aver.features.sound_events import NON_VERBAL, VERBAL, Decoding, DetectedEvent
from aver.training.sound_event_decode import Judge, Scores

COMMAND = "aver reproduce recipes/{name}.toml --data DATA --out OUT"
PACKAGES = ("numpy", "torch", "sed_eval")

# Fea-TF SCMA, section II-B.2: F1 and error rate on its own films.
PAPER = {VERBAL: (0.8532, 0.22), NON_VERBAL: (0.8033, 0.31)}
AIMS = {VERBAL: (0.853, 0.22), NON_VERBAL: (0.803, 0.31)}

RULES_SAID = (
    "event-based: starts within 200 ms, ends within 200 ms or 20 % of the length; overlap: any "
    "overlap will do; segments of 1 s; decoding chosen on the validation soundscapes; intervals "
    "by bootstrap over soundscapes"
)


def rows_of(
    experiment: str,
    judge: Judge,
    detected: Mapping[str, Mapping[str, list[DetectedEvent]]],
    facts: Mapping[str, str | int],
    *,
    labels: bool = True,
    groups: Mapping[str, Collection[str]] | None = None,
) -> list[Result]:
    """All figures of one system on a part.

    Args:
        experiment: its name.
        judge: of the part.
        detected: name -> file name -> events.
        facts: ``data``, ``protocol``, ``command`` and so on of every row.
        labels: whether the multi-label detector is measured too.
        groups: file names of parts of the part, whose F1 and error rate are told besides.
    """
    rows: list[Result] = []
    for name in (VERBAL, NON_VERBAL):
        rows += _detector(f"{experiment}/{name}", judge, (name,), detected[name], facts)
        for group, files in (groups or {}).items():
            own = {file: events for file, events in judge.reference(name).items() if file in files}
            figures = event_based(own, {f: detected[name][f] for f in own}, (name,))
            at = f"{experiment}/{name} {group}"
            those = {**facts, "data": f"{len(own)} of the {facts['data']}"}
            interval = figures.f1_interval()
            rows.append(_row(at, "event_f1", figures.f1, interval, those, aim="", paper=""))
            rows.append(
                Result(at, "event_error_rate", round(figures.error_rate, 4), **those)  # type: ignore[arg-type]
            )
    if labels:
        together: dict[str, list[DetectedEvent]] = {
            file: [event for name in judge.names.labels for event in detected[name][file]]
            for file in judge.scapes.events
        }
        rows += _detector(f"{experiment}/labels", judge, judge.names.labels, together, facts)
    return rows


def _detector(
    experiment: str,
    judge: Judge,
    wanted: tuple[str, ...],
    detected: Mapping[str, list[DetectedEvent]],
    facts: Mapping[str, str | int],
) -> list[Result]:
    reference = judge.reference(*wanted)
    aim = AIMS.get(wanted[0], ("", ""))
    paper = PAPER.get(wanted[0], ("", ""))
    found = {
        "event": event_based(reference, detected, wanted, "collar"),
        "event_strict": event_based(reference, detected, wanted, "strict"),
        "event_overlap": event_based(reference, detected, wanted, "overlap"),
        "segment": segment_based(reference, detected, wanted, judge.scapes.durations()),
    }
    rows = []
    for kind, figures in found.items():
        main = kind == "event"
        rows += [
            _row(
                experiment,
                f"{kind}_f1",
                figures.f1,
                figures.f1_interval(),
                facts,
                aim=aim[0] if main else "",
                paper=paper[0] if main else "",
            ),
            _row(
                experiment,
                f"{kind}_error_rate",
                figures.error_rate,
                figures.error_rate_interval(),
                facts,
                aim=aim[1] if main else "",
                paper=paper[1] if main else "",
            ),
        ]
    if len(wanted) > 1:
        rows += _labels(experiment, found, facts)
    return rows


def _labels(
    experiment: str, found: Mapping[str, EventFigures], facts: Mapping[str, str | int]
) -> list[Result]:
    rows = [
        Result(experiment, f"{kind}_f1_macro", round(figures.macro_f1, 4), **facts)  # type: ignore[arg-type]
        for kind, figures in found.items()
    ]
    rows += [
        Result(experiment, f"event_f1_{label}", round(value, 4), **facts)  # type: ignore[arg-type]
        for label, value in found["event"].class_f1.items()
        if not math.isnan(value)
    ]
    return rows


def _row(
    experiment: str,
    metric: str,
    value: float,
    interval: tuple[float, float],
    facts: Mapping[str, str | int],
    *,
    aim: float | str,
    paper: float | str,
) -> Result:
    low, high = (round(end, 4) for end in interval)
    return Result(
        experiment,
        metric,
        round(value, 4),
        low,
        high,
        aim,
        paper,
        **facts,  # type: ignore[arg-type]
    )


def detect_all(
    judge: Judge, scores: Scores, decoding: Mapping[str, Decoding]
) -> dict[str, dict[str, list[DetectedEvent]]]:
    """Name -> file name -> events, of all names that have a decoding."""
    return {name: judge.detected(name, scores[name], one) for name, one in decoding.items()}


def told(experiment: str, rows: list[Result]) -> list[str]:
    """Lines for the terminal: both binary detectors and the labels."""
    values = {(row.experiment, row.metric): row.value for row in rows}
    lines = []
    for name in (VERBAL, NON_VERBAL, "labels"):
        at = f"{experiment}/{name}"
        if (at, "event_f1") in values:
            figures = ", ".join(
                f"{metric.replace('_', ' ')} {values[at, metric]}"
                for metric in ("event_f1", "event_error_rate", "event_overlap_f1", "segment_f1")
            )
            lines.append(f"{at}: {figures}")
    return lines
