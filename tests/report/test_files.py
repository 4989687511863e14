"""Files appear complete or not at all, and their names never collide."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timelines import worked

from aver.errors import OutputError, SettingError
from aver.report import FORMATS, output_stem, write, write_all
from aver.report import files as files_module
from aver.report.files import write_files


def test_all_formats_are_named_after_the_stem(tmp_path):
    written = write_all(worked(), tmp_path / "new" / "folder", "two", FORMATS)
    assert [p.name for p in written] == [
        "two.html",
        "two.json",
        "two.csv",
        "two.parquet",
        "two.vtt",
        "two.eaf",
        "two.TextGrid",
    ]
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == sorted(
        p.name for p in written
    )
    assert all(p.stat().st_size > 0 for p in written)


def test_a_format_named_twice_is_written_once(tmp_path):
    assert len(write_all(worked(), tmp_path, "x", ["json", "JSON", ".json"])) == 1


def test_the_format_follows_the_extension(tmp_path):
    assert write(worked(), tmp_path / "x.TextGrid").read_text().startswith("File type")


@pytest.mark.parametrize("name", ["docx", ""])
def test_unknown_format(tmp_path, name):
    with pytest.raises(SettingError, match="html, json, csv"):
        write(worked(), tmp_path / "x", name)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_replaced(tmp_path):
    (tmp_path / "x.vtt").write_text("old")
    write(worked(), tmp_path / "x.vtt")
    assert (tmp_path / "x.vtt").read_text().startswith("WEBVTT")


def test_files_are_readable_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        path = write(worked(), tmp_path / "x.vtt")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("failure", [ValueError("x"), KeyboardInterrupt()])
def test_a_writer_that_fails_leaves_nothing_and_the_old_file_whole(tmp_path, failure):
    old = tmp_path / "old.txt"
    old.write_text("old")

    def good(out):
        out.write(b"new")

    def bad(out):
        out.write(b"half")
        raise failure

    with pytest.raises(type(failure)):
        write_files([(old, good), (tmp_path / "deep" / "er" / "b.txt", bad)])
    assert [p.name for p in tmp_path.iterdir()] == ["old.txt"]
    assert old.read_text() == "old"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk is full"),
        (errno.EROFS, "cannot be written to"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_a_failing_disk_is_one_clear_line(tmp_path, monkeypatch, number, words):
    def fail(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files_module.os, "fsync", fail)
    with pytest.raises(OutputError, match=words) as caught:
        write_all(worked(), tmp_path / "out", "two", ["json", "html"])
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", list(FORMATS))
def test_a_disk_that_fills_up_in_the_middle(tmp_path, monkeypatch, format):
    """The error comes out of the write itself, from within each format's own machinery."""
    real_open = open

    class Full:
        def __init__(self, *args, **kwargs):
            self.file = real_open(*args, **{**kwargs, "buffering": 0})

        def __enter__(self):
            return self

        def __exit__(self, *details):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files_module, "open", Full, raising=False)
    with pytest.raises(OutputError, match="disk is full"):
        write_all(worked(), tmp_path, "two", [format])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match=r"cannot be written to\. Choose another folder"):
            write_all(worked(), tmp_path, "x", ["json"])
    finally:
        tmp_path.chmod(0o700)


def test_no_permission(tmp_path, monkeypatch):
    def refuse(*args):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files_module.os, "open", refuse)
    with pytest.raises(OutputError, match=r"cannot be written to\. Choose another folder"):
        write_all(worked(), tmp_path, "x", ["json"])


def test_the_folder_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="is not a folder"):
            write_all(worked(), folder, "x", ["json"])


def test_the_target_is_a_folder(tmp_path):
    (tmp_path / "x.json").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_all(worked(), tmp_path, "x", ["vtt", "json"])
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_stems():
    taken: set[str] = set()
    inputs = ["a/clip.mp4", "b/clip.mp4", "c/Clip.wav", "d/clip.mp4", "e/other.mp4"]
    stems = [output_stem(path, taken) for path in inputs]
    assert stems == ["clip", "clip_mp4", "Clip_wav", "clip_mp4_2", "other"]
    assert taken == set(stems)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("my holiday.film.mp4", "my holiday.film"),
        ("two\nlines.mp4", "two_lines"),
        ("ночь.mkv", "ночь"),
        (".mp4", "mp4"),
        ("a:b?.wav", "a_b_"),
        ("con.wav", "con_"),
        ("...", "recording"),
        ("x" * 400 + ".mp4", "x" * 200),
    ],
)
def test_stem_of_an_odd_name(name, stem):
    assert output_stem(name, set()) == stem


def test_stem_of_a_name_that_is_not_utf8():
    stem = output_stem(os.fsdecode(b"a\xff.mp4"), set())
    assert stem.encode("utf-8")


@given(st.lists(st.text(min_size=1, max_size=8).map(lambda s: s.replace("/", "")), max_size=20))
def test_stems_never_meet(names):
    taken: set[str] = set()
    stems = [output_stem(Path(f"{i}") / f"{n}.mp4", taken) for i, n in enumerate(names)]
    assert len({s.casefold() for s in stems}) == len(names)
    for stem in stems:
        assert "/" not in stem
        assert stem.isprintable()
        assert not stem.startswith(".")
