"""Auditory saliency: Kayser's program, its fields, bounded memory, films segment by segment."""

from __future__ import annotations

import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aver.errors import MediaError, SettingError
from aver.features import auditory_saliency_fields as fields
from aver.features import auditory_saliency_stream as stream
from aver.features import sound_parts as parts_module
from aver.features.auditory_saliency_map import log_spectrum_blocks, saliency_map
from aver.features.auditory_saliency_weights import (
    AFTER,
    BEFORE,
    WINDOW,
    find_peaks,
    level_of,
    taper,
)
from aver.features.extractor import Clip, make_extractor
from aver.features.sound_parts import sound_parts
from aver.features.windows import read_sound

RATE = 16_000


def write_wav(path, samples, rate=RATE):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def noise(seconds, seed=0, level=0.01):
    return np.random.default_rng(seed).normal(0, level, round(seconds * RATE)).astype(np.float32)


def correlation(one, other):
    return float(np.corrcoef(np.ravel(one), np.ravel(other))[0, 1])


@pytest.fixture
def oracle(shared):
    return np.load(shared / "oracles" / "kayser_saliency.npz")


def test_agrees_with_the_program(oracle):
    found = saliency_map(oracle["P"], pairs=fields.PROGRAM_PAIRS)
    assert found.values.shape == oracle["M"].shape == (257, 178)
    assert correlation(found.values, oracle["M"]) >= 0.985
    assert correlation(found.values.mean(axis=1), oracle["M"].mean(axis=1)) >= 0.98
    assert correlation(found.values.mean(axis=0), oracle["M"].mean(axis=0)) >= 0.99
    assert correlation(found.eo, oracle["eo"]) >= 0.99
    assert correlation(found.esi, oracle["esi"]) >= 0.975
    assert correlation(found.epi, oracle["epi"]) >= 0.955
    assert found.values.mean() == pytest.approx(oracle["M"].mean(), rel=0.12)


def test_four_pairs_are_near_the_five(oracle):
    four = saliency_map(oracle["P"])
    assert 0.9 < correlation(four.values, oracle["M"]) < 0.985


def test_spectrogram_of_the_oracle_is_ours(oracle, tmp_path, shared):
    # The oracle's frames: whole ones of 800 every 160. A tone lies in its own bin.
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    (block,) = log_spectrum_blocks([tone], 800, 160)
    assert block.shape == (96, 513)
    assert (block.argmax(axis=1) == 64).all()
    # Amplitude 0.5 under a Hann window of 800: 0.5 / 2 * 400.
    assert block[10, 64] == pytest.approx(np.log(100.0), abs=1e-3)
    assert len(oracle["P"]) == block.shape[1]


@pytest.mark.parametrize("cut", [1, 7, 333, 5000])
def test_spectrogram_does_not_depend_on_the_parts(cut):
    sound = noise(0.7)
    (whole,) = log_spectrum_blocks([sound], 800, 160)
    pieces = [sound[at : at + cut] for at in range(0, len(sound), cut)]
    np.testing.assert_array_equal(np.concatenate([*log_spectrum_blocks(pieces, 800, 160)]), whole)


def test_silence_in_the_spectrogram_is_the_floor():
    (block,) = log_spectrum_blocks([np.zeros(2000, np.float32)], 800, 160)
    np.testing.assert_allclose(block, np.log(1e-7), rtol=1e-6)


def test_receptive_fields():
    found = fields.receptive_fields()
    for over_frequency, over_time in found.values():
        assert over_frequency.shape == (45,)
        assert over_time.shape == (80,)
        assert abs(np.outer(over_frequency, over_time).sum()) == pytest.approx(1.0)
    # Written out from the program's figures.
    time, frequency = 24.0, 0.3 + 20 / 32
    at = np.cos(2 * np.pi * frequency) * np.exp(-0.5 * ((frequency - 1) / 0.14) ** 2)
    narrow = found["eo"][0]
    assert narrow[20] / narrow[22] == pytest.approx(
        at / (np.cos(2 * np.pi * 0.9875) * np.exp(-0.5 * (0.0125 / 0.14) ** 2))
    )
    assert found["eo"][1].argmax() == time - 1
    assert (found["esi"][0] < -0.05 * found["esi"][0].max()).sum() > 10
    temporal = found["epi"][1]
    assert temporal[49] / temporal[23] == pytest.approx(-0.5, abs=1e-3)
    assert temporal[:34].min() > 0 > temporal[40:].max()


