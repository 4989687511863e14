from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpora.manifests import items, make_manifest, manifests, shuffled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner

from aver.cli.main import app
from aver.corpora import load_corpus, make_frame, published_folds
from aver.corpora.manifest import write_manifest
from aver.corpora.split_table import split_frame, write_split
from aver.corpora.splits import SCHEMES, SplitSettings, make_split
from aver.errors import CorpusError, OutputError, SettingError

RAVDESS_ACTORS = [f"{n:02d}" for n in range(1, 25)]
CREMA_D_ACTORS = [str(n) for n in range(1001, 1092)]
RANDOM = ("random_80_10_10", "random_50_50", "random_25_75")

any_manifest = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def people_tested(frame, split):
    return [sorted(set(frame["subject"].iloc[fold.test])) for fold in split.folds]


def ravdess_like():
    sexes = ["female" if int(a) % 2 == 0 else "male" for a in RAVDESS_ACTORS]
    return make_manifest(RAVDESS_ACTORS, takes=1, group=sexes)


# --- subject-disjoint folds


@any_manifest
@given(manifests(), st.integers(0, 5), st.integers(2, 4))
def test_no_subject_and_no_take_on_both_sides(manifest, seed, folds):
    chosen = SplitSettings(folds=folds, seed=seed, validation="subjects", validation_subjects=1)
    try:
        split = make_split(manifest, chosen)
    except CorpusError as error:
        # People who share takes may be too few to deal, or to train on one class.
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert any(words in refused for words in ("subjects for", "hold no", "nobody to train"))
        return
    times_tested = np.zeros(len(manifest), int)
    for fold in split.folds:
        times_tested[fold.test] += 1
        sides = [fold.train, fold.validation, fold.test]
        assert sorted(np.concatenate(sides).tolist()) == list(range(len(manifest)))
        for column in ("subject", "recording"):
            names = [set(manifest[column].iloc[side]) - {""} for side in sides]
            assert not names[0] & names[2]
            assert not names[1] & names[2]
            assert not names[0] & names[1]
    assert (times_tested == 1).all()


@any_manifest
@given(
    manifests(), st.integers(0, 5), st.sampled_from(["subjects", "leave_one_subject_out", *RANDOM])
)
def test_the_order_of_rows_does_not_matter_and_the_seed_decides(manifest, seed, scheme):
    chosen = SplitSettings(scheme=scheme, folds=2, seed=seed, allow_leak="a test of random rows")
    other = shuffled(manifest, seed)
    try:
        one = make_split(manifest, chosen)
    except CorpusError:
        with pytest.raises(CorpusError):
            make_split(other, chosen)
        return
    again, moved = make_split(manifest, chosen), make_split(other, chosen)
    for a, b, c in zip(one.folds, again.folds, moved.folds, strict=True):
        assert a.name == b.name == c.name
        for side in ("train", "validation", "test"):
            np.testing.assert_array_equal(getattr(a, side), getattr(b, side))
            assert items(manifest, getattr(a, side)) == items(other, getattr(c, side))


