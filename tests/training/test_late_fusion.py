"""Late fusion: nobody tested is learnt from, the published figures come out, bad input."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aver.cli import main
from aver.errors import CorpusError, RecipeError
from aver.evaluation.metrics import accuracy
from aver.evaluation.predictions import read_predictions
from aver.evaluation.tables import mean_over_folds
from aver.labels import RAVDESS
from aver.training.late_fusion_data import normalise_by_person, read_fold_scores
from aver.training.late_fusion_fit import (
    Plan,
    likelihood_elsewhere,
    one_standard_error,
    split_people,
    training_part,
)
from aver.training.recipe import load_recipe

pytest.importorskip("sklearn")
ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "recipes" / "ravdess_late_fusion.toml"
MODELS = (("voice", "logits"), ("face", "probabilities"))


def plan(**changes):
    settings = {
        "fusion": "stacking",
        "settings": {},
        "fitted_on": "train",
        "penalties": (),
        "person": "none",
        "models": (0, 1),
    }
    return Plan(**{**settings, **changes})


def made_table(folds=3, seed=0):
    """Scores as published: two actors a fold; sure and right on training clips."""
    random = np.random.default_rng(seed)
    rows = []
    for fold in range(folds):
        for actor in range(1, 2 * folds + 1):
            part = "test" if (actor - 1) // 2 == fold else "train"
            for emotion in range(8):
                for statement in (1, 2):
                    clip = f"01-01-{emotion + 1:02d}-01-{statement:02d}-01-{actor:02d}"
                    for model, skill in (("voice", 3.0), ("face", 1.5)):
                        logits = random.normal(0, 1, 8)
                        logits[emotion] += skill + 5 * (part == "train")
                        scores = np.exp(logits) / np.exp(logits).sum()
                        given = logits if model == "voice" else scores
                        rows.append((clip, fold, part, model, *given))
    return pd.DataFrame(rows, columns=["clip", "fold", "split", "model", *RAVDESS])


@pytest.fixture
def folds(tmp_path):
    made_table().to_parquet(tmp_path / "scores.parquet")
    return read_fold_scores(tmp_path / "scores.parquet", MODELS)


def test_scores_become_probabilities(folds):
    assert [fold.name for fold in folds] == ["0", "1", "2"]
    for part in (folds[0].train, folds[0].test):
        np.testing.assert_allclose(part.probabilities.sum(axis=2), 1.0)
    assert (folds[0].test.given[0] < 0).any()  # logits are kept as they were
    assert sorted(set(folds[1].test.subjects)) == ["03", "04"]
    stem = folds[1].test.clips[0].split("-")
    assert RAVDESS[folds[1].test.labels[0]] == RAVDESS[int(stem[2]) - 1]


@pytest.mark.parametrize("source", ["train", "held_out"])
def test_nobody_tested_is_learnt_from(folds, source):
    for tested in range(3):
        people = set(folds[tested].test.subjects)
        learnt = training_part(plan(fitted_on=source), folds, tested)
        assert not people & set(learnt.subjects)
        assert len(learnt.clips) == 64
        for other in {0, 1, 2} - {tested}:
            inner = training_part(plan(fitted_on=source), folds, tested, other)
            assert not people & set(inner.subjects)
            assert not set(folds[other].test.subjects) & set(inner.subjects)
            assert len(inner.clips) == 32


def test_labels_of_the_tested_fold_change_nothing(folds):
    for source in ("train", "held_out"):
        before = likelihood_elsewhere(plan(fitted_on=source), folds, 0)
        folds[0].test.labels[:] = 0
        assert likelihood_elsewhere(plan(fitted_on=source), folds, 0) == before


def test_the_strongest_penalty_of_those_that_are_as_good(folds):
    # Everything is right on training clips, whatever the penalty: the strongest is taken.
    chosen = plan(penalties=(1.0, 0.01, 0.1), settings={"inputs": "log"})
    assert one_standard_error(chosen, folds[0].train) == 0.01
    # So strong a penalty that only the most frequent class is ever said is not as good.
    useless = plan(penalties=(1e-12, 10.0), settings={"inputs": "log"})
    part = folds[0].train
    often = (part.labels == 7) | np.array([clip[12:14] == "01" for clip in part.clips])
    assert one_standard_error(useless, part.select(often)) == 10.0


def test_people_are_never_split():
    subjects = np.array(list("abcabcdefg"), dtype=object)
    parts = split_people(subjects, 3)
    assert sorted(np.concatenate(parts)) == list(range(10))
    sides = [set(subjects[p]) for p in parts]
    assert not (sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2])
    assert len(split_people(np.array(["a", "b"], dtype=object), 5)) == 2


def test_normalised_scores_forget_the_person_not_the_clip(folds):
    test = folds[0].test
    for person in ("mean", "mean_and_spread"):
        found = normalise_by_person(test, person)
        np.testing.assert_allclose(found.probabilities.sum(axis=2), 1.0)
        for subject in set(test.subjects):
            own = found.given[:, test.subjects == subject]
            np.testing.assert_allclose(own.mean(axis=1), 0.0, atol=1e-12)
            if person == "mean_and_spread":
                np.testing.assert_allclose(own.std(axis=1), 1.0)
    assert normalise_by_person(test, "none") is test
    # A constant that is a person's own is gone.
    moved = test.select(np.arange(len(test.labels)))
    moved.probabilities[0, :, 3] *= 4
    moved.probabilities[0] /= moved.probabilities[0].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        normalise_by_person(moved, "mean").given[0], normalise_by_person(test, "mean").given[0]
    )


def recipe_text(systems, extra=""):
    return (
        'task = "late_fusion"\nname = "tiny"\n'
        + extra
        + '[data]\nfile = "scores.parquet"\n'
        + '[[models]]\nname = "voice"\nkind = "logits"\n'
        + '[[models]]\nname = "face"\nkind = "probabilities"\n'
        + systems
    )


def test_a_whole_run(tmp_path, monkeypatch, capsys):
    table = made_table()
    gone = (table["clip"] == "01-01-01-01-01-01-01") & (table["model"] == "face")
    table[~gone].to_parquet(tmp_path / "scores.parquet")  # the face was not found in one clip
    (tmp_path / "r.toml").write_text(
        recipe_text(
            '[[systems]]\nname = "even"\nfusion = "mean"\n'
            '[[systems]]\nname = "product"\nfusion = "log_weighted"\nfitted_on = "held_out"\n'
            "aim = 90\n"
            '[[systems]]\nname = "chosen"\ncandidates = ["even", "product"]\n',
            'reference = "even"\n',
        ),
        encoding="utf-8",
    )
    words = ["--data", tmp_path, "--out", tmp_path / "out", "--results", tmp_path / "results"]
    monkeypatch.setattr(
        sys, "argv", ["aver", "reproduce", *map(str, [tmp_path / "r.toml", *words])]
    )
    with pytest.raises(SystemExit) as stop:
        main.run()
    assert stop.value.code == 0
    assert "tiny.csv" in capsys.readouterr().out
    rows = {
        (r["experiment"], r["metric"]): r
        for r in csv.DictReader((tmp_path / "results" / "tiny.csv").open(encoding="utf-8"))
    }
    assert {e for e, _ in rows} == {"voice", "face", "even", "product", "chosen"}
    assert float(rows["product", "accuracy_mean_of_folds"]["aim"]) == 0.9
    assert "McNemar p" in rows["product", "accuracy_gain_over_even"]["protocol"]
    assert "highest likelihood" in rows["chosen", "accuracy"]["protocol"]
    for name in ("voice", "face", "even", "product", "chosen"):
        kept = read_predictions(tmp_path / "out" / f"{name}.parquet")
        assert len(kept) == 96
        value = float(rows[name, "accuracy"]["value"])
        assert accuracy(kept.label, kept.decided()) == pytest.approx(value, abs=1e-4)
        assert kept.data_sha256 == rows[name, "accuracy"]["data_sha256"] != ""


@pytest.fixture(scope="module")
def published(shared, tmp_path_factory):
    """The recipe's models, the published fusion and one of ours, run on the published scores."""
    out = tmp_path_factory.mktemp("late_fusion")
    recipe, task = load_recipe(RECIPE)
    wanted = ("published_stacking", "log_weighted_held_out")
    few = tuple(s for s in recipe.systems if s.name in wanted)
    task(recipe.model_copy(update={"systems": few}), shared / "data", out)
    return {p.stem: read_predictions(p) for p in out.glob("*.parquet")}


