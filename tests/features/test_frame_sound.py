"""emobase2010 every 40 ms: windows, context, going on, and agreement with openSMILE's own rows."""

from __future__ import annotations

import av
import numpy as np
import pytest
from features import clips

from aver.errors import MediaError, SettingError
from aver.features import frame_sound
from aver.features.extractor import Clip, make_extractor
from aver.features.frame_rows import frame_rows

from .sounds import ravdess_clip

opensmile = pytest.importorskip("opensmile")


@pytest.fixture(scope="module")
def speech(shared, tmp_path_factory):
    """A real sentence, two seconds of quiet, and the sentence again, 16 kHz."""
    from aver.features.windows import read_sound

    folder = tmp_path_factory.mktemp("speech")
    said = read_sound(Clip(ravdess_clip(shared, "03-01-05-02-01-01-07", folder))).samples
    gap = np.random.default_rng(0).normal(scale=1e-3, size=32_000)
    samples = np.concatenate([said, gap, said[: 16_000 * 2]])[: 16_000 * 8]
    return clips.write_sound(folder / "speech.wav", samples)


@pytest.fixture(scope="module")
def rows(speech):
    return np.concatenate(list(frame_rows(make_extractor("emobase2010_frames"), speech)))


def column(name):
    return make_extractor("emobase2010_frames").names.index(name)


def own_descriptors(speech, name):
    """What openSMILE itself gives every 10 ms along the whole recording."""
    from aver.features.windows import read_sound

    smile = opensmile.Smile(opensmile.FeatureSet.IS10, opensmile.FeatureLevel.LowLevelDescriptors)
    samples = np.clip(read_sound(Clip(speech)).samples, -1, 32767 / 32768)
    return smile.process_signal(samples, 16_000)[name].to_numpy()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("pcm_loudness_sma", "pcm_loudness_sma"),
        ("pcm_fftMag_mfcc_sma[3]", "mfcc_sma[3]"),
        ("lspFreq_sma[5]", "lspFreq_sma[5]"),
    ],
)
def test_functionals_are_those_of_the_forty_descriptors_of_each_window(speech, rows, ours, theirs):
    series = own_descriptors(speech, theirs)
    frames = np.arange((len(series) - 40) // 4)
    windows = np.stack([series[4 * k : 4 * k + 40] for k in frames])
    expected = {
        "amean": windows.mean(axis=1),
        "stddev": windows.std(axis=1),
        "quartile2": np.median(windows, axis=1),
        "percentile99.0": np.percentile(windows, 99, axis=1),
        "maxPos": windows.argmax(axis=1) / 40,
    }
    for functional, values in expected.items():
        found = rows[frames, column(f"{ours}_{functional}")]
        np.testing.assert_allclose(found, values, rtol=1e-4, atol=1e-4, err_msg=functional)


def test_every_frame_has_a_row_to_the_last(speech, rows):
    from aver.features.windows import read_sound

    assert rows.shape == (np.ceil(read_sound(Clip(speech)).seconds * 25), 1582)
    assert np.isfinite(rows).all()


def test_pieces_and_going_on_give_what_the_whole_gives(speech, rows, monkeypatch):
    # The minute that is measured in one go is made two seconds, so that there are several.
    monkeypatch.setattr(frame_sound, "PIECE_FRAMES", 50)
    extractor = make_extractor("emobase2010_frames")
    pieces = list(frame_rows(extractor, speech))
    assert [len(piece) for piece in pieces[:3]] == [50, 50, 50]
    whole = np.concatenate(pieces)
    # The envelope of pitch remembers the last voiced sound, however long ago; all else agrees.
    others = [n for n, name in enumerate(extractor.names) if not name.startswith("F0finEnv")]
    assert len(others) == 1582 - 42
    np.testing.assert_allclose(whole[:, others], rows[:, others], rtol=1e-4, atol=1e-4)
    for first in (50, 75, len(whole) - 1):
        again = np.concatenate(list(frame_rows(extractor, speech, first)))
        np.testing.assert_array_equal(again, whole[first:])
    assert sum(map(len, frame_rows(extractor, speech, len(whole)))) == 0


def test_sliding_is_close_to_measuring_each_window_alone(speech, rows):
    whole = make_extractor("emobase2010_frames", method="cut")
    segment = make_extractor("emobase2010")
    from aver.features.windows import read_sound

    samples = read_sound(Clip(speech)).samples
    cut = whole.extract(Clip(speech, 0.4, 2.4)).values
    # ``cut`` is the call on 400 ms of sound, to the last bit.
    alone = segment.measure(samples[6400 + 5 * 640 :][:6400])
    np.testing.assert_array_equal(cut[5], alone)
    for name in ("pcm_loudness_sma_amean", "pcm_fftMag_mfcc_sma[0]_amean", "lspFreq_sma[0]_amean"):
        slid, each = rows[10:40, column(name)], cut[:30, column(name)]
        assert np.corrcoef(slid, each)[0, 1] > 0.9, name


def test_a_clip_is_measured_with_the_windows_times(speech):
    found = make_extractor("emobase2010_frames").extract(Clip(speech, 1.0, 2.0))
    assert found.values.shape == (25, 1582)
    np.testing.assert_allclose(found.times[[0, 5, 24]], [[0, 0.4], [0.2, 0.6], [0.96, 1.0]])
    assert found.present.all()


def test_sound_that_begins_late_keeps_its_place_on_the_clock(tmp_path):
    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width = video.height = 64
        video.pix_fmt = "bgr0"
        sound = container.add_stream("pcm_s16le", rate=16_000)
        sound.layout = "mono"
        for _ in range(75):
            picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(video.encode(picture.reformat(format="bgr0")))
        container.mux(video.encode(None))
        samples = (9000 * np.sin(np.arange(16_000) / 3)).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 24_000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    found = np.concatenate(list(frame_rows(make_extractor("emobase2010_frames"), path)))
    loud = found[:, column("pcm_loudness_sma_amean")]
    # It begins at 1.5 s: windows that begin before 1.1 s end before it.
    assert (loud[:26] < 0.01).all()
    assert (loud[38:50] > 0.1).all()


def test_what_cannot_be_is_refused_in_one_line(tmp_path, speech):
    silent = clips.write_pictures(tmp_path / "v.mkv", [np.zeros((64, 64, 3), np.uint8)] * 5)
    with pytest.raises(MediaError, match=r"v\.mkv: holds no sound"):
        list(frame_rows(make_extractor("emobase2010_frames"), silent))
    with pytest.raises(SettingError, match="config needs method = cut"):
        make_extractor("emobase2010_frames", config="mine.conf")
    with pytest.raises(MediaError, match="no sound between"):
        make_extractor("emobase2010_frames").extract(Clip(speech, 100.0, 101.0))
