"""openSMILE's functional sets, and emobase2010 made of IS10."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aver.errors import MediaError, ModelError, SettingError
from aver.features.extractor import Clip, make_extractor
from aver.features.opensmile_is10 import is_inexact, to_emobase

from .sounds import ravdess_clip, tone, write_wave

STEM = "03-01-05-02-01-01-07"

# How openSMILE's own configurations read a file and write an ARFF file.
SOURCE = r"""[componentInstances:cComponentManager]
instance[waveIn].type=cWaveSource
[waveIn:cWaveSource]
writer.dmLevel=wave
filename=\cm[inputfile(I){test.wav}:name of input file]
monoMixdown=1
"""
SINK = r"""[componentInstances:cComponentManager]
instance[arffsink].type=cArffSink
[arffsink:cArffSink]
reader.dmLevel=func
frameIndex=0
frameTime=0
filename=\cm[arffout(O){output.arff}:name of WEKA Arff output file]
relation=\cm[corpus{SMILEfeatures}:corpus name, arff relation]
instanceName=\cm[instname(N){noname}:name of arff instance]
append=1
"""
# What the package's IS10 sets for pitch and emobase2010 leaves at openSMILE's defaults.
PITCH = (
    "greedyPeakAlgo compressionFactor nHarmonics voicingCutoff maxPitch minPitch "
    "inputMaxDelaySec usePeakToPeakPeriodLength shimmerUseRmsAmplitude minCC minNumPeriods "
    "useBrokenJitterThresh"
).split()


def test_missing_package_is_told_with_the_way_to_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    clip = Clip(write_wave(tmp_path / "tone.wav", tone()))
    with pytest.raises(ModelError, match=r"not installed.*pip install 'aver\[opensmile\]'"):
        make_extractor("egemaps").extract(clip)


def test_positions_become_shares_and_rates_counts():
    names = ("a_sma_maxPos", "a_sma_amean", "F0final__Turn_onsetRate", "F0final__Turn_duration")
    row = np.array([50.0, 7.0, 2.5, 2.02], np.float32)
    # 2.02 s are 202 frames of pitch, and 200 of the smoothed descriptor; 2.5 a second are 5.
    np.testing.assert_allclose(to_emobase(row, names), [0.25, 7.0, 5.0, 2.02])


def test_inexact_functionals_are_those_of_pitch():
    assert is_inexact("F0finEnv_sma_de_maxPos")
    assert is_inexact("F0final__Turn_numOnsets")
    assert not is_inexact("F0final__Turn_duration")
    assert not is_inexact("pcm_loudness_sma_amean")


def test_emobase2010_agrees_with_opensmiles_own(shared, tmp_path):
    pytest.importorskip("opensmile")
    oracle = pd.read_csv(shared / "oracles" / "emobase2010.csv").set_index("clip")
    extractor = make_extractor("emobase2010")
    assert list(extractor.names) == list(oracle.columns)
    exact = np.array([name not in extractor.inexact for name in extractor.names])
    assert exact.sum() == 1582 - 195
    for stem, expected in oracle.iterrows():
        features = extractor.extract(Clip(ravdess_clip(shared, stem, tmp_path)))
        assert features.values.shape == (1, 1582)
        ours, theirs = features.values[0], expected.to_numpy(float)
        np.testing.assert_allclose(ours[exact], theirs[exact], rtol=1e-3, atol=1e-3)
        assert not np.allclose(ours[~exact], theirs[~exact], rtol=1e-3, atol=1e-3)


@pytest.fixture
def config(tmp_path):
    """A configuration as emobase2010's: IS10's, with pitch and positions as that has them."""
    package = pytest.importorskip("opensmile")
    folder = Path(package.__file__).parent / "core" / "config"
    text = (folder / "is09-13" / "IS10_paraling_compat.conf").read_text("utf-8", "replace")
    text = re.sub(r"^\\\{\\cm\[source.*$", lambda _: SOURCE, text, flags=re.MULTILINE)
    text = re.sub(r"^\\\{\\cm\[sink.*$", lambda _: SINK, text, flags=re.MULTILINE)
    text = re.sub(rf"^({'|'.join(PITCH)}) *=.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^Extremes.norm *=.*$", "Extremes.norm = segment", text, flags=re.MULTILINE)
    path = tmp_path / "emobase" / "own.conf"
    path.parent.mkdir()
    path.write_text(text)
    (tmp_path / "shared").mkdir()
    for file in (folder / "shared").iterdir():
        (tmp_path / "shared" / file.name).write_bytes(file.read_bytes())
    return path


def test_own_configuration_is_used_as_it_is(shared, tmp_path, config):
    """With emobase2010's own settings all 1,582 agree, those of pitch too."""
    oracle = pd.read_csv(shared / "oracles" / "emobase2010.csv").set_index("clip")
    extractor = make_extractor("emobase2010", config=str(config))
    features = extractor.extract(Clip(ravdess_clip(shared, STEM, tmp_path)))
    theirs = oracle.loc[STEM].to_numpy(float)
    np.testing.assert_allclose(features.values[0], theirs, rtol=1e-5, atol=1e-5)
    assert extractor.inexact == ()
    assert len(extractor.depends_on["config"]) == 64


