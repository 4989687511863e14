"""Levels of arousal and valence by a user's own network: kept by a recipe, run without torch."""

import wave
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
import torch
from films_project import recipe

from aver.errors import MediaError, ModelError
from aver.features import opensmile
from aver.features.extractor import Clip, make_extractor
from aver.inference.affect import AffectNetwork
from aver.training.films_data import Film, FilmSet
from aver.training.films_keep import keep_network

STREAM = "auditory_saliency"


def asked(stream: str = STREAM):
    settings = {"variant": "tfm", "descriptors": stream, "saliency": "none"}
    targets = [
        {"name": f"intended {name}", "dimension": name, "options": {"dimension": name}}
        for name in ("arousal", "valence")
    ]
    return recipe(
        features={stream: {"extractor": stream}},
        targets=targets,
        systems=[
            {
                "name": "tfm",
                "model": "asmt",
                "settings": settings,
                "width_settings": ["width", "feed_forward"],
            }
        ],
        baseline="",
        keep="tfm",
        validations=["clean"],
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """A network trained on three made-up films of 257 numbers a segment."""
    random = np.random.default_rng(0)
    wanted = asked()
    sets = []
    for target in wanted.targets:
        films = []
        for name in "abc":
            values = random.random((20, 257)).astype(np.float32)
            labels = np.digitize(values[:, 0], [0.3, 0.6]).astype(np.int64)
            there = np.ones(20, bool)
            films.append(Film(name, {STREAM: values}, {STREAM: there}, labels, values[:, 0] * 1.0))
        sets.append(FilmSet(target, tuple(films), {STREAM: None}, {STREAM: "made up"}, "0" * 64))
    return keep_network(wanted, sets, tmp_path_factory.mktemp("kept"), lambda _: None)[0]


def write_sound(path: Path, seconds: float) -> Path:
    random = np.random.default_rng(1)
    samples = (random.normal(size=int(16000 * seconds)) * 2000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(samples.tobytes())
    return path


def test_network_of_both_dimensions_labels_a_recording(kept, tmp_path):
    network = AffectNetwork(kept)
    assert network.dimensions == ("arousal", "valence")
    assert (network.time, network.seconds) == (3, 5.0)
    found = network(write_sound(tmp_path / "film.wav", 23.0))
    assert [(s.start, s.end) for s in found] == [(0, 5), (5, 10), (10, 15), (15, 20), (20, 23)]
    for segment in found:
        assert sum(segment.arousal) == pytest.approx(1, abs=1e-5)
        assert sum(segment.valence) == pytest.approx(1, abs=1e-5)


def test_a_last_segment_of_less_than_half_is_left_out(kept, tmp_path):
    found = AffectNetwork(kept)(write_sound(tmp_path / "film.wav", 12.0))
    assert [(s.start, s.end) for s in found] == [(0, 5), (5, 10)]


def test_features_of_the_file_are_those_of_the_extractor(kept, tmp_path):
    network = AffectNetwork(kept)
    path = write_sound(tmp_path / "film.wav", 15.0)
    features = make_extractor(STREAM, window_seconds=5.0).extract(Clip(path))
    direct = network.levels({STREAM: features.values}, {STREAM: features.present})
    found = network(path)
    assert [s.arousal for s in found] == [
        pytest.approx(tuple(row), abs=1e-6) for row in direct["arousal"]
    ]


def test_a_recording_without_sound_is_told(kept, tmp_path):
    path = tmp_path / "empty.wav"
    path.write_bytes(b"RIFF")
    with pytest.raises(MediaError):
        AffectNetwork(kept)(path)


def test_card_says_what_it_was_trained_on(kept):
    card = kept.with_suffix(".md").read_text()
    assert "target intended arousal" in card
    assert "Not to be used on people" in card


def test_another_network_is_refused(tmp_path):
    with pytest.raises(ModelError, match="there is no such file"):
        AffectNetwork(tmp_path / "none.onnx")
    shipped = Path(opensmile.__file__).parents[1] / "pretrained" / "weights" / "mater.onnx"
    with pytest.raises(ModelError, match="is no network of arousal and valence"):
        AffectNetwork(shipped)


def test_a_missing_opensmile_is_one_clear_line(kept, tmp_path, monkeypatch):
    import onnx

    model = onnx.load(str(kept))
    for entry in model.metadata_props:
        entry.value = entry.value.replace(f'"extractor": "{STREAM}"', '"extractor": "emobase2010"')
        entry.value = entry.value.replace('"frame": 800, "hop": 160, ', "")
        entry.value = entry.value.replace('"pairs": "paper", "scale": "clip"', '"config": ""')
    path = tmp_path / "smile.onnx"
    onnx.save(model, str(path))

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(opensmile, "import_module", missing)
    with pytest.raises(ModelError) as caught:
        AffectNetwork(path)
    assert "the package is not installed" in str(caught.value)
    assert "pip install 'aver[opensmile]'" in str(caught.value)
    assert torch.__version__  # the network itself was made with torch, and runs without
