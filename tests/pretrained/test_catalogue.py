import hashlib
import re

import pytest

from aver.errors import ModelError
from aver.pretrained import CATALOGUE, list_models, read_card, seen_subjects
from aver.pretrained.catalogue import entry


def test_what_ships_and_what_does_not():
    shipped = [m.name for m in list_models() if m.shipped]
    assert shipped == ["face_expression", "voice_expression", "mater"]
    assert {"yunet", "sface", "dlib_resnet", "yamnet", "whisper_base_encoder"} <= set(CATALOGUE)


@pytest.mark.parametrize("model", [m for m in list_models() if not m.shipped], ids=lambda m: m.name)
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
    with pytest.raises(ModelError, match=r"resnet50: is no network.*yunet, sface"):
        entry("resnet50")


@pytest.mark.parametrize("model", [m for m in list_models() if m.shipped], ids=lambda m: m.name)
def test_the_card_names_the_subjects_that_the_catalogue_lists(model):
    line = re.search(r"^Subjects seen in training: (.*)\.$", read_card(model.name), re.MULTILINE)
    assert frozenset(re.findall(r"`([^`]+)`", line[1])) == seen_subjects(model.name)


def test_whom_the_networks_have_seen():
    assert seen_subjects("face_expression") == {"fer2013/*"}
    assert "ravdess/*" in seen_subjects("voice_expression")
    assert seen_subjects("mater") >= seen_subjects("voice_expression")
    assert seen_subjects("whisper_base_encoder") == frozenset()
