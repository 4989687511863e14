"""Facts about recordings whose faces' places and owners are known."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from faces import scenes
from hypothesis import given, settings
from hypothesis import strategies as st

from aver.faces import Detection, FaceTracker, TrackerSettings, make_describer
from aver.faces.match import overlap

OWN = make_describer("own")


def track(frames, detector, **more):
    tracker = FaceTracker(detector, **{"describer": OWN, **more})
    return [tracker.update(frame) for frame in frames]


def share_found(observed, boxes):
    hits = [
        any(overlap(o.box, box) >= 0.5 for o in here)
        for here, box in zip(observed, boxes, strict=True)
    ]
    return sum(hits) / len(hits)


def people(observed):
    return {o.person for here in observed for o in here}


def wandering(count=60):
    drawn = [
        scenes.draw(
            scenes.empty(),
            scenes.astronaut(),
            320 + 180 * np.sin(0.12 * i),
            220 + 60 * np.cos(0.09 * i),
            110 + 50 * np.sin(0.07 * i),
        )
        for i in range(count)
    ]
    return [p for p, _ in drawn], [b for _, b in drawn]


def standing(portrait, count, x=320.0, y=230.0, step=0.0):
    return [scenes.draw(scenes.empty(), portrait, x + step * i, y, 130)[0] for i in range(count)]


class Scripted:
    """A detector that says what it is told and counts how often it is asked."""

    name, advice, threshold, keep_threshold = "scripted", "", 0.5, 0.3
    face_side, search_sides = 64, (10_000,)

    def __init__(self, *boxes, score=0.9):
        self.boxes, self.score, self.calls = boxes, score, 0

    def detect(self, image, *, threshold=None):
        self.calls += 1
        return [Detection(box, self.score) for box in self.boxes]


def test_a_moving_and_growing_face_is_one_person_followed_closely(detector):
    pictures, boxes = wandering()
    observed = track(scenes.frames(pictures), detector)
    assert share_found(observed, boxes) >= 0.95
    assert people(observed) == {1}
    assert {o.track for here in observed for o in here} == {1}
    assert all(len(here) <= 1 for here in observed)


def test_what_an_observation_says(detector):
    frame = scenes.Frame(2.5, standing(scenes.astronaut(), 1)[0], scale=3.0)
    (seen,) = FaceTracker(detector, describer=OWN).update(frame)
    true = scenes.draw(scenes.empty(), scenes.astronaut(), 320, 230, 130)[1]
    assert overlap(seen.box, tuple(3 * v for v in true)) > 0.6
    assert (seen.time, seen.person, seen.track, seen.detected) == (2.5, 1, 1, True)
    assert seen.crop.shape == (96, 96, 3)
    assert seen.crop.dtype == np.uint8
    assert 0.8 < seen.quality <= 1
    assert 0.5 < seen.score <= 1


def test_somebody_who_leaves_and_returns_is_known_again(detector):
    there = standing(scenes.astronaut(), 20, step=4)
    away = [scenes.empty()] * 25
    back = standing(scenes.astronaut(), 20, x=200, y=250, step=-2)
    observed = track(scenes.frames([*there, *away, *back]), detector)
    assert not any(observed[21:45])
    # The whole picture is searched twice a second while nobody is there.
    assert all(len(here) == 1 for here in observed[51:])
    assert people(observed) == {1}
    assert {o.track for here in observed for o in here} == {1, 2}


def test_a_cut_to_somebody_else_is_somebody_else(detector, shared):
    a, b = standing(scenes.astronaut(), 15), standing(scenes.actor(shared), 15)
    observed = track(scenes.frames([*a, *b, *a, *b]), detector)
    ids = [[o.person for o in here] for here in observed]
    assert ids == [[1]] * 15 + [[2]] * 15 + [[1]] * 15 + [[2]] * 15


def test_a_dissolve_ends_with_somebody_else(yunet_detector, shared):
    a, b = standing(scenes.astronaut(), 1)[0], standing(scenes.actor(shared), 1)[0]
    mixed = [cv2.addWeighted(a, 1 - w, b, w, 0) for w in np.linspace(0, 1, 20)]
    observed = track(scenes.frames([a] * 25 + mixed + [b] * 25), yunet_detector)
    assert [o.person for o in observed[0]] == [1]
    assert [o.person for o in observed[-1]] == [2]


def test_two_people_keep_their_ids_side_by_side(detector, shared):
    pictures = []
    for i in range(30):
        actor = scenes.actor(shared, i % 20)
        picture, _ = scenes.draw(scenes.empty(), actor, 470 - i, 230, 120)
        pictures.append(scenes.draw(picture, scenes.astronaut(), 150 + i, 240, 120)[0])
    observed = track(scenes.frames(pictures), detector)
    assert all(len(here) == 2 for here in observed)
    for here in observed:
        left, right = sorted(here, key=lambda o: o.box[0])
        assert (left.person, right.person) == tuple(
            o.person for o in sorted(observed[0], key=lambda o: o.box[0])
        )


def test_two_people_keep_their_ids_when_one_passes_in_front(detector, shared):
    observed = []
    tracker = FaceTracker(detector, describer=OWN)
    for i in range(100):
        actor = scenes.actor(shared, i % 20)
        picture, _ = scenes.draw(scenes.empty(), actor, 520 - 4.2 * i, 230, 130)
        picture, _ = scenes.draw(picture, scenes.astronaut(), 120 + 4.5 * i, 230, 130)
        observed.append(tracker.update(scenes.Frame(i / 10, picture)))
    before = {o.person: o.box[0] for o in observed[5]}
    after = {o.person: o.box[0] for o in observed[-1]}
    assert set(before) == set(after) == {1, 2}
    for person in before:
        assert (before[person] < 320) == (after[person] > 320)
    for here in observed:
        for k, one in enumerate(here):
            assert all(overlap(one.box, other.box) < 0.4 for other in here[k + 1 :])


def test_a_gap_of_the_detector_is_bridged_and_said_so():
    box = (320 - 53.3, 230 - 65, 106.6, 130)

    class Blind(Scripted):
        def detect(self, image, *, threshold=None):
            self.calls += 1
            return [Detection(box, 0.9)] if self.calls == 1 else []

    observed = track(scenes.frames(standing(scenes.astronaut(), 30)), Blind())
    # Seen a single time it may have been no face: it is given up soon.
    assert [[o.detected for o in here] for here in observed[:6]] == [
        [True],
        [True],
        [True],
        [False],
        [False],
        [],
    ]
    assert not any(observed[6:])


def test_a_face_that_was_surely_there_is_bridged_for_the_set_time(dlib_detector):
    class Interrupted:
        name, advice, threshold, keep_threshold = "interrupted", "", 0.55, 0.35
        face_side, search_sides = dlib_detector.face_side, dlib_detector.search_sides
        blind = False

        def detect(self, image, *, threshold=None):
            return [] if self.blind else dlib_detector.detect(image, threshold=threshold)

    detector = Interrupted()
    tracker = FaceTracker(detector, describer=OWN, settings=TrackerSettings(bridge_seconds=1.5))
    observed = []
    for frame in scenes.frames(standing(scenes.astronaut(), 70, step=1.5)):
        detector.blind = 3.0 <= frame.time < 6.0
        observed.append(tracker.update(frame))
    bridged = [here[0] for here in observed[36:42]]
    assert not any(o.detected for o in bridged)
    scores = [o.score for o in bridged]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < observed[20][0].score
    true = [
        scenes.draw(scenes.empty(), scenes.astronaut(), 320 + 1.5 * i, 230, 130)[1]
        for i in range(36, 42)
    ]
    assert all(overlap(o.box, box) > 0.6 for o, box in zip(bridged, true, strict=True))
    assert not any(observed[48:60])
    assert observed[-1][0].person == 1
    assert observed[-1][0].detected


def test_a_wall_is_not_bridged(detector):
    pictures = standing(scenes.astronaut(), 15)
    wall = [np.full((480, 640, 3), 130, np.uint8)] * 10
    observed = track(scenes.frames([*pictures, *wall]), detector)
    assert all(observed[:15])
    assert not any(observed[15:])


def test_no_face_is_an_answer(detector):
    assert track(scenes.frames([scenes.empty()] * 5), detector) == [[]] * 5


@pytest.mark.parametrize("shape", [(1, 1), (3, 4000), (4000, 3), (8, 8), (20, 20)])
def test_odd_pictures_hold_nobody(detector, shape):
    rng = np.random.default_rng(1)
    noise = [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for _ in range(3)]
    assert track(scenes.frames(noise), detector) == [[]] * 3


def test_pictures_may_change_their_size(detector):
    picture = standing(scenes.astronaut(), 1)[0]
    sizes = [(640, 480), (1, 1), (640, 480), (480, 360), (4000, 3), (640, 480)]
    frames = scenes.frames([cv2.resize(picture, size) for size in sizes])
    observed = track(frames, detector)
    assert [len(here) for here in observed] == [1, 0, 1, 1, 0, 1]
    assert people(observed) == {1}


def test_time_may_step_back(detector):
    picture = standing(scenes.astronaut(), 1)[0]
    frames = [scenes.Frame(t, picture) for t in (5.0, 5.1, 0.0, 0.1)]
    observed = track(frames, detector)
    assert [len(here) for here in observed] == [1, 1, 1, 1]
    assert people(observed) == {1}


def test_a_quick_flash_does_not_make_a_new_person(detector):
    pictures = standing(scenes.astronaut(), 30, step=2)
    for i in (8, 17, 25):
        pictures[i] = np.clip(pictures[i].astype(int) + 70, 0, 255).astype(np.uint8)
    assert people(track(scenes.frames(pictures), detector)) == {1}


def test_the_detector_is_asked_seldom(dlib_detector):
    class Counted(Scripted):
        name, threshold, keep_threshold = "counted", 0.55, 0.35
        face_side, search_sides = dlib_detector.face_side, dlib_detector.search_sides

        def detect(self, image, *, threshold=None):
            self.calls += 1
            return dlib_detector.detect(image, threshold=threshold)

    detector = Counted()
    observed = track(scenes.frames(standing(scenes.astronaut(), 50)), detector)
    assert all(len(here) == 1 for here in observed)
    # Five seconds of a face that stays: a search a second, and less than two looks in between.
    assert 5 <= detector.calls <= 5 + 2 * 5


def test_two_boxes_on_one_face_are_one_track():
    a, b = (267.0, 165.0, 107.0, 130.0), (275.0, 170.0, 107.0, 130.0)
    always = TrackerSettings(searches_per_second=10)
    frames = scenes.frames(standing(scenes.astronaut(), 10))
    observed = track(frames, Scripted(a, b), settings=always)
    assert all(len(here) == 1 for here in observed)


def test_settings_limit_size_and_number():
    boxes = [(20.0 + 100 * k, 50.0, 60.0 + k, 80.0 + k) for k in range(6)]
    picture = [scenes.empty()]
    few = track(scenes.frames(picture), Scripted(*boxes), settings=TrackerSettings(most=3))
    assert len(few[0]) == 3
    large = track(scenes.frames(picture), Scripted(*boxes), settings=TrackerSettings(smallest=84))
    assert sorted(o.box[3] for o in large[0]) == pytest.approx([84, 85])


def test_an_embed_function_decides_who_is_who():
    box = (267.0, 165.0, 107.0, 130.0)
    calls = []

    def everybody_new(crops):
        calls.append(crops.shape)
        vector = np.zeros((1, 16))
        vector[0, len(calls) % 16] = 1
        return vector

    pictures = [*standing(scenes.astronaut(), 5), *[scenes.empty()] * 10]
    pictures += standing(scenes.astronaut(), 5)

    class Seeing(Scripted):
        def detect(self, image, *, threshold=None):
            return [Detection(box, 0.9)] if abs(float(image.mean()) - EMPTY) > 1 else []

    empty_mean = float(scenes.empty().mean())
    EMPTY = empty_mean
    observed = track(scenes.frames(pictures), Seeing(), embed=everybody_new, describer=None)
    assert people(observed) == {1, 2}
    assert set(calls) == {(1, 96, 96, 3)}


def test_real_clips_show_one_person_all_the_time(detector, shared):
    pictures = []
    for name in ("1001_DFA_ANG_XX", "1001_DFA_HAP_XX", "1001_DFA_NEU_XX"):
        pictures += scenes.clip(shared / f"data/crema_d_sample/{name}.flv")
    observed = track(scenes.frames(pictures), detector)
    assert all(len(here) == 1 for here in observed)
    assert people(observed) == {1}
    assert min(here[0].quality for here in observed) > 0.7
    # He sits still: the box must not jump about.
    centres = np.array([(o.box[0] + o.box[2] / 2, o.box[1] + o.box[3] / 2) for (o,) in observed])
    within = [np.hypot(*(b - a)) for a, b in pairwise(centres)]
    assert np.percentile(within, 90) < 8


def test_both_detectors_follow_alike(dlib_detector, yunet_detector, shared):
    frames = scenes.frames(scenes.clip(shared / "data/crema_d_sample/1001_DFA_HAP_XX.flv"))
    for (a,), (b,) in zip(track(frames, dlib_detector), track(frames, yunet_detector), strict=True):
        assert overlap(a.box, b.box) > 0.55


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-50, 150), st.floats(-50, 150), st.floats(1, 200), st.floats(1, 200)),
        max_size=4,
    ),
    st.integers(1, 120),
    st.integers(1, 120),
)
def test_whatever_a_detector_says_nothing_breaks(boxes, width, height):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(4)]
    for here in track(scenes.frames(pictures), Scripted(*boxes)):
        for o in here:
            assert o.crop.shape == (96, 96, 3)
            assert 0 <= o.quality <= 1
            assert 0 <= o.score <= 1
            assert np.isfinite(o.box).all()
