"""The detector's last hidden layers as features, at the film's frames."""

from __future__ import annotations

import math

import numpy as np
import pytest
from features.sounds import write_wave
from hypothesis import given, settings
from hypothesis import strategies as st
from sound_detector_made import make_detector, tones

from aver.errors import MediaError, ModelError, SettingError
from aver.features.extractor import Clip, make_extractor
from aver.features.sound_events import LogMelSettings, log_mel
from aver.features.sound_semantics import Rows

SOUND = tones(5.03, (0.5, 2.0, 120.0), (1.5, 4.0, 7000.0))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return str(make_detector(tmp_path_factory.mktemp("net") / "made.onnx"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return Clip(write_wave(tmp_path_factory.mktemp("sound") / "tones.wav", SOUND))


def frames(path) -> np.ndarray:
    """The log-mel frames of the file as it was written, 16 bits a sample."""
    return log_mel(np.round(SOUND * 32767).astype(np.float32) / 32768, LogMelSettings())


def test_a_row_is_the_mean_of_its_two_frames(network, clip):
    found = make_extractor("sound_semantics", network=network).extract(clip)
    # 50 frames a second, 25 rows: a row's middle is where its two frames meet.
    whole = frames(clip)
    assert len(whole) == 252
    assert found.values.shape == (126, 5)
    means = (whole[0::2] + whole[1::2]) / 2
    np.testing.assert_allclose(found.values, means[:, [0, 1, 2, 62, 63]], atol=2e-2)
    np.testing.assert_allclose(found.times[:3], [[0, 0.04], [0.04, 0.08], [0.08, 0.12]], atol=1e-6)
    assert found.times[-1, 1] == pytest.approx(5.03)
    assert found.present.all()


def test_verbal_and_non_verbal_side_by_side_are_all(network, clip):
    made = {
        which: make_extractor("sound_semantics", network=network, which=which)
        for which in ("verbal", "non_verbal", "all")
    }
    assert {which: one.shape for which, one in made.items()} == {
        "verbal": (3,),
        "non_verbal": (2,),
        "all": (5,),
    }
    parts = [made[which].extract(clip).values for which in ("verbal", "non_verbal")]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), made["all"].extract(clip).values)


@pytest.mark.parametrize(("rate", "rows"), [(50, 252), (10, 51), (24, 121)])
def test_rows_cover_the_clip_at_any_rate(network, clip, rate, rows):
    found = make_extractor("sound_semantics", network=network, rate=rate).extract(clip)
    assert len(found) == rows == math.ceil(5.029 * rate)
    if rate == 50:
        np.testing.assert_allclose(found.values[:, 0], frames(clip)[:, 0], atol=2e-2)


def test_a_stretch_of_a_file_is_heard_from_its_own_start(network, clip):
    part = Clip(clip.file, 1.0, 2.2)
    found = make_extractor("sound_semantics", network=network, rate=50).extract(part)
    assert len(found) == 60
    inner = slice(2, -2)  # at its borders the clip hears silence, the whole does not
    np.testing.assert_allclose(found.values[inner, 3], frames(clip)[50:110][inner, 62], atol=2e-2)


@given(
    rate=st.sampled_from([7.0, 24.0, 25.0, 50.0, 120.0]),
    hop=st.sampled_from([0.02, 0.04, 0.36]),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    align=st.sampled_from(["linear", "nearest"]),
)
@settings(max_examples=80, deadline=None)
def test_rows_of_pieces_are_numpys_interpolation(rate, hop, cuts, align):
    values = np.random.default_rng(1).random((sum(cuts), 2)).astype(np.float32)
    rows = Rows(rate, hop, align)
    at = 0
    for cut in cuts:
        rows.push(values[at : at + cut])
        at += cut
    count = math.ceil(at * hop * rate - 1e-9)
    found = rows.finish(count)
    middles = (np.arange(count) + 0.5) / rate
    centres = (np.arange(at) + 0.5) * hop
    if align == "linear":
        expected = np.stack([np.interp(middles, centres, column) for column in values.T], 1)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    else:
        distance = np.abs(middles[:, None] - centres)
        chosen = (found[:, None] == values[None]).all(2)
        assert (np.where(chosen, distance, np.inf).min(1) <= distance.min(1) + 1e-9).all()


def test_what_it_depends_on_and_whom_it_has_heard(network, tmp_path):
    one = make_extractor("sound_semantics", network=network)
    other = make_extractor(
        "sound_semantics", network=str(make_detector(tmp_path / "other.onnx", level=-7.0))
    )
    assert one.depends_on["network"] != other.depends_on["network"]
    assert one.seen_subjects == {"ravdess/*"}
    assert one.detector.widths == other.detector.widths


def test_what_cannot_be_measured_is_told(network, tmp_path):
    with pytest.raises(SettingError, match=r"which: .*'sound_semantics', got 'both'"):
        make_extractor("sound_semantics", which="both")
    missing = make_extractor("sound_semantics", network=str(tmp_path / "none.onnx"))
    with pytest.raises(ModelError, match="is neither a file nor a network"):
        missing.extract(Clip(tmp_path / "x.wav"))
    one = make_extractor("sound_semantics", network=network)
    with pytest.raises(MediaError, match=r"x\.wav"):
        one.extract(Clip(tmp_path / "x.wav"))
    path = write_wave(tmp_path / "short.wav", np.zeros(1600))
    with pytest.raises(MediaError, match="holds no sound between 2 s and the clip's end"):
        one.extract(Clip(path, 2.0, 3.0))


def test_silence_has_rows_too(network, tmp_path):
    path = write_wave(tmp_path / "silence.wav", np.zeros(16_000))
    found = make_extractor("sound_semantics", network=network).extract(Clip(path))
    assert found.values.shape == (25, 5)
    np.testing.assert_allclose(found.values, np.log(1e-9), rtol=1e-6)
