"""Scores while it happens: the same as those of a recording, bounded, and never queued."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aver.errors import MediaError, SettingError
from aver.inference.analyze import Analyzer
from aver.inference.live import LiveAnalyzer
from aver.inference.live_pace import Sources, follow, run_source
from aver.inference.live_sources import film, play
from aver.inference.settings import AnalysisSettings
from aver.media import VideoFrame, read_windows


@pytest.fixture(scope="module")
def analyzer():
    return LiveAnalyzer(AnalysisSettings(context="trailing"))


@pytest.fixture(scope="module")
def clip(shared):
    return sorted((shared / "data" / "crema_d_sample").glob("*.flv"))[0]


def black(time):
    return VideoFrame(time, np.zeros((120, 160, 3), np.uint8), 1.0)


def test_at_the_end_of_each_whole_window_it_says_what_the_recordings_analysis_says(analyzer, clip):
    of_recording = [s for s in Analyzer(analyzer.settings).stream(clip) if s.modality == "fused"]
    session = analyzer.start()
    live = []
    for window in read_windows(clip):
        session.hear(window.start, window.samples)
        scores = [session.see(frame) for frame in window.frames]
        assert all(len(s) == 1 and s[0].person == 1 for s in scores)
        live.append(scores[-1][0])
    whole = [s for s in of_recording if s.end - s.start == 0.5]
    assert len(whole) == 4
    for segment, score in zip(whole, live, strict=False):
        assert score.fused == pytest.approx(segment.scores, abs=1e-5)
        assert score.weak == segment.weak


def test_each_picture_is_scored_on_itself(analyzer, clip):
    frames = [f for w in read_windows(clip) for f in w.frames]
    session = analyzer.start()
    faces = [session.see(frame)[0] for frame in frames]
    assert len({score.fused for score in faces}) == len(frames)
    for score in faces:
        assert score.voice is None
        assert score.face == pytest.approx(score.fused, abs=1e-5)
        assert sum(score.fused) == pytest.approx(1.0, abs=1e-4)
        x, y, width, height = score.box
        assert 100 < x < 200
        assert 80 < width < 120
        assert 90 < height < 150
        assert 40 < y < 120


def test_a_voice_without_a_face_is_scored_alone(analyzer, clip):
    session = analyzer.start()
    heard = []
    for _ in range(2):
        for window in read_windows(clip):
            if len(window.samples) == 8000:
                heard.append(session.hear(len(heard) * 0.5, window.samples))
    # Sight has a second to turn up; then every voiced half second gives scores.
    assert heard[0] == heard[1] == []
    spoken = [h for h in heard if h]
    assert len(spoken) >= 3
    for (score,) in spoken:
        assert score.person is None
        assert score.face is None
        assert score.box is None
        assert score.voice == pytest.approx(score.fused, abs=1e-5)


def test_sound_comes_in_pieces_of_any_size(analyzer, clip):
    sound = np.concatenate([w.samples for w in read_windows(clip)])[:32000]
    frames = [f for w in read_windows(clip) for f in w.frames if f.time < 2.0]
    said = []
    for size in (777, 8000, 16000):
        session = analyzer.start()
        for at in range(0, len(sound), size):
            session.hear(at / 16000, sound[at : at + size])
        said.append([s.fused for f in frames for s in session.see(f)])
    assert said[0] == pytest.approx(np.array(said[1]), abs=1e-6)
    assert said[2] == pytest.approx(np.array(said[1]), abs=1e-6)


def test_lost_sound_is_no_silence_of_its_own_length(analyzer, clip):
    sound = np.concatenate([w.samples for w in read_windows(clip)])
    session = analyzer.start()
    session.hear(0.0, sound[:6000])
    session.hear(30.0, sound[6000:12000])  # half a minute is missing: a window begins anew
    assert [s.start for s in session._heard] == []
    session.hear(30.375, sound[12000:16000])
    assert all(s.start >= 30.0 for s in session._heard)


def test_memory_does_not_grow(analyzer, clip):
    windows = [w for w in read_windows(clip) if len(w.samples) == 8000]
    session = analyzer.start()
    for turn in range(6):
        for n, window in enumerate(windows):
            start = (turn * len(windows) + n) * 0.5
            session.hear(start, window.samples)
            for k, frame in enumerate(window.frames):
                session.see(VideoFrame(start + 0.1 * k, frame.image, frame.scale))
        assert sum(map(len, session._sights.values())) <= 10 * session.context_seconds
        assert len(session._heard) <= 2 * session.context_seconds + 1
    session.see(black(100.0))
    assert not session._sights


def test_a_clock_that_steps_back_starts_afresh(analyzer, clip):
    frames = [f for w in read_windows(clip) for f in w.frames]
    session = analyzer.start()
    for frame in frames:
        session.see(frame)
    again = session.see(frames[0])
    assert [s.observation.time for v in session._sights.values() for s in v] == [frames[0].time]
    assert len(again) == 1


def test_what_is_no_sound_is_refused(analyzer):
    session = analyzer.start()
    for wrong in (np.zeros((2, 100), np.float32), np.zeros(160_001, np.float32)):
        with pytest.raises(ValueError, match="at most ten seconds"):
            session.hear(0.0, wrong)


def test_calibration_is_refused(tmp_path):
    with pytest.raises(SettingError, match="not for live use"):
        LiveAnalyzer(AnalysisSettings(calibrate=(tmp_path / "a.wav",)))


@settings(deadline=None)
@given(st.lists(st.sampled_from(["picture", "take"]), max_size=30))
def test_every_picture_is_taken_or_counted_as_dropped(steps):
    sources, given_, taken = Sources(), 0, 0
    for step in steps:
        if step == "picture":
            given_ += 1
            sources.picture(black(given_))
        elif given_ > taken + sources.dropped_pictures:
            _, (_, frame) = sources.take()
            assert frame.time == given_  # always the newest
            taken += 1
    sources.end()
    if (rest := sources.take()) is not None:
        taken += rest[1] is not None
    assert taken + sources.dropped_pictures == given_


def test_sound_waits_for_five_seconds_and_no_longer():
    sources = Sources()
    for second in range(8):
        sources.sound(float(second), np.zeros(16000, np.float32))
    assert sources.dropped_sound_seconds == 3.0
    sound, picture = sources.take()
    assert [start for start, _ in sound] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert picture is None


def test_a_file_is_played_to_its_end(analyzer, clip):
    sources, _ = run_source(lambda s, stop: play(clip, s, stop))
    moments = [m for m in follow(analyzer.start(), sources) if m.delay]
    expected = [f.time for w in read_windows(clip) for f in w.frames]
    assert len(moments) + sources.dropped_pictures == len(expected)
    assert {m.time for m in moments} <= set(expected)
    assert moments[-1].scores[0].person == 1


def test_a_source_that_fails_says_so_where_it_is_read(analyzer, tmp_path):
    sources, _ = run_source(lambda s, stop: play(tmp_path / "none.mp4", s, stop))
    with pytest.raises(MediaError, match="there is no such file"):
        list(follow(analyzer.start(), sources))


def test_a_camera_that_is_not_there(analyzer):
    with pytest.raises(MediaError, match="camera 63: cannot be opened"):
        film(63, Sources(), threading.Event())
