"""The sound event detector on ONNX Runtime: chunks without seams, and files that are none."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from sound_detector_made import LABELS, REACH, make_detector, settings, tones

from aver.errors import ModelError
from aver.features.sound_event_detector import SCORES, LogMelStream, SoundEventDetector
from aver.features.sound_events import LogMelSettings, log_mel


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return SoundEventDetector(make_detector(tmp_path_factory.mktemp("net") / "made.onnx"))


def noise(samples: int) -> np.ndarray:
    return (np.random.default_rng(0).normal(size=samples) * 0.003).astype(np.float32)


def pieces(sound: np.ndarray, length: int):
    return (sound[at : at + length] for at in range(0, len(sound), length))


def heard(detector, sound, length, **asked) -> dict[str, np.ndarray]:
    names = (SCORES, "verbal", "semantics_non_verbal")
    stream = detector.start(names, **asked)
    parts = [found for piece in pieces(sound, length) for found in stream.push(piece)]
    parts += stream.finish()
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


@pytest.mark.parametrize("samples", [1, 319, 320, 321, 4_000, 33_333])
@pytest.mark.parametrize("length", [7, 1_000, 8_000])
@pytest.mark.parametrize("window", [0.04, 0.4])
def test_frames_of_pieces_are_those_of_the_whole(samples, length, window):
    front = LogMelSettings(window=window, hop=0.02 if window < 0.1 else 0.36)
    stream, sound = LogMelStream(front), noise(samples)
    parts = [stream.push(piece) for piece in pieces(sound, max(length, samples // 50))]
    parts.append(stream.finish())
    np.testing.assert_allclose(np.concatenate(parts), log_mel(sound, front), atol=1e-4)


@pytest.mark.parametrize("samples", [100, 8_000, 16_000 * 4 + 123, 16_000 * 21])
def test_chunks_with_context_leave_no_seams(detector, samples):
    sound = noise(samples)
    whole = detector.run(log_mel(sound, detector.settings.log_mel), (SCORES, "verbal"))
    found = heard(detector, sound, 8_000, chunk_seconds=3.0, context_seconds=1.0)
    for name, values in whole.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5)
    assert found["semantics_non_verbal"].shape == (len(whole["verbal"]), 2)


def test_without_context_they_would_show(detector):
    sound = tones(8.0, (0.0, 8.0, 440.0))
    apart = heard(detector, sound, 8_000, chunk_seconds=2.56, context_seconds=0.0)
    together = heard(detector, sound, 8_000, chunk_seconds=2.56, context_seconds=0.32)
    at = 128  # frames of a chunk: 2.56 s
    assert together[SCORES][at - 1, 0] == pytest.approx(1.0, abs=1e-3)
    # Beyond the chunk the network reads zeros: REACH of 2 * REACH + 1 frames are missing.
    expected = (REACH + 1) / (2 * REACH + 1)
    assert apart[SCORES][at - 1, 0] == pytest.approx(expected, abs=1e-3)


def test_no_more_than_chunk_and_contexts_is_held(detector):
    stream = detector.start(chunk_seconds=2.56, context_seconds=0.32)
    held = []
    for _ in range(200):
        list(stream.push(noise(8_000)))
        held.append(sum(len(part) for part in stream._frames))
    most = 128 + 2 * 16 + 26  # chunk, contexts, the frames of one piece
    assert max(held) <= most
    assert held[-1] > 16


def test_what_is_no_number_spoils_nothing_further_on(detector):
    sound = tones(3.0, (1.0, 2.0, 440.0))
    broken = sound.copy()
    broken[100:200] = np.nan
    broken[300] = np.inf
    found, expected = heard(detector, broken, 8_000), heard(detector, sound, 8_000)
    np.testing.assert_allclose(found[SCORES], expected[SCORES], atol=1e-5)


def test_silence_and_tones(detector):
    found = heard(detector, tones(4.0, (1.0, 2.0, 440.0), (2.5, 3.5, 3000.0)), 8_000)[SCORES]
    assert detector.settings.labels == LABELS
    assert (found[:30] < 0.01).all()
    assert found[70:80, 0].min() > 0.99
    assert found[70:80, 1].max() < 0.01
    assert found[145:155, 1].min() > 0.99


def test_a_recording_without_a_sample_has_no_frames(detector):
    assert list(detector.start().finish()) == []


def test_widths_and_version_come_from_the_file(detector, tmp_path):
    assert detector.widths == {"semantics_verbal": 3, "semantics_non_verbal": 2}
    other = SoundEventDetector(make_detector(tmp_path / "other.onnx", level=-7.0))
    assert len(other.version) == 12
    assert other.version != detector.version


@pytest.mark.parametrize("output", ["scores", "verbal", "semantics_non_verbal"])
def test_a_file_without_an_output_is_refused(tmp_path, output):
    path = make_detector(tmp_path / "less.onnx", leave_out=output)
    with pytest.raises(ModelError, match=r"less\.onnx: is not a sound event detector"):
        SoundEventDetector(path)


def test_metadata_that_do_not_fit_are_refused(tmp_path):
    three = settings(labels=("a", "b", "c"), verbal=(), non_verbal=())
    with pytest.raises(ModelError, match="gives 2 scores a frame, its metadata name 3 labels"):
        SoundEventDetector(make_detector(tmp_path / "three.onnx", stated=three))
    forty = settings(log_mel=LogMelSettings(bands=40))
    with pytest.raises(ModelError, match="takes 64 bands, its metadata say 40"):
        SoundEventDetector(make_detector(tmp_path / "forty.onnx", stated=forty))


def test_a_file_without_metadata_is_refused(tmp_path):
    path = make_detector(tmp_path / "bare.onnx")
    model = onnx.load(str(path))
    del model.metadata_props[:]
    onnx.save(model, str(path))
    with pytest.raises(ModelError, match="does not say how its sound event detector is used"):
        SoundEventDetector(path)


def test_other_networks_and_damaged_files_are_refused(tmp_path):
    from aver import pretrained

    with pytest.raises(ModelError, match="is not a sound event detector"):
        SoundEventDetector(pretrained.path_of("mater"))
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(make_detector(tmp_path / "made.onnx").read_bytes()[:900])
    with pytest.raises(ModelError, match="cannot be loaded"):
        SoundEventDetector(broken)
