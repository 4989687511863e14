"""The lane of human sounds: heard in the same pass, without seams, nothing in silence."""

from __future__ import annotations

import numpy as np
import pytest
from bad_inputs.make_files import MAKERS
from features.sounds import write_wave
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from sound_detector_made import make_detector, settings, tones

from aver.errors import ModelError
from aver.features.sound_event_detector import SoundEventDetector
from aver.features.sound_event_names import named_events
from aver.features.sound_events import Decoding, LogMelSettings
from aver.inference import front
from aver.inference.analyze import Analyzer
from aver.inference.events import EventLane, LoudFrames, RunningDecoder
from aver.inference.settings import AnalysisSettings
from aver.media import Window


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return str(make_detector(tmp_path_factory.mktemp("net") / "made.onnx"))


@pytest.fixture(scope="module")
def always(tmp_path_factory):
    """A detector that hears both its labels in everything."""
    return str(make_detector(tmp_path_factory.mktemp("net") / "always.onnx", level=-1000.0))


@pytest.fixture(scope="module")
def analyzer(network):
    return Analyzer(AnalysisSettings(event_network=network, detector="dlib"))


def spans(events) -> list[tuple[float, float, str]]:
    return [(e.start, e.end, e.label) for e in events]


def close(events, *expected) -> None:
    """The same labels in the same order, times to two frames."""
    assert [e.label for e in events] == [label for _, _, label in expected]
    for event, (start, end, _) in zip(events, expected, strict=True):
        assert event.start == pytest.approx(start, abs=0.04)
        assert event.end == pytest.approx(end, abs=0.04)


def test_tones_are_found_and_one_longer_than_a_chunk_stays_one(analyzer, tmp_path):
    sound = tones(61.3, (2.0, 3.5, 440.0), (3.0, 55.0, 3000.0), (60.0, 61.3, 440.0))
    timeline = analyzer.analyze(write_wave(tmp_path / "tones.wav", sound))
    close(timeline.events, (2.0, 3.5, "low"), (3.0, 55.0, "high"), (60.0, 61.3, "low"))
    assert all(0.9 < e.score <= 1 for e in timeline.events)
    assert timeline.events[-1].end <= timeline.media["read"]
    facts = timeline.model["events"]
    assert facts["labels"] == ["low", "high"]
    assert facts["version"] == analyzer.event_detector.version


def test_the_file_is_decoded_once_and_segments_are_as_without(analyzer, tmp_path, monkeypatch):
    path = write_wave(tmp_path / "tones.wav", tones(3.0, (1.0, 2.0, 440.0)))
    opened = []
    real = front.read_windows

    def counted(*given, **named):
        opened.append(given)
        return real(*given, **named)

    monkeypatch.setattr(front, "read_windows", counted)
    timeline = analyzer.analyze(path)
    assert len(opened) == 1
    close(timeline.events, (1.0, 2.0, "low"))
    without = Analyzer(AnalysisSettings(events=False, detector="dlib"))
    assert without.event_detector is None
    plain = without.analyze(path)
    assert plain.segments == timeline.segments
    assert plain.events == []
    assert "events" not in plain.model
    assert list(analyzer.stream(path)) == list(without.stream(path))


def test_nothing_is_heard_in_silence_whatever_the_network_says(always, tmp_path):
    listening = Analyzer(AnalysisSettings(event_network=always, detector="dlib"))
    silence = write_wave(tmp_path / "silence.wav", np.zeros(32_000))
    assert listening.analyze(silence).events == []
    sound = tones(4.0, (1.0, 2.0, 440.0))
    found = listening.analyze(write_wave(tmp_path / "tone.wav", sound)).events
    close(found, (1.0, 2.0, "high"), (1.0, 2.0, "low"))


def test_a_recording_without_sound_has_no_events(always, tmp_path):
    listening = Analyzer(AnalysisSettings(event_network=always, detector="dlib"))
    timeline = listening.analyze(MAKERS["no_sound"](tmp_path))
    assert timeline.events == []
    assert any("There is no sound track" in warning for warning in timeline.warnings)


def test_sound_that_starts_late_keeps_its_time(analyzer, tmp_path):
    path = MAKERS["late_sound"](tmp_path)
    events = analyzer.analyze(path).events
    assert events
    assert events[0].start == pytest.approx(1.5, abs=0.06)


def test_a_picture_alone_needs_no_detector(tmp_path):
    looking = Analyzer(AnalysisSettings(sound=False, detector="dlib", event_network="nowhere.onnx"))
    assert looking.event_detector is None
    with pytest.raises(ModelError, match=r"nowhere\.onnx: there is no such file"):
        Analyzer(AnalysisSettings(detector="dlib", event_network="nowhere.onnx"))


def window(index: int, samples, end: float | None = None) -> Window:
    return Window(index, index / 2, index / 2 + 0.5 if end is None else end, (), samples)


def test_gaps_in_the_sound_are_silence(network):
    lane = EventLane(SoundEventDetector(network))
    sound = tones(3.0, (0.0, 3.0, 440.0))
    for k in range(6):
        lane.take(window(k, None if k in (2, 3) else sound[k * 8000 : (k + 1) * 8000]))
    close(lane.finish(), (0.0, 1.0, "low"), (2.0, 3.0, "low"))


def test_an_event_ends_with_the_recording(network):
    lane = EventLane(SoundEventDetector(network))
    sound = tones(1.0, (0.0, 1.0, 440.0))
    lane.take(window(0, sound[:8000]))
    lane.take(window(1, sound[8000:], end=0.671))
    (event,) = lane.finish()
    assert (event.start, event.end) == (0.0, 0.671)


