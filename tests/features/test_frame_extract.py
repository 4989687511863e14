"""Many films into a frame store: bad ones, stops, and what is not measured twice."""

from __future__ import annotations

import numpy as np
import pytest
from features import clips

from aver.errors import AverError, MediaError, ModelError, OutputError
from aver.features import frame_extract, frame_writer
from aver.features.extractor import make_extractor
from aver.features.frame_extract import FramesDone, extract_frames, film_names
from aver.features.frame_rows import frame_rows
from aver.features.frame_store import FrameStore


@pytest.fixture
def films(tmp_path):
    """Two of sound, one that is text, one without sound."""
    folder = tmp_path / "films"
    folder.mkdir()
    found = {
        "First": clips.write_sound(folder / "First.wav", clips.tone(440, 2)),
        "Text": folder / "Text.mp4",
        "Silent": clips.write_pictures(
            folder / "Silent.mkv", [np.zeros((64, 64, 3), np.uint8)] * 10
        ),
        "Second": clips.write_sound(folder / "Second.wav", clips.tone(220, 3)),
    }
    found["Text"].write_text("a letter")
    return found


@pytest.fixture
def streams():
    return {"mel": make_extractor("log_mel"), "mfcc": make_extractor("mfcc", window_seconds=0.5)}


def test_bad_films_cost_their_own_streams_alone(tmp_path, films, streams):
    lines, told = [], []
    store = FrameStore(tmp_path / "store")
    done = extract_frames(
        store, films, streams, warn=lines.append, progress=lambda *so_far: told.append(so_far)
    )
    assert done == FramesDone(extracted=4, present=0, failed=4, frames=2 * (50 + 75))
    assert store.films() == ["First", "Second"]
    assert len(lines) == 4
    assert all("\n" not in line for line in lines)
    assert sum("Text.mp4" in line for line in lines) == 2
    assert sum("Silent.mkv" in line and "no sound" in line for line in lines) == 2
    assert [so_far for _, so_far, _ in told] == sorted(so_far for _, so_far, _ in told)
    assert told[-1][1] == told[-1][2]
    found = store.open("Second")
    for name, extractor in streams.items():
        np.testing.assert_array_equal(
            found[name], np.concatenate(list(frame_rows(extractor, films["Second"])))
        )


def test_nothing_is_measured_twice(tmp_path, films, streams, monkeypatch):
    good = {name: films[name] for name in ("First", "Second")}
    store = FrameStore(tmp_path / "store")
    extract_frames(store, good, streams, warn=pytest.fail)

    def never(*given):
        raise AssertionError("measured again")

    monkeypatch.setattr(frame_extract, "frame_rows", never)
    done = extract_frames(store, good, streams, warn=pytest.fail)
    assert done == FramesDone(extracted=0, present=4, failed=0, frames=0)


class Slow:
    """Rows that say when they were asked for; stops after some."""

    def __init__(self, extractor, stop_after):
        self.extractor, self.stop_after, self.asked = extractor, stop_after, []

    def __call__(self, extractor, file, first, warn):
        self.asked.append(first)
        whole = np.arange(95, dtype=np.float32)[:, None]
        for at in range(first, 95, 10):
            if self.stop_after is not None and at >= self.stop_after:
                raise KeyboardInterrupt
            yield whole[at : at + 10]


def test_after_a_stop_it_goes_on_with_the_next_shard(tmp_path, films, monkeypatch):
    monkeypatch.setattr(frame_writer, "SHARD_FRAMES", 25)
    store = FrameStore(tmp_path / "store")
    one = {"First": films["First"]}
    streams = {"mel": make_extractor("log_mel")}
    slow = Slow(streams["mel"], 70)
    monkeypatch.setattr(frame_extract, "frame_rows", slow)
    with pytest.raises(KeyboardInterrupt):
        extract_frames(store, one, streams, warn=pytest.fail)
    assert store.films() == []
    slow.stop_after = None
    done = extract_frames(store, one, streams, warn=pytest.fail)
    assert slow.asked == [0, 50]
    assert done == FramesDone(extracted=1, present=0, failed=0, frames=45)
    np.testing.assert_array_equal(store.open("First")["mel"][:, 0], np.arange(95))


