"""The shipped voice network, on sounds whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from aver import pretrained
from aver.errors import ModelError
from aver.features.voice_embedding import EMBEDDING, VoiceEmbedder


@pytest.fixture(scope="module")
def embedder():
    return VoiceEmbedder(pretrained.path_of("voice_expression"))


def voice(seconds, hertz=160.0, level=0.1):
    """A buzz with formant-like emphasis: harmonics of *hertz* that fall off."""
    time = np.arange(round(seconds * 16_000)) / 16_000
    tones = [np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 20)]
    return (level * np.sum(tones, axis=0)).astype(np.float32)


def test_an_embedding_has_512_numbers_and_length_1(embedder):
    found = embedder.embed_window(voice(0.5))
    assert found.shape == (EMBEDDING,)
    assert found.dtype == np.float32
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-5)


def test_silence_is_no_evidence(embedder):
    assert embedder.embed_window(np.zeros(8_000, np.float32)) is None
    hiss = np.random.default_rng(0).standard_normal(8_000).astype(np.float32)
    assert embedder.embed_window(2e-4 * hiss) is None


def test_a_pause_in_speech_is_no_evidence_though_it_is_not_silent(embedder):
    stream = embedder.start()
    hiss = np.random.default_rng(0).standard_normal(8_000).astype(np.float32)
    for _ in range(4):
        assert stream.embed_window(voice(0.5, level=0.3)) is not None
    assert stream.embed_window(1e-3 * hiss) is None


def test_the_gain_of_a_microphone_hardly_matters_later_in_a_recording(embedder):
    def last(level):
        stream = embedder.start(adapt=False)
        for k in range(40):
            found = stream.embed_window(voice(0.5, 120 + 10 * (k % 5), level))
        return found

    assert float(last(0.03) @ last(0.3)) > 0.98


def test_a_stream_depends_on_its_own_past_alone(embedder):
    one, other = embedder.start(), embedder.start()
    windows = [voice(0.5, hertz) for hertz in (120.0, 200.0, 310.0)]
    first = [one.embed_window(w) for w in windows]
    embedder.start().embed_window(voice(0.5, 500.0, 0.5))
    second = [other.embed_window(w) for w in windows]
    np.testing.assert_array_equal(first, second)


def test_the_file_tells_the_mean_of_the_training_voices(embedder):
    assert embedder.centre.shape == (EMBEDDING,)
    assert 0.0 < np.linalg.norm(embedder.centre) < 1.0


def test_a_clip_of_a_few_seconds_is_hardly_moved(embedder):
    plain, moved = embedder.start(adapt=False), embedder.start()
    for hertz in (120.0, 150.0, 180.0, 210.0):
        a, b = plain.embed_window(voice(0.5, hertz)), moved.embed_window(voice(0.5, hertz))
        assert float(a @ b) > 0.98


def test_a_short_last_window_is_continued_with_silence(embedder):
    short = voice(0.3)
    padded = np.pad(short, (0, 8_000 - len(short)))
    np.testing.assert_allclose(
        embedder.embed_window(short), embedder.embed_window(padded), atol=1e-6
    )


def test_numbers_that_are_none_do_not_reach_the_network(embedder):
    sound = voice(0.5)
    sound[100] = np.nan
    sound[200] = np.inf
    assert np.isfinite(embedder.embed_window(sound)).all()


def test_windows_longer_than_half_a_second_are_refused(embedder):
    with pytest.raises(ValueError, match="8000"):
        embedder.embed_window(np.zeros(8_001, np.float32))


def test_another_network_is_refused(tmp_path):
    with pytest.raises(ModelError, match="not a voice network"):
        VoiceEmbedder(pretrained.path_of("face_expression"))
    bad = tmp_path / "bad.onnx"
    bad.write_text("no")
    with pytest.raises(ModelError, match="cannot be loaded"):
        VoiceEmbedder(bad)


def test_the_shipped_file_is_small(embedder):
    assert pretrained.path_of("voice_expression").stat().st_size < 3_000_000


def test_streaming_and_the_training_path_agree(embedder, shared, tmp_path):
    """Windows embedded one by one equal those that MATER is trained on."""
    import tarfile

    from aver.training.voice_data import embed_corpora, read_sound

    folder = tmp_path / "ravdess" / "Actor_05"
    folder.mkdir(parents=True)
    wanted = "ravdess_speech/Actor_05/03-01-05-01-01-01-05.flac"
    with tarfile.open(shared / "data" / "ravdess_speech.tar") as tar:
        source = tar.extractfile(wanted)
        (folder / "03-01-05-01-01-01-05.flac").write_bytes(source.read())
    clips = embed_corpora(tmp_path, ["ravdess"], pretrained.path_of("voice_expression"))
    assert clips.voice.shape == (1, 8, EMBEDDING)
    sound = read_sound(folder / "03-01-05-01-01-01-05.flac")
    stream = embedder.start(adapt=False)
    for k in range(8):
        found = stream.embed_window(sound[8_000 * k : 8_000 * (k + 1)])
        assert clips.voice_mask[0, k] == (found is not None)
        if found is not None:
            # Training keeps magnitudes as float16 logarithms.
            assert float(found @ clips.voice[0, k]) > 0.999
    assert 2 <= clips.voice_mask.sum() <= 7