@pytest.mark.parametrize(
    ("name", "percent"),
    [
        ("wav2vec2_audio", 81.82),
        ("au_bilstm_video", 62.13),
        ("au_mlp_video", 60.22),
        ("published_stacking", 86.70),
    ],
)
def test_published_figures_come_out(published, name, percent):
    found = published[name]
    assert len(found) == 1440
    assert len(set(found.subject)) == 24
    figure = 100 * mean_over_folds(found.label, found.decided(), found.fold)
    assert figure == pytest.approx(percent, abs=0.01)


def test_a_fusion_of_held_out_scores_is_better(published):
    found = published["log_weighted_held_out"]
    assert 100 * mean_over_folds(found.label, found.decided(), found.fold) > 87.2


def test_the_table_is_that_of_the_recipe():
    recipe, _ = load_recipe(RECIPE)
    with (ROOT / "results" / "ravdess_late_fusion.csv").open(encoding="utf-8") as stream:
        rows = {(r["experiment"], r["metric"]): r for r in csv.DictReader(stream)}
    names = {m.name for m in recipe.models} | {s.name for s in recipe.systems}
    assert {experiment for experiment, _ in rows} == names
    for entry in (*recipe.models, *recipe.systems):
        row = rows[entry.name, "accuracy_mean_of_folds"]
        if entry.paper:
            assert float(row["value"]) == pytest.approx(entry.paper / 100, abs=1e-3)
        if getattr(entry, "aim", None):
            assert float(row["value"]) > entry.aim / 100
        assert row["command"].startswith("aver reproduce recipes/ravdess_late_fusion.toml")


