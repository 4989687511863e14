"""The sliding context: which windows a score is made from, in what order scores come out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from aver.inference import analyze as module
from aver.inference.analyze import Run
from aver.inference.facts import remarks
from aver.inference.front import Heard, prefetch
from aver.inference.people import FaceWindow, PersonMemory
from aver.inference.settings import AnalysisSettings
from aver.media import MediaInfo

WINDOWS = 4


class Fusion:
    """Records what it is given; its scores tell how many windows were there."""

    windows, dimensions, labels = WINDOWS, 2, ("a", "b")

    def __init__(self):
        self.metadata: dict[str, str] = {}
        self.version = "1"
        self.temperatures = {"fused": 1.0}
        self.calls = []

    def __call__(self, face, face_mask, voice, voice_mask):
        self.calls.append((face[..., 0].copy(), face_mask.copy(), voice[..., 0].copy(), voice_mask))
        scores = np.tile(np.array([0.9, 0.1], np.float32), (len(face), 1))
        return {"fused": scores, "face": scores, "voice": scores}


class Reading:
    """A recording of windows made up by the test: faces {person: index}, voice owner or -1."""

    def __init__(self, script):
        self.script = script
        self.path = Path("x.mp4")
        self.info = MediaInfo(
            *(self.path, len(script) / 2, True, True, 640, 480, 25.0, 16000, 1),
            *("mp4", "h264", "aac", 0, False),
        )
        self.people, self.heard, self.spans = {}, {}, {}
        self.seconds, self.warnings, self.any_voice, self.tracker = 0.0, [], True, object()
        self.most_kept = 0

    def windows(self):
        for index in range(len(self.script)):
            yield SimpleNamespace(index=index, end=(index + 1) / 2)

    def take(self, window):
        i = window.index
        faces, owner = self.script[i]
        self.spans[i] = (i / 2, i / 2 + 0.5)
        self.seconds = i / 2 + 0.5
        for person in faces:
            memory = self.people.setdefault(person, PersonMemory(i / 2, i / 2))
            embedding = np.array([i + 100.0 * person, 0], np.float32)
            crop = np.zeros((96, 96, 3), np.uint8)
            memory.add(i, i / 2, i / 2 + 0.5, FaceWindow(embedding, 1.0, 1.0, 0.0, crop, i / 2))
        if owner != -1:
            self.heard[i] = Heard(np.array([i + 0.5, 0], np.float32), owner, False)
        self.most_kept = max(self.most_kept, len(self.heard), len(self.spans))

    def forget_before(self, index):
        for memory in self.people.values():
            memory.forget_before(index)
        self.heard = {i: h for i, h in self.heard.items() if i >= index}
        self.spans = {i: s for i, s in self.spans.items() if i >= index}


def run_of(script, monkeypatch, context="centred", **settings):
    fusion = Fusion()
    ahead = WINDOWS // 2 if context == "centred" else 0
    analyzer = SimpleNamespace(
        fusion=fusion,
        settings=AnalysisSettings(context=context, **settings),
        front=SimpleNamespace(detector=None),
        calibration=None,
        affect=None,
        event_detector=None,
        windows_ahead=ahead,
        windows_behind=WINDOWS - 1 - ahead,
    )
    reading = Reading(script)
    monkeypatch.setattr(module, "Reading", lambda front, path: reading)
    return Run(analyzer, "x.mp4"), fusion, reading


def test_centred_context_by_hand(monkeypatch):
    run, fusion, _ = run_of([({1}, 1)] * 6, monkeypatch)
    segments = list(run)
    # Four windows: one behind, itself, two ahead; what lies outside the recording is left out
    # and the rest moves to the front, as training clips begin at position 0.
    expected = [[0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5], [4, 5]]
    for (face, face_mask, voice, voice_mask), windows in zip(fusion.calls, expected, strict=True):
        assert face[0][face_mask[0]].tolist() == [w + 100 for w in windows]
        assert voice[0][voice_mask[0]].tolist() == [w + 0.5 for w in windows]
        assert face_mask[0, : len(windows)].all()
    assert [s.start for s in segments if s.modality == "fused"] == [0, 0.5, 1, 1.5, 2, 2.5]


def test_trailing_context_looks_back_only(monkeypatch):
    run, fusion, _ = run_of([({1}, 1)] * 5, monkeypatch, context="trailing")
    list(run)
    seen = [face[0][mask[0]].tolist() for face, mask, _, _ in fusion.calls]
    assert seen == [[100], [100, 101], [100, 101, 102], [100, 101, 102, 103], [101, 102, 103, 104]]


def test_a_voice_counts_for_its_owner_alone(monkeypatch):
    run, fusion, _ = run_of([({1, 2}, 2)] * 3, monkeypatch)
    segments = list(run)
    _, face_mask, _, voice_mask = fusion.calls[0]
    assert face_mask.any(1).tolist() == [True, True]
    assert voice_mask.any(1).tolist() == [False, True]
    voices = [s for s in segments if s.modality == "voice"]
    assert {s.person for s in voices} == {2}


def test_a_voice_without_a_face_gets_its_own_row(monkeypatch):
    run, _, _ = run_of([({1}, None), (set(), None)], monkeypatch)
    segments = list(run)
    first = {(s.person, s.modality) for s in segments if s.start == 0}
    assert first == {(1, "face"), (1, "fused"), (None, "voice"), (None, "fused")}
    second = {(s.person, s.modality) for s in segments if s.start == 0.5}
    assert second == {(None, "voice"), (None, "fused")}


def test_windows_without_anything_give_nothing(monkeypatch):
    run, fusion, _ = run_of([(set(), -1)] * 5, monkeypatch)
    assert list(run) == []
    assert fusion.calls == []


def test_nothing_older_than_the_context_is_kept(monkeypatch):
    run, _, reading = run_of([({1}, 1)] * 300, monkeypatch)
    assert len(list(run)) == 900
    assert reading.most_kept <= WINDOWS + 1
    assert len(reading.people[1].windows) <= WINDOWS


def test_people_get_numbers_in_order_and_brief_ones_are_left_out(monkeypatch):
    script = [({9}, 9)] + [({5}, 5)] * 6 + [({3}, 3)] * 6
    run, _, _ = run_of(script, monkeypatch)
    timeline = run.timeline()
    assert [p.id for p in timeline.people] == [1, 2]
    assert {s.person for s in timeline.segments} == {None, 1, 2}
    assert timeline.people[0].first_seen == 0.5
    # What was left out was a face; its voice is still a voice.
    first = [s for s in timeline.segments if s.start == 0]
    assert [(s.person, s.modality) for s in first] == [(None, "voice"), (None, "fused")]
    assert any("1 face track" in w for w in timeline.warnings)


@pytest.mark.parametrize(
    ("window", "any_voice", "warnings"),
    [
        ((set(), -1), False, ["No face was found.", "The sound track is silent."]),
        ((set(), None), True, ["No face was found; only the voice is scored."]),
        (({1}, -1), False, ["The sound track is silent; only faces are scored."]),
        (({1}, 1), True, []),
    ],
)
def test_warnings_say_what_is_scored_and_no_more(window, any_voice, warnings, monkeypatch):
    run, _, reading = run_of([window] * 6, monkeypatch)
    reading.any_voice = any_voice
    list(run)
    assert list(remarks(run.settings, None, reading, len(window[0]))) == warnings


@pytest.mark.parametrize(
    ("scores", "weak"),
    [((0.9, 0.1), False), ((0.34, 0.2), True), ((0.5, 0.45), True), ((0.5, 0.35), False)],
)
def test_flat_scores_are_weak(monkeypatch, scores, weak):
    run, _, _ = run_of([({1}, 1)], monkeypatch)
    table = np.array([scores], np.float32)
    monkeypatch.setattr(
        Fusion, "__call__", lambda *_: {"fused": table, "face": table, "voice": table}
    )
    assert {s.weak for s in run} == {weak}


def test_prefetch_hands_on_items_errors_and_stops():
    def broken():
        yield 1
        yield 2
        raise ValueError("x")

    found = prefetch(broken(), size=1)
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(ValueError, match="x"):
        next(found)

    closed = []

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.append(True)

    some = prefetch(endless(), size=2)
    assert next(some) == 0
    some.close()
    assert closed == [True]
