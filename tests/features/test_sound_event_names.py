"""Which human sound an event is: worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aver.features.sound_event_names import LEAST_SECONDS, leading_names, named_events
from aver.features.sound_events import Decoding, DetectorSettings, LogMelSettings, decode

HOP = 0.1
LEAST = round(LEAST_SECONDS / HOP)
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


def test_a_voice_of_uncertain_sex_is_one_event():
    both = scores(
        verbal=[0, 0.9, 0.9, 0.9, 0], man=[0, 0.6, 0.5, 0.7, 0], woman=[0, 0.5, 0.6, 0.5, 0]
    )
    (event,) = named_events(both, SETTINGS)
    assert spans([event]) == [(0.1, 0.4, "man")]
    assert event.score == pytest.approx(0.6)
    # Each label by itself would be two.
    assert len(decode({"man": both["man"], "woman": both["woman"]}, SETTINGS)) == 2


def test_who_speaks_next_gets_an_event_of_their_own():
    man = np.r_[np.full(20, 0.8), np.full(30, 0.2)]
    found = named_events(scores(verbal=np.ones(50), man=man, woman=1 - man), SETTINGS)
    assert spans(found) == [(0.0, 2.0, "man"), (2.0, 5.0, "woman")]
    assert [e.score for e in found] == pytest.approx([0.8, 0.8])


def test_a_short_change_is_none_and_a_short_beginning_takes_the_name_of_what_follows():
    man = np.full(50, 0.8)
    man[20 : 20 + LEAST - 1] = 0.1
    woman = 1 - man
    found = named_events(scores(verbal=np.ones(50), man=man, woman=woman), SETTINGS)
    assert spans(found) == [(0.0, 5.0, "man")]
    man = np.full(50, 0.8)
    man[: LEAST - 1] = 0.1
    found = named_events(scores(verbal=np.ones(50), man=man, woman=1 - man), SETTINGS)
    assert spans(found) == [(0.0, 5.0, "man")]


def test_detectors_and_labels_of_neither_stand_side_by_side():
    found = named_events(
        scores(
            verbal=[0.9, 0.9, 0.0, 0.0],
            woman=[0.3, 0.3, 0.9, 0.9],
            non_verbal=[0.0, 0.9, 0.9, 0.0],
            laughter=[0.0, 0.2, 0.2, 0.9],
            door=[0.7, 0.7, 0.9, 0.9],
        ),
        SETTINGS,
    )
    assert spans(found) == [(0.0, 0.2, "woman"), (0.1, 0.3, "laughter"), (0.2, 0.4, "door")]
    assert leading_names(SETTINGS) == ("verbal", "non_verbal", "door")


def test_without_groups_each_label_is_decoded_by_itself():
    plain = SETTINGS.model_copy(update={"verbal": (), "non_verbal": ()})
    assert leading_names(plain) == plain.labels
    heard = scores(verbal=[1.0, 1.0], man=[0.9, 0.0], woman=[0.0, 0.6])
    assert named_events(heard, plain) == decode(
        {label: heard[label] for label in plain.labels}, plain
    )


@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from([0, 1, 2])), max_size=20))
def test_pieces_tile_the_detectors_event(runs):
    lead = np.repeat([k for _, k in runs], [n for n, _ in runs]).astype(int) if runs else []
    settings = SETTINGS.model_copy(update={"labels": ("a", "b", "c"), "verbal": ("a", "b", "c")})
    named = {label: (np.asarray(lead) == k) * 0.9 for k, label in enumerate("abc")}
    found = named_events(
        {"verbal": np.ones(len(lead)), "non_verbal": np.zeros(len(lead)), "laughter": [], **named},
        settings.model_copy(update={"non_verbal": ()}),
    )
    borders = [(round(e.start / HOP), round(e.end / HOP)) for e in found]
    assert [end for _, end in borders[:-1]] == [start for start, _ in borders[1:]]
    assert sum(end - start for start, end in borders) == len(lead)
    if len(found) > 1:
        assert all(end - start >= LEAST for start, end in borders)
