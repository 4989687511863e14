"""The feature store: measured once, whatever happens on the way."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from aver.errors import CorpusError, MediaError, OutputError
from aver.features import store_writer
from aver.features.extractor import Clip, Extractor, ExtractorSettings, Features, make_extractor
from aver.features.store import Extracted, FeatureStore
from aver.features.store_hash import HashCache
from aver.features.store_shards import (
    DamagedShardError,
    Entry,
    ShardIndex,
    read_keys,
    read_shard,
    write_shard,
)

from .sounds import tone, write_wave


class ByteSettings(ExtractorSettings):
    scale: float = 1.0
    threads: int = 1


class ByteCounter(Extractor):
    """Counts a file's bytes; notes what it was asked for."""

    name = "bytes"
    version = 1
    Settings = ByteSettings
    modality = "sound"
    shape = (2,)
    names = ("count", "first")
    ignored_settings = frozenset({"threads"})

    def __init__(self, settings=None):
        super().__init__(settings)
        self.asked = []

    def extract(self, clip):
        self.asked.append(clip.file.name)
        content = clip.file.read_bytes()
        if content == b"bad":
            raise MediaError(clip.file, "is bad")
        if content == b"bug":
            raise RuntimeError("a bug\nin two lines")
        first = np.nan if content == b"nan" else self.settings.scale * content[0]
        return Features.of_clip(np.array([len(content), first]), 1.0)


@pytest.fixture
def make(tmp_path):
    """Write files and return their manifest."""

    def manifest(*contents, folder="clips"):
        (tmp_path / folder).mkdir(exist_ok=True)
        rows = []
        for number, content in enumerate(contents):
            path = tmp_path / folder / f"{number:03d}.bin"
            path.write_bytes(content)
            rows.append({"file": str(path), "start": np.nan, "end": np.nan, "recording": ""})
        return pd.DataFrame(rows)

    return manifest


@pytest.fixture
def lines():
    return []


@pytest.fixture
def store(tmp_path, lines):
    return FeatureStore(tmp_path / "store", warn=lines.append)


def counts(features):
    return [None if f is None else int(f.values[0, 0]) for f in features]


def shards(folder):
    return sorted(folder.glob("*.parquet"))


def test_features_come_in_the_manifests_order(store, make):
    manifest = make(b"ccc", b"a", b"bb", b"dddd")
    extractor = ByteCounter()
    assert counts(store.load(manifest, extractor)) == [3, 1, 2, 4]
    shuffled = manifest.iloc[[2, 0, 3, 1]]
    assert counts(store.load(shuffled, extractor)) == [2, 3, 4, 1]
    assert len(extractor.asked) == 4


def test_stored_features_are_those_measured(store, make, tmp_path):
    manifest = make(b"abc")
    first = store.load(manifest, ByteCounter())[0]
    again = FeatureStore(tmp_path / "store").load(manifest, ByteCounter(), missing="refuse")[0]
    np.testing.assert_array_equal(first.values, [[3, ord("a")]])
    np.testing.assert_array_equal(again.values, first.values)
    assert (again.values.dtype, again.present.dtype) == (np.float32, np.bool_)
    np.testing.assert_array_equal(again.times, [[0, 1]])


def test_same_content_elsewhere_is_not_measured_again(store, make):
    extractor = ByteCounter()
    store.load(make(b"one", b"two"), extractor)
    store.load(make(b"one", b"three", folder="moved"), extractor)
    assert extractor.asked == ["000.bin", "001.bin", "001.bin"]


def test_changed_content_is_measured_again(store, make):
    extractor = ByteCounter()
    store.load(make(b"one"), extractor)
    assert counts(store.load(make(b"other"), extractor)) == [5]


def test_stretches_and_recordings_of_one_file_are_apart(store, make):
    manifest = pd.concat([make(b"x")] * 4, ignore_index=True)
    manifest["start"] = [np.nan, 0.5, 0.5, np.nan]
    manifest["recording"] = ["", "", "r", ""]
    extractor = ByteCounter()
    assert counts(store.load(manifest, extractor)) == [1, 1, 1, 1]
    assert len(extractor.asked) == 3  # the first and the last row are the same clip


