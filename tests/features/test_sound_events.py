"""The detector's log-mel frames, and events from its scores."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aver.errors import ModelError
from aver.features.extractor import Clip
from aver.features.log_mel import hertz_to_mel
from aver.features.sound_events import (
    Decoding,
    DetectedEvent,
    DetectorSettings,
    LogMelSettings,
    decode,
    find_events,
    frame_count,
    joined,
    log_mel,
    log_mel_within,
    median_filtered,
)
from aver.features.windows import read_sound
from aver.pretrained import path_of
from aver.pretrained.session import open_session

FINE = LogMelSettings()
TEXT = LogMelSettings(window=0.4, hop=0.36)
TEXT_SHIFT = LogMelSettings(window=0.4, hop=0.04)


def tone(hertz: float, seconds: float, amplitude: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * 16_000)) / 16_000
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def test_two_readings_of_ten_percent_overlapping():
    # 400 ms frames that overlap by a tenth begin every 360 ms; shifted by a tenth, every 40 ms.
    assert (TEXT.window_samples, TEXT.hop_samples) == (6_400, 5_760)
    assert (TEXT_SHIFT.window_samples, TEXT_SHIFT.hop_samples) == (6_400, 640)
    assert FINE.margins == (160, 160)
    assert len(log_mel(tone(300, 10.0), TEXT)) == 28
    assert len(log_mel(tone(300, 10.0), TEXT_SHIFT)) == 250


@pytest.mark.parametrize("settings", [FINE, TEXT, TEXT_SHIFT])
@pytest.mark.parametrize("hertz", [200.0, 1_000.0, 4_000.0])
def test_a_full_scale_tone_has_power_one_in_its_own_band(settings, hertz):
    frames = np.exp(log_mel(tone(hertz, 2.0), settings))
    middle = frames[len(frames) // 2]
    ends = hertz_to_mel(np.array([settings.lowest, settings.highest]))
    centres = np.linspace(ends[0], ends[1], settings.bands + 2)[1:-1]
    nearest = np.argmin(np.abs(centres - hertz_to_mel(np.array([hertz]))))
    assert abs(int(middle.argmax()) - nearest) <= 1
    # The triangles add up to one, and Hann's main lobe has 1.5 times the power of its middle for
    # every bin that there would be without zeros after the window.
    fft = 1 << (settings.window_samples - 1).bit_length()
    expected = 1.5 * fft / settings.window_samples
    assert middle.sum() == pytest.approx(expected, rel=0.05)
    quarter = np.exp(log_mel(tone(hertz, 2.0, 0.5), settings))[len(frames) // 2]
    assert quarter.sum() == pytest.approx(middle.sum() / 4, rel=1e-3)


def test_silence_is_the_floor_and_normalisation_is_by_band():
    silence = np.zeros(1_000, np.float32)
    assert log_mel(silence, FINE) == pytest.approx(np.log(1e-9), abs=1e-5)
    mean, std = tuple(range(64)), tuple(range(1, 65))
    normal = LogMelSettings(mean=mean, std=std)
    sound = tone(700, 0.5)
    expected = (log_mel(sound, FINE) - np.array(mean)) / np.array(std)
    assert log_mel(sound, normal) == pytest.approx(expected, abs=1e-4)


def test_a_frame_stands_for_its_own_hop():
    click = np.zeros(16_000, np.float32)
    click[8_000 + 160] = 1.0  # the middle of frame 25
    loud = log_mel(click, FINE).mean(axis=1)
    assert int(loud.argmax()) == 25


@given(st.integers(0, 5_000))
def test_the_last_frame_may_be_only_begun(samples):
    assert frame_count(samples, FINE) == int(np.ceil(samples / 320))
    assert log_mel(np.zeros(samples, np.float32), FINE).shape == (frame_count(samples, FINE), 64)


@pytest.mark.parametrize("settings", [FINE, TEXT_SHIFT])
def test_pieces_with_margins_give_the_frames_of_the_whole(settings):
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    whole = log_mel(sound, settings)
    before, after = settings.margins
    hop, window = settings.hop_samples, settings.window_samples
    padded = np.pad(sound, (before, after))
    first, last = 3, 9
    piece = padded[first * hop : (last - 1) * hop + window]
    assert np.array_equal(log_mel_within(piece, settings), whole[first:last])
    assert log_mel_within(padded[: window - 1], settings).shape == (0, 64)


def test_sound_of_two_channels_is_refused():
    with pytest.raises(ValueError, match=r"shape \(n,\)"):
        log_mel_within(np.zeros((2, 9_000), np.float32), FINE)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"window": 0.01}, "hop"),
        ({"highest": 9_000.0}, "half the rate"),
        ({"mean": (1.0,), "std": (1.0,)}, "each band"),
        ({"windoww": 0.04}, "windoww"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(ValidationError, match=said):
        LogMelSettings(**wrong)
    with pytest.raises(ValidationError, match="odd"):
        Decoding(median=4)


def test_median_of_three_takes_single_frames_away():
    scores = np.array([0.1, 0.9, 0.1, 0.8, 0.9, 0.8, 0.1], np.float32)
    expected = [0.1, 0.1, 0.8, 0.8, 0.8, 0.8, 0.1]
    assert median_filtered(scores, 3) == pytest.approx(expected)
    assert median_filtered(scores, 1) is not None
    assert len(median_filtered(np.zeros(0), 5)) == 0


def test_events_by_hand():
    scores = np.array([0, 0.6, 0.8, 0.4, 0.7, 0, 0, 0, 0.9, 0], np.float32)
    found = find_events(scores, "crying", Decoding(threshold=0.5), 0.1)
    assert [(round(e.start, 6), round(e.end, 6)) for e in found] == [
        (0.1, 0.3),
        (0.4, 0.5),
        (0.8, 0.9),
    ]
    assert found[0].score == pytest.approx(0.7)
    assert {e.label for e in found} == {"crying"}
    closed = find_events(scores, "crying", Decoding(threshold=0.5, gap=0.15, minimum=0.2), 0.1)
    assert [(e.start, e.end) for e in closed] == [pytest.approx((0.1, 0.5))]
    # The mean over all frames of the event, the closed gap among them.
    assert closed[0].score == pytest.approx((0.6 + 0.8 + 0.4 + 0.7) / 4)
    # A gap of just as many frames as asked for stays one.
    assert len(find_events(scores, "crying", Decoding(threshold=0.5, gap=0.1), 0.1)) == 3
    # A low threshold finds the ends, a high peak says which are events at all.
    high = find_events(scores, "crying", Decoding(threshold=0.3, peak=0.85), 0.1)
    assert [(e.start, e.end) for e in high] == [pytest.approx((0.8, 0.9))]
    assert find_events(np.zeros(0), "crying", Decoding(), 0.1) == []
    with pytest.raises(ValueError, match=r"shape \(frames,\)"):
        find_events(np.zeros((2, 2)), "crying", Decoding(), 0.1)


@given(
    st.lists(st.floats(0, 1, width=32), max_size=60),
    st.sampled_from([1, 3, 7]),
    st.sampled_from([0.0, 0.05, 0.1]),
    st.sampled_from([0.0, 0.05, 0.1]),
)
def test_events_are_apart_in_order_and_long_enough(scores, median, minimum, gap):
    decoding = Decoding(threshold=0.5, median=median, minimum=minimum, gap=gap)
    found = find_events(np.array(scores, np.float32), "x", decoding, 0.02)
    borders = [time for event in found for time in (event.start, event.end)]
    assert borders == sorted(borders)
    assert all(e.start >= 0 and e.end <= len(scores) * 0.02 + 1e-9 for e in found)
    assert all(e.end - e.start >= minimum - 1e-6 and 0 <= e.score <= 1 for e in found)
    assert all(b.start - a.end >= gap - 1e-6 for a, b in itertools.pairwise(found))
    if median == 1 and not minimum and not gap:
        inside = np.array(scores, np.float32) >= np.float32(0.5)
        assert sum(e.end - e.start for e in found) == pytest.approx(inside.sum() * 0.02)


def test_decode_reads_each_name_its_own_way_and_sorts_by_time():
    settings = DetectorSettings(
        labels=("laughter",),
        log_mel=LogMelSettings(hop=0.04),
        decoding={"laughter": Decoding(threshold=0.8), "verbal": Decoding(threshold=0.2)},
    )
    scores = {
        "laughter": np.array([0.0, 0.7, 0.9, 0.0]),
        "verbal": np.array([0.3, 0.3, 0.0, 0.0]),
        "non_verbal": np.array([0.0, 0.4, 0.6, 0.0]),
    }
    found = decode(scores, settings)
    assert [(e.label, round(e.start, 3), round(e.end, 3)) for e in found] == [
        ("verbal", 0.0, 0.08),
        ("laughter", 0.08, 0.12),
        ("non_verbal", 0.08, 0.12),
    ]
    assert isinstance(found[0], DetectedEvent)


def test_a_file_says_how_it_is_used():
    settings = DetectorSettings(
        labels=("speech_male", "sneeze"),
        log_mel=LogMelSettings(mean=(0.5,) * 64, std=(2.0,) * 64),
        decoding={"verbal": Decoding(threshold=0.3, median=5, gap=0.2)},
        seen_subjects=("ravdess/01",),
        description="words",
    )
    metadata = settings.to_metadata()
    assert json.loads(metadata["labels"]) == ["speech_male", "sneeze"]
    assert DetectorSettings.from_metadata({**metadata, "producer": "x"}) == settings
    assert settings.decoding_of("sneeze") == Decoding()


@pytest.mark.parametrize(
    "metadata", [{}, {"labels": "no json"}, {"labels": "[]"}, {"labels": '["a"]', "log_mel": "[]"}]
)
def test_a_file_that_does_not_is_refused_in_one_line(metadata):
    with pytest.raises(ModelError, match=r"other\.onnx: does not say") as refused:
        DetectorSettings.from_metadata(metadata, "other.onnx")
    assert "\n" not in str(refused.value)


def test_the_shipped_detector_hears_actors_of_a_corpus_it_never_heard(shared):
    path = path_of("sound_events")
    session = open_session(path)
    settings = DetectorSettings.from_metadata(dict(session.get_modelmeta().custom_metadata_map))
    clips = sorted((shared / "data" / "crema_d_sample").glob("*.flv"))
    assert len(clips) == 3
    for clip in clips:
        sound = read_sound(Clip(clip))
        frames = log_mel(sound.samples, settings.log_mel)
        verbal, non_verbal = session.run(["verbal", "non_verbal"], {"log_mel": frames[None]})
        found = decode({"verbal": verbal[0], "non_verbal": non_verbal[0]}, settings)
        # One sentence with silence before and after it.
        (event,) = found
        assert event.label == "verbal"
        assert 0.2 < event.start < 0.7
        assert 0.6 < event.end - event.start < sound.seconds - 0.4


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=12))
def test_joined_spans_cover_the_same_time_and_are_apart(pairs):
    spans = [(float(start), float(start + length)) for start, length in pairs]
    found = joined(spans)
    covered = {t for start, end in spans for t in range(int(start), int(end))}
    assert {t for start, end in found for t in range(int(start), int(end))} == covered
    assert all(a[1] < b[0] for a, b in itertools.pairwise(found))
