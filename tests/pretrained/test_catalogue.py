import hashlib
import re

import pytest

from aver.errors import ModelError
from aver.pretrained import (
    CATALOGUE,
    fetch,
    list_models,
    path_of,
    read_card,
    seen_subjects,
)
from aver.pretrained.catalogue import entry


def test_what_ships_and_what_does_not():
    shipped = [m.name for m in list_models() if m.shipped]
    assert shipped == ["face_expression", "voice_expression", "mater", "sound_events"]
    assert {"yunet", "sface", "dlib_resnet", "yamnet", "whisper_base_encoder"} <= set(CATALOGUE)


FETCHED = [m for m in list_models() if not m.shipped and not m.weights_file]
CONVERTED = [m for m in list_models() if m.weights_file]


@pytest.mark.parametrize("model", FETCHED, ids=lambda m: m.name)
def test_every_network_that_may_be_fetched_is_pinned(model):
    assert re.fullmatch(r"[0-9a-f]{64}", model.sha256)
    assert model.size > 0
    assert model.maker
    assert model.licence in {"Apache-2.0", "CC0-1.0"}
    assert model.url == "" or model.url.startswith("https://")
    if model.member:
        assert re.fullmatch(r"[0-9a-f]{64}", model.archive_sha256)
        assert model.download_size == model.archive_size > model.size
    else:
        assert model.download_size == model.size


@pytest.mark.parametrize("model", CONVERTED, ids=lambda m: m.name)
def test_what_is_made_from_weights_says_from_which_and_how(model, monkeypatch, tmp_path):
    monkeypatch.setenv("AVER_MODELS", str(tmp_path))
    monkeypatch.setattr("aver.pretrained.cache.user_folder", lambda: tmp_path)
    assert model.url.endswith(f"/{model.weights_file}")
    assert re.fullmatch(r"[0-9a-f]{0,64}", model.weights_sha256)
    # Torch's hub writes the first digits of the hash into the name.
    stated = re.search(r"-([0-9a-f]{8})\.pth$", model.weights_file)
    assert model.weights_sha256[:8] == (stated.group(1) if stated else "")
    way = rf"Download {re.escape(model.url)}, then: aver models convert {model.name} "
    with pytest.raises(ModelError, match=f"is not on this machine. {way}"):
        path_of(model.name)
    with pytest.raises(ModelError, match=f"made on this machine from .* weights. {way}"):
        fetch(model.name)
    assert f"made on this machine from {model.weights_file}" in read_card(model.name)
    (tmp_path / model.file).write_bytes(b"made here")
    assert path_of(model.name) == tmp_path / model.file


def test_no_two_networks_share_a_file():
    files = [m.file for m in list_models()]
    assert len(set(files)) == len(files)


@pytest.mark.parametrize("name", ["yunet", "yamnet"])
def test_the_pinned_hash_is_the_one_of_the_real_file(shared, name):
    model = entry(name)
    file = shared / "models" / model.file
    if not file.is_file():
        pytest.skip(f"{model.file} is not among the shared models")
    assert file.stat().st_size == model.size
    assert hashlib.sha256(file.read_bytes()).hexdigest() == model.sha256


def test_an_unknown_name_says_which_are_known():
    with pytest.raises(ModelError, match=r"resnet49: is no network.*yunet, sface"):
        entry("resnet49")


@pytest.mark.parametrize("model", [m for m in list_models() if m.shipped], ids=lambda m: m.name)
def test_the_card_names_the_subjects_that_the_catalogue_lists(model):
    line = re.search(r"^Subjects seen in training: (.*)\.$", read_card(model.name), re.MULTILINE)
    assert frozenset(re.findall(r"`([^`]+)`", line[1])) == seen_subjects(model.name)


def test_whom_the_networks_have_seen():
    assert seen_subjects("face_expression") == {"fer2013/*"}
    assert "ravdess/*" in seen_subjects("voice_expression")
    assert seen_subjects("mater") >= seen_subjects("voice_expression")
    assert seen_subjects("whisper_base_encoder") == frozenset()
