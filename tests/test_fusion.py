"""Fusion: hand-worked, by properties, and against scikit-learn and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aver.errors import SettingError
from aver.evaluation.calibration import fit_temperature
from aver.fusion import early, fusion_names, make_fusion

PLAIN = ("mean", "log_mean", "vote")
ALL = ("mean", "log_mean", "vote", "weighted", "log_weighted", "stacking")


def made(seed=0, models=3, items=60, classes=4, skill=(2.0, 1.0, 0.3)):
    """Scores of models of unlike skill, and the labels."""
    random = np.random.default_rng(seed)
    labels = np.arange(items) % classes
    logits = random.normal(0, 1, (models, items, classes))
    for number in range(models):
        logits[number, np.arange(items), labels] += skill[number % len(skill)]
    scores = np.exp(logits)
    return scores / scores.sum(axis=2, keepdims=True), labels


def fused(name, scores, labels, **settings):
    return make_fusion(name, **settings).fit(scores, labels).predict(scores)


def test_by_hand():
    scores = np.array([[[0.6, 0.3, 0.1]], [[0.1, 0.3, 0.6]], [[0.5, 0.4, 0.1]]])
    labels = np.array([0])
    np.testing.assert_allclose(fused("mean", scores, labels), [[0.4, 1 / 3, 0.8 / 3]])
    products = np.cbrt([0.6 * 0.1 * 0.5, 0.3 * 0.3 * 0.4, 0.1 * 0.6 * 0.1])
    np.testing.assert_allclose(fused("log_mean", scores, labels), [products / products.sum()])
    vote = fused("vote", scores, labels)
    tie = 0.1 / 3
    np.testing.assert_allclose(
        vote, [[(1 - tie) * 2 / 3 + tie * 0.4, tie / 3, (1 - tie) / 3 + tie * 0.8 / 3]]
    )
    weighted = fused("weighted", scores, labels, weights=(2, 1, 1))
    np.testing.assert_allclose(weighted, [[0.45, 0.325, 0.225]])


def test_a_tie_of_votes_goes_to_the_surer_mean():
    scores = np.array([[[0.6, 0.4]], [[0.1, 0.9]]])
    assert make_fusion("vote").predict(scores).argmax() == 1
    many = np.array([[[0.51, 0.49]]] * 5 + [[[0.0, 1.0]]] * 4)
    assert make_fusion("vote").predict(many).argmax() == 0  # five against four, however sure


@pytest.mark.parametrize("name", ALL)
@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 10_000), models=st.integers(1, 4), classes=st.integers(2, 5))
def test_properties(name, seed, models, classes):
    scores, labels = made(seed, models, 30, classes)
    found = fused(name, scores, labels)
    assert found.shape == (30, classes)
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    # Another order of the classes, the models or the items is the same fusion in that order.
    random = np.random.default_rng(seed)
    order = random.permutation(classes)
    back = np.argsort(order)
    by_class = fused(name, scores[:, :, order], back[labels])
    np.testing.assert_allclose(by_class, found[:, order], atol=2e-3)
    by_model = fused(name, scores[random.permutation(models)], labels)
    np.testing.assert_allclose(by_model, found, atol=2e-3)
    items = random.permutation(30)
    by_item = fused(name, scores[:, items], labels[items])
    np.testing.assert_allclose(by_item, found[items], atol=2e-3)


@pytest.mark.parametrize("name", ["mean", "log_mean", "weighted"])
def test_models_that_agree_are_left_as_they_are(name):
    scores, labels = made(models=1)
    same = np.repeat(scores, 3, axis=0)
    np.testing.assert_allclose(fused(name, same, labels), scores[0], atol=1e-7)


@pytest.mark.parametrize("name", ["mean", "log_mean", "vote"])
def test_a_missing_model_is_left_out(name):
    scores, labels = made()
    holed = scores.copy()
    holed[1, :10] = np.nan
    found = fused(name, holed, labels)
    np.testing.assert_allclose(found[10:], fused(name, scores, labels)[10:])
    others = fused(name, scores[[0, 2], :10], labels[:10])
    if name == "vote":  # the share that ties get depends on the number of models
        assert (found[:10].argmax(1) == others.argmax(1)).all()
    else:
        np.testing.assert_allclose(found[:10], others)


@pytest.mark.parametrize("name", ["weighted", "log_weighted"])
def test_the_weight_of_a_missing_model_is_shared(name):
    scores, labels = made()
    holed = scores.copy()
    holed[0, :10] = np.nan
    fusion = make_fusion(name).fit(holed, labels)
    again = make_fusion(name).fit(scores[:, 10:], labels[10:])
    np.testing.assert_allclose(fusion.weights, again.weights, atol=1e-6)  # fitted on whole items
    shared = fusion.weights[1:] / fusion.weights[1:].sum()
    if name == "weighted":
        mixture = np.einsum("m,mic->ic", shared, scores[1:, :10])
        np.testing.assert_allclose(fusion.predict(holed)[:10], mixture)
    assert np.isfinite(fusion.predict(holed)).all()


@pytest.mark.parametrize("name", ALL)
def test_an_item_that_nobody_scored(name):
    scores, labels = made()
    fusion = make_fusion(name).fit(scores, labels)
    holed = scores.copy()
    holed[:, 0] = np.nan
    found = fusion.predict(holed)[0]
    assert found.sum() == pytest.approx(1.0)
    if name != "stacking":
        np.testing.assert_allclose(found, 0.25)


def test_fitted_weights_are_the_best_of_all():
    scores, labels = made(items=200)
    fusion = make_fusion("weighted").fit(scores, labels)
    assert (fusion.weights >= 0).all()
    assert fusion.weights.sum() == pytest.approx(1.0)

    def likelihood(weights):
        mixture = np.einsum("m,mic->ic", weights, scores)
        return np.log(mixture[np.arange(200), labels]).mean()

    best = likelihood(fusion.weights)
    grid = [(a / 20, b / 20, 1 - (a + b) / 20) for a in range(21) for b in range(21 - a)]
    assert best >= max(likelihood(np.array(weights)) for weights in grid) - 1e-9
    assert fusion.weights[0] > fusion.weights[2]  # the model of most skill has most weight


def test_weights_of_a_known_mixture_are_found():
    random = np.random.default_rng(0)
    scores = random.dirichlet(np.full(5, 0.3), (2, 20_000))
    true = np.einsum("m,mic->ic", [0.7, 0.3], scores)
    labels = (true.cumsum(axis=1) < random.random((20_000, 1))).sum(axis=1)
    assert make_fusion("weighted").fit(scores, labels).weights == pytest.approx(
        [0.7, 0.3], abs=0.02
    )


def test_log_weights_of_one_model_are_its_temperature():
    scores, labels = made(models=1, items=300)
    overconfident = scores**3 / (scores**3).sum(axis=2, keepdims=True)
    fusion = make_fusion("log_weighted").fit(overconfident, labels)
    assert fusion.weights.tolist() == [1.0]
    temperature = fit_temperature(np.log(overconfident[0]), labels)
    assert fusion.sharpness == pytest.approx(1 / temperature, rel=1e-3)


def test_log_weights_are_the_best_of_all():
    scores, labels = made(items=200)
    fusion = make_fusion("log_weighted").fit(scores, labels)
    rows = np.arange(200)
    best = np.log(fusion.predict(scores)[rows, labels]).mean()
    random = np.random.default_rng(0)
    for _ in range(200):
        products = random.uniform(0, 3, 3)
        summed = np.einsum("m,mic->ic", products, np.log(scores))
        other = np.exp(summed) / np.exp(summed).sum(axis=1, keepdims=True)
        assert np.log(other[rows, labels]).mean() <= best + 1e-9


def test_log_weights_of_models_that_know_nothing():
    even = np.full((2, 6, 3), 1 / 3)
    fusion = make_fusion("log_weighted").fit(even, np.array([0, 1, 2, 0, 1, 2]))
    np.testing.assert_allclose(fusion.predict(even), 1 / 3)


def test_stacking_is_scikit_learns_regression():
    linear_model = pytest.importorskip("sklearn.linear_model")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    scores, labels = made()
    raw = np.log(scores) + 5.0
    fusion = make_fusion("stacking", inputs="as_given", scaling="range", regularisation=1.0)
    table = preprocessing.MinMaxScaler().fit_transform(np.concatenate(list(raw), axis=1))
    oracle = linear_model.LogisticRegression(C=1.0, max_iter=5000).fit(table, labels)
    found = fusion.fit(raw, labels).predict(raw)
    np.testing.assert_allclose(found, oracle.predict_proba(table), atol=1e-6)


def test_stacking_knows_classes_it_never_met():
    scores, labels = made()
    fusion = make_fusion("stacking").fit(scores, np.where(labels == 3, 0, labels))
    assert (fusion.predict(scores)[:, 3] == 0).all()


def test_stacking_puts_the_mean_for_a_missing_model():
    scores, labels = made()
    fusion = make_fusion("stacking", inputs="probability").fit(scores, labels)
    holed, filled = scores.copy(), scores.copy()
    holed[2, 5], filled[2, 5] = np.nan, scores[2].mean(axis=0)
    np.testing.assert_allclose(fusion.predict(holed), fusion.predict(filled))


def test_early_fusion_lays_features_side_by_side():
    sound, face = np.ones((4, 7, 3)), np.zeros((4, 7, 2))
    assert early(sound, face).shape == (4, 7, 5)
    assert early(sound, face)[0, 0].tolist() == [1, 1, 1, 0, 0]
    with pytest.raises(SettingError, match="dimension must agree"):
        early(sound, np.zeros((4, 6, 2)))
    with pytest.raises(SettingError, match="at least one"):
        early()


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("wieghted", {}, "no 'wieghted'. Did you mean 'weighted'"),
        ("xyz", {}, "Known: log_mean"),
        ("mean", {"weights": (1, 2)}, "unexpected keyword argument|takes no arguments"),
        ("weighted", {"weights": (1, -1)}, "None below 0"),
        ("stacking", {"inputs": "logit"}, "Use log, probability, as_given"),
        ("stacking", {"scaling": "max"}, "Use none, standard, range"),
        ("stacking", {"regularisation": 0}, "above 0"),
        ("log_mean", {"floor": 0}, "above 0"),
    ],
)
def test_wrong_settings_are_refused(name, settings, words):
    with pytest.raises(SettingError, match=words):
        make_fusion(name, **settings)


def test_wrong_scores_are_refused():
    scores, labels = made()
    fusion = make_fusion("mean")
    with pytest.raises(SettingError, match="softmax"):
        fusion.predict(np.log(scores))
    with pytest.raises(SettingError, match="shape"):
        fusion.predict(scores[0])
    holed = scores.copy()
    holed[0, 0, 0] = np.nan
    with pytest.raises(SettingError, match="some classes only"):
        fusion.predict(holed)
    with pytest.raises(SettingError, match="within 0 and 3"):
        fusion.fit(scores, labels + 1)
    with pytest.raises(SettingError, match="no class numbers"):
        fusion.fit(scores, labels.astype(str))
    with pytest.raises(SettingError, match="not been fitted"):
        make_fusion("stacking").predict(scores)
    with pytest.raises(SettingError, match="all of one class"):
        make_fusion("stacking").fit(scores, np.zeros_like(labels))
    with pytest.raises(SettingError, match="of 2 models, not 3"):
        make_fusion("weighted").fit(scores, labels).predict(scores[:2])
    nobody = np.full_like(scores, np.nan)
    with pytest.raises(SettingError, match="no item that every model scored"):
        make_fusion("weighted").fit(nobody, labels)
    infinite = np.full_like(scores, np.inf)
    with pytest.raises(SettingError, match="finite"):
        make_fusion("stacking", inputs="as_given").fit(infinite, labels)


def test_every_name_makes_a_fusion():
    assert set(fusion_names()) == set(ALL)
    for name in ALL:
        assert make_fusion(name).name == name