def test_events_are_settled_on_the_way(network):
    """What is held of the scores ends at the last quiet place, not at the recording's start."""
    lane = EventLane(SoundEventDetector(network))
    sound = tones(100.0, *((k, k + 0.3, 440.0) for k in range(100)))
    for k in range(200):
        lane.take(window(k, sound[k * 8000 : (k + 1) * 8000]))
    assert len(lane._decoder._held) < 50
    assert len(lane._events) > 70
    events = lane.finish()
    close(events, *((k, k + 0.3, "low") for k in range(100)))


@given(
    runs=st.lists(
        st.tuples(st.integers(1, 30), st.sampled_from([0.0, 0.2, 0.45, 0.55, 0.9])), max_size=30
    ),
    cuts=st.lists(st.integers(1, 60), max_size=10),
    median=st.sampled_from([1, 3, 9, 15]),
    gap=st.sampled_from([0.0, 0.06, 0.1, 0.3]),
    minimum=st.sampled_from([0.0, 0.1]),
    noise=st.booleans(),
    grouped=st.booleans(),
)
@limits(max_examples=150, deadline=None)
def test_scores_in_pieces_give_the_events_of_all_at_once(
    runs, cuts, median, gap, minimum, noise, grouped
):
    first = np.repeat([v for _, v in runs], [n for n, _ in runs]) if runs else np.zeros(0)
    random = np.random.default_rng(0)
    named = random.random((len(first), 3)).cumsum(axis=0) % 1.0  # leading labels that come and go
    scores = np.stack([first, first[::-1], *named.T], axis=1).astype(np.float32)
    if noise:
        scores += random.uniform(-0.1, 0.1, scores.shape).astype(np.float32)
    names = ("verbal", "non_verbal", "man", "woman", "sneeze")
    how = {
        "verbal": Decoding(threshold=0.5, median=median, minimum=minimum, gap=gap),
        "non_verbal": Decoding(threshold=0.3, median=3, gap=gap / 2),
        "sneeze": Decoding(threshold=0.8, gap=gap),
    }
    groups = {"verbal": names[2:4], "non_verbal": names[4:]}
    if not grouped:
        groups = {"verbal": (), "non_verbal": ()}
    asked = settings(labels=names[2:], decoding=how, log_mel=LogMelSettings(hop=0.02), **groups)
    running = RunningDecoder(asked)
    found, at = [], 0
    for cut in [*cuts, len(scores)]:
        found += running.push(scores[at : at + cut])
        at += cut
    found += running.finish()
    whole = named_events(dict(zip(names, scores.T, strict=True)), asked)
    expected = [(round(e.start, 3), round(e.end, 3), e.label) for e in whole]
    assert sorted(spans(found)) == sorted(expected)


def test_loud_frames_by_hand():
    frames = LoudFrames(4)
    frames.push(np.array([0, 0, 0.5, 0, 0, 0, 0], np.float32))
    frames.push(np.array([0, 1e-5, 0, 0, np.nan, -0.2], np.float32))
    assert frames.take(3).tolist() == [True, False, False]
    assert frames.take(1).tolist() == [True]  # begun only, and loud in what there is


def test_two_hours_in_bounded_memory(network):
    """Two hours of scores: what is held does not grow with the recording."""
    decoder = RunningDecoder(SoundEventDetector(network).settings)
    scores = np.zeros((500, 4), np.float32)
    scores[100:200] = 0.9
    found, most = 0, 0
    for _ in range(720):
        found += len(decoder.push(scores))
        most = max(most, len(decoder._held))
    assert most <= 500
    assert found == 2 * 720


# -- the shipped network


@pytest.fixture(scope="module")
def shipped():
    return Analyzer(AnalysisSettings(picture=False))


def test_the_shipped_detector_is_on_by_default_and_names_its_labels(shipped):
    assert shipped.event_detector is not None
    labels = shipped.event_detector.settings.labels
    assert {"speech_male", "speech_female", "laughter", "crying"} <= set(labels)
    groups = shipped.event_detector.settings
    assert sorted((*groups.verbal, *groups.non_verbal)) == sorted(labels)


@pytest.mark.parametrize(
    ("clip", "first", "last"),
    # Where the sound is louder than 45 dB below full scale, read off its level by hand.
    [
        ("1001_DFA_ANG_XX.flv", 0.4, 1.5),
        ("1001_DFA_HAP_XX.flv", 0.3, 1.2),
        ("1001_DFA_NEU_XX.flv", 0.4, 1.3),
    ],
)
def test_speech_is_heard_where_the_person_speaks(shared, shipped, clip, first, last):
    """CREMA-D's actor 1001, a man of 51, says one sentence; the detector never heard him."""
    timeline = shipped.analyze(shared / "data" / "crema_d_sample" / clip)
    (event,) = timeline.events
    assert event.label == "speech_male"
    assert event.start == pytest.approx(first, abs=0.2)
    assert event.end == pytest.approx(last, abs=0.3)


def test_silence_and_a_hum_are_no_human_sound(shipped, tmp_path):
    silence = write_wave(tmp_path / "silence.wav", np.zeros(48_000))
    assert shipped.analyze(silence).events == []
    hum = 0.001 * tones(6.0, (0.0, 6.0, 50.0)) / 0.3
    assert shipped.analyze(write_wave(tmp_path / "hum.wav", hum)).events == []
