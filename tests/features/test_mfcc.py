"""MFCC against librosa's numbers, resampling against resampy's."""

from __future__ import annotations

import numpy as np
import pytest

from aver.errors import MediaError, SettingError
from aver.features.extractor import Clip, make_extractor
from aver.features.mfcc import cosine_matrix, mfcc, slaney_matrix, slaney_to_hertz
from aver.features.resample import resample

from .sounds import chirp, ravdess_clip, write_wave


def test_kaiser_up_is_resampys():
    """Numbers of resampy 0.4.3, filter kaiser_best, 16,000 to 22,050 Hz."""
    out = resample(chirp(), 16_000, 22_050)
    assert out.dtype == np.float32
    assert len(out) == 22_050
    expected = [1.0812893e-03, 3.3947863e-02, 3.3785466e-03, -1.7216111e-09, 5.7851180e-02]
    np.testing.assert_allclose(out[[0, 1, 1000, 11025, 22000]], expected, atol=1e-6)
    assert np.sum(out.astype(float) ** 2) == pytest.approx(1110.6655087747708, rel=1e-6)


def test_kaiser_down_is_resampys():
    """Numbers of resampy 0.4.3, filter kaiser_best, 16,000 to 11,025 Hz."""
    out = resample(chirp(), 16_000, 11_025)
    expected = [0.00540274, 0.07273506, -0.25264755, -0.06959327, 0.00431647]
    np.testing.assert_allclose(out[[0, 1, 1000, 5000, 11000]], expected, atol=1e-6)


@pytest.mark.parametrize("rates", [(16_000, 22_050), (44_100, 16_000), (8_000, 16_000)])
def test_kaiser_in_blocks_is_kaiser_one_by_one(rates, monkeypatch):
    sound = np.random.default_rng(0).normal(size=9_001).astype(np.float32)
    in_blocks = resample(sound, *rates)
    monkeypatch.setattr("aver.features.resample._LARGEST_BLOCK", 0)
    np.testing.assert_allclose(resample(sound, *rates), in_blocks, atol=2e-6)


def test_kaiser_between_rates_without_a_common_divisor_is_resampys():
    """Numbers of resampy 0.4.3, filter kaiser_best, 44,101 to 16,000 Hz."""
    out = resample(chirp(), 44_101, 16_000)
    assert len(out) == 5_804
    expected = [0.014471655, 0.1344135, -0.26716134, 0.18270984, -0.2205831]
    np.testing.assert_allclose(out[[0, 1, 1000, 3000, 5800]], expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["kaiser_best", "soxr_hq", "soxr_vhq"])
def test_resampled_tone_keeps_its_pitch_and_level(kind):
    time = np.arange(48_000) / 48_000
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    out = resample(tone, 48_000, 22_050, kind)
    assert len(out) == 22_050
    expected = np.sin(2 * np.pi * 1000 * np.arange(22_050) / 22_050)
    np.testing.assert_allclose(out[500:-500], expected[500:-500], atol=1e-4)


def test_resampling_to_the_same_rate_changes_nothing():
    np.testing.assert_array_equal(resample(chirp(), 16_000, 16_000), chirp())


def test_mel_scale_is_slaneys():
    np.testing.assert_allclose(
        slaney_to_hertz(np.array([0.0, 3.0, 15.0, 42.0])), [0.0, 200.0, 1000.0, 6400.0]
    )


def test_mel_bands_have_unit_area():
    # The narrow low bands hold few bins of 10.8 Hz each; the wide ones approach the integral.
    areas = slaney_matrix(22_050)[:, 60:].sum(axis=0) * 22_050 / 2048
    np.testing.assert_allclose(areas, 1.0, atol=0.01)


def test_cosine_transform_is_orthonormal():
    matrix = cosine_matrix(128, 128)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(128), atol=1e-12)


def test_mfcc_is_librosas():
    """Numbers of librosa 0.11.0: load with kaiser_best at 22,050 Hz, feature.mfcc(n_mfcc=40)."""
    out = mfcc(resample(chirp(), 16_000, 22_050))
    assert out.shape == (44, 40)
    expected = [-457.94678, 54.15576, 12.355108, 17.805141, -11.287703]
    np.testing.assert_allclose(out.mean(axis=0)[[0, 1, 2, 13, 39]], expected, atol=2e-3)
    np.testing.assert_allclose(out[[0, 20], [0, 5]], [-277.7126, -71.19476], atol=2e-3)


def test_mfcc_of_a_recording_is_librosas(shared, tmp_path):
    """Mean over time of RAVDESS 03-01-05-02-01-01-07, from librosa 0.11.0 with resampy 0.4.3."""
    clip = Clip(ravdess_clip(shared, "03-01-05-02-01-01-07", tmp_path))
    expected = {
        "kaiser_best": [-444.2025, 62.1714, -22.261358, 5.1838026],
        "soxr_hq": [-442.97546, 60.533817, -20.912767, 4.252433],
    }
    for resampling, numbers in expected.items():
        features = make_extractor("mfcc", resampling=resampling).extract(clip)
        assert features.values.shape == (1, 40)
        np.testing.assert_allclose(features.values[0, [0, 1, 2, 39]], numbers, atol=1e-3)
    assert features.times[0, 1] == pytest.approx(57_658 / 16_000, abs=1e-3)


def test_mfcc_of_windows_are_means_of_the_clips_frames(tmp_path):
    clip = Clip(write_wave(tmp_path / "chirp.wav", chirp()))
    frames = make_extractor("mfcc", pool="none").extract(clip)
    windows = make_extractor("mfcc", window_seconds=0.25).extract(clip)
    assert frames.values.shape == (44, 40)
    assert windows.values.shape == (4, 40)
    # 512 / 22,050 s a frame: the frames 0 to 10 are centred in the first quarter second.
    np.testing.assert_allclose(windows.values[0], frames.values[:11].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(windows.values[3], frames.values[33:].mean(axis=0), rtol=1e-5)


def test_window_without_a_frame_is_not_present(tmp_path):
    clip = Clip(write_wave(tmp_path / "chirp.wav", chirp()))
    features = make_extractor("mfcc", window_seconds=0.01).extract(clip)
    assert features.present.sum() == 44
    assert not features.values[~features.present].any()


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(SettingError, match="pool = 'mean'"):
        make_extractor("mfcc", pool="none", window_seconds=0.5)


def test_names_count_the_coefficients():
    assert make_extractor("mfcc", coefficients=3).names == ("mfcc_0", "mfcc_1", "mfcc_2")


def test_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.wav"
    path.write_bytes(b"")
    with pytest.raises(MediaError, match=r"empty.wav: the file is empty"):
        make_extractor("mfcc").extract(Clip(path))
