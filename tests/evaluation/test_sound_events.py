"""Event-based and segment-based figures: sed_eval's, under each rule, worked by hand."""

from __future__ import annotations

import math
import sys

import pytest

from aver.errors import AverError
from aver.evaluation.sound_events import RULES, event_based, segment_based
from aver.features.sound_events import DetectedEvent

pytest.importorskip("dcase_util")


def event(start: float, end: float, label: str = "verbal") -> DetectedEvent:
    return DetectedEvent(start, end, label, 1.0)


def figures(reference, detected, rule="collar", labels=("verbal",)):
    return event_based({"a": reference}, {"a": detected}, labels, rule)


@pytest.mark.parametrize(
    ("found", "right"),
    [
        ((1.0, 6.0), {"collar": 1, "strict": 1, "overlap": 1}),
        ((1.19, 6.0), {"collar": 1, "strict": 1, "overlap": 1}),
        ((1.25, 6.0), {"collar": 0, "strict": 0, "overlap": 1}),
        # The end of an event of 5 s may be a second off: a fifth of its length.
        ((1.0, 6.9), {"collar": 1, "strict": 0, "overlap": 1}),
        ((1.0, 7.1), {"collar": 0, "strict": 0, "overlap": 1}),
        ((5.9, 7.0), {"collar": 0, "strict": 0, "overlap": 1}),
        ((6.0, 7.0), {"collar": 0, "strict": 0, "overlap": 0}),
    ],
)
def test_when_a_detected_event_is_the_reference_event(found, right):
    for rule in RULES:
        assert figures([event(1.0, 6.0)], [event(*found)], rule).f1 == right[rule]


def test_short_events_have_the_whole_collar():
    # A fifth of 0.4 s is less than 200 ms.
    assert figures([event(1.0, 1.4)], [event(1.0, 1.59)]).f1 == 1.0
    assert figures([event(1.0, 1.4)], [event(1.0, 1.61)]).f1 == 0.0


def test_figures_by_hand():
    reference = [event(0, 1), event(2, 3), event(4, 5), event(6, 7)]
    detected = [event(0.1, 1.1), event(2, 3), event(8, 9)]
    found = figures(reference, detected)
    assert (found.precision, found.recall) == (pytest.approx(2 / 3), 0.5)
    assert found.f1 == pytest.approx(2 * 2 / (4 + 3))
    # Two were missed, one was made up.
    assert found.error_rate == pytest.approx((2 + 1) / 4)
    assert found.counts.tolist() == [[4, 3, 2, 0]]


def test_one_detected_event_is_one_reference_event_only():
    assert figures([event(1, 2), event(1.1, 2.1)], [event(1, 2)], "overlap").recall == 0.5
    assert figures([event(1, 6)], [event(1, 2), event(3, 6)], "overlap").precision == 0.5


def test_a_wrong_label_is_a_substitution():
    reference, detected = [event(1, 2, "crying")], [event(1, 2, "laughter")]
    found = figures(reference, detected, labels=("crying", "laughter"))
    assert found.f1 == 0
    assert found.error_rate == pytest.approx(1.0)
    assert found.class_f1["crying"] == 0
    # Labels that do not count are left out on both sides.
    assert math.isnan(figures(reference, detected, labels=("sneeze",)).recall)


def test_macro_f1_leaves_out_labels_that_nobody_heard():
    reference = [event(1, 2, "crying"), event(3, 4, "laughter")]
    found = figures(reference, reference[:1], labels=("crying", "laughter", "sneeze"))
    assert found.class_f1["crying"] == 1.0
    assert found.class_f1["laughter"] == 0.0  # heard, and never found
    assert math.isnan(found.class_f1["sneeze"])
    assert found.macro_f1 == pytest.approx(0.5)


def test_recordings_without_events_count_what_is_made_up_there():
    reference = {"a": [event(1, 2)], "silent": []}
    found = event_based(reference, {"a": [event(1, 2)], "silent": [event(0, 1)]}, ("verbal",))
    assert found.error_rate == pytest.approx(1.0)
    assert found.precision == 0.5
    assert event_based(reference, {"a": [event(1, 2)]}, ("verbal",)).f1 == 1.0


def test_segments_by_hand():
    reference = {"a": [event(0.5, 2.5)]}
    detected = {"a": [event(2.1, 4.5)]}
    found = segment_based(reference, detected, ("verbal",), {"a": 10.0})
    # Seconds 0, 1, 2 have it, seconds 2, 3, 4 were said to: one right, two missed, two made up.
    assert found.f1 == pytest.approx(2 * 1 / (3 + 3))
    assert found.error_rate == pytest.approx(4 / 3)
    assert segment_based(reference, {}, ("verbal",), {"a": 10.0}).recall == 0


def test_intervals_hold_the_figure_and_close_with_agreement():
    reference = {str(n): [event(1, 2)] for n in range(40)}
    detected = {str(n): [event(1 + (n % 4 == 0), 2 + (n % 4 == 0))] for n in range(40)}
    found = event_based(reference, detected, ("verbal",))
    low, high = found.f1_interval(draws=200)
    assert low < found.f1 == 0.75 < high
    low, high = found.error_rate_interval(draws=200)
    assert low < found.error_rate == 0.5 < high
    same = event_based(reference, reference, ("verbal",))
    assert same.f1_interval(draws=50) == (1.0, 1.0)


def test_a_recording_that_the_reference_does_not_know_is_refused():
    with pytest.raises(AverError, match=r"film2\.wav was detected in"):
        event_based({"film1.wav": []}, {"film2.wav": [event(0, 1)]}, ("verbal",))
    with pytest.raises(ValueError, match="rule must be one of"):
        figures([], [], "generous")


@pytest.mark.parametrize(
    ("missing", "advice"),
    [("sed_eval", r"aver\[sed\]"), ("pkg_resources", "setuptools<81")],
)
def test_a_missing_package_is_one_line(monkeypatch, missing, advice):
    for name in list(sys.modules):
        if name.partition(".")[0] in ("sed_eval", "dcase_util"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(AverError, match=f"needs the package '{missing}'.*{advice}"):
        figures([], [])
