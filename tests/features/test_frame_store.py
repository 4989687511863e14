"""The frame store: what is kept, what is refused, what a kill costs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aver.errors import CorpusError, SettingError
from aver.features import frame_writer
from aver.features.frame_store import FrameStore

ABOUT = {"extractor": "made"}


def rows(count, width=3, seed=0):
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


@pytest.fixture
def store(tmp_path):
    return FrameStore(tmp_path / "store")


@pytest.fixture
def short_shards(monkeypatch):
    monkeypatch.setattr(frame_writer, "SHARD_FRAMES", 10)


def test_what_was_put_is_mapped_not_loaded(store):
    given_rows = rows(40)
    assert store.put("Film", "made", [given_rows[:7], given_rows[7:]], ABOUT)
    found = store.open("Film")["made"]
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, given_rows)
    assert store.films() == ["Film"]
    assert store.streams("Film") == ["made"]
    about = store.about("Film", "made")
    assert (about["frames"], about["width"], about["identity"]) == (40, 3, ABOUT)
    assert not list((store.root / "Film").glob(".*"))


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, 27), min_size=1, max_size=8).filter(any))
def test_any_pieces_give_the_same_file(tmp_path_factory, pieces):
    whole = rows(sum(pieces))
    cuts = np.split(whole, np.cumsum(pieces)[:-1])
    store = FrameStore(tmp_path_factory.mktemp("s") / "store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame_writer, "SHARD_FRAMES", 10)
        store.put("F", "made", cuts, ABOUT)
    np.testing.assert_array_equal(store.open("F")["made"], whole)


def test_a_kill_costs_the_unfinished_shard_alone(store, short_shards):
    whole = rows(34)
    first = store.writer("F", "made", ABOUT)
    first.add(whole[:27])
    del first  # as if killed: nothing is closed
    assert store.streams("F") == []
    again = store.writer("F", "made", ABOUT)
    assert again.frames == 20
    again.add(whole[20:])
    assert again.finish() == 34
    np.testing.assert_array_equal(store.open("F")["made"], whole)


def test_a_kill_while_joining_costs_nothing(store, short_shards, monkeypatch):
    whole = rows(25)
    writer = store.writer("F", "made", ABOUT)
    writer.add(whole)
    real = frame_writer.write_atomically

    def killed(folder, content, name=""):
        if name == "made.json":
            raise KeyboardInterrupt
        return real(folder, content, name)

    monkeypatch.setattr(frame_writer, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        writer.finish()
    monkeypatch.setattr(frame_writer, "write_atomically", real)
    assert store.streams("F") == []
    again = store.writer("F", "made", ABOUT)
    assert again.frames == 25
    again.finish()
    np.testing.assert_array_equal(store.open("F")["made"], whole)


def test_what_was_begun_with_other_settings_is_begun_anew(store, short_shards):
    store.writer("F", "made", ABOUT).add(rows(20))
    assert store.writer("F", "made", {"extractor": "other"}).frames == 0


def test_a_finished_stream_is_not_measured_again_nor_mixed_with_another(store):
    store.put("F", "made", [rows(5)], ABOUT)

    def never():
        raise AssertionError("read again")
        yield

    assert not store.put("F", "made", never(), ABOUT)
    with pytest.raises(CorpusError, match=r"measured with other settings.*--again.*another name"):
        store.put("F", "made", [rows(5)], {"extractor": "other"})
    with pytest.raises(CorpusError, match="other settings, precision"):
        FrameStore(store.root, precision="float16").put("F", "made", [rows(5)], ABOUT)


def test_again_replaces_a_stream_once_the_new_one_is_whole(store):
    store.put("F", "made", [rows(5)], ABOUT)
    new = {"extractor": "other"}
    writer = store.writer("F", "made", new, again=True)
    assert not writer.is_finished
    writer.add(rows(9, seed=1))
    np.testing.assert_array_equal(store.open("F")["made"], rows(5))
    writer.finish()
    np.testing.assert_array_equal(store.open("F")["made"], rows(9, seed=1))
    assert store.about("F", "made")["identity"] == new
    assert store.writer("F", "made", new, again=True).is_finished


def test_two_writers_of_one_stream_end_with_one_file(store, short_shards):
    whole = rows(25)
    one, other = (store.writer("F", "made", ABOUT) for _ in range(2))
    one.add(whole)
    other.add(whole)
    one.finish()
    assert other.finish() == 25
    np.testing.assert_array_equal(store.open("F")["made"], whole)


def test_half_precision_halves_the_file_and_counts_what_it_clips(tmp_path):
    values = rows(100, 50)
    values[3, 4], values[5, 6] = 1e6, -1e6
    for precision in ("float32", "float16"):
        store = FrameStore(tmp_path / precision, precision=precision)
        store.put("F", "made", [values], ABOUT)
    found = store.open("F")["made"]
    assert found.dtype == np.float16
    assert (found[3, 4], found[5, 6]) == (65504, -65504)
    assert store.about("F", "made")["clipped"] == 2
    values[3, 4], values[5, 6] = 65504, -65504
    np.testing.assert_allclose(found, values, rtol=1e-3, atol=1e-6)
    sizes = [(tmp_path / p / "F" / "made.npy").stat().st_size for p in ("float32", "float16")]
    assert [size - 128 for size in sizes] == [20_000, 10_000]


def test_streams_of_a_film_come_in_one_length_and_a_large_difference_is_told(tmp_path):
    lines = []
    store = FrameStore(tmp_path / "store", warn=lines.append)
    for name, count in (("a", 100), ("b", 120)):
        store.put("F", name, [rows(count)], ABOUT)
    assert {k: len(v) for k, v in store.open("F").items()} == {"a": 100, "b": 100}
    assert lines == []
    store.put("F", "c", [rows(150)], ABOUT)
    assert {len(v) for v in store.open("F").values()} == {100}
    assert lines == ["F: 'c' has 150 frames and 'a' 100; the first 100 are used"]
    assert len(store.open("F", ["c"])["c"]) == 150


@pytest.mark.parametrize(
    ("film", "stream", "message"),
    [
        ("G", None, "holds no finished stream. In the store: F"),
        ("F", "b", "no finished stream 'b'"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(store, film, stream, message):
    store.put("F", "a", [rows(3)], ABOUT)
    with pytest.raises(CorpusError, match=message):
        store.open(film, None if stream is None else [stream])


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a\\b", "line\nbreak", "x" * 200])
def test_names_that_are_no_file_names_are_refused(store, name):
    for film, stream in ((name, "a"), ("F", name)):
        with pytest.raises(SettingError, match="cannot be the name of a file"):
            store.put(film, stream, [rows(3)], ABOUT)


def test_a_damaged_stream_is_told_not_read(store):
    store.put("F", "a", [rows(30)], ABOUT)
    path = store.root / "F" / "a.npy"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CorpusError, match=r"a\.npy: is damaged.*run aver frames again"):
        store.open("F")
    np.save(path, rows(29))
    with pytest.raises(CorpusError, match=r"holds \(29, 3\), its description says 30 x 3"):
        store.open("F")


def test_numbers_that_are_none_are_not_stored(store):
    bad = rows(4)
    bad[2, 1] = np.nan
    with pytest.raises(ValueError, match="feature 1 of frame 2 is not a finite number"):
        store.put("F", "a", [bad], ABOUT)
    with pytest.raises(ValueError, match="no frames"):
        store.put("F", "a", [], ABOUT)
    assert store.films() == []


def test_other_folders_and_newer_stores_are_refused(tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    with pytest.raises(CorpusError, match="is no frame store, and not empty"):
        FrameStore(tmp_path / "letters")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "aver-frames.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(CorpusError, match="newer aver"):
        FrameStore(tmp_path / "new")
    with pytest.raises(SettingError, match="neither float32 nor float16"):
        FrameStore(tmp_path / "s", precision="int8")
