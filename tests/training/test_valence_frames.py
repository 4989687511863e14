"""The task ``valence_frames``: frames side by side with their levels, its table, bad input."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

from frames_project import FILMS, SECONDS, recipe, write_films

from aver.corpora.sound_events import SoundEvent
from aver.errors import CorpusError, RecipeError
from aver.evaluation.frame_valence import ANY
from aver.evaluation.predictions import Predictions, read_predictions
from aver.features.frame_store import FrameStore
from aver.training.recipe import load_recipe
from aver.training.valence_frames import run_valence_frames
from aver.training.valence_frames_data import heard_in, load_frame_films
from aver.training.valence_frames_recipe import FramesRecipe

ROOT = Path(__file__).resolve().parents[2]


def read(**changes):
    return FramesRecipe.model_validate(recipe(**changes))


def loaded(root, told=None, **changes):
    return load_frame_films(
        read(**changes),
        root / "cognimuse",
        FrameStore(root / "frames"),
        tell=(told if told is not None else []).append,
    )


def test_frames_stand_beside_the_levels_of_their_time(tmp_path):
    write_films(tmp_path)
    data = loaded(tmp_path)
    alpha = data.films[0]
    assert [film.name for film in data.films] == list(FILMS)
    assert len(alpha) == SECONDS * 25 / 5
    time = np.arange(len(alpha)) * 0.2
    valence = 0.95 * np.sin(2 * np.pi * time / 8)
    assert alpha.values == pytest.approx(valence, abs=1e-5)
    assert alpha.streams["pictures"][:, 0] == pytest.approx(valence, abs=1e-5)
    # Seven equal steps of [-1, 1].
    assert alpha.labels.tolist() == np.floor((valence + 1) / 2 * 7).astype(int).tolist()
    assert {int(n) for film in data.films for n in film.labels} == set(range(7))


def test_columns_of_a_stream_and_what_is_missing_of_it(tmp_path):
    write_films(tmp_path)
    film = loaded(tmp_path).films[0]
    assert film.streams["verbal"].shape[1] == 3
    assert film.streams["non_verbal"].shape[1] == 2
    # The store has zeros in the first ten frames, of which two are used.
    assert film.present["verbal"].tolist() == [False] * 2 + [True] * (len(film) - 2)
    assert film.present["non_verbal"].all()


def test_what_is_not_measured_is_cut(tmp_path):
    write_films(tmp_path)
    told: list[str] = []
    data = loaded(tmp_path, told)
    assert len(data.films[2]) == (SECONDS - 1) * 5
    assert told == []  # a second is no more than what a sound's end may lack
    assert data.segments == 2 * SECONDS * 5 + (SECONDS - 1) * 5


def test_events_are_heard_at_frames_within_them():
    count = 6
    predictions = Predictions(
        classes=("1", "2"),
        item=np.array([f"Alpha/{n:04d}" for n in range(count)], object),
        subject=np.full(count, "Alpha", object),
        fold=np.full(count, "Alpha", object),
        label=np.full(count, "1", object),
        scores=np.tile([0.6, 0.4], (count, 1)),
    )
    # Every tenth of 25 frames a second: 0, 0.4, 0.8, 1.2, 1.6, 2.0 s.
    events = {"Alpha": [SoundEvent(0.4, 1.2, "crying"), SoundEvent(1.9, 3.0, "crowd")]}
    heard = heard_in(predictions, events, 10)
    assert heard["crying"].tolist() == [False, True, True, False, False, False]
    assert heard["crowd"].tolist() == [False] * 5 + [True]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    root = tmp_path_factory.mktemp("films")
    write_films(root)
    run_valence_frames(read(), root, root / "out")
    return root / "out"


def test_the_table_holds_accuracy_within_one_and_the_paired_test(done):
    with (done / "small.csv").open(encoding="utf-8") as stream:
        rows = {(r["experiment"], r["metric"]): r for r in csv.DictReader(stream)}
    scma = "small/valence/clean/scma"
    assert float(rows[scma, "accuracy_mean_of_films"]["paper"]) == 0.4974
    accuracy = float(rows[scma, "accuracy"]["value"])
    within = float(rows[scma, "accuracy_within_one"]["value"])
    assert accuracy < within <= 1
    assert {f"recall_{n}" for n in range(1, 8)} <= {m for e, m in rows if e == scma}
    predictions = read_predictions(done / "small/valence/clean/scma.parquet")
    right = predictions.label == predictions.decided()
    assert accuracy == pytest.approx(right.mean(), abs=1e-4)
    against = rows[f"{scma} against majority", "difference_of_accuracy"]
    majority = float(rows["small/valence/clean/majority", "accuracy"]["value"])
    assert float(against["value"]) == pytest.approx(accuracy - majority, abs=2e-4)
    assert "paired t p =" in against["protocol"]
    p = float(rows[f"{scma} against majority", "p_paired_t_of_accuracy"]["value"])
    assert 0 <= p <= 1
    assert "every 5th of 25 a second" in rows[scma, "accuracy"]["data"]
    assert "nothing leaks" in rows[scma, "accuracy"]["protocol"]


def test_no_film_is_tested_by_what_it_taught(done):
    predictions = read_predictions(done / "small/valence/clean/scma.parquet")
    assert (predictions.fold == predictions.subject).all()
    assert set(predictions.subject.tolist()) == set(FILMS)
    assert len(set(predictions.item.tolist())) == len(predictions)


def test_figure_2_counts_frames_by_event(done):
    table = pd.read_csv(done / "small_events.csv", index_col=["system", "event"])
    # 1.0 to 3.0 s of each film are speech: frames at 1.0, 1.2 ... 2.8 s.
    predictions = read_predictions(done / "small/valence/clean/scma.parquet")
    number = np.array([int(item.rpartition("/")[2]) for item in predictions.item])
    speech = (number >= 5) & (number < 15)
    extreme = np.isin(predictions.label, ["1", "2", "6", "7"])
    right = predictions.label == predictions.decided()
    row = table.loc[("scma", "speech_male")]
    assert row["frames"] == (speech & extreme).sum()
    assert row["correct"] == (speech & extreme & right).sum()
    assert table.loc[("scma", ANY), "frames"] == extreme.sum()
    assert (done / "small_events.png").read_bytes()[:4] == b"\x89PNG"


def test_a_second_run_trains_nothing(done, monkeypatch):
    from aver.training import films_run

    def never(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(films_run, "train", never)
    run_valence_frames(read(), done.parent, done)


def test_a_stream_measured_anew_trains_those_again_that_read_it(tmp_path, monkeypatch):
    from aver.training import films_run

    write_films(tmp_path)
    context = {"name": "fea_tf", "model": "scma", "streams": ["pictures"]}
    context["settings"] = {"width": 8, "heads": 2, "tokens": 2}
    few = read(systems=[*recipe()["systems"], context], figure_2=None)
    run_valence_frames(few, tmp_path, tmp_path / "out")
    for film in FILMS:
        store = FrameStore(tmp_path / "frames")
        rows = np.array(store.open(film)["sound_semantics"])
        for suffix in ("npy", "json"):
            (tmp_path / "frames" / film / f"sound_semantics.{suffix}").unlink()
        store.put(film, "sound_semantics", [rows + 1], {"made": "up"})
    trained = []
    train = films_run.train

    def told(recipe, system, *rest):
        trained.append(system.name)
        return train(recipe, system, *rest)

    monkeypatch.setattr(films_run, "train", told)
    run_valence_frames(few, tmp_path, tmp_path / "out")
    assert trained == ["scma"] * len(FILMS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pairs": [["scma", "majorty"]]}, "did you mean 'majority'"),
        ({"figure_2": {"systems": ["smca"]}}, "did you mean 'scma'"),
        ({"frames": {"events": ""}}, "needs frames.events"),
        ({"frames": {"events": "pseudo_films"}}, "makes no pseudo-films"),
        ({"data": {"corpus": "forrest_gump"}}, "no traces of frames"),
        ({"paper": {"smca": 1.0}}, "paper: there is no system 'smca'"),
        ({"features": {"pictures": {"columns": [4, 2]}}}, "one after the last"),
    ],
)
def test_recipes_that_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        read(**changes)


def test_bad_input_is_one_clear_line(tmp_path):
    with pytest.raises(CorpusError, match="no frame store with a measured film"):
        run_valence_frames(read(), tmp_path, tmp_path / "out")
    write_films(tmp_path)
    wide = {"pictures": {}, "verbal": {"stream": "sound_semantics", "columns": [0, 9]}}
    with pytest.raises(CorpusError, match=r"5 columns in 'sound_semantics'.*up to 9"):
        loaded(tmp_path, features=wide, systems=recipe()["systems"])
    with pytest.raises(CorpusError, match="no finished stream 'flow'"):
        loaded(tmp_path, features={"flow": {}})
    (tmp_path / "events" / "Beta.tsv").unlink()
    with pytest.raises(CorpusError, match="no events of Beta"):
        run_valence_frames(read(), tmp_path, tmp_path / "out")


def test_one_film_is_refused(tmp_path):
    write_films(tmp_path, ("Alpha",))
    with pytest.raises(CorpusError, match="none can be left out"):
        loaded(tmp_path)


def test_the_recipes_can_be_read():
    for name in ("scma_table2", "scma_pseudo_films"):
        found, _ = load_recipe(ROOT / "recipes" / f"{name}.toml")
        assert isinstance(found, FramesRecipe)
        systems = {s.name: found.streams_of(s) for s in found.systems}
        assert {"dnn", "lstm", "fea_tf", "temp_tf"} <= set(systems)
        assert not {"fea_tf_cma", "fea_tf_scma"} & set(systems)  # without events there are none
        assert set(found.paper) <= set(systems)
        for suffix, streams in (("verbal", {"verbal"}), ("all", {"verbal", "non_verbal"})):
            for model in ("dnn", "lstm", "fea_tf", "temp_tf", "fea_tf_cma", "fea_tf_scma"):
                own = set(systems[f"{model}_{suffix}"])
                assert own & {"verbal", "non_verbal"} == streams
    with pytest.raises(RecipeError):
        load_recipe(ROOT / "recipes" / "scma_none.toml")
