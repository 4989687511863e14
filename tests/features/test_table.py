"""Features that come as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aver.errors import SettingError
from aver.features.extractor import Clip, make_extractor
from aver.features.table_file import normalise_key


@pytest.fixture
def clips(tmp_path):
    """One row a clip, as OpenFace writes: a blank after each comma."""
    path = tmp_path / "clips.csv"
    path.write_text("name, AU01_r, AU02_r, note\n01, 0.5, 1.5, x\nb, 0.25, , y\nc, 1, 2, z\n")
    return str(path)


@pytest.fixture
def frames(tmp_path):
    """Two recordings of rows at 10 Hz; row 2 of `a` has two faces, row 3 none, row 4 a poor one."""
    table = pd.DataFrame(
        [
            ("a", 0, 0.9, 1.0, 10.0),
            ("a", 1, 0.9, 2.0, 20.0),
            ("a", 2, 0.6, 99.0, 99.0),
            ("a", 2, 0.8, 3.0, 30.0),
            ("a", 3, np.nan, np.nan, np.nan),
            ("a", 4, 0.3, 5.0, 50.0),
            ("a", 5, 0.9, 6.0, 60.0),
            ("b", 0, 0.9, 7.0, 70.0),
        ],
        columns=["turn", "frame", "score", "AU01", "AU02"],
    )
    path = tmp_path / "frames.parquet"
    table.sample(frac=1, random_state=0).to_parquet(path)
    return str(path)


def clip(name, start=None, end=None):
    return Clip(Path(f"/nowhere/{name}.wav"), start, end, name)


def test_row_of_a_clip(clips):
    extractor = make_extractor("clip_table", table=clips)
    assert extractor.names == ("AU01_r", "AU02_r")
    assert extractor.shape == (2,)
    features = extractor.extract(clip("01", 1.0, 4.0))
    np.testing.assert_array_equal(features.values, np.array([[0.5, 1.5]], np.float32))
    np.testing.assert_array_equal(features.times, [[0.0, 3.0]])
    assert features.present.all()


@pytest.mark.parametrize("name", ["b", "missing"])
def test_clip_without_a_whole_row_is_not_present(clips, name):
    features = make_extractor("clip_table", table=clips).extract(clip(name))
    assert not features.present.any()
    assert not features.values.any()
    assert features.values.shape == (1, 2)


def test_columns_are_chosen_by_name_and_pattern(clips):
    chosen = make_extractor("clip_table", table=clips, columns="AU02_r, AU01*")
    assert chosen.names == ("AU02_r", "AU01_r")
    # Only the chosen columns count: `b` lacks the other one.
    only = make_extractor("clip_table", table=clips, columns=["AU01_r"]).extract(clip("b"))
    assert only.present.all()


def test_ravdess_names_are_compared_without_their_modality(tmp_path):
    path = tmp_path / "units.csv"
    path.write_text("clip,AU\n01-01-05-02-01-01-07,2.5\n")
    sound = clip("03-01-05-02-01-01-07")
    assert not make_extractor("clip_table", table=str(path)).extract(sound).present.any()
    features = make_extractor("clip_table", table=str(path), key_form="ravdess").extract(sound)
    assert features.values.tolist() == [[2.5]]
    song = clip("03-02-05-02-01-01-07")
    extractor = make_extractor("clip_table", table=str(path), key_form="ravdess")
    assert not extractor.extract(song).present.any()


def test_keys_of_another_shape_stay_as_they_are():
    assert normalise_key("03-01-05-02-01-01-07", "ravdess") == "01-05-02-01-01-07"
    assert normalise_key("03-01-05-02-01-01-07", "as_is") == "03-01-05-02-01-01-07"
    assert normalise_key("P10_T3", "ravdess") == "P10_T3"


def test_several_rows_for_a_clip_are_refused(tmp_path):
    path = tmp_path / "units.csv"
    path.write_text("clip,AU\na,1\na,2\n")
    with pytest.raises(SettingError, match=r"units.csv has 2 rows for .*a.wav.*'frame_table'"):
        make_extractor("clip_table", table=str(path)).extract(clip("a"))


def test_frames_of_a_recording(frames):
    extractor = make_extractor(
        "frame_table", table=frames, key="turn", match="recording", columns="AU*",
        score_column="score", score_at_least=0.5,
    )  # fmt: skip
    features = extractor.extract(clip("a"))
    assert features.present.tolist() == [True, True, True, False, False, True]
    assert features.values[:, 0].tolist() == [1.0, 2.0, 3.0, 0.0, 0.0, 6.0]
    np.testing.assert_allclose(features.times[:, 0], np.arange(6) / 10, atol=1e-6)
    np.testing.assert_allclose(features.times[:, 1], np.arange(1, 7) / 10, atol=1e-6)
    assert len(extractor.extract(clip("b"))) == 1
    assert not extractor.extract(clip("c")).present.any()


def test_windows_are_means_of_the_present_rows(frames):
    extractor = make_extractor(
        "frame_table", table=frames, key="turn", columns="AU*", window_seconds=0.2,
        score_column="score", score_at_least=0.5,
    )  # fmt: skip
    features = extractor.extract(clip("a"))
    np.testing.assert_allclose(features.values, [[1.5, 15.0], [3.0, 30.0], [6.0, 60.0]], rtol=1e-6)
    assert features.present.all()
    short = make_extractor(
        "frame_table", table=frames, key="turn", columns="AU*", window_seconds=0.05,
        score_column="score", score_at_least=0.5,
    )  # fmt: skip
    features = short.extract(clip("a"))
    assert features.values[:, 0].tolist() == [1, 1, 2, 2, 3, 3, 0, 0, 0, 0, 6, 6]
    assert features.present.tolist() == [True] * 6 + [False] * 4 + [True] * 2


def test_stretch_of_a_recording_counts_from_its_start(frames):
    extractor = make_extractor("frame_table", table=frames, key="turn", columns="AU01")
    features = extractor.extract(clip("a", 0.1, 0.25))
    assert features.values[:, 0].tolist() == [2.0, 99.0]  # without a score: the first in the file
    np.testing.assert_allclose(features.times, [[0.0, 0.1], [0.1, 0.15]], atol=1e-6)


def test_time_may_come_in_seconds(tmp_path):
    path = tmp_path / "frames.csv"
    path.write_text("name,timestamp,AU\na,0.00,1\na,0.04,3\n")
    extractor = make_extractor(
        "frame_table", table=str(path), time_column="timestamp", frames_per_second=25
    )
    features = extractor.extract(clip("a"))
    assert extractor.names == ("AU",)
    np.testing.assert_allclose(features.times, [[0.0, 0.04], [0.04, 0.08]], atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"table": ""}, "table: no file is named"),
        ({"table": "/nowhere.csv"}, "table: there is no file /nowhere.csv"),
        ({"key": "trun"}, "key: 'trun' is no column.*nearest is 'turn'"),
        ({"columns": "AU11"}, "columns: 'AU11' is no column.*nearest is 'AU01'"),
        ({"columns": "turn"}, "columns: the column 'turn'.*no number"),
        ({"score_column": "face"}, "column: 'face' is no column of"),
    ],
)
def test_wrong_settings_are_named(frames, settings, problem):
    known = {"table": frames, "key": "turn"} | settings
    with pytest.raises(SettingError, match=problem):
        _ = make_extractor("frame_table", **known).names


def test_file_that_is_no_table_is_refused(tmp_path):
    for name, content in (("a.parquet", b"PAR1 not really"), ("b.csv", b""), ("c.csv", b"x,y\n")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(SettingError, match="table: "):
            _ = make_extractor("clip_table", table=str(path)).names


def test_changed_table_is_another_dependency(clips):
    before = make_extractor("clip_table", table=clips).depends_on
    path = Path(clips)
    path.write_text(path.read_text().replace("0.5", "0.75"))
    assert make_extractor("clip_table", table=clips).depends_on != before


def test_action_units_of_ravdess(shared):
    """1,437 of the 1,440 clips have a row, of 35 columns; the first begins 0.0719, 0.0616."""
    path = shared / "data" / "ravdess_av" / "action_units_mean.csv"
    extractor = make_extractor("clip_table", table=str(path), key_form="ravdess")
    assert extractor.shape == (35,)
    features = extractor.extract(clip("03-01-01-01-01-01-01"))
    np.testing.assert_allclose(features.values[0, :2], [0.071939, 0.061633], atol=1e-6)
    keys = pd.read_csv(path)["clip"].str.replace("01-", "03-", n=1)
    assert sum(extractor.extract(clip(key)).present.all() for key in keys) == 1437


def test_faces_of_an_enjoyment_turn(shared):
    path = shared / "data" / "enjoyment" / "frames.parquet"
    extractor = make_extractor(
        "frame_table", table=str(path), key="turn", match="recording", columns="AU*",
        score_column="FaceScore", window_seconds=0.5,
    )  # fmt: skip
    assert extractor.shape == (20,)
    features = extractor.extract(clip("P10_T3"))
    table = pd.read_parquet(path)
    turn = table[table["turn"] == "P10_T3"]
    assert len(turn) > turn["frame"].nunique() == 192  # a second face in some frames
    assert len(features) == 39  # 19.2 s
    best = turn.sort_values("FaceScore").drop_duplicates("frame", keep="last").sort_values("frame")
    expected = best.filter(like="AU").to_numpy()[:5].mean(axis=0)
    np.testing.assert_allclose(features.values[0], expected, rtol=1e-5)
