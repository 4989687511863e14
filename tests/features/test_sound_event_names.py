"""The human sounds of a recording: worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from aver.features.sound_event_names import named_events
from aver.features.sound_events import Decoding, DetectorSettings, LogMelSettings, decode

HOP = 0.1
SETTINGS = DetectorSettings(
    labels=("man", "woman", "laughter", "door"),
    verbal=("man", "woman"),
    non_verbal=("laughter",),
    log_mel=LogMelSettings(window=HOP, hop=HOP),
    decoding={"door": Decoding(threshold=0.8)},
)


def scores(**named) -> dict[str, np.ndarray]:
    count = max(len(values) for values in named.values())
    quiet = dict.fromkeys(("verbal", "non_verbal", *SETTINGS.labels), np.zeros(count))
    return quiet | {name: np.asarray(values, float) for name, values in named.items()}


def spans(events) -> list[tuple[float, float, str]]:
    return [(round(e.start, 6), round(e.end, 6), e.label) for e in events]


def test_a_voice_that_no_label_is_sure_of_is_named_after_the_leading_one():
    heard = scores(
        verbal=[0, 0.9, 0.9, 0.9, 0], man=[0, 0.3, 0.4, 0.2, 0], woman=[0, 0.4, 0.4, 0.4, 0]
    )
    (event,) = named_events(heard, SETTINGS)
    assert spans([event]) == [(0.1, 0.4, "woman")]
    assert event.score == pytest.approx(0.4)


def test_where_a_label_is_sure_its_own_borders_count():
    heard = scores(verbal=[0.9, 0.9, 0.9, 0.9], man=[0.2, 0.8, 0.8, 0.2])
    assert spans(named_events(heard, SETTINGS)) == [(0.1, 0.3, "man")]


def test_detectors_fill_in_for_their_own_labels_alone():
    heard = scores(
        verbal=[0.9, 0.9, 0.0, 0.0, 0.9],
        woman=[0.3, 0.3, 0.0, 0.0, 0.7],
        non_verbal=[0.0, 0.9, 0.9, 0.0, 0.9],
        laughter=[0.0, 0.2, 0.2, 0.0, 0.1],
        door=[0.7, 0.7, 0.9, 0.9, 0.0],
    )
    assert spans(named_events(heard, SETTINGS)) == [
        (0.0, 0.2, "woman"),
        (0.1, 0.3, "laughter"),
        (0.2, 0.4, "door"),
        (0.4, 0.5, "laughter"),
        (0.4, 0.5, "woman"),
    ]


def test_without_groups_the_labels_events_are_all():
    plain = SETTINGS.model_copy(update={"verbal": (), "non_verbal": ()})
    heard = scores(verbal=[1.0, 1.0], man=[0.9, 0.0], woman=[0.0, 0.6])
    expected = decode({label: heard[label] for label in plain.labels}, plain)
    assert named_events(heard, plain) == expected
    assert spans(expected) == [(0.0, 0.1, "man"), (0.1, 0.2, "woman")]