@given(st.integers(2, 40), st.integers(0, 40), st.integers(2, 12), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_folds_are_equal_in_people_and_in_each_sex(women, men, folds, seed):
    subjects = [f"w{n}" for n in range(women)] + [f"m{n}" for n in range(men)]
    manifest = make_manifest(subjects, takes=1, labels=("happy",), sex=["F"] * women + ["M"] * men)
    if len(subjects) < folds:
        with pytest.raises(CorpusError, match=rf"has {len(subjects)} subjects for {folds} folds"):
            make_split(manifest, SplitSettings(folds=folds, seed=seed))
        return
    tested = people_tested(manifest, make_split(manifest, SplitSettings(folds=folds, seed=seed)))
    for letter in ("w", "m", ""):
        counts = [sum(s.startswith(letter) for s in fold) for fold in tested]
        assert max(counts) - min(counts) <= 1


def test_twelve_folds_of_ravdess_hold_a_man_and_a_woman_each():
    manifest = ravdess_like()
    split = make_split(manifest, SplitSettings(seed=3))
    assert [f.name for f in split.folds] == [f"{n:02d}" for n in range(12)]
    for actors in people_tested(manifest, split):
        assert sorted(int(a) % 2 for a in actors) == [0, 1]
    other = people_tested(manifest, make_split(manifest, SplitSettings(seed=4)))
    assert other != people_tested(manifest, split)


def test_ten_folds_of_crema_d_hold_nine_people_and_one_ten():
    manifest = make_manifest(CREMA_D_ACTORS, takes=1)
    tested = people_tested(manifest, make_split(manifest, SplitSettings(folds=10)))
    assert sorted(map(len, tested)) == [9] * 9 + [10]


def test_two_people_in_one_take_stay_together():
    manifest = make_manifest(["a", "b", "c", "d"])
    manifest.loc[manifest["subject"] == "b", "recording"] = manifest.loc[
        manifest["subject"] == "c", "recording"
    ].to_numpy()
    tested = people_tested(manifest, make_split(manifest, SplitSettings(folds=3)))
    assert ["b", "c"] in tested
    names = [
        f.name for f in make_split(manifest, SplitSettings(scheme="leave_one_subject_out")).folds
    ]
    assert names == ["a", "b+c", "d"]


def test_validation_takes_a_man_and_a_woman_out_of_training():
    manifest = ravdess_like()
    split = make_split(manifest, SplitSettings(scheme="ravdess_12_pairs", validation="subjects"))
    chosen = [tuple(sorted(set(manifest["subject"].iloc[f.validation]))) for f in split.folds]
    for pair, fold in zip(chosen, split.folds, strict=True):
        assert sorted(int(a) % 2 for a in pair) == [0, 1]
        assert len(fold.train) == 21 * 3 - 1 * 3
    assert len(set(chosen)) > 1


def test_leave_one_subject_out_has_a_fold_named_after_each():
    manifest = make_manifest(["b", "a", "c"])
    split = make_split(manifest, SplitSettings(scheme="leave_one_subject_out"))
    assert [f.name for f in split.folds] == ["a", "b", "c"]
    assert people_tested(manifest, split) == [["a"], ["b"], ["c"]]


# --- published folds


def test_the_five_folds_are_those_of_the_published_scores(shared):
    scores = pd.read_parquet(shared / "data" / "ravdess_av" / "fold_scores.parquet")
    scores["actor"] = scores["clip"].str[-2:]
    for fold, actors in enumerate(published_folds.RAVDESS_5_FOLDS):
        here = scores[scores["fold"] == fold]
        assert tuple(sorted(set(here.loc[here["split"] == "test", "actor"]))) == actors
        assert not set(here.loc[here["split"] == "train", "actor"]) & set(actors)


@pytest.mark.parametrize("scheme", ["ravdess_5_folds", "ravdess_6_folds", "ravdess_12_pairs"])
def test_ravdess_lists_test_every_actor_once(scheme):
    manifest = ravdess_like()
    tested = people_tested(manifest, make_split(manifest, SplitSettings(scheme=scheme)))
    assert sorted(actor for fold in tested for actor in fold) == RAVDESS_ACTORS
    assert len(tested) == int("".join(c for c in scheme if c.isdigit()))


def test_lists_as_they_were_published():
    assert published_folds.RAVDESS_6_FOLDS[1] == ("05", "06", "07", "08")
    assert published_folds.RAVDESS_12_PAIRS[11] == ("23", "24")
    blocks = published_folds.CREMA_D_5_BLOCKS
    assert [b[-1] for b in blocks] == ["1018", "1036", "1054", "1072", "1091"]
    assert sum(blocks, ()) == tuple(CREMA_D_ACTORS)


def test_the_twelve_pairs_are_those_of_the_voice_folds():
    pytest.importorskip("torch")
    from aver.training.voice_folds import ACTORS_A_FOLD

    for fold, actors in enumerate(published_folds.RAVDESS_12_PAIRS):
        assert {(int(a) - 1) // ACTORS_A_FOLD for a in actors} == {fold}


def test_a_published_fold_without_its_actors_says_which():
    manifest = ravdess_like()
    half = manifest[manifest["subject"] < "21"].reset_index(drop=True)
    with pytest.raises(CorpusError, match=r"fold 5: has no rows to test: .* none of 21 to 24"):
        make_split(half, SplitSettings(scheme="ravdess_6_folds"))
    with pytest.raises(CorpusError, match=r"has subject '01', whom .*crema_d_5_blocks"):
        make_split(manifest, SplitSettings(scheme="crema_d_5_blocks"))


# --- random, columns, publisher


@pytest.mark.parametrize(
    ("scheme", "sizes"),
    [
        ("random_80_10_10", (80, 10, 10)),
        ("random_50_50", (50, 0, 50)),
        ("random_25_75", (25, 0, 75)),
    ],
)
def test_random_splits_have_their_shares_and_are_marked(scheme, sizes):
    manifest = make_manifest(["a", "b"], takes=25, labels=("happy", "sad"))
    with pytest.raises(CorpusError, match=r"2 subjects \(a, b\) stand among both test and"):
        make_split(manifest, SplitSettings(scheme=scheme))
    split = make_split(manifest, SplitSettings(scheme=scheme, allow_leak="as it was published"))
    (fold,) = split.folds
    assert (len(fold.train), len(fold.validation), len(fold.test)) == sizes
    assert "subjects" in split.leaks
    assert split.reason == "as it was published"


@any_manifest
@given(manifests(), st.sampled_from(RANDOM))
def test_random_splits_keep_takes_together(manifest, scheme):
    try:
        split = make_split(manifest, SplitSettings(scheme=scheme, allow_leak="random"))
    except CorpusError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert "hold no" in refused
        return
    assert "recording" not in split.leaks
    assert "stretch" not in split.leaks


def test_columns_name_the_folds():
    manifest = make_manifest(["a", "b", "c"], fold=["2", "1", "2"])
    split = make_split(manifest, SplitSettings(scheme="column", column="fold"))
    assert [f.name for f in split.folds] == ["1", "2"]
    assert people_tested(manifest, split) == [["b"], ["a", "c"]]
    with pytest.raises(SettingError, match=r"no column 'folds'\. Did you mean 'fold'"):
        make_split(manifest, SplitSettings(scheme="column", column="folds"))
    manifest.loc[4, "fold"] = None
    with pytest.raises(CorpusError, match="column 'fold' is empty in row 4"):
        make_split(manifest, SplitSettings(scheme="column", column="fold"))


def test_the_publishers_own_sides():
    sides = ["train", "validation", "test"]
    manifest = make_manifest(sides, group=sides)
    manifest["subject"] = ""
    split = make_split(manifest, SplitSettings(scheme="publisher"))
    (fold,) = split.folds
    assert (len(fold.train), len(fold.validation), len(fold.test)) == (6, 6, 6)
    assert split.remarks == ("18 rows name nobody: the same person may stand on both sides.",)
    with pytest.raises(CorpusError, match="does not say train or test of every row"):
        make_split(make_manifest(["a", "b"]), SplitSettings(scheme="publisher"))


def test_many_faces_in_one_table_are_not_one_take():
    manifest = make_frame(
        [
            {
                "file": "/fer2013.csv",
                "label": "happy",
                "group": side,
                "recording": f"fer2013.csv:{n}",
            }
            for n, side in enumerate(["train", "test", "train", "test"])
        ]
    )
    assert make_split(manifest, SplitSettings(scheme="publisher")).leaks == ""


# --- bad input


def test_a_class_absent_in_training_is_refused_and_in_test_remarked():
    manifest = make_manifest(["a", "b", "c"])
    manifest = manifest[(manifest["label"] != "sad") | (manifest["subject"] == "b")]
    manifest = manifest.reset_index(drop=True)
    with pytest.raises(CorpusError, match="fold b: training rows hold no sad"):
        make_split(manifest, SplitSettings(scheme="leave_one_subject_out"))
    twice = make_manifest(["a", "b", "c"])
    twice = twice[(twice["label"] != "sad") | (twice["subject"] != "a")].reset_index(drop=True)
    split = make_split(twice, SplitSettings(scheme="leave_one_subject_out"))
    assert split.remarks == ("Fold a: test rows hold no sad.",)
    with pytest.raises(CorpusError, match="fold a: test rows hold no sad"):
        make_split(twice, SplitSettings(scheme="leave_one_subject_out", strict=True))


def test_unknown_schemes_and_settings_are_refused():
    with pytest.raises(
        ValidationError, match=r"'subject' is not a known scheme\. Did you mean 'subjects'"
    ):
        SplitSettings(scheme="subject")
    with pytest.raises(ValidationError, match="fold_count"):
        SplitSettings(fold_count=3)
    assert set(SCHEMES) == {
        "subjects",
        "leave_one_subject_out",
        "leave_one_movie_out",
        "ravdess_12_pairs",
        "ravdess_5_folds",
        "ravdess_6_folds",
        "crema_d_5_blocks",
        *RANDOM,
        "column",
        "publisher",
    }


def test_what_cannot_be_split_says_why():
    with pytest.raises(CorpusError, match="manifest: has no rows"):
        make_split(make_manifest([]))
    with pytest.raises(CorpusError, match="row 0 names nobody"):
        make_split(make_manifest(["", "a"]))
    with pytest.raises(CorpusError, match="one subject alone"):
        make_split(make_manifest(["a"]), SplitSettings(scheme="leave_one_subject_out"))
    with pytest.raises(CorpusError, match="leave nobody to train on"):
        make_split(
            make_manifest(["a", "b"]),
            SplitSettings(folds=2, validation="subjects", validation_subjects=1),
        )
    with pytest.raises(SettingError, match="validation rows of its own"):
        make_split(
            make_manifest(["a", "b"], takes=20),
            SplitSettings(scheme="random_80_10_10", validation="subjects", allow_leak="x"),
        )
    backwards = make_manifest(["a", "b"]).assign(start=2.0, end=1.0)
    with pytest.raises(CorpusError, match=r"a-angry-0\.wav: a row .* ends before it starts"):
        make_split(backwards, SplitSettings(folds=2))


# --- real corpora


def test_three_clips_of_crema_d_name_their_actor(shared):
    manifest = load_corpus("crema_d", shared / "data" / "crema_d_sample")
    with pytest.raises(CorpusError, match="has 1 subjects for 10 folds"):
        make_split(manifest, SplitSettings(folds=10))


# --- as a table, and the command


def test_the_table_of_a_split_names_every_row_once_a_fold(tmp_path):
    manifest = ravdess_like()
    split = make_split(manifest, SplitSettings(scheme="ravdess_6_folds", validation="subjects"))
    table = split_frame(manifest, split)
    assert len(table) == 6 * len(manifest)
    assert table.groupby("fold")["row"].nunique().tolist() == [len(manifest)] * 6
    tested = table[table["side"] == "test"]
    assert sorted(tested["row"]) == list(range(len(manifest)))
    assert set(tested[tested["fold"] == "1"]["subject"]) == {"05", "06", "07", "08"}
    for name in ("split.csv", "split.parquet"):
        write_split(table, tmp_path / name)
    again = pd.read_parquet(tmp_path / "split.parquet")
    assert again["row"].tolist() == table["row"].tolist()
    assert sorted(f.name for f in tmp_path.iterdir()) == ["split.csv", "split.parquet"]
    with pytest.raises(OutputError, match=r"split\.txt: a split is Parquet or CSV"):
        write_split(table, tmp_path / "split.txt")
    with pytest.raises(OutputError, match="cannot be written"):
        write_split(table, tmp_path / "nowhere" / "split.csv")


def manifest_file(folder):
    """A manifest whose files are not there: a split is made from the table alone."""
    frame = ravdess_like()
    frame["file"] = [str(folder / Path(file).name) for file in frame["file"]]
    return write_manifest(frame, folder / "m.csv")


def test_the_command_writes_the_folds_and_shows_them(tmp_path):
    manifest = manifest_file(tmp_path)
    out = tmp_path / "folds.csv"
    done = CliRunner().invoke(
        app, ["split", str(manifest), "--scheme", "ravdess_12_pairs", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert "23 24" in done.output
    table = pd.read_csv(out, dtype={"subject": str, "fold": str})
    here = table[(table["side"] == "test") & (table["fold"] == "11")]
    assert set(here["subject"]) == {"23", "24"}


def test_the_command_refuses_what_leaks_and_what_it_does_not_know(tmp_path):
    manifest = str(manifest_file(tmp_path))
    done = CliRunner().invoke(app, ["split", manifest, "--scheme", "random_50_50"])
    assert isinstance(done.exception, CorpusError)
    wrong = CliRunner().invoke(app, ["split", manifest, "--scheme", "ravdess_5_fold"])
    assert str(wrong.exception) == (
        "--scheme: 'ravdess_5_fold' is not a known scheme. Did you mean 'ravdess_5_folds'."
    )
    allowed = CliRunner().invoke(
        app, ["split", manifest, "--scheme", "random_50_50", "--allow-leak", "as the report had it"]
    )
    assert allowed.exit_code == 0, allowed.output
    assert "Allowed: as the report had it" in allowed.output