def test_settings_versions_and_dependencies_are_apart(store, make):
    manifest = make(b"x")
    assert store.load(manifest, ByteCounter())[0].values[0, 1] == 120
    other = ByteCounter(ByteSettings(scale=2.0))
    assert store.load(manifest, other)[0].values[0, 1] == 240
    assert store.folder(other) != store.folder(ByteCounter())
    assert store.folder(ByteCounter(ByteSettings(threads=9))) == store.folder(ByteCounter())

    class Newer(ByteCounter):
        version = 2

    class Trained(ByteCounter):
        depends_on = {"weights": "abc"}  # noqa: RUF012

    folders = {store.folder(kind()) for kind in (ByteCounter, Newer, Trained)}
    assert len(folders) == 3


def test_description_lies_beside_for_people(store, make):
    store.load(make(b"x"), ByteCounter())
    told = json.loads((store.folder(ByteCounter()) / "extractor.json").read_text())
    assert told["extractor"] == "bytes"
    assert told["settings"] == {"scale": 1.0}
    assert told["names"] == ["count", "first"]
    frame = pd.read_parquet(shards(store.folder(ByteCounter()))[0])
    assert frame["values"][0].tolist() == [1.0, 120.0]


def test_bad_clip_costs_itself_only(store, make, lines, tmp_path):
    manifest = make(b"good", b"bad", b"nan", b"bug", b"fine")
    extractor = ByteCounter()
    assert counts(store.load(manifest, extractor)) == [4, None, None, None, 4]
    assert len(lines) == 3
    assert "001.bin: is bad." in lines[0]
    assert "002.bin: 'bytes' gave 'first' as not a number at time 0; they are not" in lines[1]
    assert "003.bin: 'bytes' failed (RuntimeError('a bug\\nin two lines'))." in lines[2]
    # Known as failed in this run, tried again in the next.
    store.load(manifest, extractor)
    assert len(extractor.asked) == 5
    assert len(lines) == 3
    FeatureStore(tmp_path / "store", warn=lines.append).load(manifest, extractor)
    assert extractor.asked[5:] == ["001.bin", "002.bin", "003.bin"]


def test_missing_file_costs_itself_only(store, make, lines):
    manifest = make(b"one", b"two")
    Path(manifest["file"][0]).unlink()
    assert counts(store.load(manifest, ByteCounter())) == [None, 3]
    assert len(lines) == 1
    assert "000.bin: there is no such file" in lines[0]


def test_warning_where_nobody_listens(tmp_path, make):
    with pytest.warns(UserWarning, match=r"000.bin: is bad."):
        FeatureStore(tmp_path / "store").load(make(b"bad"), ByteCounter())


def test_extract_counts_rows(store, make):
    manifest = make(b"one", b"bad", b"three")
    assert store.extract(manifest.iloc[:1], ByteCounter()) == Extracted(1, 0, 0)
    assert store.extract(manifest, ByteCounter()) == Extracted(1, 1, 1)


def test_progress_counts_stored_clips_at_once(store, make):
    manifest = make(b"one", b"two", b"three")
    store.extract(manifest.iloc[:2], ByteCounter())
    seen = []
    store.load(manifest, ByteCounter(), progress=lambda *told: seen.append(told))
    assert seen[0] == (2, 3)
    assert seen[-1] == (3, 3)


def test_missing_features_are_refused_where_told(store, make):
    manifest = make(b"one", b"two")
    store.extract(manifest.iloc[:1], ByteCounter())
    with pytest.raises(
        CorpusError, match=r"no features of 'bytes' .* for 1 clips, the first .*001"
    ):
        store.load(manifest, ByteCounter(), missing="refuse")


def test_extractor_that_cannot_work_at_all_is_told_once(store, make, lines):
    extractor = make_extractor("clip_table", table="/nowhere.csv")
    with pytest.raises(Exception, match=r"there is no file /nowhere.csv"):
        store.load(make(b"one", b"two"), extractor)
    assert lines == []


