"""Forrest Gump: portrayed emotion by segment, and descriptors from its 25 Hz series."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from films_made import write_film

from aver.corpora import load_corpus
from aver.corpora.forrest_gump import (
    EMOTIONS,
    PICTURE,
    SOUND,
    ForrestGumpOptions,
    edges_of,
    run_lengths,
    segment_values,
)
from aver.corpora.forrest_gump_series import SERIES, STATISTICS, statistics
from aver.errors import CorpusError
from aver.features.extractor import Clip, make_extractor


def emotions(*rows: tuple[float, float, float, float, float]) -> pd.DataFrame:
    columns = ["onset", "duration", "arousal", "valence_positive", "valence_negative"]
    return pd.DataFrame(rows, columns=columns, dtype=float)


def test_segment_is_the_mean_of_what_is_told_weighed_by_seconds():
    # 0-5 s: 4 s of 0.5 and, of another character, 1 s of -1; 5-10 s: 1 s that began before
    table = emotions((1, 4, 0.5, 0.5, 0), (4.5, 1.5, -1.0, 0, 1))
    found = segment_values(table, 3, ForrestGumpOptions())
    assert found[0] == pytest.approx((4 * 0.5 - 0.5) / 4.5)
    assert found[1] == pytest.approx(-1.0)
    assert np.isnan(found[2])
    valence = segment_values(table, 1, ForrestGumpOptions(dimension="valence"))
    assert valence[0] == pytest.approx((4 * 0.5 - 0.5) / 4.5)


def test_segment_with_too_little_told_has_no_value():
    table = emotions((4.2, 0.8, 0.5, 0, 0))
    assert np.isnan(segment_values(table, 1, ForrestGumpOptions())[0])
    assert segment_values(table, 1, ForrestGumpOptions(least_seconds=0.5))[0] == 0.5


def test_value_outside_the_scale_is_refused():
    with pytest.raises(CorpusError, match=r"arousal has values outside \[-1, 1\]"):
        segment_values(emotions((0, 5, 1.4, 0, 0)), 1, ForrestGumpOptions())


def test_terciles_part_into_thirds():
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, np.nan])
    levels = np.digitize(values[:6], edges_of(values, "terciles"))
    assert np.bincount(levels).tolist() == [2, 2, 2]
    assert edges_of(values, "equal").tolist() == pytest.approx([-1 / 3, 1 / 3])


def test_what_is_shown_twice_is_cut_from_every_run_but_the_last(tmp_path):
    write_film(tmp_path)
    assert run_lengths(tmp_path, ForrestGumpOptions()) == {1: 7, 2: 7, 3: 12}
    assert run_lengths(tmp_path, ForrestGumpOptions(overlap_seconds=0)) == {1: 12, 2: 12, 3: 12}


def test_one_run_alone_cannot_be_left_out(tmp_path):
    write_film(tmp_path, runs=1)
    with pytest.raises(CorpusError, match="holds one run only: none can be left out"):
        load_corpus("forrest_gump", tmp_path)


def test_text_where_numbers_belong_is_named(tmp_path):
    write_film(tmp_path)
    table = pd.read_parquet(tmp_path / EMOTIONS)
    table["arousal"] = table["arousal"].astype(object)
    table.loc[3, "arousal"] = "high"
    table["arousal"] = table["arousal"].astype(str)
    table.to_parquet(tmp_path / EMOTIONS)
    with pytest.raises(CorpusError, match=r"column 'arousal' holds something else than numbers"):
        load_corpus("forrest_gump", tmp_path)


def test_statistics_of_a_ramp():
    ramp = np.arange(125.0)[None, :, None]
    found = dict(zip(STATISTICS, statistics(ramp)[0, :, 0], strict=True))
    assert found["mean"] == found["median"] == 62.0
    assert (found["minimum"], found["maximum"]) == (0.0, 124.0)
    assert found["mean_step"] == found["largest_step"] == 1.0
    assert found["slope"] == pytest.approx(62.0)  # over a time axis from -1 to 1
    assert found["skewness"] == pytest.approx(0.0, abs=1e-9)
    assert not statistics(np.ones((1, 125, 1)))[0, 1:, 0][[0, 6, 7, 8, 9]].any()


def test_modulation_spectrum_peaks_where_loudness_swings(tmp_path):
    write_film(tmp_path)
    table = pd.read_parquet(tmp_path / SOUND)
    table["rms"] = 0.05 * np.exp(0.8 * np.sin(2 * np.pi * 3.0 * table["onset"]))
    table.to_parquet(tmp_path / SOUND)
    extractor = make_extractor("forrest_gump_modulation", folder=str(tmp_path))
    values = extractor.extract(Clip(Path("film"), recording="run 2")).values
    names = extractor.names
    assert values.shape == (12, 62)
    assert names is not None
    assert names[int(values[0].argmax())] == "modulation_3.00_hz"


def test_descriptors_are_named_by_series_and_statistic(tmp_path):
    write_film(tmp_path)
    extractor = make_extractor("forrest_gump_descriptors", folder=str(tmp_path))
    features = extractor.extract(Clip(Path("film"), recording="run 1"))
    table = pd.read_parquet(tmp_path / PICTURE)
    first = table[(table["run"] == 1) & (table["onset"] < 4.99)]
    assert extractor.names is not None
    at = extractor.names.index(f"{SERIES[0]}_mean")
    assert features.values[0, at] == pytest.approx(first["brmean"].mean(), rel=1e-5)
    with pytest.raises(CorpusError, match="is no run of the film"):
        extractor.extract(Clip(Path("film"), recording="run 9"))


def test_the_real_film(shared):
    root = shared / "data" / "forrest_gump"
    arousal = load_corpus("forrest_gump", root)
    assert len(arousal) == 1078
    assert arousal["label"].value_counts().to_dict() == {"low": 450, "mid": 358, "high": 270}
    assert arousal["subject"].nunique() == 8
    valence = load_corpus("forrest_gump", root, dimension="valence")
    assert valence["label"].value_counts().to_dict() == {"low": 462, "high": 426, "mid": 190}
    assert (valence["start"].to_numpy() == arousal["start"].to_numpy()).all()


def test_neighbouring_runs_of_the_real_film_share_no_picture_after_the_cut(shared):
    root = shared / "data" / "forrest_gump"
    table = pd.read_parquet(root / PICTURE, columns=["run", "phash"])
    hashes = {run: rows["phash"].to_numpy() for run, rows in table.groupby("run")}
    lengths = run_lengths(root, ForrestGumpOptions())

    def agreement(run: int, overlap: int) -> float:
        """Share of the last *overlap* frames that are the first of the next run."""
        return float((hashes[run][-overlap:] == hashes[run + 1][:overlap]).mean())

    for run in range(1, 8):
        found = {overlap: agreement(run, overlap) for overlap in (300, 400, 505, 506, 600, 700)}
        best = max(found, key=lambda overlap: found[overlap])
        assert best in (505, 506)
        assert lengths[run] * 125 <= len(hashes[run]) - best
