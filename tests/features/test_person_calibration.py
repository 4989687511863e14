import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aver.errors import AverError, SettingError
from aver.features.person_calibration import (
    RunningStatistics,
    Statistics,
    apply,
    calibrate,
    population_of,
    shrink,
    statistics_of,
)

windows = arrays(np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=st.floats(-9, 9))


def test_by_hand():
    # One dimension. A speaks at 1 and 3 (mean 2, spread 1), B at 10 and 14 (mean 12, spread 2).
    values = np.array([[[1.0], [3.0]], [[10.0], [14.0]]])
    population = population_of(values, None, ["a", "b"])
    assert population.mean.tolist() == [7.0]
    assert population.spread == pytest.approx([np.sqrt((1 + 4) / 2)])
    train = np.array([0, 1])
    moved = calibrate(values, None, ["a", "b"], train, "mean", prior_windows=0)
    assert moved[..., 0].tolist() == [[6.0, 8.0], [5.0, 9.0]]
    both = calibrate(values, None, ["a", "b"], train, "mean_and_spread", prior_windows=0)
    edge = np.sqrt(2.5)
    np.testing.assert_allclose(both[..., 0], [[7 - edge, 7 + edge]] * 2, rtol=1e-6)


def test_shrinking_by_hand():
    own, population = (
        Statistics(np.array([4.0]), np.array([0.0]), 2),
        Statistics(np.array([0.0]), np.array([2.0]), 100),
    )
    drawn = shrink(own, population, prior_windows=6)
    assert drawn.mean.tolist() == [1.0]  # 2 of 8 parts the person's
    assert drawn.spread == pytest.approx([np.sqrt(0.75 * 4)])
    assert shrink(own, population, 0).mean.tolist() == [4.0]
    nobody = shrink(Statistics(np.zeros(1), np.zeros(1), 0), population, 0)
    np.testing.assert_array_equal(apply(np.array([[5.0]]), nobody, population), [[5.0]])


@settings(deadline=None)
@given(windows, windows, st.sampled_from(["mean", "mean_and_spread"]))
def test_a_person_ends_up_where_the_population_is(own, others, mode):
    population = statistics_of(others)
    person = shrink(statistics_of(own), population, 0)
    moved = apply(own, person, population, mode).astype(float)
    np.testing.assert_allclose(moved.mean(axis=0), population.mean, atol=1e-3)
    varies = person.spread > 1e-3 * population.spread + 1e-9
    if mode == "mean_and_spread":
        np.testing.assert_allclose(moved.std(axis=0)[varies], population.spread[varies], atol=1e-3)


@settings(deadline=None)
@given(windows, st.integers(0, 20))
def test_running_sums_are_the_statistics(values, cut):
    one, two = RunningStatistics(3), RunningStatistics(3)
    for row, window in enumerate(values):
        (one if row < cut else two).add(window)
    one.join(two)
    found, truth = one.statistics(), statistics_of(values)
    assert found.windows == truth.windows
    np.testing.assert_allclose(found.mean, truth.mean, atol=1e-9)
    np.testing.assert_allclose(found.spread, truth.spread, atol=1e-6)


def people(seed=0, clips=6):
    """Two people, each with an offset and a scale of their own, expressing the same things."""
    random = np.random.default_rng(seed)
    expressed = random.normal(size=(clips, 4, 5))
    values = np.concatenate([expressed * 2.0 + 3.0, expressed * 0.5 - 8.0])
    return values, ["p"] * clips + ["q"] * clips


def test_two_people_who_express_the_same_become_the_same():
    values, subjects = people()
    moved = calibrate(
        values, None, subjects, np.arange(len(values)), "mean_and_spread", prior_windows=0
    )
    np.testing.assert_allclose(moved[:6], moved[6:], atol=1e-4)
    assert np.abs(values[:6] - values[6:]).min() > 1


