"""The short-time Fourier transform against a published program's and librosa's numbers."""

from __future__ import annotations

import numpy as np
import pytest

from aver.errors import MediaError, SettingError
from aver.features.extractor import Clip, make_extractor
from aver.features.spectrogram import decibels, short_time_spectrum

from .sounds import chirp, ravdess_clip, tone, write_wave


def test_magnitudes_are_librosas():
    """Numbers of librosa 0.11.0: stft(n_fft=512, win_length=400, hop_length=160)."""
    out = short_time_spectrum(chirp(), 512, 400, 160, centred=True)
    assert out.shape == (101, 257)
    np.testing.assert_allclose(out[[50, 50], [14, 50]], [29.924324, 8.2299142e-05], rtol=1e-2)


def test_tone_stands_in_its_bin_at_half_its_amplitude_times_the_window():
    """A tone on bin k: amplitude / 2 times the sum of the window, which is half its length."""
    sound = np.cos(2 * np.pi * 1000 * np.arange(4_000) / 16_000)
    out = short_time_spectrum(sound, 512, 512, 160, centred=False)
    np.testing.assert_allclose(out[:, 32], 0.5 * 256, rtol=1e-9)
    assert out[:, 40:].max() < 1e-9


def test_decibels_have_a_floor():
    np.testing.assert_allclose(decibels(np.array([1.0, 1e-2, 1e-12]), top=0), [0.0, -20.0, -100.0])
    np.testing.assert_allclose(decibels(np.array([1.0, 1e-12])), [0.0, -80.0])


def test_recording_agrees_with_a_published_program(shared, tmp_path):
    """Log magnitudes (513, 356) of RAVDESS 03-01-05-02-01-01-07, Hann 800, hop 160, FFT 1024."""
    expected = np.load(shared / "oracles" / "kayser_saliency.npz")["P"]
    clip = Clip(ravdess_clip(shared, "03-01-05-02-01-01-07", tmp_path))
    extractor = make_extractor(
        "spectrogram", fft=1024, frame=800, hop=160, scale="log", centred=False
    )
    ours = extractor.extract(clip).values.T
    assert ours.shape == expected.shape
    # That program's window is the symmetric one; near nothing the logarithm shows it.
    assert np.corrcoef(ours.ravel(), expected.ravel())[0, 1] > 0.9999
    assert np.median(np.abs(ours - expected)) < 0.003


@pytest.mark.parametrize("centred", [True, False])
def test_shape_is_told_beforehand(tmp_path, centred):
    clip = Clip(write_wave(tmp_path / "tone.wav", tone(1.2)))
    for seconds in (0.0, 0.5):
        extractor = make_extractor("spectrogram", window_seconds=seconds, centred=centred)
        features = extractor.extract(clip)
        assert features.values.shape[1:] == extractor.shape
        assert (features.times[:, 1] > features.times[:, 0]).all()
        assert features.times.max() <= 1.2 + 1e-6


def test_power_is_the_square_of_the_magnitude(tmp_path):
    clip = Clip(write_wave(tmp_path / "tone.wav", tone(0.3)))
    power = make_extractor("spectrogram", scale="power").extract(clip).values
    magnitude = make_extractor("spectrogram", scale="magnitude").extract(clip).values
    np.testing.assert_allclose(power, magnitude**2, rtol=1e-4)


def test_frame_longer_than_the_transform_is_refused():
    with pytest.raises(SettingError, match=r"frame \(800\) must not be longer than fft \(512\)"):
        make_extractor("spectrogram", frame=800)


def test_blip_says_so(tmp_path):
    path = write_wave(tmp_path / "blip.wav", tone(0.01))
    with pytest.raises(MediaError, match="less than one frame"):
        make_extractor("spectrogram", centred=False).extract(Clip(path))
