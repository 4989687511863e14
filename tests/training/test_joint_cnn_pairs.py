"""Pairing and dividing: what is copied, what stands where, and what is refused."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("lightning")

from training import joint_cnn_project as project

from aver.errors import CorpusError
from aver.training.joint_cnn_data import clip_images
from aver.training.joint_cnn_images import Stills, join_stills
from aver.training.joint_cnn_pairs import divide, pair_by_class
from aver.training.joint_cnn_recipe import ImageData


def test_recordings_are_copied_to_as_many_as_images_by_hand():
    heard = ["sad", "happy", "sad"]
    seen = ["happy"] * 4 + ["sad"] * 5
    pairs = pair_by_class(heard, seen, ["happy", "sad"], 0)
    assert len(pairs) == 9
    assert [heard[n] for n in pairs.recordings] == [seen[n] for n in pairs.images]
    assert sorted(pairs.images.tolist()) == list(range(9))
    assert Counter(pairs.recordings.tolist())[1] == 4
    assert sorted([Counter(pairs.recordings.tolist())[n] for n in (0, 2)]) == [2, 3]


@settings(deadline=None)
@given(
    heard=st.lists(st.sampled_from("ab"), min_size=2, max_size=30),
    seen=st.lists(st.sampled_from("ab"), min_size=2, max_size=30),
    seed=st.integers(0, 9),
)
def test_pairs_are_of_one_class_each_once_and_evenly_copied(heard, seen, seed):
    if {*heard} != {*"ab"} or {*seen} != {*"ab"}:
        with pytest.raises(CorpusError, match=r"class '[ab]' has"):
            pair_by_class(heard, seen, "ab", seed)
        return
    pairs = pair_by_class(heard, seen, "ab", seed)
    assert [heard[n] for n in pairs.recordings] == [seen[n] for n in pairs.images]
    together = list(zip(pairs.recordings.tolist(), pairs.images.tolist(), strict=True))
    assert len(set(together)) == len(together)
    for name in "ab":
        assert sum(seen[n] == name for n in pairs.images) == max(
            heard.count(name), seen.count(name)
        )
    for used, there in ((pairs.recordings, heard), (pairs.images, seen)):
        counts = Counter(used.tolist())
        assert len(counts) == len(there), "nothing is lost"
        for name in "ab":
            own = [counts[n] for n, label in enumerate(there) if label == name]
            assert max(own) - min(own) <= 1


def test_what_cannot_be_paired_is_told():
    with pytest.raises(CorpusError, match="class 'sad' has images but no recordings for test"):
        pair_by_class(["happy"], ["happy", "sad"], ["happy", "sad"], 0, "test")
    with pytest.raises(CorpusError, match="class 'sad' has recordings but no images"):
        pair_by_class(["happy", "sad"], ["happy"], ["happy", "sad"], 0)
    with pytest.raises(CorpusError, match="no images for train, beside 2 of the other modality"):
        pair_by_class(["happy", "sad"], [], ["happy", "sad"], 0, "train")
    with pytest.raises(CorpusError, match="there are no recordings"):
        pair_by_class([], ["sad"], ["sad"], 0)


def sides(division):
    return {side: set(pairs.recordings.tolist()) for side, pairs in division.sides.items()}


@pytest.mark.parametrize(
    ("shares", "people"), [("80-10-10", (6, 1, 1)), ("50-50", (4, 4)), ("25-75", (2, 6))]
)
@pytest.mark.parametrize("seed", [0, 5])
def test_by_subjects_nobody_and_no_face_on_two_sides(shares, people, seed):
    found = project.data().divided("subjects", shares, seed)
    division, subjects = found.division, found.data.recordings.manifest["subject"]
    who = [set(subjects.iloc[list(rows)]) for rows in sides(division).values()]
    assert tuple(map(len, who)) == people
    assert not set.intersection(*who)
    assert len(set.union(*who)) == 8
    faces = [set(found.images.faces[pairs.images]) for pairs in division.sides.values()]
    assert sum(map(len, faces)) == len(set.union(*faces))
    assert division.leaks == ""
    for pairs in division.sides.values():
        heard = found.data.recordings.labels[pairs.recordings]
        assert (heard == found.images.labels[pairs.images]).all()
        assert len(set(found.items(pairs))) == len(pairs)


def test_eight_seeds_test_everybody_once():
    tested = Counter()
    for seed in range(8):
        found = project.data().divided("subjects", "80-10-10", seed)
        tested.update(set(found.subjects(found.division.sides["test"])))
    assert set(tested.values()) == {1}
    assert len(tested) == 8


def test_the_texts_own_way_leaks_and_says_so():
    found = project.data().divided("text", "80-10-10", 0)
    rows = sides(found.division)
    assert rows["train"] & rows["test"], "copies of one recording on both sides"
    assert "subject" in found.division.leaks
    assert "recording" in found.division.leaks
    assert "faces are in training and test rows" in found.division.leaks
    counts = [len(pairs) for pairs in found.division.sides.values()]
    # Three classes of 20 faces, two views each.
    assert counts == [96, 12, 12]


def test_at_random_speakers_leak_but_copies_do_not():
    found = project.data().divided("random", "80-10-10", 0)
    rows = sides(found.division)
    assert not rows["train"] & rows["test"]
    assert "subjects" in found.division.leaks
    assert "recording" not in found.division.leaks


def test_clips_are_divided_with_the_people_seen_in_them():
    heard, seen = project.recordings(), project.clip_images()
    for shares in ("80-10-10", "25-75"):
        division = divide(heard.manifest, seen, project.CLASSES, "subjects", shares, 3)
        who = heard.manifest["subject"].to_numpy()
        met = [
            set(who[pairs.recordings]) | set(seen.subjects[pairs.images])
            for pairs in division.sides.values()
        ]
        assert not met[0] & met[-1]
        assert division.leaks == ""


def test_too_few_classes_or_subjects():
    heard = project.recordings(subjects=2)
    with pytest.raises(CorpusError, match="only sad is left"):
        divide(heard.manifest, project.clip_images(), ["sad"], "subjects", "50-50", 0)
    with pytest.raises(CorpusError, match="2 subjects for 4 folds"):
        divide(heard.manifest, project.clip_images(2), project.CLASSES, "subjects", "25-75", 0)


def test_joined_stills_by_hand():
    still = np.array([[0, 51], [102, 255]], np.uint8)
    joined = join_stills(still, still, np.zeros((2, 2), int), mirrored=True, side=2)
    assert np.allclose(joined, [[0, 0.2, 0.2, 0], [0.4, 1, 1, 0.4]])
    moved = join_stills(still, still, np.array([[1, 0], [0, -1]]), mirrored=False, side=2)
    # One pixel down, its edge repeated; one to the left.
    assert np.allclose(moved, [[0, 0.2, 0.2, 0.2], [0, 0.2, 1, 1]])


def test_two_stills_are_of_one_class_and_side():
    chosen = ImageData(per_class=8, views=1, side=16, shift=0, pair="two_stills")
    source = project.stills(chosen)
    images = source.images(project.CLASSES, "subjects", "50-50", 0)
    assert len(images) == 3 * 8
    left, right = images.pixels[:, :, :16], images.pixels[:, :, 16:]
    for number in range(len(images)):
        assert not np.array_equal(left[number], right[number])
        own = (images.labels == images.labels[number]) & (images.sides == images.sides[number])
        assert any(np.array_equal(right[number], other) for other in left[own])


def test_shares_of_the_faces_and_what_is_missing():
    source = project.stills(ImageData(per_class=20, views=2, side=16))
    images = source.images(project.CLASSES, "subjects", "80-10-10", 0)
    counts = Counter(zip(images.labels.tolist(), images.sides.tolist(), strict=True))
    assert all(counts[c, "train"] == 2 * 16 for c in project.CLASSES)
    assert all(counts[c, "test"] == 2 * 2 for c in project.CLASSES)
    assert set(images.subjects) == {""}
    with pytest.raises(CorpusError, match="has recordings but no images of 'disgust' for train"):
        source.images(("happy", "disgust"), "subjects", "80-10-10", 0)


def test_calm_takes_neutral_faces_that_are_not_neutral_then():
    chosen = ImageData(per_class=0, views=1, side=16, calm="neutral_faces")
    source = project.stills(chosen, classes=("neutral", "happy"))
    assert isinstance(source, Stills)
    assert source.labels == {"neutral", "happy", "calm"}
    images = source.images(("neutral", "calm", "happy"), "subjects", "50-50", 0)
    calm, neutral = (set(images.faces[images.labels == c]) for c in ("calm", "neutral"))
    assert calm
    assert neutral
    assert not calm & neutral
    left_out = project.stills(ImageData(), classes=("neutral", "happy"))
    assert left_out.labels == {"neutral", "happy"}


def test_clips_without_a_face_are_left_out():
    from aver.features.extractor import Features

    manifest = project.recordings(subjects=1, takes=1).manifest
    times = np.zeros((2, 2), np.float32)
    seen = Features(np.ones((2, 4, 8), np.float32), times, np.array([True, False]))
    images = clip_images(manifest, [None, seen, seen])
    assert images.names.tolist() == ["s0-sad-0@0", "s0-angry-0@0"]
    assert images.subjects.tolist() == ["ravdess/00"] * 2
    with pytest.raises(CorpusError, match="no face was seen"):
        clip_images(manifest, [None, None, None])
