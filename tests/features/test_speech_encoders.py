"""WavLM, wav2vec 2.0 and HuBERT: tiny ones made on the spot, nothing downloaded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from features import clips

from aver.errors import AverError, ModelError, SettingError
from aver.features.extractor import Clip, make_extractor

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

WIDTH, DEPTH = 16, 2
KINDS = {"wavlm": "WavLM", "wav2vec2": "Wav2Vec2", "hubert": "Hubert"}


def save_tiny(kind: str, folder: Path) -> Path:
    torch.manual_seed(3)
    config = getattr(transformers, f"{KINDS[kind]}Config")(
        hidden_size=WIDTH,
        num_hidden_layers=DEPTH,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )
    getattr(transformers, f"{KINDS[kind]}Model")(config).eval().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=KINDS)
def tiny(request, tmp_path_factory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, save_tiny(request.param, folder)


@pytest.fixture(scope="module")
def wavlm(tmp_path_factory) -> Path:
    return save_tiny("wavlm", tmp_path_factory.mktemp("wavlm"))


@pytest.fixture
def sound(tmp_path) -> Clip:
    noise = np.random.default_rng(0).normal(size=32_000) * 0.1
    return Clip(clips.write_sound(tmp_path / "noise.wav", clips.tone(300.0, 2.0) + noise))


def test_values_are_the_models_own_hidden_states(tiny, sound):
    name, folder = tiny
    extractor = make_extractor(name, model=str(folder), layers="0,1,last")
    assert extractor.shape == (3 * WIDTH,)
    found = extractor.extract(sound)
    assert found.values.shape == (4, 3 * WIDTH)
    again = make_extractor(name, model=str(folder), layers="0,1,last").extract(sound)
    np.testing.assert_array_equal(found.values, again.values)

    import wave

    with wave.open(str(sound.file)) as stream:
        samples = np.frombuffer(stream.readframes(32_000), "<i2").astype(np.float32) / 32768
    samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    model = transformers.AutoModel.from_pretrained(folder)
    with torch.no_grad():
        said = model(torch.from_numpy(samples)[None], output_hidden_states=True)
    # 99 steps in two seconds: the first half second holds steps 0 to 24.
    for place, states in enumerate([said.hidden_states[0], said.hidden_states[1], said[0]]):
        expected = states[0, :25].mean(dim=0).numpy()
        np.testing.assert_allclose(
            found.values[0, place * WIDTH : (place + 1) * WIDTH], expected, atol=2e-3
        )


def test_normalising_makes_loudness_irrelevant(wavlm, sound, tmp_path):
    louder = clips.write_sound(tmp_path / "a.wav", clips.tone(300.0, 1.0, level=0.8))
    softer = clips.write_sound(tmp_path / "b.wav", clips.tone(300.0, 1.0, level=0.2))

    def both(**settings):
        extractor = make_extractor("wavlm", model=str(wavlm), **settings)
        return [extractor.extract(Clip(file)).values for file in (louder, softer)]

    with_it, without = both(normalise="yes"), both(normalise="no")
    np.testing.assert_allclose(*with_it, atol=2e-3)
    np.testing.assert_array_equal(both()[0], with_it[0])
    (wavlm / "preprocessor_config.json").write_text('{"do_normalize": false}')
    np.testing.assert_array_equal(both()[1], without[1])
    (wavlm / "preprocessor_config.json").unlink()


def test_whole_clip_and_very_short_ones(wavlm, sound):
    extractor = make_extractor("wavlm", model=str(wavlm), window_seconds=0, combine="mean")
    assert extractor.extract(sound).values.shape == (1, WIDTH)
    short = extractor.extract(Clip(sound.file, 0.5, 0.51))
    assert short.values.shape == (1, WIDTH)
    assert np.isfinite(short.values).all()


def test_the_numbers_depend_on_weights_and_configuration(wavlm):
    depends = make_extractor("wavlm", model=str(wavlm)).depends_on
    assert set(depends) == {"config.json", "model.safetensors"}


def test_nothing_is_downloaded_unasked(sound, monkeypatch):
    import socket

    def refuse(*_args, **_kwargs):
        raise AssertionError("went to the network")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(ModelError, match=r"wavlm-base-plus-x: is not on this machine.*unasked"):
        make_extractor("wavlm", model="microsoft/wavlm-base-plus-x").extract(sound)


def test_what_cannot_be_is_refused_in_one_line(wavlm, sound, tmp_path):
    def extract(name="wavlm", **settings):
        with pytest.raises(AverError) as caught:
            make_extractor(name, **{"model": str(wavlm), **settings}).extract(sound)
        return str(caught.value)

    assert "holds a model of the type 'wavlm', not 'hubert'" in extract("hubert")
    assert "has no layer 7. Layers are 0 to 2, and last." in extract(layers=7)
    assert "holds no config.json" in extract(model=str(tmp_path))
    assert "is no folder" in extract(model=str(tmp_path / "nowhere"))
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text((wavlm / "config.json").read_text())
    (pickled / "pytorch_model.bin").write_bytes(b"a pickle")
    assert "holds no safetensors, and pickled weights are not read" in extract(model=str(pickled))
    (pickled / "model.safetensors").write_bytes(b"no weights")
    assert "cannot be loaded" in extract(model=str(pickled))
    (pickled / "config.json").write_text("{")
    assert "config.json: cannot be read" in extract(model=str(pickled))
    slow = json.dumps({"sampling_rate": 8000})
    (pickled / "config.json").write_text((wavlm / "config.json").read_text())
    (pickled / "preprocessor_config.json").write_text(slow)
    assert "takes sound of 8000 Hz" in extract(model=str(pickled))


def test_without_transformers_the_line_says_what_to_install(wavlm, sound, monkeypatch):
    from aver.features import speech_encoders

    def missing(name: str):
        if name == "transformers":
            raise ImportError("No module named 'transformers'")
        return __import__(name)

    monkeypatch.setattr(speech_encoders, "import_module", missing)
    with pytest.raises(SettingError, match=r"needs the package 'transformers'.*aver\[speech\]"):
        make_extractor("wavlm", model=str(wavlm)).extract(sound)


def test_importing_the_extractor_imports_no_torch():
    import subprocess
    import sys

    code = (
        "import sys; from aver.features.extractor import make_extractor; "
        "make_extractor('hubert'); assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=120)