def test_configuration_that_is_none_is_refused(tmp_path):
    pytest.importorskip("opensmile")
    with pytest.raises(SettingError, match=r"config: there is no file .*nothing.conf"):
        _ = make_extractor("emobase2010", config=str(tmp_path / "nothing.conf")).names
    bad = tmp_path / "bad.conf"
    bad.write_text("[componentInstances:cComponentManager]\ninstance[x].type=cNothing\n")
    with pytest.raises(SettingError, match=r"config: openSMILE refuses .*bad.conf"):
        _ = make_extractor("emobase2010", config=str(bad)).names


@pytest.mark.parametrize(
    ("name", "functionals", "one"),
    [
        ("egemaps", 88, "F0semitoneFrom27.5Hz_sma3nz_amean"),
        ("compare_2016", 6373, "audspec_lengthL1norm_sma_range"),
        ("is10", 1582, "pcm_loudness_sma_maxPos"),
    ],
)
def test_sets_have_their_published_size(tmp_path, name, functionals, one):
    pytest.importorskip("opensmile")
    extractor = make_extractor(name)
    assert extractor.shape == (functionals,)
    assert one in extractor.names
    clip = Clip(write_wave(tmp_path / "tone.wav", tone(2.0)))
    features = extractor.extract(clip)
    assert features.values.shape == (1, functionals)
    assert np.isfinite(features.values).all()


def test_egemaps_hears_the_pitch_of_a_voice_like_tone(tmp_path):
    """200 Hz are 12 log2(200 / 27.5) = 34.35 semitones above 27.5 Hz."""
    pytest.importorskip("opensmile")
    time = np.arange(32_000) / 16_000
    voice = sum(0.3 / n * np.sin(2 * np.pi * 200 * n * time) for n in range(1, 9))
    extractor = make_extractor("egemaps")
    features = extractor.extract(Clip(write_wave(tmp_path / "voice.wav", voice * 0.5)))
    at = extractor.names.index("F0semitoneFrom27.5Hz_sma3nz_amean")
    assert features.values[0, at] == pytest.approx(34.35, abs=0.1)


def test_windows_are_measured_each_by_itself(tmp_path):
    pytest.importorskip("opensmile")
    path = write_wave(tmp_path / "tone.wav", np.concatenate([tone(1.0), tone(1.005) * 0.1]))
    extractor = make_extractor("egemaps", window_seconds=0.5)
    features = extractor.extract(Clip(path))
    assert features.values.shape == (5, 88)
    # The last 5 ms hold no frame.
    assert features.present.tolist() == [True, True, True, True, False]
    assert not features.values[4].any()
    alone = make_extractor("egemaps").extract(Clip(path, 0.5, 1.0))
    np.testing.assert_allclose(features.values[1], alone.values[0], rtol=1e-5)
    assert features.times[3].tolist() == [1.5, 2.0]


def test_blip_says_so(tmp_path):
    pytest.importorskip("opensmile")
    path = write_wave(tmp_path / "blip.wav", tone(0.01))
    with pytest.raises(MediaError, match="too short for 'egemaps'"):
        make_extractor("egemaps").extract(Clip(path))
