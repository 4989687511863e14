"""What is remembered of people, and whose voice it is."""

from __future__ import annotations

import numpy as np
import pytest

from aver.inference.people import FaceWindow, PersonMemory, mouth_motion
from aver.inference.speaker import owner_of_voice


def window(motion=0.0, time=0.0, quality=1.0):
    crop = np.full((96, 96, 3), 128, np.uint8)
    return FaceWindow(np.zeros(4, np.float32), quality, 1.0, motion, crop, time)


def face(mouth=0, all_over=0):
    crop = np.full((96, 96, 3), 100 + all_over, np.uint8)
    crop[60:90, 28:68] += np.uint8(mouth)
    return crop


def test_mouth_motion_by_hand():
    # The mouth changes by 30 while the upper face stays: 30 / (0 + 1).
    assert mouth_motion([face(), face(mouth=30)]) == pytest.approx(30.0)
    # Everything changes by 30: 30 / 31.
    assert mouth_motion([face(), face(all_over=30)]) == pytest.approx(30 / 31)
    assert mouth_motion([face()]) == 0.0


def test_the_only_face_owns_the_voice_and_nobody_does_without_faces():
    assert owner_of_voice({7: window(0.0)}, None) == 7
    assert owner_of_voice({}, 7) is None


def test_of_several_the_clearly_moving_mouth_speaks():
    assert owner_of_voice({1: window(1.0), 2: window(3.0)}, None) == 2
    assert owner_of_voice({1: window(1.0), 2: window(1.1)}, None) is None
    # In a close call the voice stays with who had it; a clear lead takes it away.
    assert owner_of_voice({1: window(1.0), 2: window(1.1)}, 1) == 1
    assert owner_of_voice({1: window(1.0), 2: window(3.0)}, 1) == 2
    assert owner_of_voice({1: window(0.9), 2: window(1.0), 3: window(0.1)}, 3) is None


def test_thumbnails_are_the_strongest_and_well_apart():
    memory = PersonMemory(0.0, 0.0)
    for time, score in [(0, 0.5), (1, 0.6), (5, 0.4), (10, 0.9), (15, 0.3), (20, 0.7)]:
        memory.offer_thumbnail(window(time=float(time)), "happy", score, keep=3)
    assert [(t.time, t.score) for t in memory.thumbnails] == [(10, 0.9), (20, 0.7), (1, 0.6)]
    assert all(t.jpeg.startswith(b"\xff\xd8") for t in memory.thumbnails)


def test_no_thumbnails_when_none_are_wanted():
    memory = PersonMemory(0.0, 0.0)
    memory.offer_thumbnail(window(), "happy", 1.0, keep=0)
    assert memory.thumbnails == []


def test_memory_forgets_windows_but_keeps_the_sums():
    memory = PersonMemory(0.0, 0.0)
    for index in range(100):
        memory.add(index, index / 2, index / 2 + 0.5, window(quality=0.5))
        memory.forget_before(index - 7)
    assert sorted(memory.windows) == list(range(92, 100))
    person = memory.as_person(1)
    assert (person.seconds_seen, person.last_seen, person.quality) == (50.0, 50.0, 0.5)
