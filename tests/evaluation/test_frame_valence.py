"""Figures of frames by hand: within one, extreme levels, frames by event, the paired t-test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from aver.errors import SettingError
from aver.evaluation.frame_valence import (
    ANY,
    correct_by_event,
    draw_correct_by_event,
    extreme_numbers,
    extreme_recall,
    frame_figures,
)
from aver.evaluation.predictions import Predictions
from aver.evaluation.significance import corrected_t_test, paired_t_test

LEVELS = tuple("1234567")


def said(labels, decided, films):
    numbers = [LEVELS.index(str(level)) for level in decided]
    scores = np.full((len(labels), 7), 0.1)
    scores[np.arange(len(labels)), numbers] = 0.4
    return Predictions(
        classes=LEVELS,
        item=np.array([f"{film}/{n:03d}" for n, film in enumerate(films)], object),
        subject=np.array(films, object),
        fold=np.array(films, object),
        label=np.array([str(level) for level in labels], object),
        scores=scores,
        system="made up",
    )


# Film a: right, one off, five off; film b: right, right, two off, right.
FRAMES = said([1, 2, 7, 4, 4, 6, 7], [1, 3, 2, 4, 4, 4, 7], list("aaabbbb"))


def test_accuracy_within_one_and_means_of_films_by_hand():
    found = {f.metric: f for f in frame_figures(FRAMES, draws=20)}
    assert found["accuracy"].value == pytest.approx(4 / 7)
    assert found["accuracy_within_one"].value == pytest.approx(5 / 7)
    assert found["accuracy_mean_of_films"].value == pytest.approx((1 / 3 + 3 / 4) / 2)
    assert found["accuracy_within_one_mean_of_films"].value == pytest.approx((2 / 3 + 3 / 4) / 2)
    # Levels 1: 1 of 1, 2: 0 of 1, 6: 0 of 1, 7: 1 of 2.
    assert found["recall_extreme"].value == pytest.approx((1 + 0 + 0 + 0.5) / 4)
    assert found["recall_7"].value == 0.5
    assert "recall_3" not in found  # no frame has it
    figure = found["accuracy_mean_of_films"]
    # Two films: the draws are a and a, a and b, b and b.
    assert figure.low >= 1 / 3 - 1e-9
    assert figure.high <= 3 / 4 + 1e-9


def test_no_interval_of_one_film():
    figure = frame_figures(said([1, 2], [1, 2], ["a", "a"]))[1]
    assert figure.value == 1
    assert np.isnan(figure.low)


def test_recall_of_extreme_levels_leaves_the_middle_out():
    labels, decided = np.array([0, 0, 3, 3, 6]), np.array([0, 3, 3, 0, 5])
    assert extreme_recall(labels, decided, [0, 1, 5, 6]) == pytest.approx((0.5 + 0) / 2)
    assert np.isnan(extreme_recall(labels[2:4], decided[2:4], [0, 1, 5, 6]))
    assert extreme_numbers(LEVELS) == [0, 1, 5, 6]
    with pytest.raises(SettingError, match="'9' is no class"):
        extreme_numbers(LEVELS, ["9"])


def test_correct_frames_by_event_by_hand():
    heard = {
        "crying": np.array([True, True, True, False, False, False, False]),
        "speech": np.array([True, False, False, True, True, True, True]),
        "shouting": np.zeros(7, bool),
    }
    table = correct_by_event(FRAMES, heard)
    # Extreme frames: 1, 2, 7 of film a and 6, 7 of film b; right are the first and the last.
    assert table.loc[ANY, ["frames", "correct"]].tolist() == [5, 2]
    assert table.loc["crying", ["frames", "correct"]].tolist() == [3, 1]
    assert table.loc["speech", ["frames", "correct"]].tolist() == [3, 2]
    assert table["share_of_correct"].tolist() == [100, 50, 100, 0]
    with pytest.raises(SettingError, match="'crying'"):
        correct_by_event(FRAMES, {"crying": np.ones(3, bool)})


def test_no_correct_frame_has_no_share():
    table = correct_by_event(said([1], [4], ["a"]), {"crying": np.ones(1, bool)})
    assert np.isnan(table.loc["crying", "share_of_correct"])


def test_figure_2_is_drawn_or_refused(tmp_path):
    table = correct_by_event(FRAMES, {"crying": np.ones(7, bool)})
    path = tmp_path / "events.png"
    draw_correct_by_event({"fea tf": table, "scma": table}, path, title="two films")
    assert path.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(SettingError, match="no picture"):
        draw_correct_by_event({"fea tf": table}, tmp_path / "events.txt")
    other = pd.concat([table, table.loc[["crying"]].rename({"crying": "laughter"})])
    with pytest.raises(SettingError, match="different events"):
        draw_correct_by_event({"fea tf": table, "scma": other}, path)
    with pytest.raises(SettingError, match="there are none"):
        draw_correct_by_event({}, path)


def test_paired_t_test_by_hand_and_by_scipy():
    from scipy import stats

    # Mean 2, variance 4: t = 2 / sqrt(4 / 3).
    found = paired_t_test([0.0, 2.0, 4.0])
    assert found.statistic == pytest.approx(2 / np.sqrt(4 / 3))
    first, second = np.array([0.5, 0.4, 0.7, 0.6]), np.array([0.4, 0.45, 0.5, 0.5])
    known = stats.ttest_rel(first, second)
    found = paired_t_test(first - second)
    assert (found.statistic, found.p) == pytest.approx((known.statistic, known.pvalue))
    assert found.p < corrected_t_test(first - second, 1 / 3).p
    assert paired_t_test([0.0, 0.0]).p == 1
    assert paired_t_test([0.1, 0.1]).p == 0
    with pytest.raises(SettingError, match="are 1"):
        paired_t_test([0.3])
