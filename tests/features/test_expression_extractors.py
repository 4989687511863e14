"""The shipped voice and face networks as extractors, against the analysis itself."""

from __future__ import annotations

import numpy as np
import pytest
from features import clips

from aver import pretrained
from aver.errors import MediaError, ModelError, SettingError
from aver.features.extractor import Clip, make_extractor
from aver.features.voice_embedding import VoiceEmbedder
from aver.inference.front import FrontEnd, embed_clip
from aver.inference.settings import AnalysisSettings


@pytest.fixture(scope="module")
def clip(shared):
    return Clip(sorted((shared / "data" / "crema_d_sample").glob("*.flv"))[0])


@pytest.fixture(scope="module")
def analysed(clip):
    front = FrontEnd(AnalysisSettings(detector="dlib"))
    return embed_clip(front, clip.file, 8)


def test_voice_is_what_the_analysis_embeds(clip, analysed):
    found = make_extractor("voice_expression", windows=8).extract(clip)
    _, _, voice, mask = analysed
    count = min(len(found), len(mask))
    assert count >= 4
    np.testing.assert_array_equal(found.present[:count], mask[:count])
    np.testing.assert_allclose(found.values[:count], voice[:count], atol=1e-6)


def test_face_is_what_the_analysis_embeds(clip, analysed):
    extractor = make_extractor("face_expression", windows=8, detector="dlib")
    found = extractor.extract(clip)
    face, mask, _, _ = analysed
    count = min(len(found), len(mask))
    assert found.present[:count].all()
    np.testing.assert_array_equal(found.present[:count], mask[:count])
    np.testing.assert_allclose(found.values[:count], face[:count], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.values, axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(extractor.extract(clip).values, found.values)


def test_quarter_second_windows(clip):
    half = make_extractor("voice_expression").extract(clip)
    quarter = make_extractor("voice_expression", window_seconds=0.25).extract(clip)
    assert len(quarter) == pytest.approx(2 * len(half), abs=1)
    np.testing.assert_allclose(quarter.times[:3], [[0, 0.25], [0.25, 0.5], [0.5, 0.75]])
    both = [k for k in range(len(half)) if half.present[k] and quarter.present[2 * k]]
    # A quarter says something like the half it lies in, and less like another.
    alike = half.values[both] @ quarter.values[2 * np.array(both)].T
    assert np.diag(alike).mean() > alike.mean() + 0.05
    face = make_extractor("face_expression", window_seconds=0.25, windows=4).extract(clip)
    assert face.present.all()


def test_silence_and_an_empty_picture_are_not_present(tmp_path):
    silence = Clip(clips.write_sound(tmp_path / "silence.wav", np.zeros(16_000)))
    found = make_extractor("voice_expression").extract(silence)
    assert len(found) == 2
    assert not found.present.any()
    grey = [np.full((120, 160, 3), 128, np.uint8)] * 10
    empty = Clip(clips.write_pictures(tmp_path / "grey.mkv", grey))
    found = make_extractor("face_expression").extract(empty)
    assert len(found) == 2
    assert not found.present.any()
    with pytest.raises(MediaError, match="holds no sound"):
        make_extractor("voice_expression").extract(empty)
    with pytest.raises(MediaError, match="holds no picture"):
        make_extractor("face_expression").extract(silence)


@pytest.mark.parametrize("name", ["voice_expression", "face_expression"])
def test_whom_the_network_has_seen_is_told(name):
    extractor = make_extractor(name)
    assert extractor.seen_subjects == pretrained.seen_subjects(name) != frozenset()
    assert extractor.shape == (512,)
    assert len(extractor.depends_on["network"]) == 64


@pytest.mark.parametrize("name", ["voice_expression", "face_expression"])
def test_another_network_says_itself_whom_it_has_seen(name, tmp_path):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(pretrained.path_of(name))
    silent = tmp_path / "silent.onnx"
    onnx.save(model, silent)
    # Nobody knows: what the shipped one has seen.
    assert make_extractor(name, network=str(silent)).seen_subjects == pretrained.seen_subjects(name)
    entry = model.metadata_props.add()
    entry.key, entry.value = "seen_subjects", '["ravdess/01", "ravdess/02"]'
    told = tmp_path / "told.onnx"
    onnx.save(model, told)
    seen = make_extractor(name, network=str(told)).seen_subjects
    assert seen == {"ravdess/01", "ravdess/02"}


def test_a_network_of_half_seconds_alone_refuses_quarters(tmp_path, clip):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(pretrained.path_of("voice_expression"))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 48
    fixed = tmp_path / "fixed.onnx"
    onnx.save(model, fixed)
    assert not VoiceEmbedder(fixed).any_length
    half = make_extractor("voice_expression", network=str(fixed)).extract(clip)
    shipped = make_extractor("voice_expression").extract(clip)
    np.testing.assert_allclose(half.values, shipped.values, atol=1e-6)
    with pytest.raises(SettingError, match=r"window_seconds: is 0.25, and .* of 0.5 s alone"):
        make_extractor("voice_expression", network=str(fixed), window_seconds=0.25).extract(clip)


def test_what_cannot_be_is_refused_in_one_line(clip):
    with pytest.raises(SettingError, match=r"window_seconds: is neither 0\.5 nor 0\.25"):
        make_extractor("voice_expression", window_seconds=1.0)
    with pytest.raises(ModelError, match="is not a voice network"):
        make_extractor("voice_expression", network="face_expression").extract(clip)