def spoilt(kind):
    table = made_table()
    if kind == "column":
        return table.drop(columns="calm")
    if kind == "twice":
        return pd.concat([table, table.head(1)])
    if kind == "both":
        return table.assign(fold=0)
    if kind == "fold":
        return table[table["fold"] == 0]
    if kind == "part":
        return table[(table["fold"] > 0) | (table["split"] == "train")]
    if kind == "kind":
        return table.assign(model=table["model"].map({"voice": "face", "face": "voice"}))
    if kind == "clip":
        return table.assign(clip=table["clip"].str.replace("01-01-01", "01-01-09"))
    if kind == "infinite":
        return table.assign(calm=np.inf)
    return table.assign(calm="?")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("column", "lacks the columns calm"),
        ("twice", "twice in a part"),
        ("both", "twice in a part|in both parts"),
        ("fold", "has 1 fold"),
        ("part", "no test clips in the fold 0"),
        ("kind", "no probabilities"),
        ("clip", "not RAVDESS'"),
        ("infinite", "not finite"),
        ("words", "no numbers"),
    ],
)
def test_scores_that_cannot_be_used(tmp_path, kind, words):
    spoilt(kind).to_parquet(tmp_path / "scores.parquet")
    with pytest.raises(CorpusError, match=words) as error:
        read_fold_scores(tmp_path / "scores.parquet", MODELS)
    assert "\n" not in str(error.value)
    assert str(tmp_path / "scores.parquet") in str(error.value)


def test_a_person_in_both_parts(tmp_path):
    table = made_table()
    rows = table[(table["fold"] == 0) & table["clip"].str.endswith("-05")]
    table.loc[rows.index[:2], "split"] = "test"  # both models' scores of one clip
    table.to_parquet(tmp_path / "scores.parquet")
    with pytest.raises(CorpusError, match="subject 05 in both parts of the fold 0"):
        read_fold_scores(tmp_path / "scores.parquet", MODELS)


def test_no_file_a_pointer_and_an_unknown_model(tmp_path):
    path = tmp_path / "scores.parquet"
    with pytest.raises(CorpusError, match="is not there"):
        read_fold_scores(path, MODELS)
    path.write_text("version https://git-lfs.github.com/spec/v1\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="Git LFS pointer"):
        read_fold_scores(path, MODELS)
    made_table().to_parquet(path)
    with pytest.raises(CorpusError, match=r"no model 'hand'\. It has face, voice"):
        read_fold_scores(path, [("hand", "logits")])


@pytest.mark.parametrize(
    ("systems", "extra", "words"),
    [
        ('[[systems]]\nname = "a"\nfusion = "wieghted"\n', "", "Did you mean 'weighted'"),
        ('[[systems]]\nname = "a"\n', "", "either a fusion or candidates"),
        ('[[systems]]\nname = "a"\ncandidates = ["b"]\n', "", "no system above is named 'b'"),
        ('[[systems]]\nname = "a"\nfusion = "mean"\n' * 2, "", "'a' is there twice"),
        (
            '[[systems]]\nname = "a"\nfusion = "mean"\n',
            'reference = "b"\n',
            "no system is named 'b'",
        ),
        (
            '[[systems]]\nname = "a"\nfusion = "stacking"\npenalties = [0.1, 0.0]\n',
            "",
            "above 0",
        ),
        ('[[systems]]\nname = "a"\nfusion = "mean"\nfited_on = "train"\n', "", "'fitted_on'"),
        ('[[systems]]\nname = "a b"\nfusion = "mean"\n', "", "name"),
    ],
)
def test_recipes_that_cannot_be_used(tmp_path, systems, extra, words):
    path = tmp_path / "r.toml"
    path.write_text(recipe_text(systems, extra), encoding="utf-8")
    with pytest.raises(RecipeError, match=words) as error:
        load_recipe(path)
    assert "\n" not in str(error.value)