def test_rows_of_a_table_need_no_file(store, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("name,x\na,1\nb,2\n")
    manifest = pd.DataFrame({"file": ["/nowhere/b.wav", "/nowhere/a.wav", "/nowhere/c.wav"]})
    features = store.load(manifest, make_extractor("clip_table", table=str(table)))
    assert [f.values[0, 0] for f in features] == [2, 1, 0]
    assert [bool(f.present[0]) for f in features] == [True, True, False]


def test_flipped_bit_is_found_and_only_its_shard_measured_again(store, make, lines, monkeypatch):
    monkeypatch.setattr(store_writer, "SHARD_CLIPS", 2)
    manifest = make(*(b"x" * n for n in range(1, 7)))
    extractor = ByteCounter()
    before = store.load(manifest, extractor)
    files = shards(store.folder(extractor))
    assert len(files) == 3
    content = bytearray(files[1].read_bytes())
    content[len(content) // 3] ^= 1
    files[1].write_bytes(content)
    extractor.asked.clear()
    after = store.load(manifest, extractor)
    assert len(extractor.asked) == 2
    assert counts(after) == counts(before) == [1, 2, 3, 4, 5, 6]
    assert len(lines) == 1
    assert f"{files[1].name}: the shard is damaged" in lines[0]
    extractor.asked.clear()
    assert counts(store.load(manifest, extractor, missing="refuse")) == [1, 2, 3, 4, 5, 6]
    assert extractor.asked == []


@pytest.mark.parametrize("kept", [0, 3, 100, -1])
def test_shard_cut_short_is_measured_again(store, make, lines, kept):
    manifest = make(b"one", b"two")
    extractor = ByteCounter()
    store.load(manifest, extractor)
    (shard,) = shards(store.folder(extractor))
    shard.write_bytes(shard.read_bytes()[:kept])
    assert store.extract(manifest, extractor) == Extracted(2, 0, 0)
    assert counts(store.load(manifest, extractor, missing="refuse")) == [3, 3]
    assert len(lines) == 1


def test_newer_store_is_refused(tmp_path):
    (tmp_path / "aver-store.json").write_text('{"format": 2}')
    with pytest.raises(CorpusError, match=r"newer aver \(store format 2, this one reads 1\)"):
        FeatureStore(tmp_path)


def test_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CorpusError, match="is no feature store, and not empty"):
        FeatureStore(tmp_path)
    with pytest.raises(CorpusError, match="is no feature store"):
        FeatureStore(tmp_path / "thesis.txt")


def test_full_disk_is_one_line_and_loses_nothing(store, make, monkeypatch):
    monkeypatch.setattr(store_writer, "SHARD_CLIPS", 2)
    manifest = make(*(b"x" * n for n in range(1, 7)))
    store.extract(manifest.iloc[:2], ByteCounter())
    real, calls = os.fsync, []

    def fsync(handle):
        calls.append(handle)
        if len(calls) > 2:  # one shard and its folder still fit
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError, match=r"the disk is full. Make room and run it again"):
        store.extract(manifest, ByteCounter())
    monkeypatch.setattr(os, "fsync", real)
    assert not [p for p in store.root.rglob("*") if p.suffix == ".part"]
    assert store.extract(manifest, ByteCounter()) == Extracted(2, 4, 0)