def test_a_changed_film_is_not_taken_for_the_old_one(tmp_path, films, streams):
    store = FrameStore(tmp_path / "store")
    one = {"First": films["First"]}
    mel = {"mel": streams["mel"]}
    extract_frames(store, one, mel, warn=pytest.fail)
    clips.write_sound(films["First"], clips.tone(880, 2))
    lines = []
    assert extract_frames(store, one, mel, warn=lines.append).failed == 1
    assert "another file" in lines[0]


def test_a_bug_met_by_one_film_is_a_line(tmp_path, films, streams, monkeypatch):
    def broken(extractor, file, first, warn):
        if file.stem == "First":
            raise ZeroDivisionError("division\nby zero")
        yield np.full((5, 2), np.inf, np.float32)

    monkeypatch.setattr(frame_extract, "frame_rows", broken)
    lines = []
    some = {name: films[name] for name in ("First", "Second")}
    done = extract_frames(
        FrameStore(tmp_path / "s"), some, {"mel": streams["mel"]}, warn=lines.append
    )
    assert done.failed == 2
    assert "'mel' failed (division\\nby zero)" in lines[0]
    assert "feature 0 of frame 0 is not a finite number" in lines[1]


# Processes that are started anew import it by name, so it is a file of its own.
CRASH = """
import os
import numpy as np
from aver.features.extractor import Extractor, ExtractorSettings, Features

class Crash(Extractor):
    name, version, Settings, modality, shape = "crash", 1, ExtractorSettings, "sound", (2,)
    def extract(self, clip):
        if clip.file.stem == "First":
            os._exit(9)
        return Features.of_clip(np.ones(2, np.float32), 3.0)
"""


def test_several_processes_measure_the_same_and_a_crash_costs_one_film(
    tmp_path, films, streams, monkeypatch
):
    (tmp_path / "frames_crash.py").write_text(CRASH)
    monkeypatch.syspath_prepend(tmp_path)
    from frames_crash import Crash

    lines = []
    store = FrameStore(tmp_path / "store")
    both = {**streams, "crash": Crash()}
    done = extract_frames(store, films, both, warn=lines.append, jobs=2)
    # Failed: all three of Text, mel and mfcc of Silent (which crash does not read), crash of First.
    # What another process had just finished when the crash came is found done the second time.
    assert (done.extracted + done.present, done.failed) == (6, 6), lines
    assert sum("First.wav: measuring 'crash' ended the process" in line for line in lines) == 1
    assert store.streams("First") == ["mel", "mfcc"]
    found = store.open("Second")
    assert (found["crash"] == 1).all()
    for name, extractor in streams.items():
        np.testing.assert_array_equal(
            found[name], np.concatenate(list(frame_rows(extractor, films["Second"])))
        )


def test_a_full_disk_ends_the_batch(tmp_path, films, streams, monkeypatch):
    def full(folder, content, name=""):
        raise OutputError(folder, "the disk is full")

    monkeypatch.setattr(frame_writer, "write_atomically", full)
    with pytest.raises(OutputError, match="disk is full"):
        extract_frames(FrameStore(tmp_path / "s"), films, streams, warn=pytest.fail)


def test_missing_weights_end_it_before_it_begins(tmp_path, films, monkeypatch):
    monkeypatch.setenv("AVER_MODELS", str(tmp_path))
    monkeypatch.setattr("aver.pretrained.cache.user_folder", lambda: tmp_path)
    streams = {"still": make_extractor("resnet50")}
    with pytest.raises(ModelError, match="aver models convert resnet50"):
        extract_frames(FrameStore(tmp_path / "s"), films, streams, warn=pytest.fail)


def test_tables_measure_no_recording(films, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("name,a\nFirst,1\n")
    with pytest.raises(AverError, match="brings a table"):
        list(frame_rows(make_extractor("clip_table", table=str(table)), films["First"]))


def test_two_films_of_one_name_are_refused(tmp_path):
    with pytest.raises(MediaError, match=r"b/F\.mp4: has the name of .*a/F\.mkv"):
        film_names([tmp_path / "a" / "F.mkv", tmp_path / "b" / "F.mp4"])
