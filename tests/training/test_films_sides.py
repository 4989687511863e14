"""Sides of a fold, sequences that stay on one side, scaling by training segments alone."""

import numpy as np
import pytest
from films_project import film, film_set
from hypothesis import given, settings
from hypothesis import strategies as st

from aver.errors import CorpusError
from aver.training.films_sides import (
    leaks_of,
    sequences,
    sides_of,
    starts_of,
    statistics,
    tenth_of,
)

FILMS = [film("a", 31), film("b", 44), film("c", 20)]


def segments(stretches):
    return {(n, s) for n, first, last in stretches for s in range(first, last)}


@pytest.mark.parametrize("validation", ["clean", "paper"])
@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_every_segment_is_on_one_side(validation, left_out):
    sides = sides_of(FILMS, left_out, validation, 0.1, 0)
    parts = [segments(part) for part in (sides.train, sides.validation, sides.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 31 + 44 + 20
    assert {n for n, _ in parts[2]} == {left_out}
    assert left_out not in {n for n, _ in parts[0]}
    held = {n for n, _ in parts[1]}
    assert held == ({left_out} if validation == "paper" else {0, 1, 2} - {left_out})


def test_validation_is_a_contiguous_tenth_that_follows_from_name_and_seed():
    assert [b - a for a, b in (tenth_of(f, 0.1, 0) for f in FILMS)] == [3, 4, 2]
    assert tenth_of(FILMS[1], 0.1, 0) == tenth_of(film("b", 44, seed=9), 0.1, 0)
    assert len({tenth_of(FILMS[1], 0.1, seed) for seed in range(20)}) > 5
    with pytest.raises(CorpusError, match="a: has 4 segments: no stretch of 10 % validates"):
        tenth_of(film("a", 4), 0.1, 0)


def test_the_papers_validation_leaks_and_the_clean_one_does_not():
    data = film_set(*FILMS)
    assert leaks_of(data, "clean", 0.1, 0) == ""
    told = leaks_of(data, "paper", 0.1, 0)
    assert "stands among both test and training rows" in told
    assert "subject" in told


@given(
    start=st.integers(0, 20),
    length=st.integers(1, 30),
    time=st.integers(1, 8),
    stride=st.integers(1, 8),
)
@settings(max_examples=60, deadline=None)
def test_sequences_reach_every_segment_and_leave_no_stretch(start, length, time, stride):
    starts = starts_of((0, start, start + length), time, stride)
    reached = [s for first in starts for s in range(first, min(first + time, start + length))]
    if stride <= time:
        assert set(reached) == set(range(start, start + length))
    assert min(starts) == start
    if stride >= time:
        assert len(reached) == len(set(reached))
    elif length >= time:
        assert max(starts) + time == start + length


def test_no_sequence_holds_segments_of_two_sides():
    sides = sides_of(FILMS, 1, "clean", 0.1, 0)
    labels = [f.labels for f in FILMS]
    scale = {n: statistics(FILMS, sides.train, n) for n in ("descriptors", "modulation")}
    for stretches, stride in ((sides.train, 2), (sides.validation, 6), (sides.test, 6)):
        rows = sequences(FILMS, labels, stretches, scale, 6, stride)
        there = rows.places[:, :, 0] >= 0
        inside = segments(stretches)
        assert {tuple(p) for p in rows.places[there].tolist()} <= inside
        for place, here in zip(rows.places, there, strict=True):
            assert len(set(place[here][:, 0])) == 1
            assert (np.diff(place[here][:, 1]) == 1).all()
        assert not rows.masks["descriptors"][~there].any()
        assert not rows.streams["descriptors"][~there].any()
        assert (rows.labels[~there] == -1).all()


def test_segments_keep_their_own_features_and_levels():
    labels = [f.labels for f in FILMS]
    one = (np.zeros(2, np.float32), np.ones(2, np.float32))
    rows = sequences(FILMS, labels, [(1, 7, 12)], {"descriptors": one}, 3, 3)
    assert rows.places[1].tolist() == [[1, 10], [1, 11], [-1, -1]]
    assert rows.streams["descriptors"][1, 0] == pytest.approx(
        FILMS[1].streams["descriptors"][10], abs=1e-6
    )
    assert rows.labels[1].tolist() == [labels[1][10], labels[1][11], -1]


def test_scaling_knows_training_segments_alone():
    sides = sides_of(FILMS, 0, "clean", 0.1, 0)
    before = statistics(FILMS, sides.train, "descriptors")
    for number, first, last in (*sides.validation, *sides.test):
        FILMS[number].streams["descriptors"][first:last] += 1000
    after = statistics(FILMS, sides.train, "descriptors")
    for number, first, last in (*sides.validation, *sides.test):
        FILMS[number].streams["descriptors"][first:last] -= 1000
    assert (before[0] == after[0]).all()
    assert (before[1] == after[1]).all()
    kept = np.concatenate([FILMS[n].streams["descriptors"][a:b] for n, a, b in sides.train])
    assert before[0] == pytest.approx(kept.mean(axis=0), abs=1e-6)