def test_separable_fields_give_the_convolution():
    """Against the definition, cell by cell, at the spectrogram's own scale and at the next."""
    spectrogram = np.random.default_rng(1).normal(-5, 1, (60, 513)).astype(np.float32)
    for level in (0, 1):
        found = fields.responses(spectrogram, level)
        frames = fields.level_cells(60, level)
        bins = fields.level_cells(513, level)
        image = spectrogram[np.ix_(frames, bins)].astype(float)
        step = 2 if level == 0 else 1
        around = np.pad(image, ((80, 80), (45, 45)), mode="reflect")
        for number, (over_frequency, over_time) in enumerate(fields.receptive_fields().values()):
            field = np.outer(over_time, over_frequency)
            for column, row in ((0, 0), (3, 100), (20, 250), (29, 256)):
                y = min(step * column + step // 2, len(frames) - 1)
                x = min(step * row + step // 2, len(bins) - 1)
                part = around[80 + y + 40 - 79 : 80 + y + 41, 45 + x + 23 - 44 : 45 + x + 24]
                wanted = abs((part * field[::-1, ::-1]).sum())
                assert found[number][column, row] == pytest.approx(wanted, rel=2e-4)


def test_local_maxima_fall_in_both_directions():
    one = np.zeros((9, 257), np.float32)
    one[2, 10], one[5, 50], one[7, 90] = 1.0, 0.5, 0.25
    one[4, 20:30] = 0.8  # a ridge falls in one direction only
    peaks = find_peaks(one)
    assert peaks.count.tolist() == [0, 0, 1, 0, 0, 1, 0, 1, 0]
    level = level_of(peaks, 0, WINDOW)
    assert level.maximum == 1.0
    assert level.others == pytest.approx((0.5 + 0.25) / 2)
    # The whole map's maximum is 2: values scaled to [0, 1] are halved, m is 0.375 / 0.5.
    assert level.weight(2.0, "clip") == pytest.approx((1 - 0.375 / 0.5) ** 2)
    assert level.weight(2.0, "stretch") == pytest.approx((1 - 0.375) ** 2)


def test_stretch_reaches_150_before_and_50_after():
    one = np.zeros((1000, 257), np.float32)
    one[:, 5] = 0.1
    for column in (400 - BEFORE - 1, 400 + WINDOW + AFTER):
        one[column, 9] = 7.0
    peaks = find_peaks(one)
    assert level_of(peaks, 400, 400 + WINDOW).maximum == pytest.approx(0.1)
    assert level_of(peaks, 399, 399 + WINDOW).maximum == 7.0
    assert level_of(peaks, 401, 401 + WINDOW).maximum == 7.0


def test_taper_is_a_hann_flank_of_11_cells():
    one = taper(40)
    np.testing.assert_allclose(one[:11], 0.5 - 0.5 * np.cos(np.pi * np.arange(11) / 11), atol=1e-6)
    np.testing.assert_allclose(one, one[::-1])
    assert (one[11:29] == 1).all()


def test_a_beep_in_noise_stands_out():
    sound = noise(3.0)
    at = np.arange(8000) / RATE
    sound[24_000:32_000] += (0.3 * np.sin(2 * np.pi * 3000 * at)).astype(np.float32)
    spectrogram = np.concatenate([*log_spectrum_blocks([sound], 800, 160)])
    found = saliency_map(spectrogram.T).values
    band = found[:, 60:110].mean(axis=1)
    assert abs(int(band.argmax()) - 96) <= 4  # 3 kHz in steps of 31.25 Hz
    assert band.max() > 3 * np.median(band)


@pytest.mark.parametrize("value", [-16.1, 0.0, 3.0])
def test_nothing_stands_out_of_a_constant(value):
    found = saliency_map(np.full((513, 80), value, np.float32))
    assert found.values.shape == (257, 40)
    assert not found.values.any()


@settings(max_examples=15, deadline=None)
@given(frames=st.integers(2, 60), seed=st.integers(0, 99))
def test_map_of_any_length_is_finite_and_not_negative(frames, seed):
    spectrogram = np.random.default_rng(seed).normal(-5, 2, (513, frames))
    found = saliency_map(spectrogram, pairs=fields.PROGRAM_PAIRS).values
    assert found.shape == (257, -(-frames // 2))
    assert np.isfinite(found).all()
    assert found.min() >= 0


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match="513"):
        saliency_map(np.zeros((257, 20)))


@pytest.mark.parametrize(("block", "scale"), [(300, "clip"), (450, "stretch")])
def test_in_blocks_as_in_one(block, scale, monkeypatch):
    rng = np.random.default_rng(2)
    loudness = np.repeat(rng.normal(0, 2, 25), 100)[:2411, None]
    spectrogram = (rng.normal(-6, 1, (2411, 513)) + loudness).astype(np.float32)
    whole = saliency_map(spectrogram.T, scale=scale).values
    monkeypatch.setattr(stream, "BLOCK", block)
    pieces = (spectrogram[at : at + 256] for at in range(0, 2411, 256))
    borders = stream.in_order(range(250, 2000, 250))
    measured = stream.measure(pieces, fields.PAPER_PAIRS, borders)
    assert measured.columns == whole.shape[1] == 1206
    for start in range(0, 1206, 250):
        mean = measured.mean(start, min(start + 250, 1206), scale)
        np.testing.assert_allclose(
            mean, whole[:, start : start + 250].mean(axis=1), rtol=1e-3, atol=1e-6
        )


def test_blocks_keep_a_bounded_number_of_frames(monkeypatch):
    monkeypatch.setattr(stream, "BLOCK", 600)
    state = stream._State(fields.PAPER_PAIRS, stream.in_order([]))
    most = 0
    for _ in range(20):
        state.add(np.zeros((256, 513), np.float32))
        most = max(most, state._count)
    assert state._done >= 2 * stream.BLOCK
    assert most < 2 * stream.BLOCK + 1700


def test_extractor_of_windows(tmp_path):
    file = write_wav(tmp_path / "noise.wav", noise(12.0))
    features = make_extractor("auditory_saliency", window_seconds=5).extract(Clip(file))
    assert features.values.shape == (3, 257)
    np.testing.assert_allclose(features.times, [[0, 5], [5, 10], [10, 12]])
    assert features.present.all()
    blocks = [*log_spectrum_blocks([read_sound(Clip(file)).samples], 800, 160)]
    whole = saliency_map(np.concatenate(blocks).T).values
    # Column j is centred on sample 320 j + 480: 249 lie before 5 s, the next 250 before 10 s.
    for row, (start, end) in enumerate(((0, 249), (249, 499), (499, 598))):
        wanted = whole[:, start:end].mean(axis=1)
        np.testing.assert_allclose(features.values[row], wanted, rtol=1e-3, atol=1e-6)


def test_extractor_of_overlapping_windows_and_of_the_clip(tmp_path):
    file = write_wav(tmp_path / "noise.wav", noise(4.0))
    half = make_extractor("auditory_saliency", window_seconds=1, hop_seconds=0.5)
    one = make_extractor("auditory_saliency", window_seconds=1)
    np.testing.assert_allclose(
        half.extract(Clip(file)).values[::2], one.extract(Clip(file)).values, rtol=1e-4
    )
    whole = make_extractor("auditory_saliency").extract(Clip(file))
    assert whole.values.shape == (1, 257)
    assert whole.times.tolist() == [[0, 4]]
    names = make_extractor("auditory_saliency").names
    assert (names[0], names[32], names[-1]) == (
        "saliency_0_hz",
        "saliency_1000_hz",
        "saliency_8000_hz",
    )


def test_too_short_is_one_line(tmp_path):
    file = write_wav(tmp_path / "short.wav", noise(0.055))
    with pytest.raises(MediaError, match=r"short\.wav: its sound lasts .* less than two frames"):
        make_extractor("auditory_saliency").extract(Clip(file))


def test_settings_are_checked():
    with pytest.raises(SettingError, match="input should be 'paper' or 'program'"):
        make_extractor("auditory_saliency", pairs="six")
    with pytest.raises(SettingError, match="shorter than a column"):
        make_extractor("auditory_saliency", window_seconds=0.01)


def test_segments_of_a_film_are_read_in_one_go(tmp_path, monkeypatch):
    file = write_wav(tmp_path / "film.wav", noise(30.0))
    whole = read_sound(Clip(file)).samples
    opened = []
    reading = parts_module.read_windows
    monkeypatch.setattr(
        parts_module, "read_windows", lambda *a, **k: opened.append(a) or reading(*a, **k)
    )
    for start in (0.0, 5.0, 10.25, 10.25, 20.0, 25.0):
        part = read_sound(Clip(file, start, start + 5.0)).samples
        first = round(start * RATE)
        np.testing.assert_array_equal(part, whole[first : first + 5 * RATE])
    assert len(opened) == 2  # the same stretch twice begins anew
    np.testing.assert_array_equal(read_sound(Clip(file, 1.0, 2.0)).samples, whole[16_000:32_000])
    assert len(opened) == 3


def test_a_changed_file_is_opened_again(tmp_path):
    file = write_wav(tmp_path / "film.wav", noise(4.0))
    read_sound(Clip(file, 0.0, 1.0))
    write_wav(file, noise(5.0, seed=1))
    again = read_sound(Clip(file, 2.0, 3.0)).samples
    np.testing.assert_allclose(again, noise(5.0, seed=1)[32_000:48_000], atol=1e-4)


def test_a_stretch_beyond_the_end_is_one_line(tmp_path):
    file = write_wav(tmp_path / "film.wav", noise(4.0))
    assert len(read_sound(Clip(file, 3.0, 9.0)).samples) == RATE
    with pytest.raises(MediaError, match="ends at 4"):
        list(sound_parts(Clip(file, 5.0, 9.0)))
