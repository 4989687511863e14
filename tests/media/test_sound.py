"""Mixing, placing and resampling of sound, worked by hand or against a signal that is known."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aver.media.sound import JITTER_SECONDS, SoundClock, mix_weights, to_mono

HALF = 0.5**0.5


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (["FC"], [1.0]),
        (["FL", "FR"], [0.5, 0.5]),
        # ITU-R BS.775: M = 0.7071 L + 0.7071 R + C + 0.5 Ls + 0.5 Rs, here over their sum.
        (
            ["FL", "FR", "FC", "LFE", "SL", "SR"],
            np.array([HALF, HALF, 1.0, 0.0, 0.5, 0.5]) / (2 + 2 * HALF),
        ),
        (["NONE", "NONE", "NONE"], [1 / 3] * 3),
        (["LFE"], [1.0]),
    ],
)
def test_mix_weights(channels: list[str], expected: list[float]) -> None:
    np.testing.assert_allclose(mix_weights(channels), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("u8", np.array([[0, 128, 255]], np.uint8), [-1.0, 0.0, 127 / 128]),
        ("s16", np.array([[-32768, 0, 16384]], np.int16), [-1.0, 0.0, 0.5]),
        ("s32", np.array([[-(2**31), 0, 2**30]], np.int32), [-1.0, 0.0, 0.5]),
        ("flt", np.array([[-1.0, np.nan, np.inf]], np.float32), [-1.0, 0.0, 1.0]),
        ("dblp", np.array([[-1.0, 0.25, 0.5]], np.float64), [-1.0, 0.25, 0.5]),
    ],
)
def test_sample_formats(name: str, values: np.ndarray, expected: list[float]) -> None:
    frame = av.AudioFrame.from_ndarray(values, name, "mono")
    np.testing.assert_allclose(to_mono(frame), expected, atol=1e-6)


def test_interleaved_and_planar_channels_are_told_apart() -> None:
    left, right = np.array([0.2, 0.4], np.float32), np.array([-0.2, 0.0], np.float32)
    planar = av.AudioFrame.from_ndarray(np.stack([left, right]), "fltp", "stereo")
    packed = av.AudioFrame.from_ndarray(
        np.array([[0.2, -0.2, 0.4, 0.0]], np.float32), "flt", "stereo"
    )
    np.testing.assert_allclose(to_mono(planar), [0.0, 0.2], atol=1e-7)
    np.testing.assert_allclose(to_mono(packed), [0.0, 0.2], atol=1e-7)


def ones(count: int, value: float = 0.5) -> np.ndarray:
    return np.full(count, value, np.float32)


def test_a_gap_stays_empty_and_what_follows_keeps_its_time() -> None:
    clock = SoundClock()
    clock.push(ones(1600), 16_000, 0.0)
    clock.push(ones(1600), 16_000, 0.3)
    window = clock.take(0, 8000)
    assert window is not None
    np.testing.assert_array_equal(window[:1600], 0.5)
    np.testing.assert_array_equal(window[1600:4800], 0.0)
    np.testing.assert_array_equal(window[4800:6400], 0.5)
    np.testing.assert_array_equal(window[6400:], 0.0)
    assert clock.gap_seconds == pytest.approx(0.2)
    assert clock.gap_start == pytest.approx(0.1)


def test_an_overlap_is_cut_from_what_comes_later() -> None:
    clock = SoundClock()
    clock.push(ones(8000, 0.25), 16_000, 0.0)
    clock.push(ones(8000, 0.75), 16_000, 0.3)
    window = clock.take(0, 16_000)
    assert window is not None
    np.testing.assert_array_equal(window[:8000], 0.25)
    np.testing.assert_array_equal(window[8000:12_800], 0.75)
    np.testing.assert_array_equal(window[12_800:], 0.0)


def test_jitter_makes_no_seam_and_does_not_add_up() -> None:
    """Stamps rounded to 30 ms, as some containers do: ten seconds stay ten seconds."""
    clock = SoundClock()
    for n in range(0, 160_000, 1000):
        clock.push(ones(1000), 16_000, round(n / 16_000 / 0.03) * 0.03)
    window = clock.take(0, 160_000)
    assert window is not None
    np.testing.assert_array_equal(window, 0.5)
    assert clock.end == 10.0
    assert clock.gap_seconds == 0.0


def test_a_clock_that_drifts_is_followed() -> None:
    """Sound that runs 1 % slow by its stamps: never further off than the tolerance."""
    clock = SoundClock()
    for n in range(0, 1_600_000, 1600):
        clock.push(ones(1600), 16_000, 1.01 * n / 16_000)
        assert abs(clock.end - (1.01 * n / 16_000 + 0.1)) <= JITTER_SECONDS + 0.002


def test_sound_without_stamps_follows_on() -> None:
    clock = SoundClock()
    clock.push(ones(1600), 16_000, 2.0)
    clock.push(ones(1600), 16_000, None)
    assert clock.end == pytest.approx(2.2)
    assert clock.take(0, 32_000) is None
    window = clock.take(32_000, 3200)
    assert window is not None
    np.testing.assert_array_equal(window, 0.5)


@given(
    rate=st.sampled_from([8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000]),
    hertz=st.floats(100.0, 3_000.0),
    start=st.floats(0.0, 5.0),
    chunk=st.integers(50, 5_000),
)
def test_resampling_keeps_level_and_phase(
    rate: int, hertz: float, start: float, chunk: int
) -> None:
    """A sine comes out as the same sine on the 16 kHz grid: the resampler's delay is made good."""
    count = rate // 2
    signal = np.sin(2 * np.pi * hertz * np.arange(count) / rate).astype(np.float32)
    clock = SoundClock()
    for at in range(0, count, chunk):
        clock.push(signal[at : at + chunk], rate, start + at / rate)
    clock.finish()
    first = round(start * 16_000)
    window = clock.take(first, 8000)
    assert window is not None
    expected = np.sin(2 * np.pi * hertz * np.arange(8000) / 16_000)
    middle = slice(400, 7600)
    np.testing.assert_allclose(window[middle], expected[middle], atol=2e-3)
    assert clock.end_index == pytest.approx(first + 8000, abs=1)


@given(st.lists(st.tuples(st.integers(1, 4000), st.floats(0, 0.3)), min_size=1, max_size=12))
def test_windows_take_every_sample_once(parts: list[tuple[int, float]]) -> None:
    """Whatever the gaps, taking windows in order gives back all samples, each at its place."""
    clock = SoundClock()
    time, expected = 0.0, np.zeros(80_000, np.float32)
    value = 0.0
    for count, gap in parts:
        value += 1 / 16
        at = max(round(time * 16_000), clock.end_index or 0)
        clock.push(ones(count, value), 16_000, at / 16_000)
        expected[at : at + count] = value
        time = at / 16_000 + count / 16_000 + (gap if gap > JITTER_SECONDS + 0.001 else 0.0)
    taken = [clock.take(start, 8000) for start in range(0, 80_000, 8000)]
    got = np.concatenate([np.zeros(8000) if w is None else w for w in taken])
    np.testing.assert_array_equal(got, expected)
    assert clock.held_samples == 0
    for start, window in zip(range(0, 80_000, 8000), taken, strict=True):
        assert (window is None) == (not expected[start : start + 8000].any())


def test_sound_beyond_full_scale_is_clipped() -> None:
    clock = SoundClock()
    clock.push(ones(8000, 3.0), 16_000, 0.0)
    window = clock.take(0, 8000)
    assert window is not None
    np.testing.assert_array_equal(window, 1.0)
