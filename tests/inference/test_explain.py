"""What the networks looked at: maps add up to scores, attention to one, and both are tried."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aver import pretrained
from aver.errors import ModelError, SettingError
from aver.features.face_embedding import FaceEmbedder
from aver.features.voice_embedding import VoiceEmbedder
from aver.inference.analyze import Analyzer
from aver.inference.explain import ExplainedRun, explain
from aver.inference.explain_attention import summarise, window_weights, without_each_window
from aver.inference.explain_maps import enlarge, face_maps, hide, label_for, voice_maps
from aver.inference.explain_moments import Moments
from aver.inference.explain_result import Wanted
from aver.inference.networks import FusionNetwork
from aver.inference.settings import AnalysisSettings
from aver.labels import FER2013, RAVDESS
from aver.pretrained.session import require_outputs
from aver.timeline import Segment

# ---- class activation maps


def test_the_mean_of_a_face_map_is_the_logit_less_the_bias():
    onnx = pytest.importorskip("onnx")
    network = FaceEmbedder()
    faces = np.random.default_rng(0).random((4, 1, 48, 48), np.float32)
    logits, maps, weights = network.look(faces)
    assert maps.shape[2:] == (6, 6)
    np.testing.assert_array_equal(logits, network.run(faces)[1])
    stored = {t.name: t for t in onnx.load(network.path).graph.initializer}
    bias = onnx.numpy_helper.to_array(stored["classifier.bias"])
    means = face_maps(maps, weights).mean(axis=(2, 3))
    np.testing.assert_allclose(means, logits - bias, atol=1e-4)


def test_the_sum_of_a_voice_map_is_the_logit_less_what_the_biases_give():
    onnx = pytest.importorskip("onnx")
    network = VoiceEmbedder(pretrained.path_of("voice_expression"))
    log_mel = 2 * np.random.default_rng(0).standard_normal((5, 48, 64)).astype(np.float32)
    logits, maps, length, weights = network.look(log_mel)
    stored = {t.name: t for t in onnx.load(network.path).graph.initializer}

    def constant(name):
        return onnx.numpy_helper.to_array(stored[name])

    head = constant("classify.weight.int8") * constant("classify.weight.step")
    given_by_biases = 16 * head @ constant("linear.bias") / length + constant("classify.bias")
    sums = voice_maps(maps, weights, length).sum(axis=(2, 3))
    np.testing.assert_allclose(sums, logits - given_by_biases, atol=1e-3)


def test_a_voice_map_worked_by_hand():
    # One channel, two moments, one band: mean 2 (weight 2), maximum 3 (weight 5), length 2.
    maps = np.array([[[[1.0], [3.0]]]], np.float32)
    found = voice_maps(maps, np.array([[2.0, 5.0]], np.float32), np.array([[2.0]], np.float32))
    np.testing.assert_allclose(found[0, 0, :, 0], [0.5, 9.0])
    # Two equal maxima share its weight.
    maps = np.array([[[[3.0], [3.0]]]], np.float32)
    found = voice_maps(maps, np.array([[0.0, 4.0]], np.float32), np.array([[1.0]], np.float32))
    np.testing.assert_allclose(found[0, 0, :, 0], [6.0, 6.0])


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_enlarging_keeps_the_mean(seed):
    values = np.random.default_rng(seed).standard_normal((6, 6)).astype(np.float32)
    large = enlarge(values, 96, 96)
    assert large.shape == (96, 96)
    assert large.mean() == pytest.approx(values.mean(), abs=1e-5)


def test_hiding_covers_a_quarter_with_the_mean():
    picture = np.arange(64, dtype=np.float32).reshape(8, 8)
    values = np.array([[1.0, 0.0], [0.0, -1.0]], np.float32)
    hidden = hide(picture, values, highest=True)
    assert (hidden != picture).sum() == 16
    assert (hidden[:3, :3] == picture.mean()).all()
    assert (hide(picture, values, highest=False)[-3:, -3:] == picture.mean()).all()


def test_words_of_the_face_network():
    assert label_for("fearful", FER2013) == "fear"
    assert label_for("calm", FER2013) == "neutral"
    assert label_for("happy", FER2013) == "happy"
    assert label_for("awe", FER2013) is None


# ---- attention


def masked_softmax(random, layers, heads, present):
    logits = random.standard_normal((layers, heads, len(present), len(present)))
    powers = np.exp(logits) * present
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.booleans(), min_size=1, max_size=8).filter(any),
    st.sampled_from(["mean", "rollout"]),
)
def test_rows_add_up_to_one_over_windows_that_are_there(seed, there, how):
    present = np.array(there)
    layers = masked_softmax(np.random.default_rng(seed), 3, 2, present)
    matrix = summarise(layers, present, how)
    np.testing.assert_allclose(matrix[present].sum(axis=1), 1.0, atol=1e-5)
    assert (matrix[~present] == 0).all()
    assert (matrix[:, ~present] == 0).all()
    weights = window_weights(matrix, present)
    assert weights.sum() == pytest.approx(1.0, abs=1e-5)
    assert (weights[~present] == 0).all()


def test_rollout_worked_by_hand():
    # Half of the identity and half of each layer; the later layer stands on the left.
    first = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    second = np.array([[1.0, 0.0], [1.0, 0.0]], np.float32)
    found = summarise(np.stack([first, second])[:, None], np.ones(2, bool), "rollout")
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.5, 0.5]])
    found = summarise(np.stack([second, first])[:, None], np.ones(2, bool), "rollout")
    np.testing.assert_allclose(found, [[0.75, 0.25], [0.75, 0.25]])
    found = summarise(np.stack([first, second])[:, None], np.ones(2, bool), "mean")
    np.testing.assert_allclose(found, [[0.5, 0.5], [1.0, 0.0]])


def test_the_shipped_network_attends_to_what_is_there_and_scores_as_ever():
    network = FusionNetwork(pretrained.path_of("mater"))
    random = np.random.default_rng(0)
    face, voice = random.standard_normal((2, 3, 8, 512)).astype(np.float32)
    face_mask, voice_mask = random.random((2, 3, 8)) > 0.4
    scores, attention = network.attend(face, face_mask, voice, voice_mask)
    plain = network(face, face_mask, voice, voice_mask)
    for name in plain:
        np.testing.assert_array_equal(scores[name], plain[name])
    for branch, mask in (("face", face_mask), ("voice", voice_mask)):
        assert attention[branch].shape == (6, 3, 8, 8, 8)
        np.testing.assert_allclose(attention[branch].sum(axis=-1), 1.0, atol=1e-5)
        for row, present in enumerate(mask):
            assert (attention[branch][:, row][..., ~present] == 0).all()


def test_leaving_out_windows_asks_for_each_once():
    def ask(face, face_mask, voice, voice_mask):
        return {"fused": np.stack([face_mask.sum(1), voice_mask.sum(1)], 1) / 10.0}

    nothing = np.zeros((3, 2), np.float32)
    face, voice = without_each_window(
        ask, nothing, np.array([True, False, True]), nothing, np.array([False, True, False])
    )
    np.testing.assert_allclose(face, [[-0.1, 0], [np.nan, np.nan], [-0.1, 0]], atol=1e-7)
    np.testing.assert_allclose(voice, [[np.nan, np.nan], [0, -0.1], [np.nan, np.nan]], atol=1e-7)
    # What is all there is cannot be left out.
    face, _ = without_each_window(
        ask, nothing, np.array([True, False, False]), nothing, np.zeros(3, bool)
    )
    assert np.isnan(face).all()


# ---- moments


def fused(start, first, weak=False):
    return Segment(start, start + 0.5, 1, "fused", (first, 1 - first), weak)


class Kept:
    def __init__(self, segment):
        self.segments, self.index = {"fused": segment}, round(segment.start * 2)


def test_moments_are_the_strongest_firm_ones_apart_from_each_other():
    moments = Moments(2)
    for segment in (
        fused(0.0, 0.5),
        fused(1.0, 0.7),  # replaces the one a second before it
        fused(6.0, 0.6),
        fused(12.0, 0.9, weak=True),  # gives way to firm ones
        fused(18.0, 0.65),
    ):
        moments.offer(1, segment, 2, lambda s=segment: Kept(s))
    assert [k.segments["fused"].start for k in moments.of(1, 0)] == [1.0, 18.0]
    assert moments.of(2, 0) == []


def test_moments_of_many_people_stay_few():
    moments = Moments(1)
    for _ in range(2):
        moments.offer(0, fused(0.0, 0.5), 2, lambda: Kept(fused(0.0, 0.5)))
    for person in range(1, 60):
        moments.offer(person, fused(0.0, 0.5), 2, lambda: Kept(fused(0.0, 0.5)))
    held = [person for person in range(60) if moments.of(person, 0)]
    assert len(held) == 24
    assert 0 in held  # scored more often than the others


def test_only_the_window_at_a_time():
    moments = Moments(3, at=6.2)
    for start in (5.5, 6.0, 6.5):
        moments.offer(1, fused(start, 0.5), 2, lambda s=start: Kept(fused(s, 0.5)))
    assert [k.segments["fused"].start for k in moments.of(1, 0)] == [6.0]


# ---- whole recordings


@pytest.fixture(scope="module")
def analyzer():
    return Analyzer(AnalysisSettings(detector="dlib", thumbnails=0))


@pytest.fixture(scope="module")
def explained(shared, analyzer):
    folder = shared / "data" / "crema_d_sample"
    return {
        name: explain(analyzer, folder / f"1001_DFA_{name}_XX.flv")
        for name in ("ANG", "HAP", "NEU")
    }


def test_hiding_what_a_map_marks_highest_costs_more_than_what_it_marks_lowest(explained):
    for kind in ("face", "voice"):
        high, low = [], []
        for explanation in explained.values():
            faces = [f.map for p in explanation.people for m in p.moments for f in m.faces if f]
            sounds = [w.map for s in explanation.sounds for w in s.windows if w.map]
            for found in faces if kind == "face" else sounds:
                high.append(found.score - found.hidden_highest)
                low.append(found.score - found.hidden_lowest)
        assert len(high) >= 10
        assert np.mean(high) > np.mean(low) + 0.02, kind


def test_the_happy_clip_is_happy_below_the_eyes(explained):
    person = explained["HAP"].people[0]
    assert person.emotion == "happy"
    faces = [f for f in person.moments[0].faces if f is not None]
    assert all(f.crop.shape == (96, 96, 3) for f in faces)
    happy = [f.map.values for f in faces if f.map.score > 0.5]
    assert len(happy) >= 2
    for values in happy:
        assert values.shape == (6, 6)
        assert values[3:].sum() > values[:3].sum()
        assert np.unravel_index(values.argmax(), (6, 6))[0] >= 3


def test_the_windows_of_a_moment_are_its_context(explained):
    for explanation in explained.values():
        segments = explanation.timeline.segments
        ends = {(s.start, s.end) for s in segments}
        for moment in (m for p in explanation.people for m in p.moments):
            for branch, windows in moment.windows.items():
                assert {(w.start, w.end) for w in windows} <= ends
                there = [w for w in windows if w.present]
                assert sum(w.mean for w in there) == pytest.approx(1, abs=1e-4)
                assert sum(w.rollout for w in there) == pytest.approx(1, abs=1e-4)
                assert moment.layers[branch].shape == (6, len(windows))
                np.testing.assert_allclose(moment.layers[branch].sum(axis=1), 1, atol=1e-4)


def test_scores_are_those_of_the_plain_analysis(shared, analyzer, explained):
    path = shared / "data" / "crema_d_sample" / "1001_DFA_NEU_XX.flv"
    assert explained["NEU"].timeline.segments == analyzer.analyze(path).segments


def test_a_time_and_a_person_that_are_not_there(shared, analyzer):
    path = shared / "data" / "crema_d_sample" / "1001_DFA_HAP_XX.flv"
    with pytest.raises(SettingError, match=r"after the end .* read to 1.9 s"):
        explain(analyzer, path, Wanted(at=60))
    with pytest.raises(SettingError, match=r"no person 7 in .*HAP.* Seen are: 1"):
        explain(analyzer, path, Wanted(person=7))


def test_settings_that_cannot_be_drawn():
    with pytest.raises(SettingError, match=r"no 'hapy'. Did you mean happy"):
        Wanted(emotion="hapy").check(RAVDESS)
    with pytest.raises(SettingError, match=r"no 'anger'. Did you mean angry"):
        Wanted(emotion="anger").check(RAVDESS)
    with pytest.raises(SettingError, match=r"no 'joy'. Known are neutral"):
        Wanted(emotion="joy").check(RAVDESS)
    with pytest.raises(SettingError, match="Use mean or rollout"):
        Wanted(attention="most").check(RAVDESS)
    for bad in (float("nan"), -1.0, float("inf")):
        with pytest.raises(SettingError, match="no time"):
            Wanted(at=bad).check(RAVDESS)


class WithoutMaps:
    def get_outputs(self):
        return [type("Output", (), {"name": n}) for n in ("embedding", "logits", "maps")]


def test_a_network_without_maps_says_which_outputs_are_missing():
    with pytest.raises(ModelError) as caught:
        require_outputs(WithoutMaps(), "own.onnx", ["logits", "maps", "class_weights"])
    assert str(caught.value) == (
        "own.onnx: cannot show what it looked at: it has no output class_weights. Export it again "
        "by its recipe with this version of aver, or use the shipped one."
    )


def test_a_network_without_maps_is_refused_before_anything_is_read(analyzer, monkeypatch, tmp_path):
    def refuse(*_):
        raise ModelError("own.onnx", "cannot show what it looked at")

    other = Analyzer(AnalysisSettings(picture=False))
    monkeypatch.setattr(other.front.voice, "look", refuse)
    sound = tmp_path / "sound.wav"
    write_wav(sound)
    with pytest.raises(ModelError, match="cannot show"):
        ExplainedRun(other, sound)


def write_wav(path, seconds=1.0):
    import wave

    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
        times = np.arange(round(16000 * seconds)) / 16000
        out.writeframes((8000 * np.sin(2 * np.pi * 220 * times)).astype("<i2").tobytes())


def test_sound_alone(tmp_path):
    path = tmp_path / "tone.wav"
    write_wav(path)
    explanation = explain(Analyzer(AnalysisSettings(picture=False)), path)
    assert [p.person for p in explanation.people] == [None]
    assert "There is no picture; only the sound is drawn." in explanation.notes
    assert [w.map is not None for w in explanation.sounds[0].windows] == [True, True]
    assert json.loads(VoiceEmbedder(pretrained.path_of("voice_expression")).metadata["labels"])