def test_full_disk_for_real(tmp_path, make):
    """The system itself stops a file from growing beyond 2,000 bytes."""
    pytest.importorskip("resource")
    manifest = make(*(bytes([n]) * 50 for n in range(200)))
    manifest.to_csv(tmp_path / "manifest.csv", index=False)
    table = pd.DataFrame({"name": [f"{n:03d}" for n in range(200)], "x": range(200)})
    table.to_csv(tmp_path / "table.csv", index=False)
    script = textwrap.dedent(
        """
        import resource, signal, pandas as pd
        from aver.errors import OutputError
        from aver.features.extractor import make_extractor
        from aver.features.store import FeatureStore
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        try:
            FeatureStore("store").extract(
                pd.read_csv("manifest.csv"), make_extractor("clip_table", table="table.csv")
            )
        except OutputError as error:
            print(error)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert "the disk is full" in done.stdout, done.stderr
    assert not [p for p in (tmp_path / "store").rglob("*") if p.suffix in (".part", ".parquet")]


WRITER = """
import sys, time
import numpy as np, pandas as pd
from aver.features import store_writer
from aver.features.extractor import Extractor, ExtractorSettings, Features
from aver.features.store import FeatureStore

store_writer.SHARD_SECONDS = 0.0
store_writer.SHARD_SHARE = 0.0

class Slow(Extractor):
    name, version, Settings, modality, shape = "slow", 1, ExtractorSettings, "sound", (1,)
    def extract(self, clip):
        time.sleep(0.01)
        return Features.of_clip(np.array([len(clip.file.read_bytes())]), 1.0)

if __name__ == "__main__":
    folder, manifest = sys.argv[1:]
    store = FeatureStore(folder)
    print(store.extract(pd.read_csv(manifest), Slow()), flush=True)
    found = store.load(pd.read_csv(manifest), Slow(), missing="refuse")
    print([int(f.values[0, 0]) for f in found])
"""


def test_two_writers_one_of_them_killed(tmp_path, make):
    """Both write to one store at once; one is killed at its work; a third goes on from there."""
    sizes = [n % 37 + 1 for n in range(40)]
    manifest = make(*(bytes([n]) * size for n, size in enumerate(sizes)))
    manifest.to_csv(tmp_path / "manifest.csv", index=False)
    script = tmp_path / "writer.py"
    script.write_text(WRITER)
    folder = tmp_path / "store"
    command = [sys.executable, str(script), str(folder), str(tmp_path / "manifest.csv")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    one, two = subprocess.Popen(command, **pipes), subprocess.Popen(command, **pipes)
    end = time.monotonic() + 60
    while len(list(folder.rglob("*.parquet"))) < 5 and time.monotonic() < end:
        time.sleep(0.005)
    one.send_signal(signal.SIGKILL)
    one.wait()
    out, err = two.communicate(timeout=60)
    assert two.returncode == 0, err
    assert out.splitlines()[1] == str(sizes)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [
        "Extracted(extracted=0, present=40, failed=0)",
        str(sizes),
    ], done.stderr
    # Nothing was stored twice but what both had in hand at one moment.
    index = ShardIndex(next(folder.glob("slow-*")))
    index.refresh()
    assert len(index.places) == 40
    assert not index.damaged


def test_killed_alone_it_goes_on(tmp_path, make):
    manifest = make(*(bytes([n]) * 3 for n in range(30)))
    manifest.to_csv(tmp_path / "manifest.csv", index=False)
    script = tmp_path / "writer.py"
    script.write_text(WRITER)
    folder = tmp_path / "store"
    command = [sys.executable, str(script), str(folder), str(tmp_path / "manifest.csv")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while len(list(folder.rglob("*.parquet"))) < 5 and time.monotonic() < end:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    stored = len(list(folder.rglob("*.parquet")))
    assert 5 <= stored < 30
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    kept = f"Extracted(extracted={30 - stored}, present={stored}, failed=0)"
    assert done.stdout.splitlines()[0] == kept, done.stderr


def test_stopped_by_hand_it_keeps_what_was_measured(store, make):
    manifest = make(b"one", b"two", b"three")

    class Stopped(ByteCounter):
        def extract(self, clip):
            if clip.file.name == "002.bin":
                raise KeyboardInterrupt
            return super().extract(clip)

    with pytest.raises(KeyboardInterrupt):
        store.extract(manifest, Stopped())
    assert store.extract(manifest, ByteCounter()) == Extracted(1, 2, 0)


def test_several_processes_give_the_same(tmp_path, lines):
    files = [write_wave(tmp_path / f"{n}.wav", tone(0.5, hertz=200 + 50 * n)) for n in range(5)]
    (tmp_path / "bad.wav").write_bytes(b"nothing of the kind")
    manifest = pd.DataFrame({"file": [*map(str, files), str(tmp_path / "bad.wav")]})
    extractor = make_extractor("log_mel")
    one = FeatureStore(tmp_path / "one", warn=lines.append).load(manifest, extractor)
    two = FeatureStore(tmp_path / "two", warn=lines.append).load(manifest, extractor, jobs=2)
    assert one[5] is None
    assert two[5] is None
    assert lines[0] == lines[1]
    for mine, theirs in zip(one[:5], two[:5], strict=True):
        np.testing.assert_array_equal(mine.values, theirs.values)


CRASHING = """
import os
import numpy as np
from aver.features.extractor import Extractor, ExtractorSettings, Features

class Crashing(Extractor):
    name, version, Settings, modality, shape = "crashing", 1, ExtractorSettings, "sound", (1,)
    def extract(self, clip):
        if clip.file.read_bytes() == b"crash":
            os._exit(11)
        return Features.of_clip(np.ones(1), 1.0)
"""


def test_clip_that_ends_its_process_costs_itself_only(store, make, lines, tmp_path, monkeypatch):
    (tmp_path / "crashing_extractor.py").write_text(CRASHING)
    monkeypatch.syspath_prepend(tmp_path)
    from crashing_extractor import Crashing

    manifest = make(b"one", b"crash", b"three", b"four", b"five")
    features = store.load(manifest, Crashing(), jobs=2)
    assert [f is None for f in features] == [False, True, False, False, False]
    assert len(lines) == 1
    assert "001.bin: measuring it ended the process" in lines[0]


def test_hash_is_remembered_until_the_file_changes(tmp_path, monkeypatch):
    path, cache = tmp_path / "a.bin", tmp_path / "hashes.jsonl"
    path.write_bytes(b"abc")
    os.utime(path, (1e9, 1e9))
    first = HashCache(cache)
    digest = first.of(path)
    assert digest.startswith("ba7816bf")  # SHA-256 of "abc", FIPS 180-2
    first.save()
    with cache.open("a") as file:
        file.write('["torn')  # another process was stopped in its line
    again = HashCache(cache)
    monkeypatch.setattr(Path, "open", None)  # not read again
    assert again.of(path) == digest
    monkeypatch.undo()
    path.write_bytes(b"xyz")
    os.utime(path, (1e9 + 1, 1e9 + 1))
    assert again.of(path) != digest


def test_first_extraction_remembers_the_hashes(store, make):
    manifest = make(b"abc")
    os.utime(manifest["file"][0], (1e9, 1e9))
    store.extract(manifest, ByteCounter())
    assert "ba7816bf" in (store.root / "hashes.jsonl").read_text()


def test_hash_of_a_file_just_changed_is_not_trusted(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    cache = HashCache(None)
    before = cache.of(path)
    status = path.stat()
    path.write_bytes(b"xyz")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cache.of(path) != before


shapes = st.tuples(st.integers(1, 4), st.integers(0, 3)) | st.tuples(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)
)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_shard_gives_back_what_it_was_given(tmp_path_factory, data):
    entries = []
    for number in range(data.draw(st.integers(1, 4))):
        shape = data.draw(shapes)
        values = data.draw(arrays.arrays(np.float32, shape, elements=st.floats(-9, 9, width=32)))
        times = np.arange(2 * shape[0], dtype=np.float32).reshape(-1, 2)
        present = data.draw(arrays.arrays(np.bool_, shape[0]))
        entries.append(Entry(str(number), "clip", Features(values, times, present)))
    path = write_shard(tmp_path_factory.mktemp("shards"), entries, {"a": "b"})
    found = read_shard(path, {entry.key for entry in entries})
    assert len(found) == len(entries)
    for entry in entries:
        given_back = found[entry.key]
        np.testing.assert_array_equal(given_back.values, entry.features.values)
        np.testing.assert_array_equal(given_back.times, entry.features.times)
        np.testing.assert_array_equal(given_back.present, entry.features.present)


def test_every_flipped_bit_is_found(tmp_path):
    features = Features.of_clip(np.arange(4.0), 1.0)
    path = write_shard(tmp_path, [Entry("0", "clip", features)], {"a": "b"})
    content = path.read_bytes()
    for place in range(0, len(content), 31):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(DamagedShardError):
            read_shard(path, {"0"})
        with contextlib.suppress(DamagedShardError):
            read_keys(path)  # nothing worse


def test_clip_is_named_in_the_shard(store, make):
    manifest = make(b"one")
    store.load(manifest, ByteCounter())
    frame = pd.read_parquet(shards(store.folder(ByteCounter()))[0])
    assert frame["clip"][0] == str(Clip(Path(manifest["file"][0])))
