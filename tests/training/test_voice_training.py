"""Training voices: drawing windows, the teacher's lessons, folds, and a whole tiny run."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
import torch

from aver.errors import ModelError
from aver.labels import RAVDESS
from aver.models.mater import MaterSettings
from aver.models.voice_expression import VoiceExpressionSettings
from aver.training.recipe import load_recipe
from aver.training.sound_augment import (
    channel_curve,
    disturb_magnitudes,
    disturb_sound,
    room_response,
)
from aver.training.speech_teacher import Lessons, SpeechEncoder, whisper_mel_matrix
from aver.training.voice_corpora import shift_means
from aver.training.voice_data import SoundBank, embed_corpora, list_clips
from aver.training.voice_fit import ClipHead, VoiceTraining, VoiceTrainingSettings
from aver.training.voice_folds import VoiceFoldsRecipe, run_folds
from aver.training.voice_mater import VoiceMaterSettings, train_voice_mater, voice_logits
from aver.training.voice_recipe import VoiceDataSettings

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def write_tone(path: Path, hertz: float, seconds: float = 1.2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * 16_000)) / 16_000
    sound = 0.2 * np.sin(2 * np.pi * hertz * time) * np.hanning(len(time))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((sound * 32_767).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """RAVDESS with four actors, two takes each; EmoGator with two speakers."""
    root = tmp_path_factory.mktemp("corpora")
    for actor in range(1, 25):
        for emotion, hertz in ((3, 700), (5, 250)):
            name = f"03-01-{emotion:02d}-01-01-01-{actor:02d}.wav"
            write_tone(root / "ravdess" / f"Actor_{actor:02d}" / name, hertz + actor)
    for speaker in (1, 2):
        for category, hertz in ((3, 240), (20, 500)):
            name = f"{speaker:06d}-{category:02d}-1.wav"
            write_tone(root / "emogator" / name, hertz)
    return root


@pytest.fixture(scope="module")
def bank(corpora):
    return SoundBank(corpora, list_clips(corpora, ["ravdess", "emogator"]), versions=2)


def test_clips_know_their_class_and_what_their_corpus_can_say(bank):
    clips = bank.clips
    assert len(clips) == 52
    bursts = clips.rows("emogator")
    assert [int(c) for c in clips.category[bursts]] == [2, 19, 2, 19]
    # Category 20 is pride, which is none of RAVDESS's classes.
    assert clips.target[bursts].tolist() == [4, -1, 4, -1]
    assert clips.allowed[clips.rows("ravdess")].all()
    assert "ravdess/07" in clips.subjects


def test_plain_windows_are_what_the_clip_holds(bank):
    drawn = bank.plain(np.array([0, 1]), 8)
    assert drawn.log_mel.shape == (2, 8, 48, 64)
    # 1.2 s that fade in and out: two whole windows and a last one; then there is nothing.
    assert drawn.present[0, :2].all()
    assert not drawn.present[0, 3:].any()
    assert np.allclose(drawn.log_mel[0, 5], np.log(0.01))


def test_drawn_windows_are_finite_and_never_empty(bank):
    drawn = bank.draw(np.arange(20), 8, np.random.default_rng(0))
    assert np.isfinite(drawn.log_mel).all()
    assert drawn.present.any(axis=1).all()
    again = bank.draw(np.arange(20), 8, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn.log_mel, again.log_mel)


def test_kept_versions_are_read_back(corpora, tmp_path):
    clips = list_clips(corpora, ["emogator"])
    first = SoundBank(corpora, clips, versions=2, cache=tmp_path)
    written = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert sorted(written) == ["emogator-0-0.npz", "emogator-1-0.npz"]
    second = SoundBank(corpora, clips, versions=2, cache=tmp_path)
    assert {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == written
    np.testing.assert_array_equal(first.magnitudes(3, 1), second.magnitudes(3, 1))


def test_a_room_falls_by_60_decibels_in_its_time():
    response = room_response(np.random.default_rng(0), 0.5, 0.0)
    assert response[0] == 1.0
    early = np.sqrt(np.mean(response[100:900] ** 2))
    late = np.sqrt(np.mean(response[-800:] ** 2))
    assert 20 * np.log10(late / early) == pytest.approx(-54.0, abs=4.0)
    assert np.sum(response[1:] ** 2) == pytest.approx(1.0, rel=1e-3)


def test_a_telephone_passes_its_band_alone():
    curve = channel_curve(np.random.default_rng(0), 257, 300.0, 3400.0)
    hertz = np.linspace(0, 8000, 257)
    inside = np.median(curve[(hertz > 400) & (hertz < 3000)])
    assert curve[hertz > 6800].max() < 0.25 * inside
    assert curve[(hertz > 0) & (hertz < 75)].max() < 0.25 * inside


def test_a_disturbed_sound_keeps_its_level_and_tells_its_speed():
    sound = np.sin(np.arange(32_000) / 5).astype(np.float32) * 0.1
    for seed in range(8):
        other, speed = disturb_sound(sound, np.random.default_rng(seed))
        assert 0.85 < speed < 1.17
        assert len(other) == pytest.approx(32_000 / speed, abs=2)
        # Up to 8 % of them are overdriven, which takes some of their level.
        assert 0.03 < np.sqrt(np.mean(other**2)) < 0.08


def test_nothing_but_a_slight_gain_at_strength_0():
    before = np.full((6, 40, 64), 2.0, np.float32)
    after = before.copy()
    gain = disturb_magnitudes(after, np.zeros(6), [], np.random.default_rng(0), strength=0.0)
    np.testing.assert_allclose(after, before * np.exp(gain)[:, None, None], rtol=1e-5)


def test_lessons_of_a_window_are_the_means_of_its_tenths():
    values = np.arange(20, dtype=np.float16)[:, None]
    lessons = Lessons.of(values, np.array([12, 20]), np.array([0, 1]))
    found, there = lessons.of_windows(np.array([0]), np.array([-50]), np.array([1.0]), 5)
    mean, deviation = 9.5, np.sqrt(np.mean((np.arange(20) - 9.5) ** 2)) + 1e-3
    # The clip has twelve tenths: three windows, the last of two tenths alone.
    assert there.tolist() == [[False, True, True, True, False]]
    expected = (np.array([2.0, 7.0, 10.5]) - mean) / deviation
    np.testing.assert_allclose(found[0, 1:4, 0], expected, rtol=1e-3)


def test_lessons_of_faster_speech_reach_further():
    values = np.arange(40, dtype=np.float16)[:, None]
    lessons = Lessons.of(values, np.array([40]), np.array([0]))
    found, _ = lessons.of_windows(np.array([0]), np.array([100]), np.array([1.1]), 1)
    expected = (np.arange(11, 16).mean() + 0.5 - lessons.mean) / lessons.deviation
    np.testing.assert_allclose(found[0, 0], expected, atol=0.1)


def test_lessons_are_scaled_by_those_who_may_be_taught_on():
    values = np.concatenate([np.zeros(10), np.full(10, 100.0)]).astype(np.float16)[:, None]
    lessons = Lessons.of(values, np.array([10, 20]), np.array([0]))
    assert lessons.mean[0] == 0.0


def test_whisper_filters_have_equal_area_and_start_at_nothing():
    matrix = whisper_mel_matrix()
    assert matrix.shape == (80, 201)
    # Of the wide ones, where sampling at 40 Hz is fine enough to see it.
    np.testing.assert_allclose(matrix[60:].sum(axis=1) * 40.0, 1.0, rtol=0.05)


def test_a_missing_teacher_says_where_it_comes_from(monkeypatch, tmp_path):
    monkeypatch.setenv("AVER_MODELS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="whisper_base_encoder"):
        SpeechEncoder("whisper_base_encoder")


def test_absent_windows_do_not_reach_the_head():
    head = ClipHead(teacher=0).eval()
    x = torch.randn(2, 8, 512)
    present = torch.ones(2, 8, dtype=torch.bool)
    present[:, 5:] = False
    changed = x.clone()
    changed[:, 5:] = 99.0
    torch.testing.assert_close(head(x, present), head(changed, present))


def test_a_corpus_does_not_speak_against_classes_it_lacks(bank):
    from aver.training.voice_fit import new_network

    net, head = new_network(VoiceExpressionSettings(channels=(4, 4, 4, 4)), 0, 0)
    clips = bank.clips
    clips.allowed[0, RAVDESS.index("calm")] = False
    training = VoiceTraining(net, head, bank, np.arange(4), VoiceTrainingSettings(), None, 0)
    scaled = torch.randn(1, 8, 512)
    classes = torch.zeros(1, 8, requires_grad=True)
    present = torch.ones(1, 8, dtype=torch.bool)
    training._emotion(scaled, classes, present, np.array([0])).backward()
    clips.allowed[0] = True
    assert classes.grad[0, RAVDESS.index("calm")] == 0
    assert classes.grad[0, RAVDESS.index("sad")] > 0


def test_means_are_moved_group_by_group():
    x = torch.nn.functional.normalize(torch.randn(6, 8, 16), dim=-1)
    present = torch.ones(6, 8, dtype=torch.bool)
    groups = np.array(["a", "a", "a", "b", "b", "b"])
    own = x[:3].reshape(-1, 16).mean(0)
    moved = shift_means(x, present, groups, own)
    torch.testing.assert_close(moved[:3], x[:3])
    assert not torch.allclose(moved[3:], x[3:])
    torch.testing.assert_close(moved.norm(dim=-1), torch.ones(6, 8))


def test_the_audio_branch_learns_what_can_be_learned():
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(96) % 8
    centres = torch.nn.functional.normalize(torch.randn(8, 512, generator=random), dim=-1)
    noise = 0.02 * torch.randn(96, 8, 512, generator=random)
    views = torch.nn.functional.normalize(centres[labels][:, None] + noise, dim=-1)[None]
    present = torch.ones(1, 96, 8, dtype=torch.bool)
    model = MaterSettings(modality="voice", layers=1, feed_forward=32, norm_first=True)
    settings = VoiceMaterSettings(epochs=12, batch=32, learning_rate=1e-3)
    network = train_voice_mater(views, present, labels, model, settings, 0)
    with torch.no_grad():
        found = voice_logits(network, views[0], present[0]).argmax(1)
    assert (found == labels).float().mean() > 0.9


def test_twelve_folds_from_end_to_end(corpora, tmp_path):
    tiny = VoiceTrainingSettings(epochs=1, batch=8, disturbance=0.2)
    recipe = VoiceFoldsRecipe(
        task="voice_expression_folds",
        name="tiny",
        data=VoiceDataSettings(corpora=("ravdess", "emogator"), noise="", versions=1, teacher=""),
        model=VoiceExpressionSettings(channels=(4, 4, 4, 4)),
        pretraining=VoiceTrainingSettings(epochs=1, batch=2),
        training=tiny,
        mater=MaterSettings(modality="voice", layers=1, feed_forward=16),
        mater_training=VoiceMaterSettings(epochs=1, views=2),
        folds_a_network=3,
    )
    run_folds(recipe, corpora, tmp_path)
    with np.load(tmp_path / "heldout_logits.npz") as stored:
        assert stored["logits"].shape == (48, 8)
        assert np.bincount(stored["folds"]).tolist() == [4] * 12
        # Every clip is held out once, in the fold of its actor.
        assert len(set(stored["files"])) == 48
        actors = np.array([int(str(f).split("-")[-1].split(".")[0]) for f in stored["files"]])
    with np.load(tmp_path / "heldout_logits.npz") as stored:
        np.testing.assert_array_equal((actors - 1) // 2, stored["folds"])
    table = (tmp_path / "voice_expression.csv").read_text()
    assert "voice_folds_mater,accuracy" in table
    # A second run finds everything done.
    before = (tmp_path / "fold_0.npz").stat().st_mtime_ns
    run_folds(recipe, corpora, tmp_path)
    assert (tmp_path / "fold_0.npz").stat().st_mtime_ns == before


def test_views_of_a_clip_share_its_label(corpora, tmp_path):
    from aver.training.voice_expression import export_voice
    from aver.training.voice_fit import new_network

    net, _ = new_network(VoiceExpressionSettings(channels=(4, 4, 4, 4)), 0, 0)
    export_voice(net, tmp_path / "voice.onnx", "test")
    clips = embed_corpora(corpora, ["ravdess", "emogator"], tmp_path / "voice.onnx", views=2)
    assert len(clips) == 2 * 50
    np.testing.assert_array_equal(clips.labels[:50], clips.labels[50:])
    np.testing.assert_array_equal(clips.subjects[:50], clips.subjects[50:])
    lengths = np.linalg.norm(clips.voice, axis=-1)
    np.testing.assert_allclose(lengths[clips.voice_mask], 1.0, atol=1e-5)
    assert (lengths[~clips.voice_mask] == 0).all()


@pytest.mark.parametrize("name", ["", "_folds", "_corpora"])
def test_the_recipes_are_valid(name):
    recipe, _ = load_recipe(RECIPES / f"voice_expression{name}.toml")
    assert recipe.name == f"voice_expression{name}"
