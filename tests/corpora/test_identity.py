"""The same sound is found whatever it is called, and other sound is not taken for it."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from corpora.sounds import RATE, encode, voice, write_wav
from hypothesis import given, settings
from hypothesis import strategies as st

from aver.corpora.identity import read_content, sound_hash
from aver.corpora.identity_alike import (
    FRAME,
    HOP,
    Fingerprint,
    compare,
    find_alike,
    take,
)
from aver.errors import MediaError


def test_lossless_copies_are_the_same_sound(tmp_path):
    wav = write_wav(tmp_path / "a.wav", voice(1), 48_000)
    hashes = {sound_hash(wav)}
    for name, codec in (("a.flac", "flac"), ("f.wav", "pcm_f32le"), ("a.mkv", "pcm_s16le")):
        hashes.add(sound_hash(encode(wav, tmp_path / name, codec, 48_000)))
    both = write_wav(tmp_path / "both.wav", np.stack([voice(1)] * 2, axis=1), 48_000)
    hashes.add(sound_hash(both))
    assert len(hashes) == 1
    assert len(hashes.pop()) == 64


def test_digital_silence_around_does_not_matter_and_within_does(tmp_path):
    sound, gap = voice(2), np.zeros(777)
    plain = sound_hash(write_wav(tmp_path / "a.wav", sound))
    around = sound_hash(write_wav(tmp_path / "b.wav", np.concatenate([gap, sound, gap, gap])))
    within = np.concatenate([sound[:8000], gap, sound[8000:]])
    assert around == plain
    assert sound_hash(write_wav(tmp_path / "c.wav", within)) != plain


def test_one_sample_makes_another_sound(tmp_path):
    sound = voice(3)
    other = sound.copy()
    other[9000] += 0.001
    first = sound_hash(write_wav(tmp_path / "a.wav", sound))
    assert sound_hash(write_wav(tmp_path / "b.wav", other)) != first


def test_silence_and_pictures_have_no_sound_to_share(tmp_path):
    import cv2

    silent = write_wav(tmp_path / "silent.wav", np.zeros(RATE))
    assert sound_hash(silent) == ""
    assert read_content(silent).has_sound
    picture = tmp_path / "a.png"
    face = np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)
    cv2.imwrite(str(picture), face)
    cv2.imwrite(str(tmp_path / "b.bmp"), face)
    content = read_content(picture)
    assert (content.sound_hash, content.has_sound, content.pictures) == ("", False, 1)
    assert content.picture_hash == read_content(tmp_path / "b.bmp").picture_hash != ""


def test_what_cannot_be_read_is_named(tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF\0\0\0\0WAVEnothing")
    with pytest.raises(MediaError, match=r"broken\.wav"):
        sound_hash(broken)


def test_lossy_copies_are_found_and_other_voices_are_not(tmp_path):
    prints = []
    for seed in range(4):
        wav = write_wav(tmp_path / f"{seed}.wav", voice(seed, 2.5))
        aac = encode(wav, tmp_path / f"{seed}.m4a", "aac", 22_050, 32_000)
        prints += [read_content(p, fingerprint=True).fingerprint for p in (wav, aac)]
    found = {(pair.first, pair.second) for pair in find_alike(prints)}
    assert found == {(0, 1), (2, 3), (4, 5), (6, 7)}


def test_a_part_is_found_in_the_whole():
    sound = np.random.default_rng(5).standard_normal(5_000 * 4).astype(np.float32)
    whole, part = take(sound), take(sound[40 * HOP : 40 * HOP + 10_000])
    other = take(np.random.default_rng(6).standard_normal(20_000).astype(np.float32))
    assert compare(whole, part, 40) == 0.0
    assert compare(whole, part, 0) > 0.2
    assert [(p.first, p.second) for p in find_alike([other, None, part, whole])] == [(2, 3)]


def test_too_short_a_sound_has_no_fingerprint():
    assert len(take(np.ones(FRAME, np.float32)).words) == 0
    assert len(take(np.ones(10, np.float32)).words) == 0


def test_share_of_bits_by_hand():
    heard = np.ones(64, bool)
    first = Fingerprint(np.zeros(64, np.uint32), heard)
    second = Fingerprint(np.full(64, 0b1111, np.uint32), heard)
    assert compare(first, second, 0) == pytest.approx(4 / 32)
    assert compare(first, second, 40) == 1.0  # 24 frames of 64 are no sound that is the same


@given(st.floats(0.05, 4.0), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_level_does_not_matter(gain, seed):
    sound = np.random.default_rng(seed).standard_normal(8_000).astype(np.float32)
    assert compare(take(sound), take((gain * sound).astype(np.float32)), 0) < 0.01


def test_the_take_that_ravdess_published_twice_is_the_happy_one(shared, tmp_path):
    names = [
        f"03-01-{emotion}-01-02-{take}-07" for emotion in ("02", "03") for take in ("01", "02")
    ]
    members = [f"ravdess_speech/Actor_07/{name}.flac" for name in names]
    tar = shared / "data" / "ravdess_speech.tar"
    subprocess.run(["tar", "xf", str(tar), "-C", str(tmp_path), *members], check=True)
    calm_1, calm_2, happy_1, happy_2 = (sound_hash(tmp_path / member) for member in members)
    assert happy_1 == happy_2
    assert len({calm_1, calm_2, happy_1}) == 3