def test_masked_windows_count_for_nothing_and_stay_as_they_are():
    values, subjects = people()
    mask = np.ones(values.shape[:2], bool)
    mask[2, 1:] = mask[7, :2] = False
    spoilt = values.copy()
    spoilt[~mask] = np.nan
    train = np.arange(6)
    moved = calibrate(spoilt, mask, subjects, train, "mean_and_spread")
    assert np.isnan(moved[~mask]).all()
    np.testing.assert_array_equal(
        moved[mask],
        calibrate(np.where(mask[..., None], values, 1e6), mask, subjects, train, "mean_and_spread")[
            mask
        ],
    )
    with pytest.raises(AverError, match="features hold numbers that are not finite"):
        calibrate(spoilt, None, subjects, train, "mean")


def test_the_population_is_that_of_training_rows_and_test_people_do_not_move_others():
    values, subjects = people()
    train = np.arange(6)
    changed = values.copy()
    changed[6:] = 99 * np.random.default_rng(1).normal(size=changed[6:].shape)
    for mode in ("mean", "mean_and_spread"):
        np.testing.assert_array_equal(
            calibrate(values, None, subjects, train, mode)[:6],
            calibrate(changed, None, subjects, train, mode)[:6],
        )


def test_clip_vectors_and_unit_length():
    values, subjects = people()
    flat = values[:, 0]
    moved = calibrate(flat, None, subjects, np.arange(12), "mean", unit=True)
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 1.0, atol=1e-6)
    whole = calibrate(flat[:, None], None, subjects, np.arange(12), "mean", unit=True)
    np.testing.assert_array_equal(whole[:, 0], moved)


def test_a_dimension_that_does_not_vary_is_not_blown_up():
    values, subjects = people()
    values[:6, :, 2] = 4.0
    moved = calibrate(values, None, subjects, np.arange(12), "mean_and_spread", prior_windows=0)
    assert np.abs(moved[:6, :, 2] - moved[:6, :, 2].mean()).max() < 1e-4


def test_off_changes_nothing_and_bad_settings_say_so():
    values, subjects = people()
    train = np.arange(12)
    np.testing.assert_array_equal(
        calibrate(values, None, subjects, train, "none"), values.astype(np.float32)
    )
    with pytest.raises(
        SettingError, match=r"'means' is not a known calibration\. Did you mean 'mean'"
    ):
        calibrate(values, None, subjects, train, "means")
    with pytest.raises(SettingError, match="row 0 names nobody"):
        calibrate(values, None, [""] * 12, train, "mean")
    with pytest.raises(SettingError, match="prior_windows: is -1"):
        calibrate(values, None, subjects, train, "mean", prior_windows=-1)
    with pytest.raises(AverError, match="no training row has a window"):
        calibrate(values, np.zeros(values.shape[:2], bool), subjects, train, "mean")


def test_calibration_helps_on_action_units_of_strangers(shared):
    """RAVDESS, 24 actors: nearest class mean, trained on twelve and tested on the other twelve."""
    import pandas as pd

    table = pd.read_csv(shared / "data" / "ravdess_av" / "action_units_mean.csv")
    names = table.iloc[:, 0].astype(str).str.split(".").str[0]
    values = table.iloc[:, 1:].to_numpy(float)
    actor = names.str[-2:].to_numpy()
    label = names.str.split("-").str[2].astype(int).to_numpy()
    train = np.flatnonzero(actor <= "12")
    test = np.flatnonzero(actor > "12")
    accuracy = {}
    for mode in ("none", "mean", "mean_and_spread"):
        found = calibrate(values, None, actor.tolist(), train, mode)
        scale = found[train].std(axis=0) + 1e-6
        centres = np.stack([found[train][label[train] == c].mean(axis=0) for c in range(1, 9)])
        distance = (((found[test][:, None] - centres) / scale) ** 2).sum(axis=2)
        accuracy[mode] = float((distance.argmin(axis=1) + 1 == label[test]).mean())
    print(accuracy)
    assert accuracy["mean"] > accuracy["none"] + 0.05
    assert accuracy["mean_and_spread"] > accuracy["none"] + 0.05
