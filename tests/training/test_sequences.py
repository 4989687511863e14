"""Composed clips, missing windows, true clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aver.errors import CorpusError, MediaError
from aver.training.sequences import FaceBank, drop_windows, embed_clips


def bank(stills_per_class=3, views=4, width=6):
    """Each still has its own axis pair, so an embedding tells which still it came from."""
    labels = np.repeat([0, 1], stills_per_class)
    views_of = np.zeros((len(labels), views, width), np.float16)
    for still in range(len(labels)):
        views_of[still, :, still] = 1.0
    return FaceBank(views_of, labels)


def test_composed_windows_show_the_class_and_have_length_one():
    labels = np.array([0, 1, 1, 0])
    faces = bank().compose(labels, 8, np.random.default_rng(0))
    assert faces.shape == (4, 8, 6)
    assert np.allclose(np.linalg.norm(faces, axis=-1), 1.0)
    still = faces.argmax(-1)
    assert ((still // 3) == labels[:, None]).all()


def test_one_still_throughout_or_a_single_change():
    faces = bank(3).compose(np.zeros(200, int), 8, np.random.default_rng(1), one_still=0.0)
    changes = (np.diff(faces.argmax(-1), axis=1) != 0).sum(1)
    assert changes.max() == 1
    steady = bank(3).compose(np.zeros(200, int), 8, np.random.default_rng(1), one_still=1.0)
    assert (np.diff(steady.argmax(-1), axis=1) == 0).all()


def test_relaxed_windows_only_at_the_ends():
    faces = bank().compose(
        np.ones(300, int), 8, np.random.default_rng(2), relaxed=0.5, relaxed_label=0
    )
    relaxed = faces.argmax(-1) < 3
    assert not relaxed[:, 1:7].any()
    assert 0.4 < relaxed[:, [0, 7]].mean() < 0.6


def test_a_class_without_stills_is_an_error():
    with pytest.raises(CorpusError, match="no still of class 7"):
        bank().compose(np.array([7]), 8, np.random.default_rng(0))


@given(
    st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=1, max_size=20),
    st.floats(0, 0.99),
    st.floats(0, 1),
    st.integers(0, 100),
)
def test_dropping_never_adds_and_never_empties(mask, share, shorten, seed):
    mask = np.array(mask)
    kept = drop_windows(mask, np.random.default_rng(seed), share=share, shorten=shorten)
    assert not (kept & ~mask).any()
    assert (kept.any(1) == mask.any(1)).all()


def test_nothing_is_dropped_when_nothing_is_asked():
    mask = np.random.default_rng(0).random((50, 8)) < 0.7
    assert (drop_windows(mask, np.random.default_rng(1), share=0.0, shorten=0.0) == mask).all()


def test_true_clips_are_cut_padded_and_bad_ones_left_out():
    def embed(path: Path):
        if path.name == "bad":
            raise MediaError(path, "is empty")
        count = int(path.name)
        ones = np.ones((count, 4), np.float32)
        return ones, np.ones(count, bool), ones * 2, np.ones(count, bool)

    heard = []
    clips = embed_clips(
        [Path("2"), Path("bad"), Path("9")], [0, 1, 2], ["a", "b", "c"], 4, embed, heard.append
    )
    assert clips.labels.tolist() == [0, 2]
    assert clips.subjects.tolist() == ["a", "c"]
    assert clips.voice_mask.tolist() == [[True, True, False, False], [True] * 4]
    assert clips.face[0, 2:].sum() == 0
    assert heard == ["left out: bad: is empty."]
    with pytest.raises(CorpusError, match="no clip could be read"):
        embed_clips([Path("bad")], [0], ["a"], 4, embed, heard.append)
